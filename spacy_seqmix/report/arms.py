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
from .runs import Run, differences, read_run, step_differences

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


def read_arms(given: Sequence[str]) -> list[Arm]:
    """Read runs and sweeps.

    given (Sequence[str]): NAME=RUN_DIR, RUN_DIR, or SWEEP_DIR; runs of one name are one arm.
    RETURNS (list[Arm]): in the order given.
    RAISES (ValueError): S510, S511 for journals, S514 for names, S521 for seeds,
        S522 for sweeps.
    """
    runs: dict[str, list[Run]] = {}
    lacking: dict[str, int] = {}
    for text in given:
        name, equals, path = text.rpartition("=") if not Path(text).exists() else ("", "", text)
        folder = Path(path)
        if (equals and not name) or not path:
            raise ValueError(Errors.E514.format(text=text))
        if (folder / SWEEP).exists():
            if name:
                raise ValueError(Errors.E514.format(text=text))
            for arm, found, missing in _read_sweep(folder):
                runs.setdefault(arm, []).extend(found)
                lacking[arm] = lacking.get(arm, 0) + missing
        else:
            name = name or folder.name
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
    return arms


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
    return status.exists() and srsly.read_json(status)["status"] == "done"


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
    """Check that runs of equal seeds can be compared.

    RETURNS (list[str]): what differs, where that is allowed.
    RAISES (ValueError): S512 with what differs.
    """
    wrong: list[str] = []
    notes: list[str] = []
    for seed in baseline.seeds:
        same = [(arm, run) for arm in (baseline, *arms) for run in arm.runs if run.seed == seed]
        for arm, run in same[1:]:
            wrong += differences(same[0][1], run)
            (notes if arm.sweep else wrong).extend(step_differences(same[0][1], run))
    wrong, notes = list(dict.fromkeys(wrong)), list(dict.fromkeys(notes))
    if wrong and not allow_different:
        raise ValueError(Errors.E512.format(reason="; ".join(wrong)))
    return wrong + notes
