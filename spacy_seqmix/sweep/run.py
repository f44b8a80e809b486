"""Run what a sweep lacks: each run a process of its own, which may fail alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import srsly
from thinc.api import Config
from tqdm import tqdm

from ..active.journal import flatten
from ..active.run_folder import RunFolder
from ..atomic import replacing
from ..errors import Errors, SeqMixError
from ..sweep_names import DONE, KNOWN
from .plan import Arm, Sweep, folder_name, mixes
from .values import filled_in, with_values

FAILED = "failed"
POLL_SECONDS = 0.5
LOG_LINES = 20


@dataclass(frozen=True)
class OneRun:
    """An arm with a seed, and its files in the folder of the sweep."""

    arm: Arm
    seed: int
    out: Path

    @property
    def folder(self) -> Path:
        """The run folder, as ``spacy seqmix active`` makes it."""
        return self.out / self.arm.folder / f"seed-{self.seed}"

    @property
    def config(self) -> Path:
        """The config that ``spacy seqmix active`` is given."""
        return self.folder.with_name(f"{self.folder.name}.cfg")

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def status(self) -> Path:
        """How it ended: a JSON object with ``status``, ``seconds``, and ``error`` if it failed."""
        return self.folder.with_name(f"{self.folder.name}.json")

    @property
    def ended(self) -> dict[str, Any]:
        """What ``status`` holds; empty where there is none, or a damaged one: it is run again,
        which is short if its journal is whole."""
        try:
            found = srsly.read_json(self.status)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_done(self) -> bool:
        """Whether it has ended well."""
        return bool(self.ended.get("status") == DONE)

    @property
    def seconds(self) -> float:
        """How long it took, or the last part of it if it was taken up again."""
        return float(self.ended.get("seconds", 0.0))

    @property
    def error(self) -> str:
        """The last line of its error, if it failed."""
        return str(self.ended.get("error") or "").split("\n")[-1]

    @property
    def finished_rounds(self) -> int:
        """Lines of its journal."""
        journal = RunFolder(self.folder).journal
        return journal.read_bytes().count(b"\n") if journal.exists() else 0


def runs_of(sweep: Sweep, out: Path) -> list[OneRun]:
    """All runs: seed by seed, so that whatever is finished first can be compared."""
    return [OneRun(arm, seed, out) for seed in sweep.settings.seeds for arm in sweep.arms]


def check_folder(sweep: Sweep, out: Path) -> None:
    """Check that the runs which a folder has are those of the sweep.

    RAISES (SeqMixError): S604 for an arm whose folder is that of another arm, S606 for one with
        other settings, S607 for a folder of something else.
    """
    if out.exists() and not out.is_dir():
        raise SeqMixError(Errors.E607.format(path=out, reason="it is a file"))
    if out.exists() and not (out / KNOWN).exists() and any(out.iterdir()):
        raise SeqMixError(Errors.E607.format(path=out, reason="it holds something else"))
    _, before = read_known(out)
    owners = {str(one["folder"]).lower(): name for name, one in before.items()}
    for arm in sweep.arms:
        owner = owners.get(arm.folder.lower(), arm.name)
        if owner != arm.name:
            raise SeqMixError(Errors.E604.format(one=owner, other=arm.name))
        if arm.name not in before:
            continue
        # A value that is written as a variable is no other setting.
        then, now = filled_in(before[arm.name]["values"]), filled_in(values_of(arm))
        fields = [name for name in sorted({*now, *then}) if now.get(name) != then.get(name)]
        if fields:
            raise SeqMixError(Errors.E606.format(path=out, arm=arm.name, fields=", ".join(fields)))


def read_known(out: Path) -> tuple[list[int], dict[str, dict[str, Any]]]:
    """The seeds and, by name, the arms of which a folder has runs. RAISES (SeqMixError): S607."""
    path = out / KNOWN
    if not path.exists():
        return [], {}
    try:
        # Not srsly's reader: it gives 0.6 back as another number.
        content = json.loads(path.read_text("utf8"))
        arms = {arm["name"]: arm for arm in content["arms"] if (out / arm["folder"]).exists()}
        if not all(isinstance(arm["values"], dict) for arm in content["arms"]):
            raise TypeError("values")
        return [int(seed) for seed in content["seeds"]], arms
    except (ValueError, KeyError, TypeError) as err:
        raise SeqMixError(Errors.E607.format(path=out, reason=f"{KNOWN}: {err!r}")) from err


def write_known(sweep: Sweep, out: Path) -> None:
    """Write which arms and seeds a folder has, those of earlier calls among them."""
    seeds, arms = read_known(out)
    for arm in sweep.arms:
        arms[arm.name] = {
            "name": arm.name,
            "folder": arm.folder,
            "control": arm.control,
            "steps_of": arm.steps_of,
            "mixes": mixes(arm),
            "values": values_of(arm),
        }
    content = {"seeds": sorted({*seeds, *sweep.settings.seeds}), "arms": list(arms.values())}
    with replacing(out / KNOWN) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", "utf8")


def values_of(arm: Arm) -> dict[str, Any]:
    """Every value of an arm's config by dotted name, and whose steps it takes."""
    return {**flatten(arm.config), "steps_of": arm.steps_of}


