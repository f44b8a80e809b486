"""Soft labels that a model gives docs which nobody has labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ..annotation import soft_labels
from ..annotation.iob import tag_names
from ..annotation.layers import ENTS, TAGS, is_iob, learned_layer
from ..errors import Errors, SeqMixError
from ..query.probabilities import SOURCES, copy_tokens, token_probs
from ..types import SoftLabels


def pseudo_labelled(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    progress: Callable[[int], object] | None = None,
) -> list[Doc]:
    """Copies of docs with a component's probabilities as their soft labels.

    nlp (Language): a trained pipeline.
    component (str): one that has probabilities of every token's tags.
    docs (Sequence[Doc]): their own annotation is not looked at.
    progress (Callable | None): called with the number of docs done.
    RETURNS (list[Doc]): with the decoded labels as annotation; in the order of ``docs``.
    RAISES (SeqMixError): S434, and those of ``token_probs``.
    """
    proc: Any = nlp.get_pipe(component)
    layer = learned_layer({"factory": nlp.get_pipe_meta(component).factory})
    if layer not in (ENTS, TAGS):  # of a component that comes from another pipeline
        factory = nlp.get_pipe_meta(component).factory
        raise SeqMixError(Errors.E434.format(name=component, factory=factory))
    tags = tag_names(proc.labels) if is_iob(layer) else tuple(proc.labels)
    out = []
    rows = token_probs(nlp, component, docs, progress=progress, whitespace=True)
    for doc, probs in zip(docs, rows, strict=True):
        new = copy_tokens(doc, nlp)
        if len(new):
            soft = SoftLabels(tags, probs.astype("float32"), layer)
            soft_labels.annotate(new, soft)
            soft_labels.put(new, soft)
        out.append(new)
    return out


def check_config_can_label(config: Config, component: str) -> None:
    """RAISES (SeqMixError): S434 for a component whose probabilities are not those of tags."""
    section = config["components"].get(component, {})
    if "source" in section:
        return
    factory = section.get("factory", "")
    if factory not in SOURCES or learned_layer(section) not in (ENTS, TAGS):
        raise SeqMixError(Errors.E434.format(name=component, factory=factory))
