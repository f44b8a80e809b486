"""Processes as a node starts them, without a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from spacy_seqmix import __version__
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.parallel import process
from spacy_seqmix.parallel.process import Process, run_on_node

BUSY = 12


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], list[int]]:
    """What each process was started with, and the exit codes of those to come."""
    begun: list[dict[str, Any]] = []
    codes: list[int] = []

    class Ended:
        def __init__(self, command: list[str], **given: Any) -> None:
            begun.append(given)
            self.returncode = codes.pop(0)

        def poll(self) -> int:
            return self.returncode

    monkeypatch.setattr(subprocess, "Popen", Ended)
    monkeypatch.setattr(process.time, "sleep", lambda seconds: None)
    return begun, codes


def test_process_starts_in_its_folder(ended, tmp_path, monkeypatch):
    begun, codes = ended
    codes.append(3)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert Process(("info",), tmp_path, Path("log.txt"), threads=5).run(Event()) == 3
    assert begun[0]["cwd"] == tmp_path
    assert begun[0]["env"]["OMP_NUM_THREADS"] == "5"
    assert "RAY_ADDRESS" not in begun[0]["env"]
    assert (tmp_path / "log.txt").exists()


@pytest.mark.parametrize(("codes", "code", "times"), [([BUSY, BUSY, 0], 0, 3), ([1], 1, 1)])
def test_run_on_node_waits_for_the_process_of_an_earlier_try(ended, tmp_path, codes, code, times):
    ended[1].extend(codes)
    given = Process(("info",), tmp_path, tmp_path / "log.txt", 1)
    assert run_on_node(given, [], __version__, BUSY)[0] == code
    assert len(ended[0]) == times


def test_run_on_node_waits_a_while_only(ended, tmp_path, monkeypatch):
    ended[1].extend([BUSY] * 9)
    now = iter(range(0, 1000, 40))
    monkeypatch.setattr(process.time, "monotonic", lambda: next(now))
    given = Process(("info",), tmp_path, tmp_path / "log.txt", 1)
    assert run_on_node(given, [], __version__, BUSY)[0] == BUSY
    assert len(ended[0]) == 3  # at 40, 80 and 120 seconds


def test_run_on_node_refuses_what_can_not_be(tmp_path):
    given = Process(("info",), tmp_path, Path("log.txt"), 1)
    with pytest.raises(SeqMixError, match=r"S774.* has version \d.*and 0\.0\.1 runs here"):
        run_on_node(given, [], "0.0.1", BUSY)
    (tmp_path / "a.cfg").touch()
    needs = [Path("a.cfg"), tmp_path / "b.cfg"]
    with pytest.raises(SeqMixError, match=rf"S776\] The node .* has no {tmp_path}/b\.cfg\. All"):
        run_on_node(given, needs, __version__, BUSY)
    gone = Process(("info",), tmp_path / "gone", Path("log.txt"), 1)
    with pytest.raises(SeqMixError, match=rf"S776.* has no {tmp_path}/gone\. "):
        run_on_node(gone, [], __version__, BUSY)
    assert not (tmp_path / "log.txt").exists()