def run_sweep(
    sweep: Sweep, out: Path, *, n_process: int = 1, use_gpu: int = -1, progress: bool = True
) -> list[OneRun]:
    """Run what is not finished yet; a run that fails is recorded, and the others go on.

    out (Path): folder of the sweep: new, empty, or of this sweep, which may have grown by arms
        or seeds.
    n_process (int): runs at once, which share the processor's cores.
    use_gpu (int): GPU id, -1 for the CPU.
    progress (bool): show finished rounds and the time left.
    RETURNS (list[OneRun]): the runs that failed.
    RAISES (SeqMixError): S606, S607.
    """
    check_folder(sweep, out)
    runs = runs_of(sweep, out)
    write_known(sweep, out)
    total = sum(run.arm.rounds for run in runs)
    stop = threading.Event()
    ended: dict[tuple[str, int], Future[bool]] = {}
    with (
        _signals_as_exits(),
        ThreadPoolExecutor(n_process) as pool,
        tqdm(total=total, unit="round", disable=not progress) as bar,
    ):
        try:
            for run in runs:
                # Runs are begun in this order: the one that another waits for is on its way.
                first = ended.get((run.arm.steps_of or "", run.seed))
                keep = sweep.settings.keep_models
                ended[run.arm.name, run.seed] = pool.submit(
                    _recorded, run, first, keep, n_process, use_gpu, stop
                )
            _follow(runs, list(ended.values()), bar)
        except BaseException:
            stop.set()
            raise
    return [run for run in runs if not ended[run.arm.name, run.seed].result()]


@contextmanager
def _signals_as_exits() -> Iterator[None]:
    """Let the signals that end this process end its runs too, which would else go on alone."""
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


def _follow(runs: Sequence[OneRun], ended: Sequence[Future[bool]], bar: Any) -> None:
    """Show finished rounds until all runs have ended."""
    waiting = threading.Event()
    shown = None
    bar.initial = _rounds(runs)
    while True:
        all_ended = all(future.done() for future in ended)
        bar.n = _rounds(runs)
        failed = sum(future.done() and not future.result() for future in ended)
        # A log file is to have a line for each change, not for each look.
        if shown != (bar.n, failed) or sys.stderr.isatty():
            bar.set_postfix_str(f"{failed} runs failed")
        shown = bar.n, failed
        if all_ended:
            return
        waiting.wait(POLL_SECONDS)


def _rounds(runs: Sequence[OneRun]) -> int:
    """Rounds that are finished."""
    return sum(run.arm.rounds if run.is_done else run.finished_rounds for run in runs)


def _recorded(run: OneRun, *asked: Any) -> bool:
    """The same as ``_finish``; whatever goes wrong is this run's failure, and no other's."""
    try:
        return _finish(run, *asked)
    except Exception as err:
        with suppress(OSError):  # no place for it in the folder: the command tells
            _end(run, 0.0, repr(err))
        return False


def _finish(
    run: OneRun,
    first: Future[bool] | None,
    keep_models: bool,
    n_process: int,
    use_gpu: int,
    stop: threading.Event,
) -> bool:
    """Run one run to its end, unless it has come to it; RETURNS whether that is a good one."""
    if run.is_done:
        return True
    has_steps = first is None or first.result()
    if stop.is_set():
        return False
    if not has_steps:
        return _end(run, 0.0, f"the arm {run.arm.steps_of!r}, whose steps it takes, failed")
    try:
        config = _config_of(run)
    except ValueError as err:  # a damaged journal of the other arm
        return _end(run, 0.0, str(err))
    with replacing(run.config) as temporary:
        config.to_disk(temporary)
    command = ["spacy", "seqmix", "active", str(run.config), str(run.folder), "--quiet"]
    threads = str(max(1, (os.cpu_count() or 1) // n_process))
    began = perf_counter()
    with run.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--gpu-id", str(use_gpu)],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": threads, **os.environ},
        )
        try:
            while process.poll() is None and not stop.is_set():
                stop.wait(POLL_SECONDS / 5)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if stop.is_set():
        return False
    seconds = perf_counter() - began
    if process.returncode:
        text = run.log.read_text("utf8", errors="replace").rstrip()
        if "[S412]" in text:  # another process has it under way: it is neither done nor failed
            return False
        return _end(run, seconds, "\n".join(text.split("\n")[-LOG_LINES:]))
    if not keep_models:
        shutil.rmtree(run.folder / "models", ignore_errors=True)
    return _end(run, seconds, None)


def _config_of(run: OneRun) -> Config:
    """The config of a run, with the steps of another arm if it takes those."""
    config = run.arm.with_seed(run.seed)
    if run.arm.steps_of is None:
        return config
    other = run.out / folder_name(run.arm.steps_of) / run.folder.name
    steps = [record.steps for record in RunFolder(other).read()]
    # Where the pool ran out it ended early, as this run will.
    steps += steps[-1:] * (run.arm.rounds - len(steps))
    return with_values(config, {"active.max_steps": steps})


def _end(run: OneRun, seconds: float, error: str | None) -> bool:
    """Record how a run ended."""
    record = {"status": FAILED if error else DONE, "seconds": round(seconds, 1), "error": error}
    with replacing(run.status) as temporary:
        srsly.write_json(temporary, record)
    return not error
