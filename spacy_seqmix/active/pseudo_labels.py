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
    layer, tags = tag_columns(nlp, component)
    rows = token_probs(nlp, component, docs, progress=progress, whitespace=True)
    return [
        with_rows(nlp, doc, SoftLabels(tags, probs.astype("float32"), layer))
        for doc, probs in zip(docs, rows, strict=True)
    ]


def tag_columns(nlp: Language, component: str) -> tuple[str, tuple[str, ...]]:
    """The layer of a component's tags, and the names of the columns of its probabilities.

    RAISES (SeqMixError): S434 for a component whose probabilities are not those of tags.
    """
    factory = nlp.get_pipe_meta(component).factory
    layer = learned_layer({"factory": factory})
    if layer not in (ENTS, TAGS):  # of a component that comes from another pipeline
        raise SeqMixError(Errors.E434.format(name=component, factory=factory))
    proc: Any = nlp.get_pipe(component)
    return layer, tag_names(proc.labels) if is_iob(layer) else tuple(proc.labels)


def with_rows(nlp: Language, doc: Doc, soft: SoftLabels, *, hard: bool = False) -> Doc:
    """A copy of a doc with the decision of rows as its annotation, and the rows as soft labels.

    nlp (Language): the copy has its vocabulary.
    hard (bool): leave the soft labels out.
    """
    new = copy_tokens(doc, nlp)
    if len(new):
        soft_labels.annotate(new, soft)
        if not hard:
            soft_labels.put(new, soft)
    return new


def check_config_can_label(config: Config, component: str) -> None:
    """RAISES (SeqMixError): S434 for a component whose probabilities are not those of tags."""
    section = config["components"].get(component, {})
    if "source" in section:
        return
    factory = section.get("factory", "")
    if factory not in SOURCES or learned_layer(section) not in (ENTS, TAGS):
        raise SeqMixError(Errors.E434.format(name=component, factory=factory))
