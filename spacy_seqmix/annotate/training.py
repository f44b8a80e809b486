"""The process that trains beside a server: ``spacy seqmix active``, which ends with the server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock

from click import unstyle

__all__ = ["Training"]

# What it has to end in once it is asked to; the end of its log that people are shown.
TERMINATION_SECONDS, LOG_BYTES, LOG_LINES = 10.0, 20_000, 12
# A person waits for the server, nobody for the training.
NICENESS = 10


class Training:
    """Runs the loop beside the server.

    The loop's standard input is a pipe that nothing is written to: the system closes it when the
    server ends, even by kill -9, and the loop ends with it.
    """

    def __init__(
        self,
        config: Path,
        run_dir: Path,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """Nothing is started yet.

        options (Sequence[str]): further options of ``spacy seqmix active``.
        env (Mapping | None): its environment; by default that of this process.
        log (Path | None): the file of what it prints, in a folder that exists; by default the
            page's.
        """
        command = ["spacy", "seqmix", "active", str(config), str(run_dir), "--quiet"]
        self.command = [sys.executable, "-m", *command, "--wait", "--end-with-input", *options]
        self.log = run_dir / "page" / "training.log" if log is None else log
        self.env = env
        self.since = 0.0  # when it was started last
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = RLock()

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._lock:
            if self.is_alive:
                return
            self.stop()
            self.since = time.time()
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C ends the server, which ends it
                    env=self.env,
                )
            if hasattr(os, "setpriority"):
                with suppress(OSError):  # it has ended by now
                    os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def has_finished(self) -> bool:
        """Whether it has ended well: every round is done, or no text is left."""
        return self._process is not None and self._process.poll() == 0

    def message(self) -> str | None:
        """Why it has ended: the end of what it printed. None while it runs, or ended well."""
        if self.is_alive or self.has_finished or self._process is None:
            return None
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LOG_BYTES))
            text = unstyle(file.read().decode("utf8", "replace"))
            lines = text.strip().splitlines()
            if lines:
                return "\n".join(lines[-LOG_LINES:])
        return f"exit code {self._process.returncode}"

    def stop(self) -> None:
        """End it."""
        with self._lock:
            if self._process is None:
                return
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self.is_alive:
                self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(TERMINATION_SECONDS)
            if self.is_alive:
                self._process.kill()
            self._process.wait()
