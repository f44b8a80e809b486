"""Estimate the time of a sweep: from runs that are finished, else from a short trial."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import spacy
from spacy.tokens import Doc

from ..active.annotation import GoldLabels, gold_labels
from ..active.fit import count_steps
from ..active.loop import ActiveRun
from ..active.pool_files import files_of
from ..annotation.docbins import is_docbin, open_docbin, write_docs
from ..annotation.lazy_docs import docs_of, lazy_docs
from ..annotation.parquet_files import ParquetTexts, is_parquet
from ..errors import Errors, SeqMixError, plural
from .folder import runs_of
from .plan import Arm, Sweep
from .values import with_values

TRIAL_STEPS = (2, 10)
TRIAL_DOCS = 50
SEARCHED = 5000  # docs, for so many labelled ones


@dataclass(frozen=True)
class Trial:
    """What a short run measures, in seconds.

    start, step (float): to begin a training, and for an optimiser step.
    doc (float): to read a doc with the model.
    mixing (float): to mix the seed set.
    steps_per_doc (float): optimiser steps of a pass over the training set, over its docs.
    """

    start: float
    step: float
    doc: float
    mixing: float
    steps_per_doc: float


def estimate(
    sweep: Sweep, out: Path, *, use_gpu: int = -1, progress: bool = False
) -> dict[str, float]:
    """Estimate the seconds that a run of each arm takes.

    For arms with finished runs it is their mean. For the others it comes from a trial with the
    first arm that mixes.

    progress (bool): show the progress bars of the trial.
    RETURNS (dict): seconds by the name of the arm.
    """
    known: dict[str, list[float]] = {}
    for run in runs_of(sweep, out):
        if run.is_done:
            known.setdefault(run.arm.name, []).append(run.seconds)
    seconds = {name: mean(values) for name, values in known.items()}
    if unknown := [arm for arm in sweep.arms if arm.name not in seconds]:
        arm = next((arm for arm in sweep.arms if arm.mixes), sweep.arms[0])
        trial = try_out(arm, use_gpu, progress=progress)
        arms = {arm.name: arm for arm in sweep.arms}
        for arm in unknown:
            seconds[arm.name] = seconds_of(arm, arms.get(arm.steps_of or "", arm), trial)
    return seconds


def try_out(arm: Arm, use_gpu: int, *, progress: bool = False) -> Trial:
    """Train twice for a few steps on the seed set, and evaluate on a few docs."""
    active, training = arm.resolved.active, arm.resolved.training
    with TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        labels_of = gold_labels(training["components"].get(active.component, {}))
        # A run without dev is as long as one with it.
        source = [active.dev] if active.dev else active.pool
        blank = spacy.blank(training["nlp"]["lang"])
        every = lazy_docs(files_of(source), blank)
        dev = some_docs(docs_of(every, every), labels_of)
        write_docs(dev, folder / "dev.spacy")
        records = []
        for steps in TRIAL_STEPS:
            values = {"n_rounds": 0, "max_steps": steps, "dev": str(folder / "dev.spacy")}
            # With these, a round may train twice.
            values |= {"test": None, "n_query": 1, "mix_set": "round", "second_epochs": 0.0}
            config = with_values(arm.with_seed(0), {f"active.{k}": v for k, v in values.items()})
            run = ActiveRun(config, folder / f"steps-{steps}", use_gpu=use_gpu, progress=progress)
            records += run.run()
            if run.waiting is not None:
                waiting = f"{run.waiting}: {run.waiting.advice}"
                raise SeqMixError(Errors.E616.format(arm=arm.name, waiting=waiting))
        docs = run.pool.take(run.pool.labelled)
    short, long = (record.seconds for record in records)
    few, many = TRIAL_STEPS
    step = max(0.0, (long.train - short.train) / (many - few))
    start = max(0.0, short.train - few * step) + short.save
    steps_per_doc = count_steps(training, docs, 1.0) / len(docs)
    return Trial(start, step, long.evaluate / len(dev), long.mix, steps_per_doc)


def some_docs(docs: Iterable[Doc], labels_of: GoldLabels) -> list[Doc]:
    """Some docs, labelled ones first. A large pool is read to its end only if none has labels."""
    labelled: list[Doc] = []
    others: list[Doc] = []
    for number, doc in enumerate(docs, start=1):
        some = labelled if labels_of(doc) else others
        if len(some) < TRIAL_DOCS:
            some.append(doc)
        if len(labelled) == TRIAL_DOCS or (labelled and number >= SEARCHED):
            break
    return [*labelled, *others][:TRIAL_DOCS]


def seconds_of(arm: Arm, steps_of: Arm, trial: Trial) -> float:
    """Estimate the seconds of a run from a trial.

    steps_of (Arm): the arm whose optimiser steps the run takes: itself, unless it is a control.
    """
    active, policy = arm.resolved.active, arm.resolved.policy
    evaluated = sum(count_docs(path) for path in (active.dev, active.test) if path is not None)
    pool = active.pool_size or sum(map(count_docs, files_of(active.pool)))
    members = active.committee.members if policy.needs == "committee" else 1
    trained = 1 if active.committee.kind == "dropout" else members
    total, mixed, labelled = 0.0, 0.0, 0
    for number, rate in enumerate(steps_of.rates):
        new = active.n_new(number)
        labelled += new
        whole_set = steps_of.resolved.active.mix_set != "round"
        mixed = rate * labelled if whole_set else mixed + rate * new
        second = active.second_epochs_of(number)
        passed = (labelled + mixed) * (second or active.epochs)  # docs that train, each time
        passed += labelled * active.epochs if second else 0.0
        steps = active.steps_of(number) or passed * trial.steps_per_doc
        begun = 2 if second else 1
        total += trained * (begun * trial.start + max(2, steps) * trial.step)
        read = evaluated
        if policy.needs != "nothing" and active.has_round(number + 1):
            read += members * max(0, pool - labelled)
        if arm.resolved.of_pool:
            read += max(0, pool - labelled)
        total += read * trial.doc
        if arm.mixes:
            total += trial.mixing * new / active.n_seed
    return total


def count_docs(path: Path) -> int:
    """Count the docs of a .spacy file, or the lines or rows of a file of texts."""
    if is_docbin(path):
        return len(open_docbin(path))
    if is_parquet(path):
        return ParquetTexts(path).size
    with path.open("rb") as file:
        return sum(1 for _ in file)


def plan_rows(sweep: Sweep, out: Path, seconds: dict[str, float]) -> tuple[list[list[str]], float]:
    """Lay out what a sweep will do, and sum the seconds that are left.

    RETURNS (tuple): rows with an arm's name, its runs, finished runs, rounds, and time of a run;
        and the seconds of all unfinished runs, one after the other.
    """
    done = Counter(run.arm.name for run in runs_of(sweep, out) if run.is_done)
    n_runs = len(sweep.settings.seeds)
    rows = []
    for arm in sweep.arms:
        numbers = map(str, (n_runs, done[arm.name], arm.rounds))
        rows.append([arm.name, *numbers, duration(seconds[arm.name])])
    return rows, sum(seconds[arm.name] * (n_runs - done[arm.name]) for arm in sweep.arms)


def duration(seconds: float) -> str:
    """Format a time in the largest unit that fits: "45 seconds", "1.5 hours", "11 days"."""
    sizes = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
    unit = [unit for unit, size in sizes.items() if size == 1 or round(seconds) >= size][-1]
    number = seconds / sizes[unit]
    # Half an hour matters, half a second does not.
    digits = 1 if sizes[unit] >= 3600 and number < 9.95 else 0
    return plural(round(number, digits), unit)
