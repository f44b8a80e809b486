"""Reports over hand-written journals."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.report import read_run, write_report
from spacy_seqmix.report.runs import differences

PNG = b"\x89PNG\r\n\x1a\n"


def _round(i: int, dev: float, *, mixed: int = 0, **changes: Any) -> dict[str, Any]:
    scores = {"ents_p": dev + 0.01, "ents_r": dev - 0.01, "ents_f": dev}
    by_type = {"PER": {"p": 0.9, "r": 0.9, "f": dev + 0.1}, "MISC": {"p": 0.5, "r": 0.5, "f": 0.5}}
    return {
        "round": i,
        "queried": list(range(200)) if i == 0 else [f"{i}-{k}" for k in range(100)],
        "n_labelled": 200 + 100 * i,
        "n_mixed": mixed * (i + 1),
        "steps": 140 + 20 * i,
        "seconds": {"query": 1.5, "mix": 0.5, "train": 40.0, "evaluate": 8.0},
        "seconds_mixing": {"table": 0.15, "mixing": 0.05, "lm": 0.3} if mixed else None,
        "mixing": {"eligible": 90, "tried": 60, "rejected": 20, "kept": 40} if mixed else None,
        "scores": {
            "dev": {**scores, "ents_per_type": by_type},
            "test": {**scores, "ents_f": dev - 0.05, "ents_per_type": by_type},
        },
        "later_field": 1,
        **changes,
    }


def _write(folder: Path, rounds: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    text = "".join(json.dumps(r) + "\n" for r in rounds)
    (folder / "journal.jsonl").write_text(text, "utf8")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    plain = [_round(i, f) for i, f in enumerate((0.70, 0.75, 0.7804))]
    mixed = [_round(i, f, mixed=40) for i, f in enumerate((0.68, 0.762, 0.80))]
    return {"none": _write(tmp_path / "a", plain), "seqmix": _write(tmp_path / "b", mixed)}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_report_table_has_a_row_a_usage_point(tmp_path: Path, runs: dict[str, Path]) -> None:
    path = write_report(runs, tmp_path / "out", "Mini", "make demo", 0)
    lines = path.read_text("utf8").split("\n")
    head = next(i for i, line in enumerate(lines) if "labelled" in line and line.startswith("|"))
    assert _cells(lines[head]) == [
        *("labelled", "mixed", "steps"),
        *("dev none", "dev seqmix", "diff.", "test none", "test seqmix", "diff."),
    ]
    assert [_cells(line) for line in lines[head + 2 : head + 5]] == [
        ["200", "0 / 40", "140", "70.0", "68.0", "-2.0", "65.0", "63.0", "-2.0"],
        ["300", "0 / 80", "160", "75.0", "76.2", "+1.2", "70.0", "71.2", "+1.2"],
        ["400", "0 / 120", "180", "78.0", "80.0", "+2.0", "73.0", "75.0", "+2.0"],
    ]
    text = "\n".join(lines)
    assert "# Mini" in text
    assert "`make demo`" in text
    assert re.search(r"Date: \d{4}-\d\d-\d\d", text)
    assert re.search(
        r"\| +200 \| +seqmix \| +1.5 \| +0.5 \| +40.0 \| +8.0 \| +50.0 \| +0.3 \| +0.4 %", text
    )
    assert re.search(r"\| +PER \| +88.0 \| +90.0 \|", text)
    assert socket.gethostname() not in text


def test_report_writes_numbers_and_picture(tmp_path: Path, runs: dict[str, Path]) -> None:
    out = tmp_path / "out"
    write_report(runs, out, "Mini", "make demo", 3)
    assert sorted(path.name for path in out.iterdir()) == ["curves.png", "results.json", "table.md"]
    results = json.loads((out / "results.json").read_text("utf8"))
    assert results["seed"] == 3
    assert [run["name"] for run in results["runs"]] == ["none", "seqmix"]
    assert results["runs"][1]["rounds"][1]["scores"]["dev"]["ents_f"] == 0.762
    assert results["runs"][1]["rounds"][1]["mixing"]["kept"] == 40
    assert (out / "curves.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"steps": 999}, "140 and 999 optimiser steps in round 0"),
        ({"queried": [1, 2]}, "different seed sets"),
        ({"n_labelled": 210}, "200 and 210 labelled"),
    ],
)
def test_report_refuses_runs_that_differ(
    tmp_path: Path, runs: dict[str, Path], changes: dict[str, Any], phrase: str
) -> None:
    rounds = [_round(0, 0.7, **changes), *(_round(i, 0.7) for i in (1, 2))]
    both = {"none": runs["none"], "other": _write(tmp_path / "c", rounds)}
    with pytest.raises(ValueError, match=f"S512.*{phrase}"):
        write_report(both, tmp_path / "out", "Mini", "make demo", 0)
    assert not (tmp_path / "out").exists()
    path = write_report(both, tmp_path / "out", "Mini", "x", None, allow_different=True)
    assert phrase in path.read_text("utf8")


def test_report_names_the_models(tmp_path: Path, runs: dict[str, Path]) -> None:
    config = '[paths]\nencoder = "/somewhere/site-packages/pack/model"\nlm = "gpt2"\ntrain = null\n'
    for folder in runs.values():
        (folder / "config.cfg").write_text(config)
    path = write_report(runs, tmp_path / "out", "Mini", "make demo", 0)
    assert "- Models: encoder pack/model; lm gpt2\n" in path.read_text("utf8")
    (runs["seqmix"] / "config.cfg").write_text('[paths]\nencoder = "other"\n')
    with pytest.raises(ValueError, match=r"S512.*have the encoders pack/model and other"):
        write_report(runs, tmp_path / "out", "Mini", "make demo", 0)


def test_report_finds_the_seed_in_the_configs(tmp_path: Path, runs: dict[str, Path]) -> None:
    for folder in runs.values():
        (folder / "config.cfg").write_text("[active]\nseed = 7\n")
    path = write_report(runs, tmp_path / "out", "Mini", "make demo", None)
    assert "- Seed: 7\n" in path.read_text("utf8")
    (runs["seqmix"] / "config.cfg").write_text("[active]\nseed = 8\n")
    path = write_report(runs, tmp_path / "out", "Mini", "make demo", None, allow_different=True)
    assert "- Seed: not stated\n" in path.read_text("utf8")


def test_report_with_unequal_rounds_leaves_cells_empty(
    tmp_path: Path, runs: dict[str, Path]
) -> None:
    short = _write(tmp_path / "c", [_round(0, 0.7), _round(1, 0.7)])
    both = {"none": runs["none"], "short": short}
    assert differences([read_run(n, f) for n, f in both.items()]) == [
        "'none' and 'short' have 3 and 2 rounds"
    ]
    path = write_report(both, tmp_path / "out", "Mini", "x", 0, allow_different=True)
    assert re.search(r"\| +400 \| +0 / – \| .* 78.0 \| +– \| +– \|", path.read_text("utf8"))


def test_report_of_one_run_without_test_scores(tmp_path: Path) -> None:
    rounds = [
        _round(i, 0.7, scores={"dev": {"ents_p": 0, "ents_r": 0, "ents_f": 0}}) for i in (0, 1)
    ]
    path = write_report({"a|b": _write(tmp_path / "c", rounds)}, tmp_path / "o", "T", "x", 0)
    assert "dev a\\|b" in path.read_text("utf8")


def test_report_of_components_that_set_no_entities(tmp_path: Path, runs: dict[str, Path]) -> None:
    none = {"ents_p": None, "ents_r": None, "ents_f": None, "ents_per_type": {}}
    scores = {"dev": {**none, "main": {"name": "tag_acc", "value": 0.912}}}
    tagger = _write(tmp_path / "c", [_round(i, 0.0, scores=scores) for i in range(3)])
    text = write_report({"tagger": tagger}, tmp_path / "o", "T", "x", 0).read_text("utf8")
    assert "tag_acc × 100;" in text
    assert re.search(r"\| +200 \| +0 \| +140 \| +91.2 \| +– \|", text)
    with pytest.raises(ValueError, match=r"S512.*are scored by Entity F1 and tag_acc"):
        write_report({**runs, "tagger": tagger}, tmp_path / "o", "T", "x", 0)


@pytest.mark.parametrize(
    ("text", "code", "phrase"),
    [
        (None, "S510", "No such file"),
        ("", "S511", "finished round"),
        ('{"round": 0', "S510", "line 1"),
        ('{"round": "x"}', "S510", "round"),
    ],
)
def test_report_names_what_is_wrong_with_a_journal(
    tmp_path: Path, text: str | None, code: str, phrase: str
) -> None:
    if text is not None:
        (tmp_path / "journal.jsonl").write_text(text, "utf8")
    with pytest.raises(ValueError, match=rf"{code}.*'bad'.*{phrase}"):
        read_run("bad", tmp_path)


def test_report_that_fails_leaves_the_old_one(
    tmp_path: Path, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_report(runs, out, "Mini", "make demo", 0)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*args: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("spacy_seqmix.report.write.draw_curves", fail)
    with pytest.raises(OSError, match="No space"):
        write_report(runs, out, "Other", "make demo", 1)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_report_command(tmp_path: Path, runs: dict[str, Path]) -> None:
    pairs = [f"{name}={folder}" for name, folder in runs.items()]
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["report", str(out), *pairs, "--title", "Two runs", "-s", "1"])
    assert done.exit_code == 0, done.output
    table = (out / "table.md").read_text("utf8")
    assert "# Two runs" in table
    assert "spacy seqmix report" in table
    for bad in (["none"], [pairs[0], pairs[0]], ["none="]):
        done = CliRunner().invoke(app, ["report", str(out), *bad])
        assert done.exit_code == 1
        assert "S514" in done.output


def test_report_says_what_curves_need(
    tmp_path: Path, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"S513.*spacy-seqmix\[report\]"):
        write_report(runs, tmp_path / "out", "Mini", "make demo", 0)
    assert not list((tmp_path / "out").glob("*"))
