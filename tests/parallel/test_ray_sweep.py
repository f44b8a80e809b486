"""Sweeps and scores on a Ray cluster: equal results, also where nodes, workers or the command that
gives out the work are killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.cli import sweep as sweep_cli
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.parallel.workers import RayOptions
from spacy_seqmix.score.run import score_pool
from spacy_seqmix.score.scorer import Wanted
from spacy_seqmix.sweep import Sweep, read_sweep, run_sweep
from spacy_seqmix.sweep import run as sweep_run

from ..processes import is_running
from ..score.test_score import contents
from ..score.test_score import pipeline as pipeline
from ..score.test_score import texts as texts
from ..sweep.conftest import write_sweep
from ..sweep.test_kills import journals, states

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow

SECTION = """
[sweep]
seeds = [0, 1, 2]
controls = false
"""
OVERRIDES = {
    "active.n_rounds": 1,
    "active.max_steps": 2,
    "active.mixing.strategy": {"@misc": "spacy-seqmix.MentionReplacement.v1"},
    "active.mixing.realiser": {"@misc": "spacy-seqmix.Interpolated.v1"},
}
WORDS = [f"--{name}={json.dumps(value)}" for name, value in OVERRIDES.items()]
# Notes what is computed, in which process. Some of it has to wait until it may go on.
WAITS = """
import os, time
from pathlib import Path

def note(folder, text, waits):
    with (folder / "done.txt").open("a") as file:
        file.write(f"{os.getpid()} {text}\\n")
    while waits and not (folder / "go on").exists():
        time.sleep(0.02)
"""
RUN_WAITS = """
from spacy_seqmix.active.run_folder import RunFolder
append = RunFolder.append

def waiting(self, records, record):
    note(Path(HERE), f"{self.path.parent.name}/{self.path.name}: {record.round}", record.round == 1)
    append(self, records, record)

RunFolder.append = waiting
"""
SCORE_WAITS = """
from spacy_seqmix.score.scorer import Scorer
call = Scorer.__call__

def waiting(self, part):
    note(Path(HERE), part.number, part.number >= 2)
    return call(self, part)

Scorer.__call__ = waiting
"""
SCORE_KILLS = f"""{SCORE_WAITS}
import signal
waiting = Scorer.__call__

def killing(self, part):
    if any("poison" in text for some in part.packed for text in some):
        note(Path(HERE), part.number, False)
        os.kill(os.getpid(), signal.SIGKILL)
    return waiting(self, part)

Scorer.__call__ = killing
"""
KILLS = """
import os, signal, sys

