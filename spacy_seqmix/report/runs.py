"""Runs as reports see them: the rounds of a journal, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, ValidationError
from thinc.api import Config

from ..errors import Errors
from ..models.names import short_name

__all__ = ["Mixing", "Round", "Run", "Scores", "Seconds", "TypeScores", "differences", "read_run"]

MODELS = ("encoder", "lm")


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Seconds(_Record):
    """The time that each phase of a round took."""

    query: NonNegativeFloat = 0.0
    mix: NonNegativeFloat = 0.0
    train: NonNegativeFloat = 0.0
    committee: NonNegativeFloat = 0.0
    evaluate: NonNegativeFloat = 0.0
    annotate: NonNegativeFloat = 0.0
    save: NonNegativeFloat = 0.0

    @property
    def total(self) -> float:
        """The time of the whole round."""
        return sum(self.model_dump().values(), 0.0)


class MixingSeconds(_Record):
    """What the mixing phase was spent on."""

    table: NonNegativeFloat = 0.0
    mixing: NonNegativeFloat = 0.0
    lm: NonNegativeFloat = 0.0


class TypeScores(_Record):
    """Precision, recall and F1 of one entity type, 0 to 1."""

    p: float
    r: float
    f: float


class MainScore(_Record):
    """The score of a component that is no entity recogniser, by spaCy's name for it."""

    name: str
    value: float | None


class Scores(_Record):
    """Scores on one set of docs, 0 to 1; None where the set has no entities."""

    ents_p: float | None
    ents_r: float | None
    ents_f: float | None
    ents_per_type: dict[str, TypeScores] | None = None
    main: MainScore | None = None


class Mixing(_Record):
    """How many docs were mixed, and on the way."""

    eligible: NonNegativeInt
    tried: NonNegativeInt
    rejected: NonNegativeInt
    kept: NonNegativeInt


class Round(_Record):
    """One line of a journal."""

    round: NonNegativeInt
    queried: list[int | str]
    n_labelled: NonNegativeInt
    n_mixed: NonNegativeInt
    steps: NonNegativeInt
    seconds: Seconds
    seconds_mixing: MixingSeconds | None = None
    mixing: Mixing | None = None
    scores: dict[str, Scores]

    def score(self, split: str) -> float | None:
        """Entity F1 on a split (or what the journal has for another kind of component), 0 to 1;
        None where the round was not scored on it.
        """
        scores = self.scores.get(split)
        if scores is None:
            return None
        return scores.ents_f if scores.main is None else scores.main.value


@dataclass(frozen=True)
class Run:
    """A run by the name that the report gives it; one round a usage point."""

    name: str
    rounds: tuple[Round, ...]
    models: Mapping[str, str] = field(default_factory=dict)  # encoder and LM, where known
    seed: int | None = None

    @property
    def measure(self) -> str:
        """What the run is scored by."""
        dev = self.rounds[0].scores.get("dev")
        return "Entity F1" if dev is None or dev.main is None else dev.main.name

    def at(self, n_labelled: int) -> Round | None:
        """The last round that trained on this many labelled sentences."""
        found = [r for r in self.rounds if r.n_labelled == n_labelled]
        return found[-1] if found else None


def read_run(name: str, folder: Path) -> Run:
    """Read the journal of a run.

    name (str): what the report calls the run.
    folder (Path): the run folder, with `journal.jsonl`.
    RETURNS (Run): its finished rounds.
    """
    path = folder / "journal.jsonl"
    try:
        lines = path.read_text("utf8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(Errors.E510.format(name=name, path=path, reason=error)) from error
    rounds = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rounds.append(Round.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            reason = f"line {number}: {where + ': ' if where else ''}{first['msg']}"
            raise ValueError(Errors.E510.format(name=name, path=path, reason=reason)) from error
    if not rounds:
        raise ValueError(Errors.E511.format(name=name, path=path))
    models, seed = _settings(folder / "config.cfg")
    return Run(name, tuple(rounds), models, seed)


def _settings(path: Path) -> tuple[dict[str, str], int | None]:
    """The models that a run's config names in [paths] (of a path the last two parts), its seed."""
    try:
        config = Config().from_disk(path, interpolate=False)
    except (OSError, ValueError):
        return {}, None
    paths, seed = config.get("paths", {}), config.get("active", {}).get("seed")
    named = {kind: paths[kind] for kind in MODELS if isinstance(paths.get(kind), str)}
    models = {kind: short_name(name) for kind, name in named.items()}
    return models, seed if isinstance(seed, int) else None


def differences(runs: Sequence[Run]) -> list[str]:
    """What keeps runs from being compared fairly.

    runs (Sequence[Run]): the runs; each is held against the first.
    RETURNS (list[str]): a phrase for each difference; empty where they can be compared.
    """
    found = []
    first, *others = runs
    for run in others:
        pair = f"{first.name!r} and {run.name!r}"
        if set(first.rounds[0].queried) != set(run.rounds[0].queried):
            found.append(f"{pair} have different seed sets")
        if first.measure != run.measure:
            found.append(f"{pair} are scored by {first.measure} and {run.measure}")
        a, b = first.models.get("encoder"), run.models.get("encoder")
        if a is not None and b is not None and a != b:
            found.append(f"{pair} have the encoders {a} and {b}")
        if len(first.rounds) != len(run.rounds):
            found.append(f"{pair} have {len(first.rounds)} and {len(run.rounds)} rounds")
            continue
        for one, other in zip(first.rounds, run.rounds, strict=True):
            if one.n_labelled != other.n_labelled:
                found.append(
                    f"{pair} have {one.n_labelled} and {other.n_labelled} labelled sentences "
                    f"in round {one.round}"
                )
            if one.steps != other.steps:
                found.append(
                    f"{pair} took {one.steps} and {other.steps} optimiser steps "
                    f"in round {one.round}"
                )
    return found
