"""Runs kept in one file give the report that their folders give."""

import json
from pathlib import Path

import pytest
import srsly

from spacy_seqmix.report.arms import Arm, baselines_of, read_arms
from spacy_seqmix.report.kept import keep_runs
from spacy_seqmix.report.markdown import lay_out
from spacy_seqmix.report.summary import summarise_arms
from spacy_seqmix.report.tables import make_tables

JUDGED = [[12.0, 1.0, True]]


def make_run(folder: Path, seed: int, score: float) -> Path:
    """A finished run of two rounds."""
    folder.mkdir(parents=True)
    scores = {"ents_p": score, "ents_r": score, "ents_f": score}
    rounds = [
        {
            "round": number,
            "queried": [number],
            "n_labelled": number + 1,
            "n_mixed": 0,
            "steps": 10,
            "seconds": {"train": 1.0},
            "scores": {"dev": {**scores, "confusion": [["PER", "LOC", number + 1]]}},
            "judged": JUDGED,
        }
        for number in range(2)
    ]
    srsly.write_jsonl(folder / "journal.jsonl", rounds)
    inputs = {"version": "0.1.0", "config": {"text": "long"}, "sha256": {"pool": "abc"}}
    srsly.write_json(folder / "inputs.json", inputs)
    (folder / "config.cfg").write_text(f"[active]\nseed = {seed}\npool_size = 9\n")
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two arms with two seeds; a third one has no finished run."""
    folder = tmp_path / "sweep"
    arms = []
    for number, name in enumerate(("none", "mix", "late")):
        for seed in (0, 1):
            make_run(folder / name / f"seed-{seed}", seed, 0.5 + number / 10 + seed / 100)
            state = "failed" if name == "late" else "done"
            srsly.write_json(folder / name / f"seed-{seed}.json", {"status": state})
        values = {"active.mixing.rate": number}
        arms.append({"name": name, "folder": name, "mixes": name != "none", "values": values})
    (folder / "sweep.json").write_text(json.dumps({"seeds": [0, 1], "arms": arms}))
    return folder


def tables_of(arms: list[Arm]) -> list[str]:
    return [lay_out(table) for table in make_tables(summarise_arms(arms, baselines_of(arms, None)))]


def test_kept_sweep_gives_the_tables_of_its_folder(sweep: Path, tmp_path: Path) -> None:
    keep_runs(sweep, tmp_path / "runs.jsonl")
    kept, unfinished = read_arms([str(tmp_path / "runs.jsonl")])
    assert unfinished == []
    assert tables_of(kept) == tables_of(read_arms([str(sweep)])[0])
    assert [run.pool for run in kept[0].runs] == [("abc", 9)] * 2
    text = (tmp_path / "runs.jsonl").read_text()
    assert "judged" not in text and "long" not in text
    assert text.count('"confusion"') == 4  # those of the last round of each run


def test_kept_run_folders_are_arms_in_their_order(tmp_path: Path) -> None:
    given = {
        name: make_run(tmp_path / name, 0, score)
        for name, score in (("plain/seed-0", 0.5), ("mixed/seed-0", 0.6))
    }
    keep_runs(given, tmp_path / "runs.jsonl")
    kept, _ = read_arms([str(tmp_path / "runs.jsonl")])
    assert [(arm.name, arm.seeds) for arm in kept] == [("plain", (0,)), ("mixed", (0,))]


@pytest.mark.parametrize(
    "line", ['{"file": "../out.json", "content": {}}', '{"round": 0}', "[]", "no JSON"]
)
def test_kept_files_of_another_kind_are_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "runs.jsonl"
    path.parent.mkdir()
    path.write_text(line + "\n")
    with pytest.raises(ValueError) as caught:
        read_arms([str(path)])
    assert caught.value.code == "S522"
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["kept", "runs.jsonl"]


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '"\\ud800"'])
def test_kept_runs_that_are_no_json_give_a_message(text: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(f'{{"file": "none/seed-0/inputs.json", "content": {text}}}', "utf8")
    with pytest.raises(ValueError, match=r"S522.*runs\.jsonl"):
        read_arms([str(path)])
    # Of a run's own inputs.json only facts that it need not have are missing.
    run = make_run(tmp_path / "run", 0, 0.5)
    (run / "inputs.json").write_text(text, "utf8")
    assert read_arms([str(run)])[0][0].runs[0].version is None
