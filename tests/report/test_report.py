"""Reports over hand-written journals."""

from __future__ import annotations

import csv
import json
import re
import socket
import sys
from html import escape
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.report import read_arms, read_run, write_report
from spacy_seqmix.report.runs import pairing_differences, step_differences

PNG = b"\x89PNG\r\n\x1a\n"


def _round(i: int, dev: float, *, mixed: int = 0, **changes: Any) -> dict[str, Any]:
    scores = {"ents_p": dev + 0.01, "ents_r": dev - 0.01, "ents_f": dev}
    by_type = {"PER": {"p": 0.9, "r": 0.9, "f": dev + 0.1}, "MISC": {"p": 0.5, "r": 0.5, "f": 0.5}}
    return {
        "round": i,
        "queried": list(range(200)) if i == 0 else [1000 * i + k for k in range(100)],
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


def _given(runs: dict[str, Path]) -> list[str]:
    return [f"{name}={folder}" for name, folder in runs.items()]


def _report(runs: dict[str, Path], out: Path, **options: Any) -> str:
    """The Markdown of a report."""
    write_report(_given(runs), out, "Mini", "make demo", **options)
    return (out / "report.md").read_text("utf8")


def _line(text: str, *cells: str) -> bool:
    """Whether a table of a Markdown text has a row that begins so."""
    wanted = r"\| +" + r" \| +".join(map(re.escape, cells)) + r" \|"
    return re.search(wanted, text) is not None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_report_table_has_a_row_a_usage_point(tmp_path: Path, runs: dict[str, Path]) -> None:
    text = _report(runs, tmp_path / "out")
    lines = text.split("\n")
    head = next(i for i, line in enumerate(lines) if "labelled" in line and line.startswith("|"))
    assert _cells(lines[head]) == [
        *("labelled", "steps", "dev none", "dev seqmix", "test none", "test seqmix"),
    ]
    assert [_cells(line) for line in lines[head + 2 : head + 6]] == [
        ["200", "140", "70.0", "68.0", "65.0", "63.0"],
        ["300", "160", "75.0", "76.2", "70.0", "71.2"],
        ["400", "180", "78.0", "80.0", "73.0", "75.0"],
        ["area", "", "74.5", "75.1", "69.5", "70.1"],
    ]
    assert "- seqmix against none on dev: +0.4 points on the mean of 3 data usage points, " in text
    assert "one seed: nothing can be concluded." in text
    assert _line(text, "dev", "seqmix", "+0.4", "–", "1", "–", "–", "–", "1.000")
    assert _line(text, "seqmix", "4", "2", "120", "0", "24", "0", "150", "1")
    assert _line(text, "none", "4", "2", "120", "0", "24", "0", "150", "–")
    assert "# Mini" in text
    assert "`make demo`" in text
    assert re.search(r"Report made: \d{4}-\d\d-\d\d", text)
    assert _line(text, "seqmix", "4", "2", "120", "0", "24", "0", "150")  # seconds
    assert _line(text, "seqmix", "270", "180", "60", "120")  # counts
    assert _line(text, "PER", "88.0", "90.0")
    assert _line(text, "none", "seqmix", "100 %")  # overlap
    assert socket.gethostname() not in text


def test_report_of_a_run_whose_first_round_waits(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "inputs.json").write_text("{}")
    with pytest.raises(SeqMixError, match=r"S511.* has no finished round"):
        read_run("mine", tmp_path / "run")


def test_report_shows_scores_over_minutes_of_people(tmp_path: Path) -> None:
    timed = [_round(i, 0.7, seconds_of_people=60.0 * (i + 1)) for i in range(3)]
    lacking = [_round(i, 0.7, seconds_of_people=None if i else 9.0) for i in range(3)]
    runs = {"timed": _write(tmp_path / "a", timed), "lacking": _write(tmp_path / "b", lacking)}
    text = _report(runs, tmp_path / "out")
    assert "| labelled | timed |" in text
    for n, minutes in ((200, "1.0"), (300, "3.0"), (400, "6.0")):
        assert _line(text, str(n), minutes)
    assert "](effort.png)" in text
    assert (tmp_path / "out" / "effort.png").read_bytes().startswith(PNG)
    page = (tmp_path / "out" / "report.html").read_text("utf8")
    assert 'id="effort"' in page
    assert "Effort" not in _report({"lacking": runs["lacking"]}, tmp_path / "other")


def test_report_writes_numbers_and_pictures(tmp_path: Path, runs: dict[str, Path]) -> None:
    out = tmp_path / "out"
    _report(runs, out)
    names = {"curves.png", "gains.png", "report.html", "report.md", "results.json", "scores.csv"}
    names |= {"curves.svg", "gains.svg"}
    assert {path.name for path in out.iterdir()} == names
    results = json.loads((out / "results.json").read_text("utf8"))
    assert [arm["name"] for arm in results["arms"]] == ["none", "seqmix"]
    one = results["arms"][1]["runs"][0]["rounds"][1]
    assert one["scores"]["dev"]["ents_f"] == 0.762
    assert one["mixing"]["kept"] == 40
    assert results["arms"][1]["comparisons"]["dev"]["gain"]["mean"] == pytest.approx(
        0.0039, abs=1e-4
    )
    assert results["arms"][1]["comparisons"]["dev"]["p_seeds"] is None
    for name in ("curves", "gains"):
        assert (out / f"{name}.png").read_bytes().startswith(PNG)
        assert f"]({name}.png)" in (out / "report.md").read_text("utf8")
        assert (out / f"{name}.svg").read_text("utf8").rstrip().endswith("</svg>")
    with (out / "scores.csv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(
        len(one["scores"])
        for arm in results["arms"]
        for run in arm["runs"]
        for one in run["rounds"]
    )
    found = next(r for r in rows if (r["arm"], r["round"], r["split"]) == ("seqmix", "1", "dev"))
    assert (found["labelled"], float(found["score"])) == (str(one["n_labelled"]), 0.762)


def test_report_says_where_more_than_one_setting_differs(tmp_path: Path) -> None:
    policy = '[active.policy]\n@misc = "{}"\nmode = {}\n'
    configs = {
        "none": policy.format("NTE", 1),
        "one": policy.format("LC", 2),  # another function: its options are no settings of their own
        "two": policy.format("LC", 1) + "[training]\ndropout = 0.2\nseed = 7\n",
    }
    given = []
    for name, more in configs.items():
        folder = _write(tmp_path / name, [_round(0, 0.7)])
        here = f'[active]\nseed = 0\n[paths]\npool = "{name}"\n'
        (folder / "config.cfg").write_text(here + more)
        given.append(f"{name}={folder}")
    write_report(given, tmp_path / "out", "Three", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "- one against none on dev: +0.0" in text
    assert "- two against none on dev (2 settings differ): +0.0" in text
    assert (
        "'two' differs from 'none' in 2 settings (active.policy, training): its gain is that of "
        "all of them together" in text
    )
    assert text.count("differs from") == 1


def test_report_shows_names_as_they_are_in_markdown(tmp_path: Path) -> None:
    name = "*bold* | <b>\nnew # `line` [x](y) __z__ a_b"
    changes = {"ents_per_type": {name: {"p": 1.0, "r": 1.0, "f": 1.0}}}
    one = _round(0, 0.7)
    one["scores"]["dev"] |= changes
    folder = _write(tmp_path / "run", [one])
    other = _write(tmp_path / "other", [one])
    write_report([f"{name}={folder}", f"1. -={other}"], tmp_path / "out", name, name)
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    shown = r"\*bold\* \| \<b\> new # \`line\` \[x\](y) \_\_z\_\_ a_b"
    assert text.startswith(f"# {shown}\n")
    assert f"- 1\\. - against {shown} on dev" in text
    assert f"- Command: {shown}" in text
    # What Markdown makes of it has no markup of the names'.
    html = MarkdownIt("commonmark").enable("table").render(text)
    for tag in ("<b>", "<em>", "<strong>", "<code>", "<a "):
        assert tag not in html
    assert html.count(escape(" ".join(name.splitlines()), quote=False)) > 4


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
        _report(both, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert phrase in _report(both, tmp_path / "out", allow_different=True)


def test_report_refuses_other_pools(tmp_path: Path, runs: dict[str, Path]) -> None:
    for folder, digest in zip(runs.values(), "ab", strict=True):
        (folder / "inputs.json").write_text(json.dumps({"sha256": {"pool": digest}}))
    with pytest.raises(ValueError, match=r"S512.*have different pools"):
        _report(runs, tmp_path / "out")
    (runs["seqmix"] / "inputs.json").write_text("damaged")
    assert _report(runs, tmp_path / "out")
    for folder, size in zip(runs.values(), (700, 800), strict=True):
        (folder / "config.cfg").write_text(f"[active]\npool_size = {size}\n")
    with pytest.raises(ValueError, match=r"S512.*have different pools"):
        _report(runs, tmp_path / "out")


@pytest.mark.parametrize("split", ["dev", "test"])
def test_report_refuses_runs_that_are_evaluated_on_other_files(
    tmp_path: Path, runs: dict[str, Path], split: str
) -> None:
    for folder, digest in zip(runs.values(), "ab", strict=True):
        (folder / "inputs.json").write_text(json.dumps({"sha256": {"pool": "a", split: digest}}))
    with pytest.raises(ValueError, match=rf"S512.*are evaluated on different files of {split}"):
        _report(runs, tmp_path / "out")
    text = _report(runs, tmp_path / "out", allow_different=True)
    assert f"different files of {split}" in text


def test_report_says_who_saw_further_text(tmp_path: Path, runs: dict[str, Path]) -> None:
    (runs["seqmix"] / "config.cfg").write_text(
        '[active]\nmix_set = "pool"\nunlabelled = "more.spacy"\n'
    )
    (runs["none"] / "config.cfg").write_text('[active]\nunlabelled = "more.spacy"\n')
    text = _report(runs, tmp_path / "out")
    assert "'seqmix' saw the text of more.spacy besides the pool" in text
    assert "'none' saw" not in text


def test_report_names_the_models(tmp_path: Path, runs: dict[str, Path]) -> None:
    config = '[paths]\nencoder = "/somewhere/site-packages/pack/model"\nlm = "gpt2"\ntrain = null\n'
    for folder in runs.values():
        (folder / "config.cfg").write_text(config)
    assert "- Models: encoder pack/model; lm gpt2\n" in _report(runs, tmp_path / "out")
    (runs["none"] / "config.cfg").write_text('[paths]\nencoder = "package:pack/model"\n')
    _report(runs, tmp_path / "out")  # it is the same one
    (runs["seqmix"] / "config.cfg").write_text('[paths]\nencoder = "other"\n')
    with pytest.raises(ValueError, match=r"S512.*have the encoders pack/model and other"):
        _report(runs, tmp_path / "out")


def test_report_finds_the_seeds_in_the_configs(tmp_path: Path, runs: dict[str, Path]) -> None:
    assert "- Seeds: not stated\n" in _report(runs, tmp_path / "out")
    for folder in runs.values():
        (folder / "config.cfg").write_text("[active]\nseed = 7\n")
    assert "- Seeds: 7\n" in _report(runs, tmp_path / "out")
    # runs of other seeds are not compared
    (runs["seqmix"] / "config.cfg").write_text("[active]\nseed = 8\n")
    text = _report(runs, tmp_path / "out")
    assert "- Seeds: 7, 8\n" in text
    assert "against none on" not in text


def test_report_of_several_seeds(tmp_path: Path) -> None:
    given = []
    for name, gain in (("none", 0.0), ("mix", 0.02)):
        for seed in range(6):
            rounds = [_round(i, 0.6 + 0.1 * i + (1 + seed / 1000) * gain) for i in range(3)]
            folder = _write(tmp_path / f"{name}{seed}", rounds)
            (folder / "config.cfg").write_text(f"[active]\nseed = {seed}\n")
            given.append(f"{name}={folder}")
    write_report(given, tmp_path / "out", "Six", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "- mix against none on dev: +2.0 points" in text
    assert "over 6 seeds; p = 0.031 (Wilcoxon over seeds, Holm): a gain." in text
    assert _line(text, "200", "140", "60.0 ± 0.0", "62.0 ± 0.0")
    assert _line(text, "dev", "mix", "+2.0 ± 0.0", "+2.0 to +2.0", "6")
    with pytest.raises(ValueError, match=r"S521.*'none'.*\[0, .*, 0\]"):
        write_report([*given, given[0]], tmp_path / "again", "Six", "x")


def _sweep(folder: Path, arms: dict[str, dict[str, Any]]) -> Path:
    """A sweep of two seeds; arms by name: values, mixes, steps, dev, failed."""
    content = []
    for name, arm in arms.items():
        for seed in (0, 1):
            run = folder / name / f"seed-{seed}"
            run.parent.mkdir(parents=True, exist_ok=True)
            _write(run, [_round(0, arm.get("dev", 0.7), steps=arm.get("steps", 140))])
            (run / "config.cfg").write_text(f"[active]\nseed = {seed}\n")
            status = "failed" if seed in arm.get("failed", ()) else "done"
            run.with_name(f"seed-{seed}.json").write_text(json.dumps({"status": status}))
        known = {"values": arm["values"], "mixes": arm.get("mixes", False)}
        content.append({"name": name, "folder": name, **known})
    (folder / "sweep.json").write_text(json.dumps({"seeds": [0, 1], "arms": content}))
    return folder


def test_report_compares_arms_of_a_sweep_with_themselves_without_mixing(tmp_path: Path) -> None:
    nte, lc = {"active.policy.@misc": "NTE"}, {"active.policy.@misc": "LC"}
    rate = {"active.mixing.rate": 0.2}
    sweep = _sweep(
        tmp_path / "sweep",
        {
            "mix": {"values": {**nte, **rate}, "mixes": True, "dev": 0.73},
            "lc mix": {"values": {**lc, **rate}, "mixes": True, "steps": 200, "dev": 0.62},
            # as sweeps have them, last
            "none": {"values": {**nte, "active.mixing": None}, "dev": 0.70},
            "lc": {"values": {**lc, "active.mixing": None}, "dev": 0.60},
            "lc, longer": {"values": {**lc, "steps_of": "lc mix"}, "steps": 200, "dev": 0.61},
        },
    )
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "- lc against none on dev: -10.0 points" in text
    assert "- mix against none on dev: +3.0 points" in text
    assert "- lc mix against lc, longer on dev: +1.0 points" in text  # at equal steps
    assert _line(text, "dev", "lc mix", "lc, longer", "+1.0 ± 0.0")
    assert "'none' and 'lc, longer' took 140 and 200 optimiser steps a run" in text
    assert "took 200" not in text
    assert "Gain over each arm's baseline in points" in text
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x", shown=["lc m*"])
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "- lc mix against lc, longer on dev: +1.0 points" in text
    assert "'lc, longer' against" not in text  # there to be compared with
    assert "lc, longer against" not in text
    assert "dev none" not in text
    with pytest.raises(ValueError, match=r"S523.*'m\?'.*mix, lc mix, none, lc"):
        write_report([str(sweep)], tmp_path / "out", "A sweep", "x", shown=["m?"])
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x", baseline="lc")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "- lc mix against lc on dev: +2.0 points" in text
    assert "Gain over lc in points" in text


def test_report_without_none_takes_an_arm_that_does_not_mix(tmp_path: Path) -> None:
    rate = {"active.mixing.rate": 0.2}
    sweep = _sweep(
        tmp_path / "sweep",
        {
            "mix": {"values": rate, "mixes": True, "dev": 0.73},
            "longer": {"values": {"steps_of": "mix"}, "dev": 0.70},
        },
    )
    for shown in ([], ["mix"]):
        write_report([str(sweep)], tmp_path / "out", "A sweep", "x", shown=shown)
        text = (tmp_path / "out" / "report.md").read_text("utf8")
        assert "- mix against longer on dev: +3.0 points" in text
        assert "longer against" not in text


def test_report_takes_the_baseline_nearest_in_steps_of_a_round(tmp_path: Path) -> None:
    rate = {"active.mixing.rate": 0.2}
    sweep = _sweep(
        tmp_path / "sweep",
        {
            "mix": {"values": rate, "mixes": True, "steps": 200},
            "none": {"values": {"active.mixing": None}, "steps": 130, "failed": [1]},
            "longer": {"values": {"steps_of": "mix"}, "steps": 160},
        },
    )
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    # though two runs that are 40 steps apart each are further apart than one that is 70
    assert "- mix against longer on dev" in text


def test_report_of_two_sweeps_with_an_arm_of_one_name(tmp_path: Path) -> None:
    values = {"active.epochs": 10, "paths.pool": "here.spacy"}
    one = _sweep(tmp_path / "one", {"none": {"values": values, "failed": [1]}})
    other = _sweep(tmp_path / "other", {"none": {"values": values, "failed": [0]}})
    given = [str(one), str(other)]
    write_report(given, tmp_path / "out", "Two", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "> **Note:** 2 runs of 'none' are not finished." in text
    content = (other / "sweep.json").read_text()
    (other / "sweep.json").write_text(content.replace("here", "there"))
    write_report(given, tmp_path / "out", "Two", "x")  # where a file lies is no setting
    (other / "sweep.json").write_text(content.replace("10", "12"))
    with pytest.raises(ValueError, match=r"S522.*other.*'none' has another value of active.epochs"):
        write_report(given, tmp_path / "out", "Two", "x")


def test_report_of_a_sweep(tmp_path: Path, runs: dict[str, Path]) -> None:
    sub = {"values": {"active.mixing.rate": 0.2}, "mixes": True, "steps": 200, "failed": [1]}
    none = {"values": {"active.mixing": None}}
    sweep = _sweep(tmp_path / "sweep", {"sub": sub, "none": none})
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    # the arm that does not mix is the baseline, and steps may differ
    assert "- sub against none on dev: +0.0 points, one seed: nothing can be concluded." in text
    assert "> **Note:** 'none' and 'sub' took 140 and 200 optimiser steps a run." in text
    assert "> **Note:** 1 run of 'sub' is not finished." in text
    assert _line(text, "200", "140 / 200", "70.0 ± 0.0", "70.0")
    for seed in (0, 1):
        (sweep / "none" / f"seed-{seed}.json").write_text('{"status": "failed"}')
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "> **Note:** no run of 'none' is finished: it is left out." in text
    (sweep / "none" / "seed-0.json").write_text("{")
    with pytest.raises(ValueError, match=r"S522.*seed-0.json"):
        write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    (sweep / "sweep.json").write_text("{}")
    with pytest.raises(ValueError, match=r"S522.*sweep.json"):
        write_report([str(sweep)], tmp_path / "out", "A sweep", "x")


def test_report_of_a_sweep_whose_arms_have_seeds_of_their_own(tmp_path: Path) -> None:
    arms: dict[str, dict[str, Any]] = {
        "none": {"values": {"active.mixing": None}},
        "mix": {"values": {"active.mixing.rate": 0.2}, "mixes": True},
    }
    sweep = _sweep(tmp_path / "sweep", arms)
    content = json.loads((sweep / "sweep.json").read_text())
    del content["seeds"]
    content["arms"][0]["seeds"], content["arms"][1]["seeds"] = [0, 1], [0]
    (sweep / "sweep.json").write_text(json.dumps(content))
    (sweep / "mix" / "seed-1.json").unlink()
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "not finished" not in text
    content["arms"][1]["seeds"] = [0, 1]
    (sweep / "sweep.json").write_text(json.dumps(content))
    write_report([str(sweep)], tmp_path / "out", "A sweep", "x")
    assert "1 run of 'mix' is not finished" in (tmp_path / "out" / "report.md").read_text("utf8")


def test_report_with_unequal_rounds_leaves_cells_empty(
    tmp_path: Path, runs: dict[str, Path]
) -> None:
    short = _write(tmp_path / "c", [_round(0, 0.7), _round(1, 0.7)])
    both = {"none": runs["none"], "short": short}
    a, b = (read_run(n, f) for n, f in both.items())
    assert pairing_differences(a, b) == ["'none' and 'short' have 3 and 2 rounds"]
    assert step_differences(a, b) == []
    text = _report(both, tmp_path / "out", allow_different=True)
    assert _line(text, "400", "180", "78.0", "–", "73.0", "–")
    assert "on the mean of 2 data usage points" in text


def test_report_of_one_run_without_test_scores(tmp_path: Path) -> None:
    rounds = [
        _round(i, 0.7, scores={"dev": {"ents_p": 0, "ents_r": 0, "ents_f": 0}}) for i in (0, 1)
    ]
    text = _report({"a|b": _write(tmp_path / "c", rounds)}, tmp_path / "o")
    assert "dev a\\|b" in text


def test_report_of_components_that_set_no_entities(tmp_path: Path, runs: dict[str, Path]) -> None:
    none = {"ents_p": None, "ents_r": None, "ents_f": None, "ents_per_type": {}}
    scores = {"dev": {**none, "main": {"name": "tag_acc", "value": 0.912}}}
    tagger = _write(tmp_path / "c", [_round(i, 0.0, scores=scores) for i in range(3)])
    text = _report({"tagger": tagger}, tmp_path / "o")
    assert "tag_acc × 100," in text
    assert _line(text, "200", "140", "91.2")
    with pytest.raises(ValueError, match=r"S512.*are scored by Entity F1 and tag_acc"):
        _report({**runs, "tagger": tagger}, tmp_path / "o")


@pytest.mark.parametrize(
    ("text", "code", "phrase"),
    [
        (None, "S510", "No such file"),
        ("", "S511", "finished round"),
        ('{"round": 0', "S510", "line 1"),
        ('{"round": "x"}', "S510", "round"),
        (json.dumps(_round(1, 0.7)), "S510", r"rounds \[1\] are not 0 to 0"),
        (json.dumps(_round(0, float("nan"))), "S510", "line 1: scores.dev"),
    ],
)
def test_report_names_what_is_wrong_with_a_journal(
    tmp_path: Path, text: str | None, code: str, phrase: str
) -> None:
    if text is not None:
        (tmp_path / "journal.jsonl").write_text(text, "utf8")
    with pytest.raises(ValueError, match=rf"{code}.*'bad'.*{phrase}"):
        read_run("bad", tmp_path)


def test_report_names_the_version_that_wrote_a_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"round": 0}\n', "utf8")
    (tmp_path / "inputs.json").write_text('{"version": "0.0.9"}', "utf8")
    with pytest.raises(ValueError, match=r"S510.*line 1.*version 0\.0\.9 .* began it"):
        read_run("old", tmp_path)


def test_report_that_fails_leaves_the_old_one(
    tmp_path: Path, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    _report(runs, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*args: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("spacy_seqmix.report.write.to_html", fail)
    with pytest.raises(OSError, match="No space"):
        _report(runs, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_report_command(
    tmp_path: Path, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = _given(runs)
    out = tmp_path / "out"
    words = ["report", *pairs, "-o", str(out), "--title", "Two runs"]
    monkeypatch.setattr("sys.argv", ["spacy", "seqmix", *words])
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    text = (out / "report.md").read_text("utf8")
    assert "# Two runs" in text
    assert "python -m spacy seqmix report" in text
    assert "--title 'Two runs'" in text
    done = CliRunner().invoke(app, ["report", *pairs, "-o", str(out), "-b", "seqmix"])
    assert "none against seqmix on dev" in (out / "report.md").read_text("utf8")
    for bad, code in (
        (["=x"], "S514"),
        (["none="], "S514"),
        ([pairs[0], pairs[0]], "S521"),
        ([str(tmp_path / "nowhere")], "S510"),
        ([*pairs, "-b", "other"], "S523"),
    ):
        done = CliRunner().invoke(app, ["report", *bad, "-o", str(out)])
        assert done.exit_code == 1
        assert code in done.output


def test_report_says_what_pictures_need(
    tmp_path: Path, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match=r"S513.*spacy-seqmix\[report\]"):
        _report(runs, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_report_command_takes_names_and_paths_with_equals_signs(tmp_path: Path) -> None:
    folder = tmp_path / "sub_rate=0.5"
    _write(folder, [_round(0, 0.7)])
    for text, name in (
        (f"rate=0.5={folder}", "rate=0.5"),
        (f"half={folder}", "half"),
        (str(folder), "sub_rate=0.5"),
    ):
        arms, unfinished = read_arms([text])
        assert ([arm.name for arm in arms], unfinished) == ([name], [])


def test_report_shows_gains_at_the_points_of_both_arms(tmp_path: Path) -> None:
    short = _write(tmp_path / "a", [_round(0, 0.7, n_labelled=300)])
    other = _write(tmp_path / "b", [_round(i, 0.6 + i / 10) for i in range(2)])
    report = json.loads(_results({"none": short, "mix": other}, tmp_path / "out"))
    assert report["arms"][1]["gain_points"] == [300]
    assert len(report["arms"][1]["gains"]["dev"]) == 1


def test_report_refuses_other_pools_whatever_the_seed(tmp_path: Path) -> None:
    given = []
    for seed, name in enumerate(("none", "mix")):
        folder = _write(tmp_path / name, [_round(0, 0.7)])
        (folder / "config.cfg").write_text(f"[active]\nseed = {seed}\n")
        (folder / "inputs.json").write_text(json.dumps({"sha256": {"pool": name}}))
        given.append(str(folder))
    with pytest.raises(ValueError, match=r"S512.*\(seed 0\) and 'mix' \(seed 1\) have different"):
        write_report(given, tmp_path / "out", "Two", "x")
    (tmp_path / "mix" / "inputs.json").unlink()
    write_report(given, tmp_path / "out", "Two", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "'mix' has no seed of 'none': they are not compared." in text


def test_report_refuses_other_pools_beside_one_that_is_unknown(tmp_path: Path) -> None:
    given = []
    for name, pool in (("x", None), ("none", "a"), ("mix", "b")):
        folder = _write(tmp_path / name, [_round(0, 0.7)])
        if pool:
            (folder / "inputs.json").write_text(json.dumps({"sha256": {"pool": pool}}))
        given.append(str(folder))
    with pytest.raises(ValueError, match=r"S512.*'none' and 'mix' have different pools"):
        write_report(given, tmp_path / "out", "Three", "x")
    assert write_report(given[:2], tmp_path / "out", "Two", "x")


def test_report_tells_all_of_a_pool_from_a_sample(tmp_path: Path, runs: dict[str, Path]) -> None:
    for folder, size in zip(runs.values(), ("null", "700"), strict=True):
        (folder / "config.cfg").write_text(f"[active]\npool_size = {size}\n")
    with pytest.raises(ValueError, match=r"S512.*have different pools"):
        _report(runs, tmp_path / "out")


def test_report_names_the_versions_of_its_runs(tmp_path: Path, runs: dict[str, Path]) -> None:
    for folder, version in zip(runs.values(), ("0.0.3", "0.1.0"), strict=True):
        (folder / "inputs.json").write_text(json.dumps({"version": version}))
    told = "the runs were begun by the versions 0.0.3, 0.1.0 of spacy-seqmix"
    assert told in _report(runs, tmp_path / "out")
    (folder / "inputs.json").unlink()
    assert "versions" not in _report(runs, tmp_path / "out")


def test_report_leaves_out_a_seed_without_a_score(tmp_path: Path) -> None:
    given = []
    for name, gain in (("none", 0.0), ("mix", 0.02)):
        for seed in range(3):
            rounds = [_round(i, 0.7 + gain + seed / 100) for i in range(2)]
            if (name, seed) == ("mix", 1):
                rounds[1]["scores"]["dev"]["ents_f"] = None
            folder = _write(tmp_path / f"{name}{seed}", rounds)
            (folder / "config.cfg").write_text(f"[active]\nseed = {seed}\n")
            given.append(f"{name}={folder}")
    write_report(given, tmp_path / "out", "Three", "x")
    text = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "'mix' has no score on dev with seed 1: left out there." in text
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    mix = next(arm for arm in report["arms"] if arm["name"] == "mix")
    assert mix["comparisons"]["dev"]["gain"]["n"] == 2
    assert mix["comparisons"]["dev"]["gain"]["mean"] == pytest.approx(0.02)
    assert mix["comparisons"]["test"]["gain"]["n"] == 3


def test_read_run_follows_references_and_the_default_seed(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", [_round(0, 0.7)])
    assert read_run("a", folder).seed is None
    (folder / "config.cfg").write_text("[system]\nseed = 3\n[active]\nseed = ${system.seed}\n")
    assert read_run("a", folder).seed == 3
    (folder / "config.cfg").write_text("[active]\nn_seed = 3\n")
    assert read_run("a", folder).seed == 0


def test_report_of_perplexities_that_are_no_numbers(tmp_path: Path) -> None:
    judged = [[100.0, 9.0, True], [float("inf"), None, False], [float("nan"), None, False]]
    scores = {"ents_p": 0.7, "ents_r": 0.7, "ents_f": 0.7, "seqeval_f": 0.75}
    one = _round(0, 0.7, mixed=2, judged=judged, scores={"dev": scores})
    found = json.loads(_results({"mix": _write(tmp_path / "a", [one])}, tmp_path / "out"))
    assert found["arms"][0]["judged"] == [[100.0, 9.0, True], *2 * [[None, None, False]]]
    assert _line((tmp_path / "out" / "report.md").read_text("utf8"), "seqeval", "", "75.0")


def _results(runs: dict[str, Path], out: Path) -> str:
    """The JSON of a report."""
    _report(runs, out, allow_different=True)
    return (out / "results.json").read_text("utf8")


def test_report_counts_the_docs_that_were_added(tmp_path: Path) -> None:
    mixed = _write(tmp_path / "a", [_round(0, 0.7, n_mixed=17), _round(1, 0.8, n_mixed=29)])
    plain = _write(tmp_path / "b", [_round(0, 0.7), _round(1, 0.8)])
    text = _report({"none": plain, "mix": mixed}, tmp_path / "out")
    table = text.partition("## Docs added")[2].partition("## ")[0]
    assert [line.split("|")[2].strip() for line in table.splitlines() if "|" in line][2:] == [
        "17",
        "29",
    ]
    assert "none" not in table
    assert "## Docs added" not in _report({"none": plain}, tmp_path / "out")


def test_report_of_one_arm_says_how_its_score_moved(tmp_path: Path) -> None:
    rounds = [_round(i, f1) for i, f1 in enumerate([0.5, 0.8, 0.76])]
    text = _report({"mine": _write(tmp_path / "a", rounds)}, tmp_path / "out")
    assert "- Entity F1 on dev: 76.0 with 400 labelled docs, after 50.0 with 200." in text
    assert "The last 100 docs changed it by -4.0." in text
    assert "- mine is the only arm: run a control to see what a setting gains." in text
    once = _report({"mine": _write(tmp_path / "b", rounds[:1])}, tmp_path / "out")
    assert "- Entity F1 on dev: 50.0 with 200 labelled docs.\n" in once


def _aside(i: int, dev: float | None) -> dict[str, Any]:
    """A round whose dev set is set aside, and not scored as long as it is small."""
    scores = {} if dev is None else {"dev": {"ents_p": dev, "ents_r": dev, "ents_f": dev}}
    return _round(i, 0.5, scores=scores, dev_docs=15 * (i + 1), held_out=[], skipped=[])


def test_report_of_a_dev_set_that_is_set_aside(tmp_path: Path) -> None:
    rounds = [_aside(0, None), _aside(1, 0.6), _aside(2, 0.7)]
    text = _report({"mine": _write(tmp_path / "a", rounds)}, tmp_path / "out")
    assert "dev of 'mine' was set aside at random from what was labelled: 45 docs" in text
    assert "1 round came before it was scored" in text
    assert _line(text, "300", "160", "60.0")
    assert _line(text, "400", "180", "70.0")
    assert not _line(text, "200", "140")
    none = [_aside(0, None), _aside(1, None)]
    text = _report({"none": _write(tmp_path / "b", none)}, tmp_path / "out2")
    assert "30 docs in the last round" in text
    assert _line(text, "200", "140")


def test_report_refuses_a_set_aside_dev_set_beside_a_file(
    tmp_path: Path, runs: dict[str, Path]
) -> None:
    mine = _write(tmp_path / "c", [_aside(i, 0.5 + i / 10) for i in range(3)])
    with pytest.raises(ValueError, match=r"S512.*one sets its dev set aside, and the other"):
        _report({**runs, "mine": mine}, tmp_path / "out")
