"""docs/extending.md runs as it stands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import srsly
from catalogue import REGISTRY
from spacy.tokens import Doc
from spacy.util import registry
from typer.testing import CliRunner

from spacy_seqmix.active.journal import WAITING_EXIT_CODE
from spacy_seqmix.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text("utf8")
NAMES = (
    "my.SameLength.v1",
    "my.DoubtfulTokens.v1",
    "my.CarelessOracle.v1",
    "my.TableOracle.v1",
)


def blocks(language: str) -> list[str]:
    """The code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Path]:
    """The page's code in a file; what it registers is forgotten afterwards."""
    path = tmp_path / "my_parts.py"
    path.write_text("\n\n".join(blocks("python")), "utf8")
    yield path
    for name in NAMES:
        REGISTRY.pop(("spacy", "misc", name), None)


def test_extending_page_runs(files: dict[str, Any], parts: Path, tmp_path: Path) -> None:
    (config,) = blocks("ini")
    (tmp_path / "mine.cfg").write_text(config.replace("configs/active.cfg", "active.cfg"), "utf8")
    options = [word for name, value in files.items() for word in (f"--{name}", str(value))]
    run = tmp_path / "run"
    args = ["active", str(tmp_path / "mine.cfg"), str(run), "--code", str(parts), *options]
    result = CliRunner().invoke(app, [*args, "--quiet"])
    assert result.exit_code == 0, result.output
    rounds = list(srsly.read_jsonl(run / "journal.jsonl"))
    assert [one["n_labelled"] for one in rounds] == [8, 12, 16]
    assert sum(one["n_mixed"] for one in rounds) > 0
    assert set(NAMES) <= set(registry.misc.get_all())


def test_extending_page_oracle_that_waits(
    files: dict[str, Any], parts: Path, tmp_path: Path, all_news: list[Doc]
) -> None:
    gold = {doc.text: doc.ents for doc in all_news}
    (tmp_path / "texts.txt").write_text("\n".join(gold), "utf8")
    values = {
        **{**files, "paths.pool": str(tmp_path / "texts.txt")},
        **{"active.oracle.@misc": "my.TableOracle.v1", "active.n_rounds": "0"},
        **{"active.mixing": "null", "active.max_steps": "4"},
    }
    options = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    run = tmp_path / "run"
    args = ["active", str(tmp_path / "active.cfg"), str(run), "--code", str(parts), *options]
    result = CliRunner().invoke(app, [*args, "--quiet"])
    assert result.exit_code == WAITING_EXIT_CODE == 13, result.output
    sentence = " ".join(result.output.split())
    assert "Round 0 waits for 8 of 8 texts: write a line with KEY" in sentence
    assert sentence.endswith("then run the same command again")
    first = list(srsly.read_jsonl(run / "asked.jsonl"))[1]
    wrong = [("nowhere", "PER"), (first["text"][1:5], "PER"), (first["text"].split()[0],)]
    for row in wrong:  # a typo, a cut token, no label
        (run / "labels.tsv").write_text("\t".join([first["key"], *row]), "utf8")
        result = CliRunner().invoke(app, [*args, "--quiet"])
        assert "Round 0 waits for 8 of 8 texts" in " ".join(result.output.split())
    lines = []
    for task in list(srsly.read_jsonl(run / "asked.jsonl"))[1:9]:
        rows = [f"{task['key']}\t{ent.text}\t{ent.label_}" for ent in gold[task["text"]]]
        lines += rows or [task["key"]]
    (run / "labels.tsv").write_text("\n".join(lines), "utf8")
    result = CliRunner().invoke(app, [*args, "--quiet"])
    assert result.exit_code == 0, result.output
    (record,) = srsly.read_jsonl(run / "journal.jsonl")
    assert record["n_labelled"] == 8
    assert sum(record["queried_entities"]) == sum("\t" in line for line in lines)


def test_extending_page_parts_are_some_twenty_lines() -> None:
    lengths = [len(block.strip().splitlines()) for block in blocks("python")]
    assert len(lengths) == 2 + len(NAMES)
    assert max(lengths) <= 20
