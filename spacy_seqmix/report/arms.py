"""Arms: runs of one setting with several seeds, from run folders and from sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ..errors import Errors, SeqMixError, plural
from ..sweep.record import ArmRecord, SweepRecord, fill_in, is_done, read_sweep_record
from ..types import Floats2d
from .kept import unpacked
from .runs import (
    EVALUATED,
    Run,
    data_differences,
    differing_settings,
    pairing_differences,
    read_run,
    step_differences,
)

__all__ = ["Arm", "baselines_of", "check_arms", "read_arms"]

NONE = "none"


@dataclass(frozen=True)
class Arm:
    """One setting, run once a seed.

    runs (tuple[Run, ...]): at least one, in the order of their seeds.
    unfinished (int): the number of runs of a sweep that failed, or are not finished.
    record (ArmRecord | None): what its sweep says of it; None outside sweeps. Arms of sweeps may
        differ in optimiser steps.
    """

    name: str
    runs: tuple[Run, ...]
    unfinished: int = 0
    record: ArmRecord | None = None

    @property
    def mixes(self) -> bool:
        """Whether its sweep says that it mixes."""
        return self.record is not None and self.record.mixes

    @property
    def setting(self) -> dict[str, Any]:
        """All values of its sweep but those of the mixing."""
        own = ("active.mixing", "active.mix_set", "active.unlabelled")
        values = self.record.values if self.record is not None else {}
        return {k: v for k, v in values.items() if not k.startswith(own)}

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each run; one run may have None."""
        return tuple(run.seed for run in self.runs)

    def notes(self) -> Iterator[str]:
        """What a reader has to know of its dev set."""
        for run in self.runs:
            if run.sets_aside:
                n = plural(run.rounds[-1].dev_docs or 0, "doc")
                seed = "" if run.seed is None else f" (seed {run.seed})"
                left = len(run.rounds) - len(run.scored)
                unscored = f"; {plural(left, 'round')} came before it was scored" if left else ""
                yield (
                    f"dev of {self.name!r}{seed} was set aside at random from what was labelled: "
                    f"{n} in the last round{unscored}"
                )

    @property
    def points(self) -> list[int]:
        """Numbers of labelled sentences at which all its runs were trained, and scored on dev."""
        sets = [{one.n_labelled for one in run.scored} for run in self.runs]
        return sorted(set.intersection(*sets))

    def scored(self, split: str) -> tuple[int | None, ...]:
        """The seeds with a score on a split at every point."""
        return tuple(run.seed for run in self.runs if None not in _scores(run, split, self.points))

    def scores(self, split: str, points: Sequence[int], seeds: Iterable[int | None]) -> Floats2d:
        """(seeds, points) scores in 0..1, of seeds and points that have them."""
        runs = {run.seed: run for run in self.runs}
        rows = [_scores(runs[seed], split, points) for seed in seeds]
        return np.array(rows, dtype="float64").reshape(len(rows), len(points))


def _scores(run: Run, split: str, points: Sequence[int]) -> list[float | None]:
    """The score of a run at each point."""
    rounds = [run.at(point) for point in points]
    return [None if one is None else one.score(split) for one in rounds]


def read_arms(given: Sequence[str]) -> tuple[list[Arm], list[str]]:
    """Read runs and sweeps.

    given (Sequence[str]): NAME=RUN_DIR, RUN_DIR, SWEEP_DIR, or RUNS.jsonl (see ``kept.py``); runs
        of one name are one arm.
    RETURNS (tuple): the arms, in the order given, and the names of those without a finished run.
    RAISES (SeqMixError): S510, S511 for journals, S514 for names, S521 for seeds,
        S522 for sweeps.
    """
    arms: dict[str, Arm] = {}
    for text in given:
        name, path = parted(text)
        folder = Path(path)
        if folder.is_file():
            if name:
                raise SeqMixError(Errors.E514.format(text=text))
            with unpacked(folder) as kept:
                more = read_arms(kept)[0]
        elif (sweep := read_sweep_record(folder)) is not None:
            if name:
                raise SeqMixError(Errors.E514.format(text=text))
            more = list(_arms_of(sweep, folder))
        else:
            name = name or folder.resolve().name
            more = [Arm(name, (read_run(name, folder),))]
        for arm in more:
            arms[arm.name] = _merged(arms[arm.name], arm, path) if arm.name in arms else arm
    if not any(arm.runs for arm in arms.values()):
        raise SeqMixError(Errors.E511.format(name=", ".join(arms), path=", ".join(given)))
    for arm in arms.values():
        if len(set(arm.seeds)) < len(arm.seeds):
            raise SeqMixError(Errors.E521.format(name=arm.name, seeds=list(arm.seeds)))
    finished = [replace(arm, runs=_by_seed(arm.runs)) for arm in arms.values() if arm.runs]
    return finished, [arm.name for arm in arms.values() if not arm.runs]


