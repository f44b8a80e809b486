"""kill -9 of a sweep's runs, and of the sweep itself, at random moments: it ends as if nothing
had happened. KILL_TRIALS in the environment is the number of trials of each kind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from spacy_seqmix.sweep import read_status, read_sweep_record

from ..processes import is_running
from .conftest import write_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc"),
]

TRIALS = int(os.environ.get("KILL_TRIALS", "1"))
OPTIONS = {
    "active.max_steps": None,
    "active.epochs": 1.0,
    "active.n_rounds": 1,
    "active.mixing.strategy": {"@misc": "spacy-seqmix.MentionReplacement.v1"},
    "active.mixing.realiser": {"@misc": "spacy-seqmix.Interpolated.v1"},
    "sweep.seeds": [0, 1],
    "sweep.controls": False,
}
SECTION = "[sweep]\nseeds = []\n"


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def ended(pids: set[int], seconds: float) -> bool:
    """Whether all these processes end before a limit."""
    until = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(is_running, pids))


def journals(out: Path) -> dict[str, list[dict[str, object]]]:
    return {
        path.relative_to(out).as_posix(): [
            {k: v for k, v in json.loads(line).items() if "seconds" not in k}
            for line in path.read_text("utf8").splitlines()
        ]
        for path in sorted(out.rglob("journal.jsonl"))
    }


def states(out: Path) -> list[str]:
    record = read_sweep_record(out)
    found = [
        read_status(out / arm.folder / f"seed-{seed}.json")
        for arm in record.arms
        for seed in arm.seeds
    ]
    return ["none" if one is None else one.status for one in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def start(folder, write_files):
    """A function that starts a sweep in a folder, as a process of its own."""
    config_path = write_sweep(folder, write_files(folder), SECTION)
    given = [x for name, value in OPTIONS.items() for x in (f"--{name}", json.dumps(value))]

    def begin(out: Path) -> subprocess.Popen[str]:
        command = ["-m", "spacy", "seqmix", "sweep", str(config_path), str(out), "-q", "-n", "2"]
        with (out.parent / f"{out.name}.txt").open("a") as log:
            return subprocess.Popen([sys.executable, *command, *given], stdout=log, stderr=log)

    return begin


@pytest.fixture(scope="module")
def whole(start, folder):
    """The journals of a whole sweep, and the seconds that it took."""
    began = time.monotonic()
    assert start(folder / "whole").wait() == 0
    seconds = time.monotonic() - began
    found = journals(folder / "whole")
    assert len(found) == 2
    assert all(records[-1]["end"] == "rounds finished" for records in found.values())
    return found, seconds


def test_sweep_that_is_killed_with_its_runs_ends_equal(start, whole, tmp_path):
    """First runs are killed, then the sweep; a last start finishes it."""
    uninterrupted, seconds = whole
    for trial in range(TRIALS):
        rng, out = random.Random(trial), tmp_path / f"out-{trial}"
        sweep = start(out)
        doomed: dict[int, float] = {}  # the moment of each run's kill
        killed = 0
        while sweep.poll() is None:
            for pid in children(sweep.pid):
                # Nearly half of the time goes into imports.
                doomed.setdefault(pid, time.monotonic() + rng.uniform(0.0, 0.5) * seconds)
            for pid, moment in doomed.items():
                if moment < time.monotonic() and pid in children(sweep.pid):
                    doomed[pid] = float("inf")
                    with suppress(ProcessLookupError):  # it ended meanwhile
                        os.kill(pid, signal.SIGKILL)
                        killed += 1
            time.sleep(0.05)
        assert sweep.returncode == (1 if "failed" in states(out) else 0)
        assert states(out).count("failed") >= min(killed, 1)
        sweep, seen = start(out), set()
        moment = time.monotonic() + rng.uniform(0.2, 0.7) * seconds
        while sweep.poll() is None and time.monotonic() < moment:
            seen |= set(children(sweep.pid))
            time.sleep(0.05)
        seen |= set(children(sweep.pid))
        sweep.kill()
        sweep.wait()
        assert ended(seen, 60.0)
        assert start(out).wait() == 0
        assert journals(out) == uninterrupted
        assert states(out) == ["done"] * 2
