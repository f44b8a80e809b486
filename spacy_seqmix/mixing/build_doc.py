"""Assembly of mixed docs from their origins: the only place where labels are mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span

from ..annotation import recipes, relations, soft_labels
from ..annotation.layers import RELATIONS, columns, is_iob
from ..annotation.provenance import Origin, Part, by_key, doc_key, get_origin, set_origin
from ..annotation.recipes import Recipe
from ..annotation.relations import NONE, RelationLabels
from ..errors import Errors, SeqMixError
from ..types import Floats2d, MixPlan, Segment, SegmentMix, SoftLabels
from .detokenize import Edit, join_words


def assemble(parents: Mapping[str, Doc], origin: Origin, nlp: Language) -> Doc:
    """Build the mixed doc that an origin describes.

    SeqMix, Eq. 8: inside the mixed segments ỹ = λ y_i + (1 − λ) y_j; outside, the words and labels
    of the target. The last words of a longer segment have no counterpart: their labels are kept,
    or (``surplus`` "pad") mixed with "O".

    parents (Mapping[str, Doc]): the target and the others, by ``doc_key``.
    RETURNS (Doc): with text, repaired annotation, soft labels, sentence starts, recipe (if
        interpolated), and its origin, which notes whether the text tokenises to other words
        (``Origin.pretokenised``).
    """
    target = parents[origin.target]
    edits = [Edit(part.target_start, part.target_end, part.words) for part in origin.parts]
    others = [parents[part.other] for part in origin.parts if part.other != origin.target]
    doc, pretokenised = join_words(target, edits, nlp, others)
    _copy_sent_starts(target, doc, origin.parts)
    if origin.layer == RELATIONS:
        _annotate_relations(doc, parents, origin)
    else:
        mixed = _mixed_labels(parents, origin)
        soft_labels.annotate(doc, mixed)
        soft_labels.put(doc, mixed)
    if origin.interpolated:
        recipes.put(doc, _recipe(origin, parents))
    set_origin(doc, replace(origin, pretokenised=pretokenised))
    return doc


def _mixed_labels(parents: Mapping[str, Doc], origin: Origin) -> SoftLabels:
    """The soft labels of every token of the mixed doc."""
    soft = {key: soft_labels.of(doc, origin.layer) for key, doc in parents.items()}
    tags = columns(origin.layer, (tag for labels in soft.values() for tag in labels.labels))
    rows = {key: soft_labels.with_tags(labels, tags) for key, labels in soft.items()}
    outside = _one_hot(tags, "O") if is_iob(origin.layer) else None
    blocks, at = [], 0
    for part in origin.parts:
        blocks.append(rows[origin.target][at : part.target_start])
        ours = rows[origin.target][part.target_start : part.target_end]
        theirs = rows[part.other][part.other_start : part.other_end]
        padding = outside if origin.surplus == "pad" else None
        blocks.append(_mixed_rows(ours, theirs, part.weight, padding))
        at = part.target_end
    blocks.append(rows[origin.target][at:])
    return SoftLabels(tags, np.concatenate(blocks), origin.layer)


def _annotate_relations(doc: Doc, parents: Mapping[str, Doc], origin: Origin) -> None:
    """Copy the target's entities and relations to the mixed doc; mix the labels of one relation.

    SegMix, RMix: ỹ = λ y_i + (1 − λ) y_j for the relation whose arguments were mixed. Entities keep
    their types, other relations their labels; both move with the words.
    """
    target, part = parents[origin.target], origin.parts[0]
    if target.has_annotation("ENT_IOB"):
        doc.set_ents(
            [
                Span(doc, *_moved((ent.start, ent.end), origin.parts), ent.label_)
                for ent in target.ents
            ]
        )
    ours, theirs = relations.of(target), relations.of(parents[part.other])
    if ours is None or theirs is None or origin.relations is None:
        return
    names = sorted({*ours.labels, *theirs.labels} - {NONE})
    columns = (NONE, *names)
    rows = relations.with_columns(ours, columns)
    mine, other = origin.relations
    # In float64, so that equal labels mix to exactly the same.
    partner = relations.with_columns(theirs, columns)[other]
    rows[mine] = part.weight * rows[mine].astype("float64") + (1.0 - part.weight) * partner
    pairs = tuple(
        (_moved(head, origin.parts), _moved(tail, origin.parts)) for head, tail in ours.pairs
    )
    relations.put_labels(doc, RelationLabels(pairs, columns, rows))


def _moved(span: tuple[int, int], parts: Sequence[Part]) -> tuple[int, int]:
    """Map a span of the target to the mixed doc."""
    start, end = span
    for part in parts:
        if (start, end) == (part.target_start, part.target_end):
            return part.start, part.end
    first, last = _border(start, parts), _border(end, parts)
    return first, max(last, first + 1)


def _border(token: int, parts: Sequence[Part]) -> int:
    """Map the border before a token of the target to the mixed doc."""
    shift = 0
    for part in parts:
        if token <= part.target_start:
            break
        if token < part.target_end:
            return min(part.start + token - part.target_start, part.end)
        shift = part.end - part.target_end
    return token + shift


def candidates(
    docs: Sequence[Doc],
    plan: MixPlan,
    words: Callable[[int, SegmentMix], Sequence[str]],
    nlp: Language,
    **settings: Any,
) -> Iterator[Doc]:
    """Yield the candidate docs of a plan: one, or two where it is to be realised both ways.

    docs (Sequence[Doc]): the docs, in the order that the plan numbers them.
    words (Callable): takes the number of a mix and the mix, whose sides may be swapped; returns
        the words at the positions that both sides have. Those of a longer side follow.
    settings (Any): further fields of ``Origin``.
    """
    ways = [plan.mixes]
    if plan.both_ways:
        ways += [tuple(SegmentMix(mix.right, mix.left, 1.0 - mix.lam) for mix in plan.mixes)]
    used = {seg.doc for mix in plan.mixes for seg in (mix.left, mix.right)}
    parents = {i: doc_key(docs[i]) for i in used}
    for mixes in ways:
        full = [_full_words(docs, mix, words(k, mix)) for k, mix in enumerate(mixes)]
        origin = Origin(
            target=parents[mixes[0].left.doc],
            parts=_make_parts(mixes, full, parents),
            layer=plan.layer,
            relations=plan.relations,
            **settings,
        )
        yield assemble({key: docs[i] for i, key in parents.items()}, origin, nlp)


def is_pure(weight: float) -> bool:
    """Whether one side has all the weight, so that nothing is mixed (0: plain replacement)."""
    return weight in (0.0, 1.0)


def _full_words(docs: Sequence[Doc], mix: SegmentMix, both: Sequence[str]) -> tuple[str, ...]:
    """All words of a mixed segment."""
    ours = words_of(docs[mix.left.doc], mix.left)
    theirs = mix.words or words_of(docs[mix.right.doc], mix.right)
    if is_pure(mix.lam):
        return ours if mix.lam else theirs
    return (*both, *ours[len(both) :], *theirs[len(both) :])


def words_of(doc: Doc, segment: Segment) -> tuple[str, ...]:
    """The words of a segment of a doc."""
    return tuple(t.text for t in doc[segment.start : segment.end])


def _make_parts(
    mixes: Sequence[SegmentMix], words: Sequence[tuple[str, ...]], keys: Mapping[int, str]
) -> tuple[Part, ...]:
    """The parts of an origin; words and keys as in ``candidates``, by the number of the doc."""
    parts, shift = [], 0
    for mix, new in zip(mixes, words, strict=True):
        start = mix.left.start + shift
        parts.append(
            Part(
                start=start,
                end=start + len(new),
                target_start=mix.left.start,
                target_end=mix.left.end,
                other=keys[mix.right.doc],
                other_start=mix.right.start,
                other_end=mix.right.end,
                weight=mix.lam,
                words=new,
                partners=mix.words,
            )
        )
        shift += len(new) - len(mix.left)
    return tuple(parts)


def replay(origin: Origin, docs: Sequence[Doc], nlp: Language) -> Doc:
    """Rebuild a mixed doc from its origin and its parents, without any model.

    docs (Sequence[Doc]): docs among which all parents are.
    RAISES (SeqMixError): S211 when a parent is not among them.
    """
    parents = by_key(docs)
    keys = dict.fromkeys([origin.target, *(part.other for part in origin.parts)])
    for key in keys:
        if key not in parents:
            raise SeqMixError(Errors.E211.format(key=key))
    doc = assemble({key: parents[key] for key in keys}, origin, nlp)
    if origin.labels == "hard":
        to_hard_labels(doc)
    return doc


def to_hard_labels(doc: Doc) -> None:
    """Remove soft labels of a mixed doc, for components that train on the annotation alone."""
    soft_labels.clear(doc)
    relations.put(doc, relations.get(doc))
    origin = get_origin(doc)
    if origin is not None:
        set_origin(doc, replace(origin, labels="hard"))


def _mixed_rows(
    ours: Floats2d, theirs: Floats2d, weight: float, padding: Floats2d | None
) -> Floats2d:
    """Mix the rows of one segment by Eq. 8; ``padding``, if given, extends the shorter side."""
    if is_pure(weight):
        return ours if weight else theirs
    n = min(len(ours), len(theirs))
    # In float64, so that equal labels mix to exactly the same.
    both = weight * ours[:n].astype("float64") + (1.0 - weight) * theirs[:n]
    rest, share = (ours[n:], weight) if len(ours) > n else (theirs[n:], 1.0 - weight)
    if padding is not None:
        rest = share * rest.astype("float64") + (1.0 - share) * padding
    return np.asarray(np.concatenate([both, rest]), dtype="float32")


def _one_hot(tags: Sequence[str], tag: str) -> Floats2d:
    return np.array([[name == tag for name in tags]], dtype="float32")


def _copy_sent_starts(target: Doc, doc: Doc, parts: Sequence[Part]) -> None:
    """Copy the sentence starts of the target; a word that is not in the target begins none."""
    places: list[int | None] = list(range(len(target)))
    for part in reversed(parts):
        n = part.end - part.start
        own = list(range(part.target_start, part.target_end))[:n]
        places[part.target_start : part.target_end] = [*own, *[None] * (n - len(own))]
    known = target.has_annotation("SENT_START")
    for token, place in zip(doc, places, strict=True):
        start = target[place].is_sent_start if place is not None else False if known else None
        if start is not None:
            token.is_sent_start = start


def _recipe(origin: Origin, parents: Mapping[str, Doc]) -> Recipe:
    """The recipe by which an encoder mixes input embeddings (SegMix)."""
    entries = [entry for part in origin.parts for entry in _entries(origin, part, parents)]
    tokens, own, partners, weights = zip(*entries, strict=True) if entries else ((), (), (), ())
    return Recipe(tokens, own, partners, weights)


def _entries(
    origin: Origin, part: Part, parents: Mapping[str, Doc]
) -> Iterator[tuple[int, str, str | None, float]]:
    """(token, its word, partner, weight of the word) of each position that is mixed."""
    if is_pure(part.weight):
        return
    lent = parents[part.other][part.other_start : part.other_end]
    theirs = part.partners or [t.text for t in lent]
    n_ours = part.target_end - part.target_start
    for k, word in enumerate(part.words):
        if k < min(n_ours, len(theirs)):
            yield part.start + k, word, theirs[k], part.weight
        elif origin.surplus == "pad":
            yield part.start + k, word, None, part.weight if k < n_ours else 1.0 - part.weight
