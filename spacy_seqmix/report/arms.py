"""Arms: runs of one setting with several seeds, from run folders and from sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import srsly

from ..errors import Errors, SeqMixError
from ..sweep_names import DONE, KNOWN
from ..types import Floats2d
from .runs import EVALUATED, Run, data_differences, pairing_differences, read_run, step_differences

__all__ = ["Arm", "baselines_of", "check_arms", "read_arms"]

NONE = "none"


@dataclass(frozen=True)
class Arm:
    """One setting, run once a seed.

    runs (tuple[Run, ...]): at least one, in the order of their seeds.
    lacking (int): runs of a sweep that failed, or are not finished.
    values (Mapping[str, Any]): what its sweep set by dotted name; empty outside sweeps, whose arms
        may differ in optimiser steps.
    mixes (bool): whether its sweep says that it mixes.
    """

    name: str
    runs: tuple[Run, ...]
    lacking: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    mixes: bool = False

    @property
    def setting(self) -> dict[str, Any]:
        """All that its sweep set but the mixing."""
        own = ("active.mixing", "active.mix_set", "active.unlabelled", "steps_of")
        return {k: v for k, v in self.values.items() if not k.startswith(own)}

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each run; one run may have None."""
        return tuple(run.seed for run in self.runs)

    @property
    def points(self) -> list[int]:
        """Numbers of labelled sentences at which all its runs were trained."""
        sets = [{one.n_labelled for one in run.rounds} for run in self.runs]
        return sorted(set.intersection(*sets))

    def scored(self, split: str) -> tuple[int | None, ...]:
        """The seeds with a score on a split at every point."""
        return tuple(run.seed for run in self.runs if None not in _scores(run, split, self.points))

    def scores(self, split: str, points: Sequence[int], seeds: Iterable[int | None]) -> Floats2d:
        """(seeds, points) scores in 0..1, of seeds and points that have them."""
        runs = {run.seed: run for run in self.runs}
        rows = [_scores(runs[seed], split, points) for seed in seeds]
        found: Floats2d = np.array(rows, dtype="float64").reshape(len(rows), len(points))
        return found


def _scores(run: Run, split: str, points: Sequence[int]) -> list[float | None]:
    """The score of a run at each point."""
    rounds = [run.at(point) for point in points]
    return [None if one is None else one.score(split) for one in rounds]


def read_arms(given: Sequence[str]) -> tuple[list[Arm], list[str]]:
    """Read runs and sweeps.

    given (Sequence[str]): NAME=RUN_DIR, RUN_DIR, or SWEEP_DIR; runs of one name are one arm.
    RETURNS (tuple): the arms, in the order given, and the names of those without a finished run.
    RAISES (SeqMixError): S510, S511 for journals, S514 for names, S521 for seeds,
        S522 for sweeps.
    """
    found: dict[str, Arm] = {}
    for text in given:
        name, path = _parted(text)
        folder = Path(path)
        if (folder / KNOWN).exists():
            if name:
                raise SeqMixError(Errors.E514.format(text=text))
            arms = list(_read_sweep(folder))
        else:
            name = name or folder.resolve().name
            arms = [Arm(name, (read_run(name, folder),))]
        for arm in arms:
            found[arm.name] = _merged(found[arm.name], arm, path) if arm.name in found else arm
    if not any(arm.runs for arm in found.values()):
        raise SeqMixError(Errors.E511.format(name=", ".join(found), path=", ".join(given)))
    for arm in found.values():
        if len(set(arm.seeds)) < len(arm.seeds):
            raise SeqMixError(Errors.E521.format(name=arm.name, seeds=list(arm.seeds)))
    finished = [replace(arm, runs=_by_seed(arm.runs)) for arm in found.values() if arm.runs]
    return finished, [arm.name for arm in found.values() if not arm.runs]


