"""The files in a sweep's folder that say what it has."""

import json

import pytest

from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.sweep.record import (
    ArmRecord,
    RunStatus,
    SweepRecord,
    is_done,
    read_status,
    read_sweep_record,
    write_record,
)

VALUES = {"active.epochs": 0.6, "active.rate": "${active.epochs}", "a.List.PER": [1 / 3]}


def arm(name="mix", seeds=(0,), **values):
    return ArmRecord(name=name, folder=name, seeds=seeds, mixes=True, values={**VALUES, **values})


def test_record_survives_the_disk(tmp_path):
    record = SweepRecord(arms=(arm(), arm("two", (1, 2))))
    write_record(tmp_path / "sweep.json", record)
    assert read_sweep_record(tmp_path) == record
    write_record(tmp_path / "seed-0.json", RunStatus(status="failed", seconds=1.5, error="no"))
    assert read_status(tmp_path / "seed-0.json").error == "no"
    assert read_status(tmp_path / "seed-1.json") is None
    assert read_sweep_record(tmp_path / "elsewhere") is None


def test_record_has_the_seeds_of_each_arm():
    record = SweepRecord(arms=(arm(seeds=(0, 1)),)).with_arms([arm("two"), arm(seeds=(2,))])
    assert {one.name: one.seeds for one in record.arms} == {"mix": (0, 1, 2), "two": (0,)}


def test_record_of_an_earlier_version_has_the_seeds_of_all_arms(tmp_path):
    values = {"active.epochs": 3, "steps_of": "mix"}
    arms = [{"name": name, "folder": name, "mixes": False, "values": values} for name in "ab"]
    (tmp_path / "sweep.json").write_text(json.dumps({"seeds": [0, 1], "arms": arms}))
    record = read_sweep_record(tmp_path)
    assert [one.seeds for one in record.arms] == [(0, 1), (0, 1)]
    assert record.arms[0].steps_of == "mix"
    assert record.arms[0].values == {"active.epochs": 3}


def test_record_compares_values_with_their_variables_filled_in():
    assert arm().differing(arm(**{"active.rate": 0.6})) == []
    assert arm().differing(arm(**{"active.epochs": 0.5})) == ["active.epochs", "active.rate"]
    other = arm().model_copy(update={"steps_of": "mix"})
    assert arm().differing(other) == ["steps_of"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("folder", name) for name in ("", ".", "../other", "/etc", "a/b", "a\\b", "a\0b")),
        ("values", {"a": 1, "a.b": 2}),
        ("values", {"a.b": "${nowhere.c}"}),
        ("values", {"a.b": "${a.b}"}),
        ("values", {"a.b": "${"}),
        ("values", {"DEFAULT.x": 1}),
        ("values", {"": 1}),
        ("values", ["steps_of"]),
        ("values", "steps_of"),
        ("seeds", [-1]),
    ],
)
def test_record_with_an_arm_that_cannot_be(tmp_path, field, value):
    known = {**arm().model_dump(), field: value}
    (tmp_path / "sweep.json").write_text(json.dumps({"arms": [known]}))
    with pytest.raises(SeqMixError, match=rf"sweep\.json: arms\.0\.{field}") as caught:
        read_sweep_record(tmp_path)
    assert caught.value.code == "S522"


def test_record_of_a_run_that_is_done(tmp_path):
    """Its status file and its journal have to say so."""
    run = tmp_path / "seed-0"
    run.mkdir()
    one = {"queried": [], "n_labelled": 1, "n_mixed": 0, "steps": 2, "scores": {}, "seconds": {}}
    assert not is_done(run, 1)
    write_record(tmp_path / "seed-0.json", RunStatus(status="done"))
    assert not is_done(run, 1)  # as older versions wrote it for a run that was killed
    for number, done in ((0, False), (1, True)):
        with (run / "journal.jsonl").open("a") as file:
            file.write(json.dumps({"round": number, **one}) + "\n")
        assert is_done(run, 1) == done
    write_record(tmp_path / "seed-0.json", RunStatus(status="failed", error="killed by signal 9"))
    assert not is_done(run, 1)


DAMAGED = ["{", "[]", '{"arms": [{"name": 1}]}', '{"arms": 3}', '"x"', "[" * 100_000, "9" * 5000]


@pytest.mark.parametrize("content", DAMAGED)
def test_record_that_is_damaged(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(SeqMixError, match=r"sweep\.json") as caught:
        read_sweep_record(tmp_path)
    assert caught.value.code == "S522"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"status": "maybe"}', "\xff", '{"x":' * 100_000, "9" * 5000]
)
def test_status_that_is_damaged(tmp_path, content):
    (tmp_path / "seed-0.json").write_bytes(content.encode("latin1"))
    with pytest.raises(SeqMixError) as caught:
        read_status(tmp_path / "seed-0.json")
    assert caught.value.code == "S522"