def _merged(one: Arm, other: Arm, path: str) -> Arm:
    """Join an arm whose runs are in two places. RAISES (SeqMixError): S522 if sweeps disagree."""
    wrong = _differing(one.record, other.record) if one.record and other.record else []
    if wrong:
        reason = f"{one.name!r} has another value of {', '.join(wrong)} than in the sweep before"
        raise SeqMixError(Errors.E522.format(path=path, reason=reason))
    runs, unfinished = (*one.runs, *other.runs), one.unfinished + other.unfinished
    return Arm(one.name, runs, unfinished, other.record or one.record)


def _differing(one: ArmRecord, other: ArmRecord) -> list[str]:
    """Names of values that differ. The place of a file is no setting."""
    ours, theirs = ({**arm.values, "steps_of": arm.steps_of} for arm in (one, other))
    names = sorted(name for name in {*ours, *theirs} if not name.startswith("paths."))
    return [name for name in names if ours.get(name) != theirs.get(name)]


def _by_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    return tuple(sorted(runs, key=lambda run: -1 if run.seed is None else run.seed))


def parted(text: str) -> tuple[str, str]:
    """Name ("" for none) and path; either may have "=" in it. RAISES (SeqMixError): S514."""
    if Path(text).exists() and text:
        return "", text
    parts = text.split("=")
    pairs = [("=".join(parts[:i]), "=".join(parts[i:])) for i in range(1, len(parts))]
    pairs = [(name, path) for name, path in pairs if name and path]
    if not text or ("=" in text and not pairs):
        raise SeqMixError(Errors.E514.format(text=text))
    return next((pair for pair in pairs if Path(pair[1]).exists()), (pairs or [("", text)])[-1])


def _arms_of(sweep: SweepRecord, folder: Path) -> Iterator[Arm]:
    """The arms of a sweep with their finished runs; an arm may have none."""
    for arm in sweep.arms:
        places = [folder / arm.folder / f"seed-{seed}" for seed in arm.seeds]
        n_rounds = int(fill_in(arm.values).get("active.n_rounds", 0))
        done = [is_done(place, n_rounds) for place in places]
        runs = tuple(read_run(arm.name, place) for place in compress(places, done))
        yield Arm(arm.name, runs, done.count(False), arm)


def baselines_of(arms: Sequence[Arm], name: str | None) -> dict[str, Arm]:
    """Choose what each arm is compared with.

    The general baseline is the named arm, else "none", else the first that does not mix, else the
    first. Where none is named, an arm of a sweep that mixes has a baseline of its own: the arm
    with its settings and without mixing. Of several, it is the one nearest in optimiser steps, then
    the one with the most common seeds.

    RETURNS (dict): baselines by the name of the arm; the general baseline itself has none.
    RAISES (SeqMixError): S523 for a name that no arm has.
    """
    by_name = {arm.name: arm for arm in arms}
    if name is not None and name not in by_name:
        raise SeqMixError(Errors.E523.format(name=name, names=", ".join(by_name)))
    unmixed = [arm for arm in arms if arm.record and not arm.mixes]
    general = by_name.get(name or NONE) or (unmixed or arms)[0]
    baselines = {}
    for arm in arms:
        own: list[Arm] = []
        if name is None and arm.mixes:
            own = [one for one in unmixed if one.setting == arm.setting and _pairs(one, arm)]
        nearness = {one.name: (_steps_apart(one, arm), -len(_pairs(one, arm))) for one in own}
        if arm is not general:
            baselines[arm.name] = min(own, key=lambda one: nearness[one.name], default=general)
    return baselines


