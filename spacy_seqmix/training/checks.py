"""Checks that a pipeline learns what is mixed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from thinc.api import Config

from ..annotation.layers import OTHERS, SOFT, SPANS, learned_layer
from ..errors import Errors, SeqMixError, Warnings
from ..models.interpolation_layers import check_recipes
from ..types import Strategy

if TYPE_CHECKING:
    from ..mixing.mixer import Mixer


def check_mixed_layer(
    strategy: Strategy,
    config: Config,
    component: str | None = None,
    *,
    labels: str = "hard",
    soft_parents: bool = False,
) -> None:
    """Check that the pipeline learns the layer that a strategy mixes.

    strategy (Strategy): a strategy; its ``layer`` and ``keeps_labels`` count.
    config (Config): with [components] and [training].
    component (str | None): the component that must learn the layer, if any.
    labels (str): the labels of mixed docs, "soft" or "hard".
    soft_parents (bool): whether the docs to mix have soft labels already.
    RAISES (SeqMixError): S433 if that component is known to learn another layer.

    Warns with W221 if no component learns the layer, with W222 if a span categoriser would treat
    mixed docs as docs without spans, and with W223 if no component that learns the layer can learn
    soft labels.
    """
    layer = strategy.layer
    sections = config["components"]
    if component is not None:
        _check_learns(layer, component, sections.get(component, {}))
    frozen = config["training"].get("frozen_components", ())
    learned = {n: learned_layer(s) for n, s in sections.items() if n not in frozen}
    layers = {name: learnt for name, learnt in learned.items() if learnt is not None}
    if layers and layer not in layers.values():
        taught = ", ".join(f"'{name}' learns '{learnt}'" for name, learnt in layers.items())
        warnings.warn(Warnings.W221.format(layer=layer, learned=taught), stacklevel=3)
    soft = labels == "soft" and not (strategy.keeps_labels and not soft_parents)
    learners = [name for name, learnt in layers.items() if learnt == layer]
    if soft and learners and not any(sections[name].get("factory") in SOFT for name in learners):
        warnings.warn(Warnings.W223.format(names=learners), stacklevel=3)
    for name, learnt in layers.items():
        if learnt.startswith(SPANS) and learnt != layer:
            key = learnt.removeprefix(SPANS)
            warnings.warn(Warnings.W222.format(name=name, layer=layer, key=key), stacklevel=3)


def _check_learns(layer: str, name: str, section: Mapping[str, Any]) -> None:
    learned, factory = learned_layer(section), section.get("factory", "")
    if learned == layer or (learned is None and factory not in OTHERS):
        return
    fix = f"Set the strategy's 'layer' to '{learned}'"
    if learned is None:
        fix = "Nothing that it learns can be mixed: set 'mixing' to null"
    raise SeqMixError(Errors.E433.format(layer=layer, name=name, factory=factory, fix=fix))


def check_mixer(mixer: Mixer, nlp: Language) -> None:
    """Check that the pipeline learns from mixed docs; warns as ``check_mixed_layer``, and W224."""
    check_mixed_layer(mixer.strategy, nlp.config, labels=mixer.labels)
    if mixer.interpolates:
        check_recipes(nlp)
