"""Run a sweep: each run is a process of its own, and a failure ends only that run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from ..active.journal import LOCKED_EXIT_CODE
from ..files import progress_bar, replacing
from .folder import OneRun, check_folder, runs_of, write_arms
from .plan import Sweep

POLL_SECONDS = 0.5
LOG_LINES = 20
OnEnd: TypeAlias = Callable[[OneRun], object]


@dataclass(frozen=True)
class Runner:
    """Run each run in a process of its own.

    keep_models (bool): whether the last model of a run stays.
    n_process (int): the number of runs at the same time, which share the processor's cores.
    use_gpu (int): GPU id, -1 for the CPU.
    code (Path | None): Python file for the option --code of each process.
    stop (Event): set to end all runs.
    """

    keep_models: bool = False
    n_process: int = 1
    use_gpu: int = -1
    code: Path | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def __call__(self, run: OneRun, first: Future[bool] | None) -> bool:
        """Call ``finish``; an error counts as a failure of this run alone."""
        try:
            return self.finish(run, first)
        except Exception as err:
            with suppress(OSError):  # the folder can't be written: the command reports the failure
                run.end(0.0, repr(err))
            return False

    def finish(self, run: OneRun, first: Future[bool] | None) -> bool:
        """Run to the end.

        first (Future[bool] | None): of the run whose optimiser steps this one takes.
        RETURNS (bool): whether it ended well.
        """
        has_steps = first is None or first.result()
        if self.stop.is_set():
            return False
        if not has_steps:
            return run.end(0.0, f"the arm {run.arm.steps_of!r}, whose steps it takes, failed")
        try:
            config = run.config()
        except ValueError as err:  # a damaged journal of the other arm
            return run.end(0.0, str(err))
        with replacing(run.config_path) as temporary:
            config.to_disk(temporary)
        began = perf_counter()
        code = self._run_process(run)
        # A run that another process has in progress is neither done nor failed.
        if code == LOCKED_EXIT_CODE or self.stop.is_set():
            return False
        if code:
            lines = run.log.read_text("utf8", errors="replace").rstrip().split("\n")
            return run.end(perf_counter() - began, "\n".join(lines[-LOG_LINES:]))
        if not self.keep_models:
            shutil.rmtree(run.folder / "models", ignore_errors=True)
        return run.end(perf_counter() - began)

    def _run_process(self, run: OneRun) -> int | None:
        """Run ``spacy seqmix active`` until it ends or ``stop`` is set; RETURNS its exit code."""
        command = ["spacy", "seqmix", "active", str(run.config_path), str(run.folder), "--quiet"]
        command += ["--gpu-id", str(self.use_gpu)]
        command += [] if self.code is None else ["--code", str(self.code)]
        threads = str(max(1, (os.cpu_count() or 1) // self.n_process))
        with run.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={"OMP_NUM_THREADS": threads, **os.environ},
            )
            try:
                while process.poll() is None and not self.stop.is_set():
                    self.stop.wait(POLL_SECONDS / 5)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        return process.returncode


def run_sweep(
    sweep: Sweep,
    out: Path,
    *,
    n_process: int = 1,
    use_gpu: int = -1,
    code: Path | None = None,
    progress: bool = True,
    on_end: OnEnd | None = None,
) -> list[OneRun]:
    """Run all runs that are not finished yet. A failure is recorded and ends only its own run.

    out (Path): folder of the sweep: new, empty, or of this sweep; arms and seeds may be added.
    n_process (int): number of runs at the same time, which share the processor's cores.
    use_gpu (int): GPU id, -1 for the CPU.
    code (Path | None): Python file with registered functions, which each process imports.
    progress (bool): show finished rounds and the time left, in terminals.
    on_end (Callable | None): called with each run that ends, well or not.
    RETURNS (list[OneRun]): the runs that failed.
    RAISES (SeqMixError): S522, S604, S606, S607.
    """
    check_folder(sweep, out)
    runs = runs_of(sweep, out)
    write_arms(sweep, out)
    runner = Runner(sweep.settings.keep_models, n_process, use_gpu, code)
    ended: dict[tuple[str, int], Future[bool]] = {}
    left = [run for run in runs if not run.is_done]
    rounds = sum(run.arm.rounds for run in runs)
    with (
        _signals_as_exits(),
        ThreadPoolExecutor(n_process) as pool,
        progress_bar(rounds, "Sweep", shown=progress, unit="round") as bar,
    ):
        try:
            for run in left:
                # Runs start in this order: the run that another one waits for has started.
                first = ended.get((run.arm.steps_of or "", run.seed))
                ended[run.arm.name, run.seed] = pool.submit(runner, run, first)
            _follow(dict(zip(ended.values(), left, strict=True)), runs, bar, on_end)
        except BaseException:
            runner.stop.set()
            raise
    return [run for run in left if not ended[run.arm.name, run.seed].result()]


@contextmanager
def _signals_as_exits() -> Iterator[None]:
    """End the runs with this process: without a handler they would go on after a signal."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # not every system has both
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _follow(
    going: dict[Future[bool], OneRun], runs: Sequence[OneRun], bar: Any, on_end: OnEnd | None
) -> None:
    """Show finished rounds until all runs have ended.

    going (dict): the runs that have not ended yet; each is taken out as it ends.
    """
    bar.initial = sum(run.finished_rounds for run in runs)
    failed = 0
    while going:
        ended, _ = wait(going, POLL_SECONDS, FIRST_COMPLETED)
        for future in ended:
            run = going.pop(future)
            failed += not future.result()
            if on_end is not None:
                on_end(run)
        bar.n = sum(run.finished_rounds for run in runs)
        bar.set_postfix_str(f"{failed} failed")
