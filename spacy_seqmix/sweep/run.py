"""Run a sweep: each run is a process of its own, and a failure ends only that run."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from .. import __version__
from ..active.journal import LOCKED_EXIT_CODE
from ..active.run_folder import locked
from ..config import interpolated, named_paths
from ..errors import Errors, SeqMixError, plural
from ..files import progress_bar, replacing
from ..parallel.process import Process, run_on_node
from ..parallel.ray_calls import RayCalls, ray_calls
from ..parallel.workers import Lost, RayOptions
from ..threads import cores
from .folder import OneRun, check_folder, runs_of, write_arms
from .plan import Sweep

POLL_SECONDS = 0.5
LOG_LINES = 20
# Errors of a node of a cluster. Other runs would meet them as well, so they end the sweep.
OF_NODES = ("S773", "S774", "S776")
OnEnd: TypeAlias = Callable[[OneRun], object]


@dataclass(frozen=True)
class Runner:
    """Run each run in a process of its own.

    keep_models (bool): whether the last model of a run stays.
    n_process (int): the number of runs at the same time, which share the processor's cores.
    use_gpu (int): GPU id, -1 for the CPU.
    code (Path | None): Python file for the option --code of each process.
    calls (RayCalls | None): starts the processes on the nodes of a cluster, with its CPUs and GPUs.
    stop (Event): set to end all runs.
    """

    keep_models: bool = False
    n_process: int = 1
    use_gpu: int = -1
    code: Path | None = None
    calls: RayCalls | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def __call__(self, run: OneRun, first: Future[bool] | None) -> bool:
        """Call ``finish``; an error counts as a failure of this run alone, but for some of nodes.

        RAISES (SeqMixError): S773, S774, S776.
        """
        try:
            return self.finish(run, first)
        except Exception as err:
            if isinstance(err, SeqMixError) and err.code in OF_NODES:
                raise
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
            inputs = named_paths(interpolated(config))
        except ValueError as err:  # a damaged journal of the other arm
            return run.end(0.0, str(err))
        with replacing(run.config_path) as temporary:
            config.to_disk(temporary)
        run.status_path.unlink(missing_ok=True)
        code, seconds = self._run_process(run, inputs)
        # A run that another process has in progress is neither done nor failed.
        if code == LOCKED_EXIT_CODE or self.stop.is_set():
            return False
        error = failure(run, code)
        if error is None and not self.keep_models:
            shutil.rmtree(run.folder / "models", ignore_errors=True)
        return run.end(seconds, error)

    def _run_process(self, run: OneRun, inputs: Sequence[Path]) -> tuple[int | Lost, float]:
        """Run ``spacy seqmix active`` until it ends or ``stop`` is set.

        inputs (Sequence[Path]): files and folders that its config names.
        RETURNS (tuple): its exit code, and seconds, without those of waiting for a node.
        """
        needs = [run.config_path, *inputs, *([] if self.code is None else [self.code])]
        use_gpu, threads = self.use_gpu, cores() // self.n_process
        if self.calls is not None:  # Ray shows a process only the GPUs that are its own
            use_gpu, threads = (0 if self.calls.gpus else -1), self.calls.threads
        words = ["spacy", "seqmix", "active", str(run.config_path), str(run.folder), "--quiet"]
        words += ["--gpu-id", str(use_gpu), "--end-with-input"]
        words += [] if self.code is None else ["--code", str(self.code)]
        process = Process(tuple(words), Path.cwd(), run.log, threads)
        if self.calls is None:
            began = perf_counter()
            return process.run(self.stop), perf_counter() - began
        run.log.unlink(missing_ok=True)  # no earlier one is shown where no process can be started
        given = process, needs, __version__, LOCKED_EXIT_CODE
        result = self.calls(run_on_node, *given, stop=self.stop)
        # Network file systems remember for a while that a file was not there. To open its folder
        # makes them look again.
        with suppress(OSError):
            os.listdir(run.folder)
        return (result, 0.0) if isinstance(result, Lost) else (result or (1, 0.0))


def failure(run: OneRun, code: int | Lost) -> str | None:
    """Why a run has not ended well: by its exit code and its journal, whatever its log has.

    code (int | Lost): the exit code of its process; below 0 the signal that killed it. Or that the
        worker of a cluster that it ran on died each time.
    RETURNS (str | None): the end of its log, then the reason; None where it has ended well.
    """
    if code == 0 and run.is_whole:
        return None
    log = run.log.read_text("utf8", errors="replace") if run.log.exists() else ""
    lines = log.rstrip().split("\n")[-LOG_LINES:]
    if isinstance(code, Lost):
        times, reason = code
        lines.append(f"its worker of the Ray cluster died {times} times, last of {reason}")
    elif code < 0:
        lines.append(f"killed by signal {-code}")
    elif code != 1 or not any(lines):  # with 1 the command has said what is wrong
        lines.append(f"ended with exit code {code} and {plural(run.finished_rounds, 'round')}")
    return "\n".join(lines).strip()


def run_sweep(
    sweep: Sweep,
    out: Path,
    *,
    n_process: int | None = None,
    use_gpu: int = -1,
    code: Path | None = None,
    ray: RayOptions | None = None,
    progress: bool = True,
    on_end: OnEnd | None = None,
) -> list[OneRun]:
    """Run all runs that are not finished yet. A failure is recorded and ends only its own run.

    out (Path): folder of the sweep: new, empty, or of this sweep; arms and seeds may be added.
    n_process (int | None): number of runs at the same time, which share the processor's cores; None
        for one, or as many as a cluster has room for.
    use_gpu (int): GPU id, -1 for the CPU.
    code (Path | None): Python file with registered functions, which each process imports.
    ray (RayOptions | None): the cluster that runs the processes, and what each gets of it. Nodes
        need ``out``, all inputs and the working directory under the same paths.
    progress (bool): show finished rounds and the time left, in terminals.
    on_end (Callable | None): called with each run that ends, well or not.
    RETURNS (list[OneRun]): the runs that failed, or that another process has in progress.
    RAISES (SeqMixError): S411, S412, S522, S604, S606, S607; with ``ray``, S770 to S774, S776
        and S777.

    Warns with W770 while the cluster has no room, and with W771 where it has room but nothing
    starts.
    """
    check_place(ray, n_process, use_gpu)
    check_folder(sweep, out)  # before anything is written
    with _signals_as_exits(), ray_calls(ray) as calls:  # Ray sets handlers, too
        if calls is not None:
            calls.wait_for_room()
        n = (n_process or 1) if calls is None else calls.n
        runner = Runner(sweep.settings.keep_models, n, use_gpu, code, calls)
        return _run_all(runner, sweep, out, n, progress=progress, on_end=on_end)


def _run_all(
    runner: Runner, sweep: Sweep, out: Path, n: int, *, progress: bool, on_end: OnEnd | None
) -> list[OneRun]:
    """Run all runs that are not finished yet, ``n`` at the same time; see ``run_sweep``."""
    ended: dict[tuple[str, int], Future[bool]] = {}
    with locked(out), ThreadPoolExecutor(n) as pool:
        check_folder(sweep, out)  # again, since another process may have had it
        write_arms(sweep, out)
        runs = runs_of(sweep, out)
        left = [run for run in runs if not run.is_done]
        total, open_ = (sum(run.arm.rounds for run in some) for some in (runs, left))
        with progress_bar(total, "Sweep", shown=progress, unit="round") as bar:
            try:
                for run in left:
                    # Runs start in this order: the run that another one waits for has started.
                    first = ended.get((run.arm.steps_of or "", run.seed))
                    ended[run.arm.name, run.seed] = pool.submit(runner, run, first)
                going = dict(zip(ended.values(), left, strict=True))
                _follow(going, total - open_, bar, on_end)
            except BaseException:
                runner.stop.set()
                raise
    return [run for run in left if not ended[run.arm.name, run.seed].result()]


def check_place(ray: RayOptions | None, n_process: int | None, use_gpu: int) -> None:
    """Check that options for runs on this machine are not given for a cluster.

    RAISES (SeqMixError): S777.
    """
    for name, other, given in (
        ("--n-process", "--ray-workers", n_process is not None),
        ("--gpu-id", "--ray-gpus", use_gpu >= 0),
    ):
        if given and ray is not None:
            raise SeqMixError(Errors.E777.format(option=name, other=other))


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
    going: dict[Future[bool], OneRun], n_rounds: int, bar: Any, on_end: OnEnd | None
) -> None:
    """Show finished rounds until all runs have ended.

    going (dict): the runs that have not ended yet; each is taken out as it ends.
    n_rounds (int): the rounds of the runs that had ended before.
    """
    bar.initial = n_rounds + sum(run.finished_rounds for run in going.values())
    failed = 0
    while going:
        ended, _ = wait(going, POLL_SECONDS, FIRST_COMPLETED)
        for future in ended:
            run = going.pop(future)
            failed += not future.result()
            # Where the pool ran out, all rounds are done although the journal has fewer.
            n_rounds += run.arm.rounds if future.result() else run.finished_rounds
            if on_end is not None:
                on_end(run)
        bar.n = n_rounds + sum(run.finished_rounds for run in going.values())
        bar.set_postfix_str(f"{failed} failed")
