"""Calls that the nodes of a Ray cluster do: results, errors, workers that die, and calls that are
stopped."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import ModuleType

import pytest

from spacy_seqmix.errors import SeqMixError, SeqMixFileError
from spacy_seqmix.parallel import cluster as cluster_module
from spacy_seqmix.parallel import ray_calls as ray_calls_module
from spacy_seqmix.parallel.ray_calls import RayCalls, ray_calls
from spacy_seqmix.parallel.workers import Lost, RayOptions

from ..processes import is_running

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def calls(cluster) -> Iterator[RayCalls]:
    with ray_calls(RayOptions(cluster.address)) as found:
        assert found is not None
        yield found


def square(number: int) -> int:
    return number * number


def end_worker(log: Path, times: int) -> str:
    """End the worker that does this, so many times."""
    with log.open("a") as file:
        file.write(".")
    if log.stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def fail(error: Exception) -> None:
    raise error


def sleep(log: Path) -> None:
    log.write_text(str(os.getpid()))
    time.sleep(600.0)


def test_calls_come_from_several_threads(calls):
    assert (calls.n, calls.threads, calls.gpus) == (2, 1, 0)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda number: calls(square, number, stop=Event()), range(8))
    assert list(found) == [number * number for number in range(8)]


@pytest.mark.parametrize("times", [2, 3])
def test_calls_are_done_again_where_their_worker_dies(calls, tmp_path, times):
    found = calls(end_worker, tmp_path / "log", times, stop=Event())
    assert (tmp_path / "log").stat().st_size == 3
    if times == 2:
        assert found == "done"
    else:
        assert isinstance(found, Lost)
        assert found.times == 3
        assert "WorkerCrashedError" in found.reason


@pytest.mark.parametrize("error", [OSError(28, "full"), SeqMixFileError("[S411] full")])
def test_calls_raise_what_the_function_raises(calls, error):
    with pytest.raises(type(error), match="full") as caught:
        calls(fail, error, stop=Event())
    assert not isinstance(caught.value, ray.exceptions.RayError)


def test_calls_need_a_function_that_nodes_have(calls, monkeypatch):
    module = ModuleType("only_here")
    exec("def function(number):\n    return number", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(SeqMixError, match=r"S773.*: ModuleNotFoundError: No module .*only_here"):
        calls(module.function, 1, stop=Event())


def test_calls_end_when_they_are_stopped(calls, tmp_path, until):
    stop = Event()
    with ThreadPoolExecutor(3) as pool:
        logs = [tmp_path / str(number) for number in range(3)]
        waiting = [pool.submit(calls, sleep, log, stop=stop) for log in logs]
        try:
            until(lambda: sum(log.exists() and log.read_text() != "" for log in logs) == 2)
            assert not any(call.done() for call in waiting)
        finally:
            stop.set()
    assert [call.result() for call in waiting] == [None] * 3
    pids = [int(log.read_text()) for log in logs if log.exists()]
    until(lambda: not any(is_running(pid) for pid in pids))
    assert len(pids) == 2  # the third had no room
    assert calls(square, 3, stop=Event()) == 9


def test_calls_do_not_wait_for_ever_once_no_node_is_left(cluster, tmp_path, until, monkeypatch):
    """Only one node is large enough."""
    node = cluster.add_node(num_cpus=4)
    monkeypatch.setattr(ray_calls_module, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(cluster_module, "START_SECONDS", 1.0)
    with ray_calls(RayOptions(cluster.address, cpus=4)) as large, ThreadPoolExecutor(1) as pool:
        assert large is not None
        stop, log = Event(), tmp_path / "log"
        call = pool.submit(large, sleep, log, stop=stop)
        try:
            until(lambda: log.exists() and log.read_text() != "")
            cluster.remove_node(node)
            with pytest.warns(UserWarning, match=r"W772\] No node"):
                error = call.exception(timeout=120)
        finally:
            stop.set()
    assert isinstance(error, SeqMixError)
    assert error.code == "S772"


def test_calls_wait_for_room_and_say_so(cluster, calls, tmp_path, until, monkeypatch):
    calls.wait_for_room()
    monkeypatch.setattr(ray_calls_module, "LOOK_SECONDS", 0.3)
    stop, logs, said = Event(), [tmp_path / str(number) for number in range(2)], []
    with ThreadPoolExecutor(2) as pool:
        try:
            for log in logs:
                pool.submit(calls, sleep, log, stop=stop)
            until(lambda: all(log.exists() and log.read_text() != "" for log in logs))

            def free(text: str, **given: int) -> None:
                said.append(text)
                stop.set()

            monkeypatch.setattr(cluster_module.warnings, "warn", free)
            calls.wait_for_room()
        finally:
            stop.set()
    assert "[W770] The Ray cluster has no room" in said[0]


def test_calls_without_a_cluster():
    with ray_calls(None) as found:
        assert found is None