def _steps_apart(one: Arm, other: Arm) -> float:
    """Average the difference in optimiser steps over the rounds of equal seeds."""
    apart = [
        abs(a.steps - b.steps)
        for pair in _pairs(one, other)
        for a, b in zip(*(run.rounds for run in pair), strict=False)
    ]
    return fmean(apart) if apart else 0.0


def _pairs(one: Arm, other: Arm) -> list[tuple[Run, Run]]:
    """Runs of equal seeds."""
    runs = {run.seed: run for run in one.runs}
    return [(runs[run.seed], run) for run in other.runs if run.seed in runs]


def check_arms(
    arms: Sequence[Arm], baselines: Mapping[str, Arm], *, allow_different: bool
) -> list[str]:
    """Check that runs are of the same data, and that those of equal seeds can be compared.

    baselines (Mapping[str, Arm]): what an arm is compared with; some may be compared with none.
    RETURNS (list[str]): what differs, where that is allowed; which arms share no seed, which seeds
        have no score, and by which versions of this package the runs were begun, if by several.
    RAISES (SeqMixError): S512 with what differs.
    """
    wrong = list(_other_data([run for arm in arms for run in arm.runs]))
    notes = [text for arm in arms for text in _without_scores(arm)]
    versions = sorted({run.version for arm in arms for run in arm.runs if run.version is not None})
    if len(versions) > 1:
        notes.append(f"the runs were begun by the versions {', '.join(versions)} of spacy-seqmix")
    for arm in arms:
        active = arm.runs[0].active
        if active.get("mix_set") == "pool" and active.get("unlabelled"):
            size = active.get("unlabelled_size")
            text = f"{size} docs" if size else "the text"
            notes.append(f"{arm.name!r} saw {text} of {active['unlabelled']} besides the pool")
        if arm.name not in baselines:
            continue
        baseline = baselines[arm.name]
        pairs = _pairs(baseline, arm)
        settings = differing_settings(arm.runs[0], baseline.runs[0])
        if len(settings) > 1:
            notes.append(
                f"{arm.name!r} differs from {baseline.name!r} in {len(settings)} settings "
                f"({', '.join(settings)}): its gain is that of all of them together"
            )
        for pair in pairs:
            wrong += pairing_differences(*pair)
            wrong += [] if arm.record else step_differences(*pair)
        if not pairs:
            notes.append(f"{arm.name!r} has no seed of {baseline.name!r}: they are not compared")
        elif arm.record and _steps_apart(baseline, arm):
            sides = zip(*pairs, strict=True)
            steps = [sum(one.steps for run in side for one in run.rounds) for side in sides]
            a, b = (f"{n / len(pairs):.0f}" for n in steps)
            notes.append(
                f"{baseline.name!r} and {arm.name!r} took {a} and {b} optimiser steps a run"
            )
    wrong = list(dict.fromkeys(wrong))
    if wrong and not allow_different:
        raise SeqMixError(Errors.E512.format(reason="; ".join(wrong)))
    return wrong + notes


def _other_data(runs: Sequence[Run]) -> Iterator[str]:
    """Yield what differs in the data of runs. A run of unknown data differs from no other, so each
    run is compared with every kind of data so far."""
    kinds: list[Run] = []
    for run in runs:
        differences = next(filter(None, (data_differences(kind, run) for kind in kinds)), [])
        yield from differences
        if not differences:
            kinds.append(run)


def _without_scores(arm: Arm) -> Iterator[str]:
    """Say which seeds are left out on a split where other seeds have scores."""
    for split in EVALUATED:
        scored = arm.scored(split)
        missing = ", ".join(str(seed) for seed in arm.seeds if seed not in scored)
        if scored and missing:
            yield f"{arm.name!r} has no score on {split} with seed {missing}: left out there"
