"""The arms of a sweep: those of its config, and their controls."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, product
from pathlib import Path
from typing import Any

from spacy.util import dict_to_dot
from thinc.api import Config

from ..active.config import ActiveConfig, read_active_config
from ..annotation.layers import ENTS, RELATIONS, TAGS
from ..config import SECTION, choose, drop_inherited_mixers, lay_over, read_layers
from ..errors import Errors, SeqMixError, Warnings
from .schema import OVERLAY, Control, SweepSchema, read_section
from .values import merge_pipeline, short_names, text_of, with_values

MIXING = "active.mixing"
NONE, SAME_STEPS = "none", "none at the steps of"
# Strategies of controls that add docs, too: they need no table.
STRATEGIES: dict[Control, str] = {
    "replacement": "spacy-seqmix.MentionReplacement.v1",
    "duplication": "spacy-seqmix.Duplication.v1",
}
REALISER = "spacy-seqmix.Interpolated.v1"
# Values of controls for arms that mix docs of the pool.
LABELLED = {"active.mix_set": "round", "active.unlabelled": None, "active.unlabelled_size": None}
# Fields that have to be equal in runs that are compared.
SHARED = ("pool", "pool_size", "n_seed", "dev", "test")
# Bytes of a folder's name: file systems take 255.
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

    @cached_property
    def resolved(self) -> ActiveConfig:
        """Its config, checked and built, which takes time. RAISES (SeqMixError): S605."""
        try:
            return read_active_config(self.with_seed(0))
        except ValueError as err:
            raise SeqMixError(Errors.E605.format(arm=self.name, reason=err)) from err

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Its values by dotted name, interpolated, without those that only state a default."""
        values = dict_to_dot(self.config.copy().interpolate())
        return {k: v for k, v in values.items() if k not in LABELLED or v != LABELLED[k]}

    @property
    def rounds(self) -> int:
        """Rounds of one run, the seed round among them."""
        n_rounds = self.resolved.active.n_rounds
        if n_rounds is None:
            reason = "active.n_rounds is null, but a sweep needs a number of rounds"
            raise SeqMixError(Errors.E605.format(arm=self.name, reason=reason))
        return n_rounds + 1

    @cached_property
    def rates(self) -> list[float]:
        """The rate of each round, summed over mixers. RAISES (SeqMixError): S605."""
        mixers = self.resolved.mixers
        return [sum(mixer.rate_at(number) for mixer in mixers) for number in range(self.rounds)]

    @property
    def mixes(self) -> bool:
        """Whether it mixes in any round. RAISES (SeqMixError): S605."""
        return any(self.rates)

    def equals(self, other: Arm) -> bool:
        """Whether two arms have the same settings, whatever their names."""
        return self.steps_of == other.steps_of and self.settings == other.settings


def folder_name(arm: str) -> str:
    """The name of an arm's folder, cut where it would be too long for file systems."""
    name = re.sub(r"[^\w.=+-]+", "_", arm).strip("_.") or "_"
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}-{digest}"


@dataclass(frozen=True)
class Sweep:
    """A [sweep] section and the arms that it describes."""

    settings: SweepSchema
    arms: tuple[Arm, ...]


def read_sweep(path: Path, overrides: Mapping[str, Any], names: Sequence[str] = ()) -> Sweep:
    """Read and check a config with [sweep] and [active].

    overrides (Mapping[str, Any]): values by dotted name for all arms, or for [sweep] itself.
    names (Sequence[str]): of the arms to run, with "*" and "?"; an arm whose steps these take is
        added. All by default.
    RETURNS (Sweep): its arms, the controls last.
    RAISES (SeqMixError): S410 and S402 for the config, S602 for [sweep], S603 for values whose
        section is missing, S604 for arms that are the same, S523 for names of no arm.
    """
    layers = read_layers(path, overrides)
    # Its dotted names are no sections: configs are laid over one another without it.
    sections = {file: layer.pop(SECTION) for file, layer in layers.items() if SECTION in layer}
    own = {k: v for k, v in overrides.items() if k.startswith(f"{SECTION}.")}
    rest = {k: v for k, v in overrides.items() if k not in own}
    section: Any = next(reversed(sections.values()), None)
    home = path.parent
    if sections and all(isinstance(one, dict) for one in sections.values()):
        given = {k.removeprefix(f"{SECTION}."): v for k, v in own.items()}
        # A file's own fields win over those of the files that it is laid over.
        section = dict(ChainMap(given, *reversed(sections.values())))
        if "arms" not in given:
            home = next((f.parent for f in reversed(sections) if "arms" in sections[f]), home)
    settings = read_section(section)

    @cache
    def with_overlay(name: str | None) -> Config:
        config = lay_over(layers.values(), path, {} if name else rest)
        if name:
            overlay = lay_over(read_layers(home / name, {}).values(), home / name, {})
            config = merge_pipeline(config, overlay)
            # Its augmenters are no more the user's than those of the files below.
            drop_inherited_mixers(config, layers[path], rest)
            # Overrides win over overlays, and may name sections that only these have.
            config = lay_over([config], path, rest)
        # Laid over already: where a run's config lies, its training config does not.
        config.get("active", {}).pop("extends", None)
        return config

    arms = list(_named_arms(settings, with_overlay))
    arms += controls(arms, settings.kinds)
    check_arms(arms)
    chosen = set(choose([arm.name for arm in arms], names))
    chosen |= {arm.steps_of for arm in arms if arm.name in chosen and arm.steps_of}
    return Sweep(settings, tuple(arm for arm in arms if arm.name in chosen))


