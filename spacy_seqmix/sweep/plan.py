"""Which runs a sweep consists of."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from thinc.api import Config

from ..active.journal import flatten
from ..active.schema import ActiveConfig, read_active_config
from ..config import lay_over, read_layers
from ..errors import Errors, SeqMixError, Warnings
from ..layers import ENTS, RELATIONS, TAGS
from ..sweep_names import SECTION, choose
from .schema import Control, SweepSchema, read_section
from .values import short_names, text_of, with_values

MIXING = "active.mixing"
NONE, SAME_STEPS = "none", "none at the steps of"
# Of controls that have docs added, too: strategies that take no table.
STRATEGIES: dict[Control, str] = {
    "replacement": "spacy-seqmix.MentionReplacement.v1",
    "duplication": "spacy-seqmix.Duplication.v1",
}
REALISER = "spacy-seqmix.Interpolated.v1"
# For controls of arms that mix docs of the pool.
LABELLED = {"active.mix_set": "round", "active.unlabelled": None, "active.unlabelled_size": None}
# What runs must have alike to be compared.
SHARED = ("pool", "pool_size", "n_seed", "dev", "test")
# Of a folder's name: file systems take 255.
MAX_BYTES = 200


@dataclass(frozen=True)
class Arm:
    """One setting, which is run once a seed.

    name (str): what reports call it.
    config (Config): of an active-learning run, not interpolated; the seed is set for each run.
    control (bool): whether it was added for comparison.
    steps_of (str | None): the arm whose optimiser steps it takes, seed by seed.
    """

    name: str
    config: Config
    control: bool = False
    steps_of: str | None = None

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return folder_name(self.name)

    def with_seed(self, seed: int) -> Config:
        """The config of one run."""
        return with_values(self.config, {"active.seed": seed})

    @property
    def rounds(self) -> int:
        """Rounds of one run, the seed round among them."""
        return int(self.config.copy().interpolate()["active"]["n_rounds"]) + 1


def folder_name(arm: str) -> str:
    """The name of an arm's folder; cut where file systems would not take it."""
    name = re.sub(r"[^\w.=+-]+", "_", arm).strip("_.") or "_"
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}-{digest}"


@dataclass(frozen=True)
class Sweep:
    """What a [sweep] section asks for."""

    settings: SweepSchema
    arms: tuple[Arm, ...]


def read_sweep(path: Path, overrides: Mapping[str, Any], names: Sequence[str] = ()) -> Sweep:
    """Read and check a config with [sweep] and [active].

    overrides (Mapping[str, Any]): values by dotted name for all arms, or for [sweep] itself.
    names (Sequence[str]): of the arms to run, with "*" and "?"; arms whose steps these take come
        too. All by default.
    RETURNS (Sweep): its arms, the controls last.
    RAISES (SeqMixError): S410 and S402 for the config, S602 for [sweep], S603 for values whose
        section is missing, S604 for arms that are the same, S523 for names of no arm.
    """
    layers = read_layers(path, overrides)
    # Its dotted names are no sections: configs are laid over one another without it.
    sections = [layer.pop(SECTION) for layer in layers if SECTION in layer]
    own = {k: v for k, v in overrides.items() if k.startswith(f"{SECTION}.")}
    rest = {k: v for k, v in overrides.items() if k not in own}
    section: Any = sections[-1] if sections else None
    if sections and all(isinstance(one, dict) for one in sections):
        given = {k.removeprefix(f"{SECTION}."): v for k, v in own.items()}
        # A file's own fields win over those of the files that it is laid over.
        section = dict(ChainMap(given, *reversed(sections)))
    settings = read_section(section)
    config = lay_over(layers, path, rest)
    # Laid over already: where a run's config lies, its training config does not.
    config["active"].pop("extends", None)
    arms = list(named_arms(config, settings))
    arms += controls(arms, settings.kinds)
    check_arms(arms)
    chosen = set(choose([arm.name for arm in arms], names))
    chosen |= {arm.steps_of for arm in arms if arm.name in chosen and arm.steps_of}
    return Sweep(settings, tuple(arm for arm in arms if arm.name in chosen))


