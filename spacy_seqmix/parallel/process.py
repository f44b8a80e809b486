"""A process that runs beside this one, on this machine or on a node of a Ray cluster."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from .. import __version__
from ..errors import Errors, SeqMixError
from ..threads import environment

__all__ = ["Process", "run_on_node"]

POLL_SECONDS = 0.1
# What a process has to end in once it is asked to.
TERMINATION_SECONDS = 10.0
# How long a folder may stay locked after the node whose process had it: NFS waits for 90 seconds.
BUSY_SECONDS = 100.0


@dataclass(frozen=True)
class Process:
    """A command of spaCy that ends when its standard input does.

    words (tuple[str, ...]): the command, without "python -m".
    folder (Path): the folder that it is started in; other paths may be relative to it.
    log (Path): the file for what it prints.
    threads (int): the number of threads that it computes with, see ``environment``.
    """

    words: tuple[str, ...]
    folder: Path
    log: Path
    threads: int

    def run(self, stop: Event) -> int:
        """Run it until it ends or ``stop`` is set. RETURNS (int): its exit code.

        Its standard input is a pipe that nothing is written to: the system closes the pipe when
        this process ends, even by kill -9, and the command ends with it.

        RAISES (OSError): where it can't be started.
        """
        with (self.folder / self.log).open("wb") as log, _pipe() as (reader, _):
            process = subprocess.Popen(
                [sys.executable, "-m", *self.words],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=reader,
                cwd=self.folder,
                env=environment(self.threads),
            )
            try:
                while process.poll() is None and not stop.is_set():
                    stop.wait(POLL_SECONDS)
            finally:
                if process.poll() is None:
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(TERMINATION_SECONDS)
                    process.kill()
                    process.wait()
        return process.returncode


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe's two ends, which are closed when the block ends."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def run_on_node(
    process: Process, needs: Sequence[Path], version: str, busy: int
) -> tuple[int, float]:
    """Run a process on the node of a cluster that this is called on.

    needs (Sequence[Path]): files that must be there.
    version (str): of this package, where the work is given out.
    busy (int): its exit code where another process has its folder. The process of an earlier try
        may need a while to end, so it is started again until then.
    RETURNS (tuple): its exit code and seconds.
    RAISES (SeqMixError): S774 for another version here, S776 for a file that is not here.
    RAISES (OSError): where it can't be started.
    """
    if version != __version__:
        raise SeqMixError(Errors.E774.format(here=version, there=__version__))
    for path in (process.folder, *(process.folder / path for path in needs)):
        if not path.exists():
            raise SeqMixError(Errors.E776.format(node=platform.node(), path=path))
    began = time.monotonic()
    until = began + BUSY_SECONDS
    while (code := process.run(Event())) == busy and time.monotonic() < until:
        time.sleep(1.0)
    return code, time.monotonic() - began