def _named_arms(
    settings: SweepSchema, with_overlay: Callable[[str | None], Config]
) -> Iterator[Arm]:
    """Every named arm with every combination of the grid."""
    short = short_names(list(settings.grid))
    for name, given in (settings.arms or {"": {}}).items():
        config = with_overlay(given.get(OVERLAY))
        values = {k: v for k, v in given.items() if k != OVERLAY}
        for combination in product(*settings.grid.values()):
            point = dict(zip(settings.grid, combination, strict=True))
            parts = [f"{short[key]}={text_of(value)}" for key, value in point.items()]
            full = ", ".join([name, *parts] if name else parts) or "config"
            yield Arm(full, with_values(config, {**values, **point}))


def controls(arms: Sequence[Arm], kinds: Collection[Control]) -> list[Arm]:
    """What the arms that mix are compared with, each once; of a kind, later ones name their arm."""
    added: dict[str, Arm] = {}
    steps: list[tuple[dict[str, Any], list[float], bool]] = []
    for arm in arms:
        for control in _controls_of(arm, kinds) if arm.mixes else ():
            if control.steps_of is not None:
                # Arms with equal rates take equal steps, unless one of them runs short of docs, or
                # batches are cut by words: reports take the control that is nearest.
                took = (control.settings, arm.rates, arm.resolved.of_pool)
                if took in steps:
                    continue
                steps.append(took)
            if not any(control.equals(other) for other in added.values()):
                name = f"{control.name} ({arm.name})" if control.name in added else control.name
                added[name] = Arm(name, control.config, True, control.steps_of)
    return [one for one in added.values() if not any(one.equals(arm) for arm in arms)]


def _controls_of(arm: Arm, kinds: Collection[Control]) -> Iterator[Arm]:
    """The controls of one arm that mixes."""
    active, of_pool = arm.resolved.active, arm.resolved.of_pool
    none = with_values(arm.config, {MIXING: None, **(LABELLED if of_pool else {})})
    if "none" in kinds:
        yield Arm(NONE, none, control=True)
    if "steps" in kinds and active.max_steps is None:
        yield Arm(f"{SAME_STEPS} {arm.name}", none, control=True, steps_of=arm.name)
    if of_pool:
        return  # the others are about the docs that an arm mixes: these have no labels
    layer = arm.resolved.mixers[0].strategy.layer
    for kind in (kind for kind in STRATEGIES if kind in kinds):
        if layer == RELATIONS or (layer == TAGS and kind == "replacement"):
            continue  # they have no mentions, and copies would be of entities
        strategy = {"@misc": STRATEGIES[kind], **({} if layer == ENTS else {"layer": layer})}
        rate = arm.rates if len(set(arm.rates)) > 1 else arm.rates[0]
        mixing = {"rate": rate, "strategy": strategy, "realiser": {"@misc": REALISER}}
        yield Arm(kind, with_values(arm.config, {MIXING: mixing}), control=True)


def check_arms(arms: Sequence[Arm]) -> None:
    """Check that arms differ, and that each can be run. RAISES (SeqMixError): S604, S605.

    Warns with W602 where they differ in fields that have to be equal.
    """
    for one, other in combinations(arms, 2):
        if one.equals(other) or one.folder.lower() == other.folder.lower():
            raise SeqMixError(Errors.E604.format(one=one.name, other=other.name))
    shared = [arm.resolved.active.model_dump(include=set(SHARED)) for arm in arms]
    for arm, here in zip(arms[1:], shared[1:], strict=True):
        fields = [f"active.{name}" for name in SHARED if shared[0][name] != here[name]]
        if fields:
            text = Warnings.W602.format(one=arms[0].name, other=arm.name, fields=", ".join(fields))
            warnings.warn(text, stacklevel=3)
