"""The layers of annotation that can be mixed: entities, tags, and spans under a key.

Every layer is read as one tag per token. Entities and spans have IOB2 tags, which are valid labels
except "O"; the tags of a tagger are all valid labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spacy.tokens import Doc, Span

from ..errors import Errors, SeqMixError
from .iob import spans_of, split_tag, tag_names
from .whitespace import trimmed

ENTS, TAGS, SPANS = "ents", "tags", "spans:"
# Pairs of spans rather than tags of tokens: ``relations.py`` reads and writes them.
RELATIONS = "relations"

# One tag per token; None where annotation is missing.
Tags = Sequence[str | None]


def check_layer(layer: str) -> str:
    """Return the layer. RAISES (SeqMixError): S217 for an unknown one."""
    if layer in (ENTS, TAGS) or (layer.startswith(SPANS) and layer != SPANS):
        return layer
    raise SeqMixError(Errors.E217.format(layer=layer))


def is_iob(layer: str) -> bool:
    """Whether a layer has IOB2 tags."""
    return layer != TAGS


def columns(layer: str, tags: Iterable[str]) -> tuple[str, ...]:
    """The columns that soft labels with these tags need, in a fixed order."""
    if not is_iob(layer):
        return tuple(sorted(set(tags)))
    return tag_names(sorted({split_tag(tag)[1] for tag in tags if tag != "O"}))


def read(doc: Doc, layer: str = ENTS) -> list[str | None]:
    """The tag of every token; None where annotation is missing.

    Whitespace at either end of an entity does not belong to it.

    One tag per token can't describe overlapping spans: then all tags of the doc are missing, as
    they are where the doc has no spans under the key.
    """
    if layer == ENTS:
        return trimmed([_entity_tag(token.ent_iob_, token.ent_type_) for token in doc], doc)
    if layer == TAGS:
        return [token.tag_ or None for token in doc]
    tags: list[str | None] = ["O"] * len(doc)
    key = layer.removeprefix(SPANS)
    if key not in doc.spans:
        return [None] * len(doc)
    for span in doc.spans[key]:
        if any(tag != "O" for tag in tags[span.start : span.end]):
            return [None] * len(doc)
        inside = [f"I-{span.label_}"] * (len(span) - 1)
        tags[span.start : span.end] = [f"B-{span.label_}", *inside]
    return tags


def write(doc: Doc, layer: str, tags: Tags) -> None:
    """Annotate a doc with valid tags; None marks a missing tag (except in span groups)."""
    if layer == TAGS:
        for token, tag in zip(doc, tags, strict=True):
            token.tag_ = tag or ""
        return
    places = spans_of([tag or "O" for tag in tags])
    spans = [Span(doc, start, end, label=label) for start, end, label in places]
    if layer == ENTS:
        missing = [doc[i : i + 1] for i, tag in enumerate(tags) if tag is None]
        doc.set_ents(spans, missing=missing, default="outside")
    else:
        doc.spans[layer.removeprefix(SPANS)] = spans


def _entity_tag(iob: str, label: str) -> str | None:
    if iob == "":
        return None
    return "O" if iob == "O" or not label else f"{iob}-{label}"


LAYERS = {
    "seqmix_ner": ENTS,
    "ner": ENTS,
    "beam_ner": ENTS,
    "seqmix_tagger": TAGS,
    "tagger": TAGS,
    "seqmix_relations": RELATIONS,
}
# Factories that train on distributions.
SOFT = ("seqmix_ner", "seqmix_tagger", "seqmix_relations")
SPAN_CATEGORISERS = ("spancat", "spancat_singlelabel")
# Factories whose annotation mixed docs never have.
OTHERS = frozenset(
    ["morphologizer", "parser", "senter", "trainable_lemmatizer", "textcat", "textcat_multilabel"]
)


def learned_layer(section: Mapping[str, Any]) -> str | None:
    """The layer that a component learns; None for other annotation, or an unknown factory.

    section (Mapping): [components.NAME] of a config.
    """
    factory = section.get("factory", "")
    if factory in SPAN_CATEGORISERS:
        return f"{SPANS}{section.get('spans_key', 'sc')}"
    return LAYERS.get(factory)
