"""Arms: runs of one setting with several seeds, from run folders and from sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from ..errors import Errors
from ..types import Floats2d
from .runs import Run, data_differences, differences, read_run, step_differences

__all__ = ["Arm", "baseline_of", "check_arms", "read_arms"]

SWEEP = "sweep.json"
NONE = "none"


@dataclass(frozen=True)
class Arm:
    """One setting, run once a seed.

    runs (tuple[Run, ...]): at least one, in the order of their seeds.
    sweep (bool): whether it is of a sweep, whose arms may differ in optimiser steps.
    lacking (int): runs of a sweep that failed, or are not finished.
    """

    name: str
    runs: tuple[Run, ...]
    sweep: bool = False
    lacking: int = 0

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each run; one run may have None."""
        return tuple(run.seed for run in self.runs)

    @property
    def points(self) -> list[int]:
        """Numbers of labelled sentences at which all its runs were trained."""
        sets = [{one.n_labelled for one in run.rounds} for run in self.runs]
        return sorted(set.intersection(*sets))

    def scores(
        self, split: str, points: Sequence[int], seeds: Iterable[int | None]
    ) -> Floats2d | None:
        """(seeds, points) scores in 0..1; None where any of them is lacking."""
        runs = {run.seed: run for run in self.runs}
        rows = []
        for seed in seeds:
            rounds = [runs[seed].at(point) if seed in runs else None for point in points]
            row = [None if one is None else one.score(split) for one in rounds]
            if None in row:
                return None
            rows.append(row)
        found: Floats2d = np.array(rows, dtype="float64").reshape(len(rows), len(points))
        return found


def read_arms(given: Sequence[str]) -> tuple[list[Arm], list[str]]:
    """Read runs and sweeps.

    given (Sequence[str]): NAME=RUN_DIR, RUN_DIR, or SWEEP_DIR; runs of one name are one arm.
    RETURNS (tuple): the arms, in the order given, and the names of those without a finished run.
    RAISES (ValueError): S510, S511 for journals, S514 for names, S521 for seeds,
        S522 for sweeps.
    """
    runs: dict[str, list[Run]] = {}
    lacking: dict[str, int] = {}
    for text in given:
        name, path = _parted(text)
        folder = Path(path)
        if (folder / SWEEP).exists():
            if name:
                raise ValueError(Errors.E514.format(text=text))
            for arm, found, missing in _read_sweep(folder):
                runs.setdefault(arm, []).extend(found)
                lacking[arm] = lacking.get(arm, 0) + missing
        else:
            name = name or folder.resolve().name
            runs.setdefault(name, []).append(read_run(name, folder))
    arms = []
    for name, found in runs.items():
        seeds = [run.seed for run in found]
        if len(set(seeds)) < len(seeds):
            raise ValueError(Errors.E521.format(name=name, seeds=seeds))
        if found:
            found.sort(key=lambda run: -1 if run.seed is None else run.seed)
            arms.append(Arm(name, tuple(found), name in lacking, lacking.get(name, 0)))
    if not arms:
        raise ValueError(Errors.E511.format(name=", ".join(runs) or "", path=", ".join(given)))
    return arms, [name for name, found in runs.items() if not found]


def _parted(text: str) -> tuple[str, str]:
    """Name ("" if there is none) and path; either may have "=" in it. RAISES (ValueError): S514."""
    if Path(text).exists() and text:
        return "", text
    parts = text.split("=")
    pairs = [("=".join(parts[:i]), "=".join(parts[i:])) for i in range(1, len(parts))]
    pairs = [(name, path) for name, path in pairs if name and path]
    if not text or ("=" in text and not pairs):
        raise ValueError(Errors.E514.format(text=text))
    return next((pair for pair in pairs if Path(pair[1]).exists()), (pairs or [("", text)])[-1])


def _read_sweep(folder: Path) -> Iterable[tuple[str, list[Run], int]]:
    """The name, the finished runs, and the number of the others, of each arm."""
    try:
        content: Any = srsly.read_json(folder / SWEEP)
        seeds = [int(seed) for seed in content["seeds"]]
        arms = [(str(arm["name"]), folder / str(arm["folder"])) for arm in content["arms"]]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ValueError(Errors.E522.format(path=folder / SWEEP, reason=repr(err))) from err
    for name, place in arms:
        done = [place / f"seed-{seed}" for seed in seeds if _is_done(place / f"seed-{seed}.json")]
        yield name, [read_run(name, path) for path in done], len(seeds) - len(done)


def _is_done(status: Path) -> bool:
    try:
        return status.exists() and bool(srsly.read_json(status)["status"] == "done")
    except (ValueError, KeyError, TypeError) as err:
        raise ValueError(Errors.E522.format(path=status, reason=repr(err))) from err


def baseline_of(arms: Sequence[Arm], name: str | None) -> Arm:
    """The arm that others are compared with: the named one, else "none", else the first.

    RAISES (ValueError): S523 for a name that no arm has.
    """
    names = [arm.name for arm in arms]
    if name is not None and name not in names:
        raise ValueError(Errors.E523.format(name=name, names=", ".join(names)))
    wanted = name or (NONE if NONE in names else names[0])
    return arms[names.index(wanted)]


def check_arms(arms: Sequence[Arm], baseline: Arm, *, allow_different: bool) -> list[str]:
    """Check that runs are of the same data, and that those of equal seeds can be compared.

    RETURNS (list[str]): what differs, where that is allowed; and which arms share no seed.
    RAISES (ValueError): S512 with what differs.
    """
    wrong: list[str] = []
    notes: list[str] = []
    first = {run.seed: run for run in baseline.runs}
    for run in baseline.runs[1:]:
        wrong += data_differences(baseline.runs[0], run)
    for arm in arms:
        if arm is baseline:
            continue
        pairs = [(first[run.seed], run) for run in arm.runs if run.seed in first]
        for run in arm.runs:
            if run.seed not in first:
                wrong += data_differences(baseline.runs[0], run)
        for one, run in pairs:
            wrong += differences(one, run)
            wrong += [] if arm.sweep else step_differences(one, run)
        if not pairs:
            notes.append(f"{arm.name!r} has no seed of {baseline.name!r}: they are not compared")
        elif arm.sweep and any(step_differences(*pair) for pair in pairs):
            sides = zip(*pairs, strict=True)
            steps = [sum(one.steps for run in side for one in run.rounds) for side in sides]
            a, b = (f"{n / len(pairs):.0f}" for n in steps)
            notes.append(
                f"{baseline.name!r} and {arm.name!r} took {a} and {b} optimiser steps a run"
            )
    if wrong and not allow_different:
        raise ValueError(Errors.E512.format(reason="; ".join(wrong)))
    return wrong + notes
