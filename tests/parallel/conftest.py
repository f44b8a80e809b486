"""A Ray cluster of two nodes, which are on this machine, and what a test does with a command that
gives it work."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spacy_seqmix.parallel.cluster import SETTINGS, handler_kept
from spacy_seqmix.parallel.workers import RayOptions

from ..active.conftest import write_files as write_files


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for work, and two nodes with one CPU each. It ends with the file: its
    processes are busy even where they have nothing to do."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # More threads would change the last digits.
        for name, value in (SETTINGS | {"OMP_NUM_THREADS": "1"}).items():
            patch.setenv(name, value)
        with handler_kept():
            made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
            for _ in range(2):
                made.add_node(num_cpus=1)
        yield made
        made.shutdown()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Nodes that a test adds leave a handler that kills this process."""
    with handler_kept():
        yield


@pytest.fixture
def options(cluster: Any) -> RayOptions:
    """A worker on each node."""
    return RayOptions(cluster.address)


@pytest.fixture
def one(cluster: Any) -> RayOptions:
    """One worker, which is enough for most: each takes seconds to start."""
    return RayOptions(cluster.address, workers=1)


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that starts one of our commands; what it prints is in commands.txt."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(*words: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "spacy", "seqmix", *map(str, words)]
        with (tmp_path / "commands.txt").open("ab") as log:
            begun.append(subprocess.Popen(command, stdout=log, stderr=log))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def until(tmp_path: Path) -> Callable[[Callable[[], bool]], None]:
    """A function that waits until something is so."""

    def wait(holds: Callable[[], bool]) -> None:
        last = time.monotonic() + 120.0
        while not holds():
            log = tmp_path / "commands.txt"
            shown = log.read_text(errors="replace") if log.exists() else ""
            assert time.monotonic() < last, shown
            time.sleep(0.05)

    return wait