def named_arms(config: Config, settings: SweepSchema) -> Iterator[Arm]:
    """Every named arm with every combination of the grid."""
    short = short_names(list(settings.grid))
    for name, values in (settings.arms or {"": {}}).items():
        for combination in product(*settings.grid.values()):
            point = dict(zip(settings.grid, combination, strict=True))
            parts = [f"{short[key]}={text_of(value)}" for key, value in point.items()]
            full = ", ".join([name, *parts] if name else parts) or "config"
            yield Arm(full, with_values(config, {**values, **point}))


def controls(arms: Sequence[Arm], kinds: Collection[Control]) -> list[Arm]:
    """What the arms that mix are compared with, each once."""
    found: dict[str, Arm] = {}
    steps: list[tuple[Config, list[float], bool]] = []
    for arm in arms:
        asked = check_arm(arm)
        rates = rates_of(asked)
        if not any(rates):
            continue
        of_pool = asked.of_pool
        none = with_values(arm.config, {MIXING: None, **(LABELLED if of_pool else {})})
        if "none" in kinds:
            add(found, Arm(NONE, none, control=True), arm)
        # Arms with equal rates take equal steps, unless one of them runs short of docs, or batches
        # are cut by words: reports take the control that is nearest.
        took = (none, rates, of_pool)
        if "steps" in kinds and asked.active.max_steps is None and took not in steps:
            steps.append(took)
            add(found, Arm(f"{SAME_STEPS} {arm.name}", none, True, arm.name), arm)
        if of_pool:
            continue  # the others are about the docs that an arm mixes: these have no labels
        layer = asked.mixers[0].strategy.layer
        for name in (kind for kind in STRATEGIES if kind in kinds):
            if layer == RELATIONS or (layer == TAGS and name == "replacement"):
                continue  # they have no mentions, and copies would be of entities
            kind = {"@misc": STRATEGIES[name], **({} if layer == ENTS else {"layer": layer})}
            rate = rates if len(set(rates)) > 1 else rates[0]
            mixing = {"rate": rate, "strategy": kind, "realiser": {"@misc": REALISER}}
            add(found, Arm(name, with_values(arm.config, {MIXING: mixing}), control=True), arm)
    return [one for one in found.values() if not any(same(one, arm) for arm in arms)]


def add(found: dict[str, Arm], control: Arm, arm: Arm) -> None:
    """Add a control of an arm, unless it is there; with several of a kind, by the arm's name."""
    if not any(same(control, other) for other in found.values()):
        name = f"{control.name} ({arm.name})" if control.name in found else control.name
        found[name] = replace(control, name=name)


def same(one: Arm, other: Arm) -> bool:
    """Whether two arms are one by two names."""
    return one.steps_of == other.steps_of and _plain(one.config) == _plain(other.config)


def _plain(config: Config) -> dict[str, Any]:
    """Values by dotted name, without those that say what is so anyway."""
    values = flatten(config.copy().interpolate())
    return {k: v for k, v in values.items() if k not in LABELLED or v != LABELLED[k]}


def rates_of(asked: ActiveConfig) -> list[float]:
    """The rate of each round; summed where several mixers are."""
    rounds = range(asked.active.n_rounds + 1)
    return [sum(mixer.rate_at(number) for mixer in asked.mixers) for number in rounds]


def mixes(arm: Arm) -> bool:
    """Whether an arm mixes at all in any round. RAISES (SeqMixError): S605."""
    return any(rates_of(check_arm(arm)))


def check_arms(arms: Sequence[Arm]) -> None:
    """Check that arms differ. RAISES (SeqMixError): S604, S605.

    Warns with W602 where they differ in what makes them comparable.
    """
    for i, arm in enumerate(arms):
        for other in arms[:i]:
            if same(arm, other) or arm.folder.lower() == other.folder.lower():
                raise SeqMixError(Errors.E604.format(one=other.name, other=arm.name))
        check_arm(arm)
    for arm in arms[1:]:
        first, here = (check_arm(a).active.model_dump(include=set(SHARED)) for a in (arms[0], arm))
        fields = [f"active.{name}" for name in SHARED if first[name] != here[name]]
        if fields:
            text = Warnings.W602.format(one=arms[0].name, other=arm.name, fields=", ".join(fields))
            warnings.warn(text, stacklevel=3)


def check_arm(arm: Arm) -> ActiveConfig:
    """Check the config of an arm. RAISES (SeqMixError): S605 with what is wrong."""
    try:
        return read_active_config(arm.with_seed(0))
    except ValueError as err:
        raise SeqMixError(Errors.E605.format(arm=arm.name, reason=err)) from err
