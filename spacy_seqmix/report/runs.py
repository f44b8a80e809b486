"""Runs as reports see them, and what keeps two of them from being compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinc.api import Config

from ..active.journal import RoundRecord, read_journal, version_of
from ..config import CONFIG_ERRORS
from ..errors import Errors, SeqMixError
from ..files import parse_json
from ..model_names import short_name

__all__ = [
    "Run",
    "data_differences",
    "differing_settings",
    "pairing_differences",
    "read_run",
    "step_differences",
]

MODELS = ("encoder", "lm")
EVALUATED = ("dev", "test")
NO_SETTINGS = ("paths", "active.max_steps", "active.seed", "system.seed", "training.seed")


@dataclass(frozen=True)
class Run:
    """A run by the name that the report gives it; one round a usage point.

    models (Mapping[str, str]): encoder and LM, where known.
    pool (tuple[str | None, int | None]): SHA-256 of the pool's file and the size of the sample
        from it, where known; 0 for all of it.
    evaluated (Mapping[str, str]): SHA-256 of the files of dev and test, where known.
    folder (Path | None): the run folder.
    config (Mapping[str, Any]): its config; empty where it can't be read.
    version (str | None): of this package that began it, where known.
    """

    name: str
    rounds: tuple[RoundRecord, ...]
    models: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    pool: tuple[str | None, int | None] = (None, None)
    evaluated: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None

    @property
    def active(self) -> Mapping[str, Any]:
        """[active] of its config."""
        return self.config.get("active") or {}

    @property
    def measure(self) -> str:
        """What the run is scored by."""
        dev = self.scored[0].scores.get("dev")
        return "Entity F1" if dev is None or dev.main is None else dev.main.name

    @property
    def sets_aside(self) -> bool:
        """Whether its dev set is a share of what was labelled, and grows."""
        return self.rounds[-1].dev_docs is not None

    @property
    def scored(self) -> tuple[RoundRecord, ...]:
        """The rounds that have a dev score: all of them, where a file has the docs."""
        scored = tuple(one for one in self.rounds if "dev" in one.scores)
        return scored if self.sets_aside and scored else self.rounds

    def at(self, n_labelled: int) -> RoundRecord | None:
        """The last round that trained on this many labelled sentences."""
        return next((r for r in reversed(self.rounds) if r.n_labelled == n_labelled), None)


def read_run(name: str, folder: Path) -> Run:
    """Read the journal of a run.

    name (str): what the report calls the run.
    folder (Path): the run folder, with `journal.jsonl`.
    RETURNS (Run): its finished rounds.
    """
    path = folder / "journal.jsonl"
    begun = not path.exists() and (folder / "inputs.json").exists()
    rounds = [] if begun else read_journal(path, name)
    if not rounds:
        raise SeqMixError(Errors.E511.format(name=name, path=path))
    config = _read_config(folder / "config.cfg")
    paths, active = config.get("paths", {}), config.get("active", {})
    named = {kind: paths[kind] for kind in MODELS if isinstance(paths.get(kind), str)}
    digests = _digests(folder / "inputs.json")
    seed, size = active.get("seed", 0 if active else None), active.get("pool_size")
    size = 0 if active and size is None else size
    return Run(
        name,
        tuple(rounds),
        models={kind: short_name(model) for kind, model in named.items()},
        seed=seed if isinstance(seed, int) else None,
        pool=(digests.get("pool"), size if isinstance(size, int) else None),
        evaluated={split: digests[split] for split in EVALUATED if split in digests},
        folder=folder,
        config=config,
        version=version_of(folder / "inputs.json"),
    )


def _read_config(path: Path) -> dict[str, Any]:
    """A run's config; empty where it can't be read."""
    try:
        config = Config().from_disk(path, interpolate=False)
    except CONFIG_ERRORS:
        return {}
    with suppress(*CONFIG_ERRORS):  # a reference to what is not there
        config = config.interpolate()
    return config


def _digests(path: Path) -> dict[str, str]:
    """SHA-256 of the files that a run read, where its folder says so."""
    try:
        digests = parse_json(path.read_bytes())["sha256"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: digest for name, digest in digests if isinstance(digest, str)}


def pairing_differences(one: Run, other: Run) -> list[str]:
    """What keeps two runs of a seed from being compared, besides data and steps: a phrase each."""
    pair, reasons = _pair(one, other), []
    if set(one.rounds[0].queried) != set(other.rounds[0].queried):
        reasons.append(f"{pair} have different seed sets")
    if len(one.rounds) != len(other.rounds):
        reasons.append(f"{pair} have {len(one.rounds)} and {len(other.rounds)} rounds")
    for n, m, number in _both(one, other, "n_labelled"):
        reasons.append(f"{pair} have {n} and {m} labelled sentences in round {number}")
    return reasons


def data_differences(one: Run, other: Run) -> list[str]:
    """What keeps two runs from standing in one report, whatever their seeds: a phrase each."""
    pair, reasons = _pair(one, other), []
    if any(map(differs, one.pool, other.pool)):
        reasons.append(f"{pair} have different pools")
    for split in EVALUATED:
        if differs(one.evaluated.get(split), other.evaluated.get(split)):
            reasons.append(f"{pair} are evaluated on different files of {split}")
    if one.sets_aside != other.sets_aside:
        reasons.append(f"{pair}: one sets its dev set aside, and the other reads a file")
    if one.measure != other.measure:
        reasons.append(f"{pair} are scored by {one.measure} and {other.measure}")
    a, b = one.models.get("encoder"), other.models.get("encoder")
    if differs(a, b):
        reasons.append(f"{pair} have the encoders {a} and {b}")
    return reasons


def step_differences(one: Run, other: Run) -> list[str]:
    """The rounds in which two runs took other numbers of optimiser steps: a phrase each."""
    pair = _pair(one, other)
    return [
        f"{pair} took {a} and {b} optimiser steps in round {number}"
        for a, b, number in _both(one, other, "steps")
    ]


def differing_settings(one: Run, other: Run) -> list[str]:
    """Names of the settings in which two runs differ, by their configs.

    A section counts once where another function is registered in it, or where only one run has it.
    Seeds, paths and optimiser steps are no settings.
    """
    known = one.config and other.config
    return [*_differing(one.config, other.config)] if known else []


def _differing(one: Any, other: Any, name: str = "") -> Iterator[str]:
    both = isinstance(one, dict) and isinstance(other, dict)
    if both and all(one.get(key) == other.get(key) for key in {*one, *other} if key[0] == "@"):
        for key in sorted({*one, *other}):
            inner = f"{name}.{key}" if name else key
            if inner not in NO_SETTINGS:
                yield from _differing(one.get(key), other.get(key), inner)
    elif one != other:
        yield name


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