if any(word.endswith("seed-1.cfg") for word in sys.argv):
    os.kill(os.getppid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def config_path(tmp_path_factory, write_files) -> Path:
    """A config with [sweep]; its sweep has three runs of two rounds."""
    folder = tmp_path_factory.mktemp("sweep")
    return write_sweep(folder, write_files(folder), SECTION)


@pytest.fixture(scope="module")
def sweep(config_path) -> Sweep:
    return read_sweep(config_path, OVERRIDES)


@pytest.fixture(scope="module")
def whole(sweep, config_path) -> dict[str, Any]:
    """The journals of the sweep without Ray."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        out = config_path.parent / "whole"
        assert run_sweep(sweep, out, n_process=2, progress=False) == []
    found = journals(out)
    assert [len(records) for records in found.values()] == [2] * 3
    return found


@pytest.fixture
def code(tmp_path) -> Callable[[str], Path]:
    """A function that writes code which notes and waits."""

    def write(text: str) -> Path:
        path = tmp_path / "code.py"
        path.write_text(f"{WAITS}\nHERE = {str(tmp_path)!r}\n{text}")
        return path

    return write


def done(folder: Path) -> list[tuple[int, str]]:
    """The processes and what they computed."""
    path = folder / "done.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(pid), text) for pid, _, text in (line.partition(" ") for line in lines)]


def repeated(folder: Path) -> list[str]:
    """What was computed twice; nothing may be computed more often."""
    times = Counter(text for _, text in done(folder))
    assert set(times.values()) <= {1, 2}
    return [text for text in times if times[text] == 2]


def test_ray_sweep_goes_on_when_a_node_dies(cluster, sweep, whole, options, tmp_path, code, until):
    node = cluster.add_node(num_cpus=1)
    ended: list[object] = []
    given = {"ray": options, "code": code(RUN_WAITS), "progress": False, "on_end": ended.append}
    thread = Thread(target=run_sweep, args=(sweep, tmp_path / "out"), kwargs=given)
    thread.start()
    try:
        until(lambda: sum(text.endswith(" 1") for _, text in done(tmp_path)) == 3)
        first = {pid for pid, _ in done(tmp_path)}
    finally:
        cluster.remove_node(node)
        (tmp_path / "go on").touch()
        thread.join()
    assert journals(tmp_path / "out") == whole
    assert states(tmp_path / "out") == ["done"] * len(ended) == ["done"] * 3
    (again,) = repeated(tmp_path)  # the round in progress
    assert again.endswith(" 1")
    assert len({pid for pid, _ in done(tmp_path)} - first) == 1  # of that run
    logs = [path.read_text() for path in tmp_path.glob("out/*/*.log")]
    assert sum("after 1 finished round" in log for log in logs) == 1


def test_ray_sweep_goes_on_after_its_command_was_killed(
    cluster, config_path, whole, tmp_path, code, start, until
):
    out = tmp_path / "out"
    words = ["sweep", config_path, out, "-q", "--code", code(RUN_WAITS), *WORDS]
    words += ["--ray-address", cluster.address, "--sweep.seeds", "[0, 1]"]
    first = start(*words)
    until(lambda: sum(text.endswith(" 1") for _, text in done(tmp_path)) == 2)
    first.kill()
    first.wait()
    assert [len(records) for records in journals(out).values()] == [1, 1]
    second = start(*words)  # at once
    pids = {pid for pid, _ in done(tmp_path)}
    until(lambda: not any(is_running(pid) for pid in pids))
    (tmp_path / "go on").touch()
    assert second.wait() == 0, (tmp_path / "commands.txt").read_text()
    found = journals(out)
    assert found == {name: whole[name] for name in found}
    assert states(out) == ["done"] * 2
    assert len(repeated(tmp_path)) == 2
    assert all(text.endswith(" 1") for text in repeated(tmp_path))


def test_ray_sweep_records_a_run_that_kills_its_workers(config_path, whole, options, tmp_path):
    sweep = read_sweep(config_path, {**OVERRIDES, "sweep.seeds": [0, 1]})
    code = tmp_path / "code.py"
    code.write_text(KILLS)
    (failed,) = run_sweep(sweep, tmp_path / "out", ray=options, code=code, progress=False)
    assert failed.seed == 1
    assert failed.error.startswith("its worker of the Ray cluster died 3 times, last of Worker")
    assert states(tmp_path / "out") == ["done", "failed"]
    found = journals(tmp_path / "out")
    assert found == {name: whole[name] for name in found}
    assert len(found) == 1


def test_ray_sweep_ends_where_a_node_can_not_be_used(sweep, options, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_run, "__version__", "0.0.1")
    with pytest.raises(SeqMixError, match=r"S774.*and 0\.0\.1 runs here"):
        run_sweep(sweep, tmp_path / "out", ray=options, progress=False)
    assert states(tmp_path / "out") == ["none"] * 3  # none has failed
    with pytest.raises(SeqMixError, match=r"S772.*needs 3 CPU"):
        run_sweep(sweep, tmp_path / "new", ray=RayOptions(options.address, cpus=3.0))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["-n", "1"], "[S777] --n-process is for work on this machine, but --ray-address"),
        (["--gpu-id", "0"], "[S777] --gpu-id is for work on this machine, but --ray-address"),
        ([], "[S771] Can't use a Ray cluster at '127.0.0.1:1'"),
    ],
)
def test_ray_sweep_refuses_options_of_this_machine(config_path, tmp_path, monkeypatch, given, text):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    words = ["sweep", str(config_path), str(tmp_path / "out"), "-q", *given, *WORDS]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert text in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_ray_sweep_plans_with_the_room_of_the_cluster(cluster, config_path, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        sweep_cli, "_show_plan", lambda *given, use_gpu, **_: seen.append((given[2], use_gpu))
    )
    words = ["sweep", str(config_path), str(tmp_path / "out"), "-q", "--dry", *WORDS]
    words += ["--ray-address", cluster.address, "--gpu-id", "0"]  # of the trial, which is made here
    assert CliRunner().invoke(app, words).exit_code == 0
    assert seen == [(2, 0)]


def test_ray_score_goes_on_after_its_command_was_killed(
    cluster, pipeline, texts, tmp_path, code, start, until
):
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    score_pool(wanted, [texts], tmp_path / "here", n_shards=6, progress=False)
    words = ["score", pipeline, texts, "-o", out, "-p", "NTE", "--shards", 6, "-q"]
    words += ["--code", code(SCORE_WAITS), "--ray-address", cluster.address]
    first = start(*words)
    until(lambda: {text for _, text in done(tmp_path)} == set("0123"))
    until(lambda: len(list((out / "shards").glob("*.jsonl"))) == 2)
    first.kill()
    first.wait()
    second = start(*words)
    pids = {pid for pid, _ in done(tmp_path)}
    until(lambda: not any(is_running(pid) for pid in pids))
    (tmp_path / "go on").touch()
    assert second.wait() == 0, (tmp_path / "commands.txt").read_text()
    assert contents(out) == contents(tmp_path / "here")
    assert sorted(repeated(tmp_path)) == ["2", "3"]  # one for each worker


def test_ray_score_goes_on_when_a_node_dies_and_a_text_kills(
    cluster, pipeline, texts, tmp_path, code, until
):
    lines = texts.read_text("utf8").split("\n")
    texts.write_text("\n".join([*lines, "", "a poison"]), "utf8")
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    score_pool(wanted, [texts], tmp_path / "here", n_shards=6, progress=False)
    options = RayOptions(cluster.address, code=code(SCORE_KILLS))
    errors: list[SeqMixError] = []

    def score() -> None:
        try:
            score_pool(wanted, [texts], out, n_shards=6, ray=options, progress=False)
        except SeqMixError as err:
            errors.append(err)

    node = cluster.add_node(num_cpus=1)
    thread = Thread(target=score)
    thread.start()
    try:
        until(lambda: {"2", "3", "4"} <= {text for _, text in done(tmp_path)})
    finally:
        cluster.remove_node(node)
        (tmp_path / "go on").touch()
        thread.join()
    (error,) = errors
    assert "[S769] 1 shard killed the process that computed it 3 times: 00006-of-00006 (" in str(
        error
    )
    expected, found = contents(tmp_path / "here"), contents(out)
    assert found == {name: x for name, x in expected.items() if "00006-of" not in name}
    times = Counter(text for _, text in done(tmp_path))
    assert times.pop("5") == 3
    assert sorted(times.values()) == [1, 1, 1, 1, 2]  # that of the node