def _merged(one: Arm, other: Arm, path: str) -> Arm:
    """An arm of which two places have runs. RAISES (SeqMixError): S522 where sweeps disagree."""
    if one.values and other.values and (wrong := sorted(_differing(one.values, other.values))):
        reason = f"{one.name!r} has another value of {', '.join(wrong)} than in the sweep before"
        raise SeqMixError(Errors.E522.format(path=path, reason=reason))
    more = other if other.values else one
    return replace(more, runs=(*one.runs, *other.runs), lacking=one.lacking + other.lacking)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Names of other values. Where a file lies is no setting."""
    names = {name for name in {*one, *other} if not name.startswith("paths.")}
    return {name for name in names if one.get(name) != other.get(name)}


def _by_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    return tuple(sorted(runs, key=lambda run: -1 if run.seed is None else run.seed))


def _parted(text: str) -> tuple[str, str]:
    """Name ("" for none) and path; either may have "=" in it. RAISES (SeqMixError): S514."""
    if Path(text).exists() and text:
        return "", text
    parts = text.split("=")
    pairs = [("=".join(parts[:i]), "=".join(parts[i:])) for i in range(1, len(parts))]
    pairs = [(name, path) for name, path in pairs if name and path]
    if not text or ("=" in text and not pairs):
        raise SeqMixError(Errors.E514.format(text=text))
    return next((pair for pair in pairs if Path(pair[1]).exists()), (pairs or [("", text)])[-1])


def _read_sweep(folder: Path) -> Iterator[Arm]:
    """Its arms with their finished runs, of which an arm may have none."""
    try:
        content: Any = srsly.read_json(folder / KNOWN)
        seeds = [int(seed) for seed in content["seeds"]]
        arms = [
            (str(arm["name"]), folder / str(arm["folder"]), dict(arm["values"]), bool(arm["mixes"]))
            for arm in content["arms"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise SeqMixError(Errors.E522.format(path=folder / KNOWN, reason=repr(err))) from err
    for name, place, values, mixes in arms:
        done = [place / f"seed-{seed}" for seed in seeds if _is_done(place / f"seed-{seed}.json")]
        runs = tuple(read_run(name, path) for path in done)
        yield Arm(name, runs, len(seeds) - len(done), values, mixes)


def _is_done(status: Path) -> bool:
    try:
        return status.exists() and bool(srsly.read_json(status)["status"] == DONE)
    except (ValueError, KeyError, TypeError) as err:
        raise SeqMixError(Errors.E522.format(path=status, reason=repr(err))) from err


def baseline_of(arms: Sequence[Arm], name: str | None) -> Arm:
    """The arm that others are compared with: the named one, else "none", else the first that does
    not mix, else the first.

    RAISES (SeqMixError): S523 for a name that no arm has.
    """
    names = [arm.name for arm in arms]
    if name is not None and name not in names:
        raise SeqMixError(Errors.E523.format(name=name, names=", ".join(names)))
    if name is None and NONE not in names:
        return next((arm for arm in arms if arm.values and not arm.mixes), arms[0])
    return arms[names.index(name or NONE)]


def baselines_of(arms: Sequence[Arm], name: str | None) -> dict[str, Arm]:
    """What each arm is compared with, by name; the arm of ``baseline_of`` stands first, without.

    An arm of a sweep that mixes: the arm of all its settings without mixing, the one nearest in
    optimiser steps where there are several. Any other, or all where a baseline is named:
    ``baseline_of``.
    """
    first = baseline_of(arms, name)
    found = {}
    for arm in arms:
        own: list[Arm] = []
        if name is None and arm.mixes:
            own = [one for one in arms if _is_without(one, arm) and _pairs(one, arm)]
        if arm is not first:
            found[arm.name] = min(own, key=partial(_nearness, arm), default=first)
    return found


def _nearness(one: Arm, other: Arm) -> tuple[float, int]:
    """How far apart in optimiser steps a round is, and then how few seeds both have."""
    return _steps_apart(one, other), -len(_pairs(one, other))


def _is_without(one: Arm, arm: Arm) -> bool:
    """Whether ``one`` is ``arm`` without mixing."""
    return bool(one.values) and not one.mixes and one.setting == arm.setting


def _steps_apart(one: Arm, other: Arm) -> float:
    """Optimiser steps by which rounds of equal seeds differ, on the mean."""
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
        lack a score, and by which versions of this package the runs were begun, if by several.
    RAISES (SeqMixError): S512 with what differs.
    """
    wrong = list(_other_data([run for arm in arms for run in arm.runs]))
    notes = [text for arm in arms for text in _without_scores(arm)]
    versions = sorted({run.version for arm in arms for run in arm.runs if run.version is not None})
    if len(versions) > 1:
        notes.append(f"the runs were begun by the versions {', '.join(versions)} of spacy-seqmix")
    for arm in arms:
        settings = arm.runs[0].settings
        if settings.get("mix_set") == "pool" and settings.get("unlabelled"):
            size = settings.get("unlabelled_size")
            text = f"{size} docs" if size else "the text"
            notes.append(f"{arm.name!r} saw {text} of {settings['unlabelled']} besides the pool")
        if arm.name not in baselines:
            continue
        baseline = baselines[arm.name]
        pairs = _pairs(baseline, arm)
        for pair in pairs:
            wrong += pairing_differences(*pair)
            wrong += [] if arm.values else step_differences(*pair)
        if not pairs:
            notes.append(f"{arm.name!r} has no seed of {baseline.name!r}: they are not compared")
        elif arm.values and _steps_apart(baseline, arm):
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
    """What differs in the data of runs. One of unknown data differs from none, so all that are
    known are compared."""
    kinds: list[Run] = []
    for run in runs:
        found = next(filter(None, (data_differences(kind, run) for kind in kinds)), [])
        yield from found
        if not found:
            kinds.append(run)


def _without_scores(arm: Arm) -> Iterator[str]:
    """Which seeds are left out on a split that others are scored on."""
    for split in EVALUATED:
        scored = arm.scored(split)
        lacking = [str(seed) for seed in arm.seeds if seed not in scored]
        if scored and lacking:
            seeds = ", ".join(lacking)
            yield f"{arm.name!r} lacks scores on {split} with seed {seeds}: left out there"
