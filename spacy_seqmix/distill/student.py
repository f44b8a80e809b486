"""The config of a student: which component learns, what it knows, and how long it trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import dict_to_dot, registry
from thinc.api import Config

from ..active.annotation import GoldLabels, gold_labels
from ..active.fit import check_training_config, count_batches
from ..annotation.layers import ENTS, LAYERS, SOFT, TAGS
from ..config import interpolated, load_config
from ..errors import Errors, SeqMixError

__all__ = ["Student"]


@dataclass(frozen=True)
class Student:
    """A pipeline that is to be trained.

    path (Path): its config.
    config (Config): the training config, interpolated.
    component (str): the component that learns from the teacher.
    """

    path: Path
    config: Config
    component: str

    @classmethod
    def of(
        cls,
        path: Path,
        overrides: Mapping[str, Any],
        component: str | None = None,
        *,
        hard: bool = False,
    ) -> Student:
        """Read a config.

        overrides (Mapping[str, Any]): values by dotted name; they win.
        component (str | None): the component that learns; by default the only one that can.
        hard (bool): it learns hard labels, so that spaCy's components can.
        RAISES (SeqMixError): S408 and S410 for a config that can't be used, S740 where no
            component, or none alone, can learn.
        """
        config = interpolated(load_config(path, overrides))
        training = Config({k: v for k, v in config.items() if k not in ("active", "augment")})
        name = _learner(path, training, component, hard=hard)
        check_training_config(training, name)
        if not _limits(training):
            reason = "training.max_steps and training.max_epochs don't say how long to train"
            raise SeqMixError(
                Errors.E408.format(reason=f"{reason}: pass --training.max_steps 2000")
            )
        return cls(path, training, name)

    @property
    def section(self) -> dict[str, Any]:
        """[components.NAME] of the component that learns."""
        return dict(self.config["components"][self.component])

    @property
    def layer(self) -> str:
        """The layer of annotation that the component learns."""
        return str(LAYERS[self.section["factory"]])

    @property
    def labels_of(self) -> GoldLabels:
        """The labels of a doc that the component learns."""
        return gold_labels(self.section)

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return int(self.config["training"].get("seed") or 0)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides how the training comes out, apart from the docs."""
        return {"component": self.component, **dict_to_dot(self.config)}

    @cached_property
    def given_labels(self) -> set[str] | None:
        """The labels that [initialize] gives the component; None where the docs give them."""
        components = self.config.get("initialize", {}).get("components", {})
        value = components.get(self.component, {}).get("labels")
        if isinstance(value, Mapping):
            value = registry.resolve({"labels": dict(value)})["labels"]
        return {*map(str, value)} if isinstance(value, list | tuple) else None

    def blank(self) -> Language:
        """A pipeline of the same language and tokenizer without components."""
        section = self.config["nlp"]
        own = {"tokenizer": section["tokenizer"]} if section.get("tokenizer") else {}
        return spacy.blank(section["lang"], config={"nlp": own})

    def steps(self, docs: Iterable[Doc]) -> int:
        """The optimiser steps that the config asks for; docs are only looked at to count passes."""
        limits = _limits(self.config)
        steps = limits.get("max_steps", 2)
        if "max_epochs" in limits:
            of_passes = limits["max_epochs"] * count_batches(self.config, docs)
            steps = min(limits.get("max_steps", of_passes), of_passes)
        return max(2, steps)


def _limits(config: Config) -> dict[str, int]:
    """How long a config trains, in steps, in passes, or both."""
    given = {name: config["training"].get(name) for name in ("max_steps", "max_epochs")}
    return {name: value for name, value in given.items() if isinstance(value, int) and value > 0}


def _learner(path: Path, config: Config, component: str | None, *, hard: bool) -> str:
    """The component that learns. RAISES (SeqMixError): S740."""
    sections: dict[str, Any] = config.get("components", {})
    names: list[str] = config.get("nlp", {}).get("pipeline", [])
    factories = {name: str(sections.get(name, {}).get("factory", "source")) for name in names}
    able = [n for n, factory in factories.items() if LAYERS.get(factory) in (ENTS, TAGS)]
    soft = [name for name in able if factories[name] in SOFT]
    chosen = soft or able if hard else soft
    if component is not None and component in (able if hard else soft):
        return component
    if component is None and len(chosen) == 1:
        return chosen[0]
    if component in factories:
        reason = f"'{component}' ({factories[component]}) can't learn from a teacher"
    elif component is not None:
        reason = f"there is no component '{component}' among {list(factories)}"
    elif chosen:
        reason = f"{' and '.join(chosen)} can learn"
    else:
        reason = f"none of the components {list(factories)} can learn from a teacher"
    raise SeqMixError(Errors.E740.format(path=path, reason=reason))
