"""Figures of the README and of docs/results stand in files that commands wrote."""

import json
import re
from itertools import groupby
from pathlib import Path
from statistics import mean

import pytest

from spacy_seqmix.report.arms import baselines_of, read_arms
from spacy_seqmix.report.markdown import lay_out
from spacy_seqmix.report.summary import summarise_arms
from spacy_seqmix.report.tables import make_tables

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)(?:#([^)]*))?\)")
# A sign belongs to it, but not a hyphen.
NUMBER = re.compile(r"(?<!\w)[+-]?\d+\.\d+")
# What the SeqMix paper reports on CoNLL-03, ACE05 and WebPage.
OF_THE_PAPER = {"+2.95", "+2.27", "+3.75"}


def linked(text: str, folder: Path) -> list[tuple[str, str]]:
    """The text of each link, and that of the page or section that it leads to."""
    found = []
    for label, target, anchor in LINK.findall(text):
        path = folder / target
        if path.suffix in (".md", ".txt") and "://" not in target:
            content = path.read_text("utf8")
            found.append((label, sections(content).get(anchor, content)))
    return found


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level, by its anchor."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    names = [re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in parts[1::2]]
    return dict(zip(names, parts[2::2], strict=True))


def lacking(figures: list[str], content: str) -> list[str]:
    """Those that no number of a text is, rounded to as many places: with their sign, if any."""
    numbers = [float(n) for n in NUMBER.findall(content)]
    return [figure for figure in figures if not any(is_one(figure, n) for n in numbers)]


def is_one(figure: str, number: float) -> bool:
    """Whether a figure is a number."""
    places = len(figure.partition(".")[2])
    sign, value = ("+", number) if figure[0] in "+-" else ("", abs(number))
    return f"{value:{sign}.{places}f}" == figure


def test_results_of_the_readme_stand_where_it_says() -> None:
    told = [
        (label, content)
        for label, content in linked((ROOT / "README.md").read_text("utf8"), ROOT)
        if re.search(r"[+-]\d+\.\d", label)
    ]
    assert len(told) >= 5
    for label, content in told:
        assert not lacking(NUMBER.findall(label), content), label


@pytest.mark.parametrize("name", sections((RESULTS / "README.md").read_text("utf8")))
def test_results_have_files(name: str) -> None:
    text = sections((RESULTS / "README.md").read_text("utf8"))[name]
    figures = [f for f in NUMBER.findall(LINK.sub(r"\1", text)) if f not in OF_THE_PAPER]
    assert not lacking(figures, " ".join(content for _, content in linked(text, RESULTS)))


@pytest.mark.parametrize("folder", sorted(RESULTS.glob("*/runs")), ids=lambda p: p.parent.name)
def test_results_reports_are_of_their_runs(folder: Path) -> None:
    arms, unfinished = read_arms([str(folder)])
    assert not unfinished
    page = (folder.parent / "report.md").read_text("utf8")
    for table in make_tables(summarise_arms(arms, baselines_of(arms, None))):
        assert lay_out(table) in page


@pytest.mark.parametrize("page", sorted(RESULTS.glob("*/table-*.md")), ids=lambda p: p.parent.name)
def test_results_tables_are_of_their_runs(page: Path) -> None:
    stem = page.stem.removeprefix("table-")
    rows = [line for line in page.read_text("utf8").splitlines() if " ± " in line]
    assert rows
    for row in rows:
        arm = row.split("|")[1].strip().replace(",", "").replace(" ", "-")
        paths = sorted(page.parent.glob(f"{arm}-{stem}-*"))
        assert paths, row
        for _, seeds in groupby(paths, lambda path: path.stem.rpartition("-seed")[0]):
            runs = [json.loads(path.read_text("utf8")) for path in seeds]
            values = [run.values() if isinstance(run, dict) else [run] for run in runs]
            means = [f"{mean(one):.1f} ± " for one in zip(*values, strict=True)]
            assert any(one in row for one in means), row
