"""Runs as reports see them: the rounds of a journal, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly
from pydantic import (
    BaseModel,
    ConfigDict,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
)
from thinc.api import Config

from .. import __version__
from ..active.journal import version_of
from ..errors import Errors, SeqMixError
from ..models.names import short_name
from ..types import Judged

__all__ = [
    "Mixing",
    "Round",
    "Run",
    "Scores",
    "Seconds",
    "TypeScores",
    "data_differences",
    "pairing_differences",
    "read_run",
    "step_differences",
]

MODELS = ("encoder", "lm")
EVALUATED = ("dev", "test")


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

    p: FiniteFloat
    r: FiniteFloat
    f: FiniteFloat


class MainScore(_Record):
    """The score of a component that is no entity recogniser, by spaCy's name for it."""

    name: str
    value: FiniteFloat | None


class Scores(_Record):
    """Scores on one set of docs, 0 to 1; None where the set has no entities.

    Older journals have neither seqeval's score nor confused types: (gold, found, count).
    """

    ents_p: FiniteFloat | None
    ents_r: FiniteFloat | None
    ents_f: FiniteFloat | None
    ents_per_type: dict[str, TypeScores] | None = None
    seqeval_f: FiniteFloat | None = None
    confusion: list[tuple[str, str, NonNegativeInt]] = []
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
    queried_tokens: list[NonNegativeInt] = []
    queried_entities: list[NonNegativeInt] = []
    judged: list[Judged] | None = None

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
    """A run by the name that the report gives it; one round a usage point.

    models (Mapping[str, str]): encoder and LM, where known.
    pool (tuple[str | None, int | None]): SHA-256 of the pool's file and the size of the sample
        from it, where known; 0 for all of it.
    evaluated (Mapping[str, str]): SHA-256 of the files of dev and test, where known.
    folder (Path | None): the run folder.
    settings (Mapping[str, Any]): [active] of its config.
    version (str | None): of this package that began it, where known.
    """

    name: str
    rounds: tuple[Round, ...]
    models: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    pool: tuple[str | None, int | None] = (None, None)
    evaluated: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None

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
        raise SeqMixError(Errors.E510.format(name=name, path=path, reason=error)) from error
    rounds = []
    begun = version_of(folder / "inputs.json")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rounds.append(Round.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            reason = f"line {number}: {where + ': ' if where else ''}{first['msg']}"
            if begun not in (None, __version__):
                reason += f" (version {begun} of spacy-seqmix began it, this is {__version__})"
            raise SeqMixError(Errors.E510.format(name=name, path=path, reason=reason)) from error
    if not rounds:
        raise SeqMixError(Errors.E511.format(name=name, path=path))
    numbers = [one.round for one in rounds]
    if numbers != list(range(len(rounds))):
        reason = f"rounds {numbers} are not 0 to {len(rounds) - 1}"
        raise SeqMixError(Errors.E510.format(name=name, path=path, reason=reason))
    paths, active = _settings(folder / "config.cfg")
    named = {kind: paths[kind] for kind in MODELS if isinstance(paths.get(kind), str)}
    digests = _digests(folder / "inputs.json")
    seed, size = active.get("seed", 0 if active else None), active.get("pool_size")
    size = 0 if active and size is None else size
    return Run(
        name,
        tuple(rounds),
        models={kind: short_name(found) for kind, found in named.items()},
        seed=seed if isinstance(seed, int) else None,
        pool=(digests.get("pool"), size if isinstance(size, int) else None),
        evaluated={split: digests[split] for split in EVALUATED if split in digests},
        folder=folder,
        settings=active,
        version=begun,
    )


def _settings(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """[paths] and [active] of a run's config; empty where it can't be read."""
    try:
        config = Config().from_disk(path, interpolate=False)
    except (OSError, ValueError):
        return {}, {}
    with suppress(ValueError):  # a reference to what is not there
        config = config.interpolate()
    return config.get("paths", {}), config.get("active", {})


def _digests(path: Path) -> dict[str, str]:
    """SHA-256 of the files that a run read, where its folder says so."""
    try:
        found = srsly.read_json(path)["sha256"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: digest for name, digest in found if isinstance(digest, str)}


def pairing_differences(one: Run, other: Run) -> list[str]:
    """What keeps two runs of a seed from being compared, besides data and steps: a phrase each."""
    pair, found = _pair(one, other), []
    if set(one.rounds[0].queried) != set(other.rounds[0].queried):
        found.append(f"{pair} have different seed sets")
    if len(one.rounds) != len(other.rounds):
        found.append(f"{pair} have {len(one.rounds)} and {len(other.rounds)} rounds")
    for n, m, number in _both(one, other, "n_labelled"):
        found.append(f"{pair} have {n} and {m} labelled sentences in round {number}")
    return found


def data_differences(one: Run, other: Run) -> list[str]:
    """What keeps two runs from standing in one report, whatever their seeds: a phrase each."""
    pair, found = _pair(one, other), []
    if any(map(differs, one.pool, other.pool)):
        found.append(f"{pair} have different pools")
    for split in EVALUATED:
        if differs(one.evaluated.get(split), other.evaluated.get(split)):
            found.append(f"{pair} are evaluated on different files of {split}")
    if one.measure != other.measure:
        found.append(f"{pair} are scored by {one.measure} and {other.measure}")
    a, b = one.models.get("encoder"), other.models.get("encoder")
    if differs(a, b):
        found.append(f"{pair} have the encoders {a} and {b}")
    return found


def step_differences(one: Run, other: Run) -> list[str]:
    """The rounds in which two runs took other numbers of optimiser steps: a phrase each."""
    pair = _pair(one, other)
    return [
        f"{pair} took {a} and {b} optimiser steps in round {number}"
        for a, b, number in _both(one, other, "steps")
    ]


def _pair(one: Run, other: Run) -> str:
    if one.seed != other.seed:
        return f"{one.name!r} (seed {one.seed}) and {other.name!r} (seed {other.seed})"
    seed = "" if one.seed is None else f" (seed {one.seed})"
    return f"{one.name!r} and {other.name!r}{seed}"


def _both(one: Run, other: Run, field: str) -> Iterator[tuple[int, int, int]]:
    """The values of a field in each round where they are not the same, and its number."""
    for a, b in zip(one.rounds, other.rounds, strict=False):
        if getattr(a, field) != getattr(b, field):
            yield getattr(a, field), getattr(b, field), a.round


def differs(one: object, other: object) -> bool:
    """Whether two values are known, and not the same."""
    return one is not None and other is not None and one != other
