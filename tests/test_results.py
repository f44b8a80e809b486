"""Figures of the README and of docs/results stand in files that commands wrote."""

import json
import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import groupby
from pathlib import Path
from shutil import copytree
from statistics import mean
from types import ModuleType

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
    pages = []
    for label, target, anchor in LINK.findall(text):
        path = folder / target
        if path.suffix in (".md", ".txt") and "://" not in target:
            content = path.read_text("utf8")
            pages.append((label, sections(content).get(anchor, content)))
    return pages


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level, by its anchor."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    names = [re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in parts[1::2]]
    return dict(zip(names, parts[2::2], strict=True))


def missing(figures: list[str], content: str) -> list[str]:
    """Those that no number of a text is, rounded to as many places: with their sign, if any."""
    numbers = [float(n) for n in NUMBER.findall(content)]
    return [figure for figure in figures if not any(is_one(figure, n) for n in numbers)]


def is_one(figure: str, number: float) -> bool:
    """Whether a figure is a number."""
    places = len(figure.partition(".")[2])
    sign, value = ("+", number) if figure[0] in "+-" else ("", abs(number))
    return f"{value:{sign}.{places}f}" == figure


def test_results_of_the_readme_stand_where_it_says() -> None:
    text = sections((ROOT / "README.md").read_text("utf8"))["what-works-and-what-does-not"]
    pages = linked(text, ROOT)
    assert [label for label, _ in pages] == ["All results"]
    figures = NUMBER.findall(LINK.sub(r"\1", text))
    assert len(figures) >= 5
    assert not missing(figures, pages[0][1])


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf8").split()) <= 900


@pytest.mark.parametrize("name", sections((RESULTS / "README.md").read_text("utf8")))
def test_results_have_files(name: str) -> None:
    text = sections((RESULTS / "README.md").read_text("utf8"))[name]
    figures = [f for f in NUMBER.findall(LINK.sub(r"\1", text)) if f not in OF_THE_PAPER]
    assert not missing(figures, " ".join(content for _, content in linked(text, RESULTS)))


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/runs.jsonl")), ids=lambda p: p.parent.name)
def test_results_reports_are_of_their_runs(path: Path) -> None:
    arms, unfinished = read_arms([str(path)])
    assert not unfinished
    page = (path.parent / "report.md").read_text("utf8")
    baseline = load_make().STUDIES[path.parent.name].baseline
    for table in make_tables(summarise_arms(arms, baselines_of(arms, baseline))):
        assert lay_out(table) in page


@pytest.mark.parametrize("page", sorted(RESULTS.glob("*/table-*.md")), ids=lambda p: p.parent.name)
def test_results_tables_are_of_their_runs(page: Path) -> None:
    scores = json.loads((page.parent / "scores.json").read_text("utf8"))
    stem = page.stem.removeprefix("table-")
    rows = [line for line in page.read_text("utf8").splitlines() if " ± " in line]
    assert rows
    for row in rows:
        arm = row.split("|")[1].strip().replace(",", "").replace(" ", "-")
        names = sorted(name for name in scores if name.startswith(f"{arm}-{stem}-"))
        assert names, row
        for _, seeds in groupby(names, lambda name: name.rpartition("-seed")[0]):
            runs = [scores[name] for name in seeds]
            values = [run.values() if isinstance(run, dict) else [run] for run in runs]
            means = [f"{mean(one):.1f} ± " for one in zip(*values, strict=True)]
            assert any(one in row for one in means), row


def test_results_screening_is_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    table, arms = import_module("screening.table"), import_module("screening.arms")
    runs = table.read_runs(RESULTS / "screening.jsonl")
    page = (RESULTS / "screening.md").read_text("utf8")
    assert {key.arm for key in runs} <= set(arms.ARMS)
    best = "crf shape in 1e-3"
    on_top = {key: run for key, run in runs.items() if key.arm.startswith(best)}
    tables = table.make_table(runs, "none") + "\n\n" + table.make_table(on_top, best)
    tables = [part for part in tables.split("\n\n") if part.startswith("|")]
    assert len(tables) >= 2
    assert not [part for part in tables if part not in page]
    text = "\n".join(line for line in page.splitlines() if not line.startswith("|"))
    assert not missing(NUMBER.findall(LINK.sub(r"\1", text)), "\n".join(tables))


def load_make() -> ModuleType:
    """The script that makes the kept pages."""
    spec = spec_from_file_location("make_results", RESULTS / "make.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_results_are_few_and_small() -> None:
    files = [path for path in RESULTS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) <= 80
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    assert {path.parent.name for path in RESULTS.glob("*/runs.jsonl")} == set(load_make().STUDIES)


def test_results_can_be_made_again(tmp_path: Path) -> None:
    name = "strategies-conll03"
    copytree(RESULTS / name, tmp_path / name)
    page = tmp_path / name / "report.md"
    before = page.read_text("utf8")
    page.unlink()
    make = load_make()
    make.write_page(tmp_path / name, make.STUDIES[name])
    # Below stand the date and the machine.
    assert (
        page.read_text("utf8").partition("- Report made")[0] == before.partition("- Report made")[0]
    )
    assert re.findall(r"\w+\.png", page.read_text("utf8")) == ["curves.png"]
