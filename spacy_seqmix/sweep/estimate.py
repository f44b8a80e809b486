"""How long a sweep will take: from runs that are finished, else from a short trial."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import spacy
from spacy.tokens import DocBin

from ..active.annotation import gold_labels
from ..active.fit import count_steps
from ..active.loop import ActiveRun
from ..active.schema import ActiveConfig, read_active_config
from ..docbin import read_docs, write_docs
from .plan import Arm, Sweep, rates_of
from .run import runs_of
from .values import with_values

TRIAL_STEPS = (2, 10)
TRIAL_DOCS = 50


@dataclass(frozen=True)
class Trial:
    """Seconds of one short run: to begin, for a step, for a doc to be read by the model, and to
    mix the seed set; and optimiser steps of a pass over one doc."""

    start: float
    step: float
    doc: float
    mixing: float
    steps_per_doc: float


def estimate(sweep: Sweep, out: Path, *, use_gpu: int = -1) -> dict[str, float]:
    """Seconds that one run of each arm takes, by the name of the arm.

    Arms with finished runs: the mean of those. Others: from a trial of a few steps on a few docs,
    with the first arm that mixes.
    """
    known: dict[str, list[float]] = {}
    for run in runs_of(sweep, out):
        if run.is_done:
            known.setdefault(run.arm.name, []).append(run.seconds)
    found = {name: mean(values) for name, values in known.items()}
    lacking = [arm for arm in sweep.arms if arm.name not in found]
    if lacking:
        asked = {arm.name: read_active_config(arm.with_seed(0)) for arm in sweep.arms}
        first = next((arm for arm in sweep.arms if asked[arm.name].mixers), sweep.arms[0])
        trial = try_out(first, asked[first.name], use_gpu)
        for arm in lacking:
            steps_of = arm.steps_of or arm.name
            found[arm.name] = seconds_of(asked[arm.name], asked[steps_of], trial)
    return found


def try_out(arm: Arm, asked: ActiveConfig, use_gpu: int) -> Trial:
    """Train twice for a few steps on the seed set, and evaluate on a few docs."""
    blank = spacy.blank(asked.training["nlp"]["lang"])
    with TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        labels_of = gold_labels(asked.training["components"].get(asked.active.component, {}))
        dev = read_docs(asked.active.dev, blank, need_entities=False)
        dev = sorted(dev, key=lambda doc: not labels_of(doc))[:TRIAL_DOCS]  # labelled docs first
        write_docs(dev, folder / "dev.spacy")
        records = []
        for steps in TRIAL_STEPS:
            values = {"n_rounds": 0, "max_steps": steps, "dev": str(folder / "dev.spacy")}
            # A pool would have a second model trained.
            values |= {"test": None, "n_query": 1, "mix_set": "round"}
            config = with_values(arm.with_seed(0), {f"active.{k}": v for k, v in values.items()})
            run = ActiveRun(config, folder / f"steps-{steps}", use_gpu=use_gpu, progress=False)
            records += run.run()
        docs = run.pool.take(run.pool.labelled)
    short, long = (record.seconds for record in records)
    few, many = TRIAL_STEPS
    step = max(0.0, (long.train - short.train) / (many - few))
    return Trial(
        start=max(0.0, short.train - few * step) + short.save,
        step=step,
        doc=long.evaluate / len(dev),
        mixing=long.mix,
        steps_per_doc=count_steps(asked.training, docs, 1.0) / len(docs),
    )


def seconds_of(asked: ActiveConfig, steps_of: ActiveConfig, trial: Trial) -> float:
    """What a run takes by the measures of a trial."""
    active, rates = asked.active, rates_of(steps_of)
    of_pool = steps_of.of_pool
    evaluated = sum(count_docs(path) for path in (active.dev, active.test) if path is not None)
    pool = active.pool_size or count_docs(active.pool)
    unlabelled = 0
    if active.unlabelled is not None:
        unlabelled = count_docs(active.unlabelled)
        unlabelled = min(unlabelled, active.unlabelled_size or unlabelled)
    committee = active.committee if asked.policy.needs == "committee" else None
    total, mixed, labelled = 0.0, 0.0, 0
    for number in range(active.n_rounds + 1):
        new = active.n_new(number)
        labelled += new
        if steps_of.active.mix_set == "round":
            mixed += rates[number] * new
        else:
            mixed = rates[number] * labelled
            if of_pool:
                mixed = min(mixed, max(0, pool - labelled) + unlabelled)
        docs = labelled + mixed
        steps = active.steps_of(number) or max(2, active.epochs * docs * trial.steps_per_doc)
        if number == 0 and of_pool and rates[0]:  # a first model labels the pool
            total += trial.start if asked.mixers else 0.0
            if active.steps_of(0) is None:  # else it takes half of these
                total += max(2, active.epochs * labelled * trial.steps_per_doc) * trial.step
        trained = 1 if committee is None or committee.kind == "dropout" else committee.members
        passes = 1 if committee is None else committee.members
        total += trained * (trial.start + steps * trial.step)
        total += evaluated * trial.doc
        if number < active.n_rounds and asked.policy.needs != "nothing":
            total += passes * max(0, pool - labelled) * trial.doc
        if asked.mixers and of_pool:
            total += (max(0, pool - labelled) + unlabelled) * trial.doc
        if asked.mixers:
            total += trial.mixing * new / active.n_seed
    return total


def count_docs(path: Path) -> int:
    """How many docs a .spacy file has."""
    return len(DocBin().from_disk(path))


def plan_rows(sweep: Sweep, out: Path, seconds: Mapping[str, float]) -> list[list[Any]]:
    """What a sweep will do: arm, runs, of them finished, rounds, minutes of a run."""
    runs = runs_of(sweep, out)
    rows = []
    for arm in sweep.arms:
        own = [run for run in runs if run.arm is arm]
        finished = sum(run.is_done for run in own)
        rows.append([arm.name, len(own), finished, arm.rounds, f"{seconds[arm.name] / 60:.1f}"])
    return rows


def seconds_left(sweep: Sweep, out: Path, seconds: Mapping[str, float]) -> float:
    """Of all runs that are not finished, one after the other."""
    return sum(seconds[run.arm.name] for run in runs_of(sweep, out) if not run.is_done)
