"""The annotation that a component learns from a doc, its labels, and the score that counts."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..annotation import relations
from ..annotation.layers import ENTS, RELATIONS, SPANS, TAGS, learned_layer
from ..annotation.texts import EXTRA_KEY

# How the annotation that an answer lacks is set.
HOW = {TAGS: "token.tag_", ENTS: "doc.ents", RELATIONS: "doc.ents and doc._.relations"}
# doc -> the labels that its annotation has for a component
GoldLabels: TypeAlias = Callable[[Doc], set[str]]


def entity_labels(doc: Doc) -> set[str]:
    """The labels of the entities."""
    return {ent.label_ for ent in doc.ents}


def tag_labels(doc: Doc) -> set[str]:
    """The fine-grained tags."""
    return {token.tag_ for token in doc if token.tag_}


def morph_labels(doc: Doc) -> set[str]:
    """Morphological features with the coarse part of speech, as the morphologizer names them."""
    add, strings = doc.vocab.morphology.add, doc.vocab.strings
    known = [token for token in doc if token.pos_ or token.has_morph()]
    return {
        strings[add({**t.morph.to_dict(), **({"POS": t.pos_} if t.pos_ else {})})] for t in known
    }


def span_labels(doc: Doc, key: str) -> set[str]:
    """The labels of the spans under a key."""
    return {span.label_ for span in doc.spans.get(key, ())}


def relation_labels(doc: Doc) -> set[str]:
    """The labels of the relations."""
    return {relation.label for relation in relations.get(doc) or ()}


def is_annotated(doc: Doc, layer: str | None = None) -> bool:
    """Whether a doc has annotation, be it that there is no entity in it.

    layer (str | None): which, see ``annotation.layers``; None for any.
    """
    if layer == TAGS:
        return doc.has_annotation("TAG")
    if layer is not None and layer.startswith(SPANS):
        return layer.removeprefix(SPANS) in doc.spans
    known = doc.has_annotation("ENT_IOB")
    return (
        known
        or (layer == RELATIONS and relations.get(doc) is not None)
        or (not layer and has_more(doc))
    )


def has_more(doc: Doc) -> bool:
    """Whether a doc has annotation besides plain entities."""
    attributes = ("TAG", "POS", "MORPH", "LEMMA", "DEP", "SENT_START")
    more = any(doc.has_annotation(name) for name in attributes)
    known = any(key != EXTRA_KEY for key in doc.user_data)
    linked = any(ent.kb_id or ent.ent_id for ent in doc.ents)
    return more or known or linked or bool(doc.spans) or bool(doc.cats)


def gold_labels(section: dict[str, Any]) -> GoldLabels:
    """Choose which labels of a doc a component learns; those of entities for unknown components.

    section (dict): [components.NAME] of a config.
    """
    if section.get("factory") == "morphologizer":
        return morph_labels
    layer = learned_layer(section) or ENTS
    if layer.startswith(SPANS):
        return partial(span_labels, key=layer.removeprefix(SPANS))
    return {ENTS: entity_labels, TAGS: tag_labels, RELATIONS: relation_labels}[layer]


def all_labels(docs: Iterable[Doc], labels_of: GoldLabels) -> set[str]:
    """The labels that any of the docs has."""
    return set().union(*(labels_of(doc) for doc in docs))


def main_score(nlp: Language, component: str, examples: Sequence[Example]) -> str | None:
    """The name of a component's own score: the one with the highest default weight, else an F1 or
    an accuracy (the names of span scores depend on the key); None where it is not scored.

    examples (Sequence[Example]): some examples, to see which scores the component's scorer gives.
    """
    proc: Any = nlp.get_pipe(component)
    names: list[str] = list(proc.score(examples))
    defaults = nlp.get_pipe_meta(component).default_score_weights or {}
    weights = {name: defaults.get(name) or 0.0 for name in names}
    if any(weights.values()):
        return max(names, key=lambda name: weights[name])
    return next((name for name in names if name.endswith(("_f", "_acc"))), None)
