"""The only reader and writer of relations between entities on a Doc.

A relation is a directed pair of token spans (head, tail) with a label. ``doc._.relations`` is None
for a doc that is *not annotated*: it is neither trained on nor scored. An empty tuple means that
the doc has no relations. In an annotated doc, a pair that is not listed has no relation.

Soft labels of relations (``doc._.relation_labels``) give each listed pair a distribution over
labels, which include "no_relation". All is stored in ``doc.user_data``, which only
``Doc.to_bytes`` and ``DocBin(store_user_data=True)`` keep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from ..types import Floats2d, SoftLabels
from . import soft_labels
from .extensions import add_extension

KEY = "seqmix_relations"
SOFT_KEY = "seqmix_relation_labels"
PROBS_KEY = "seqmix_relation_probs"
NONE = "no_relation"
T = TypeVar("T")

# First token, and the token after the last one.
Offsets: TypeAlias = tuple[int, int]
# Head and tail.
Pair: TypeAlias = tuple[Offsets, Offsets]


@dataclass(frozen=True)
class Relation:
    """A relation from one span of tokens to another.

    head, tail (tuple[int, int]): start and end (exclusive) in tokens.
    label (str): the label of the relation from head to tail.
    prob (float): the probability that was predicted; 1.0 in annotation.
    """

    head: Offsets
    tail: Offsets
    label: str
    prob: float = 1.0

    @property
    def pair(self) -> Pair:
        """Head and tail."""
        return self.head, self.tail


@dataclass(frozen=True)
class RelationLabels:
    """A distribution over labels for each of some pairs of spans.

    pairs (tuple[Pair, ...]): ((head start, head end), (tail start, tail end)), each at most once.
    labels (tuple[str, ...]): L names, including "no_relation".
    probs (Floats2d): shape (n_pairs, L); every row sums to 1, or is all zeros where the label of
        the pair is unknown.
    """

    pairs: tuple[Pair, ...]
    labels: tuple[str, ...]
    probs: Floats2d


def install() -> None:
    """Register ``doc._.relations``, ``doc._.relation_labels`` and ``doc._.relation_probs``."""
    add_extension(Doc, "relations", getter=get, setter=put)
    add_extension(Doc, "relation_labels", getter=get_labels, setter=put_labels)
    add_extension(Doc, "relation_probs", getter=get_probs, setter=put_probs)


def get(doc: Doc) -> tuple[Relation, ...] | None:
    """The relations of a doc; None where it is not annotated.

    RAISES (SeqMixError): S250 when the number of tokens has changed since they were set, S251 for
        damaged ones.
    """
    listed = _stored(doc, KEY, _read_relations)
    if listed is not None:
        _check_relations(listed, doc)
    return listed


def put(doc: Doc, given: Iterable[Relation] | None) -> None:
    """Set the relations of a doc (None: not annotated), and remove its soft labels.

    RAISES (SeqMixError): S251 for spans that the doc does not have, a pair given twice, or a
        relation without a label.
    """
    listed = None if given is None else tuple(given)
    if listed is not None:
        _check_relations(listed, doc)
    clear(doc)
    if listed is not None:
        rows = [[*map(int, (*r.head, *r.tail)), r.label, float(r.prob)] for r in listed]
        doc.user_data[KEY] = {"tokens": len(doc), "relations": rows}


def get_labels(doc: Doc) -> RelationLabels | None:
    """The soft labels of a doc's relations; None where it has none. See ``of``.

    RAISES (SeqMixError): as ``get``, and S252.
    """
    return _unpack(doc, SOFT_KEY)


def put_labels(doc: Doc, labels: RelationLabels | None) -> None:
    """Set soft labels, and the relations that are most probable under them.

    RAISES (SeqMixError): S252 when pairs, labels or probabilities are not valid.
    """
    if labels is None:
        doc.user_data.pop(SOFT_KEY, None)
        return
    validate(labels, doc)
    put(doc, (replace(relation, prob=1.0) for relation in hard(labels)))
    doc.user_data[SOFT_KEY] = _pack(labels, len(doc))


def get_probs(doc: Doc) -> RelationLabels | None:
    """The probabilities that a component predicted for every candidate pair, if it stores them."""
    return _unpack(doc, PROBS_KEY)


def put_probs(doc: Doc, probs: RelationLabels | None) -> None:
    """Store predicted probabilities on a doc. Nothing trains on them: they are not labels."""
    if probs is None:
        doc.user_data.pop(PROBS_KEY, None)
    else:
        doc.user_data[PROBS_KEY] = _pack(probs, len(doc))


def clear(doc: Doc) -> None:
    """Remove relations and their soft labels, so that the doc counts as not annotated."""
    doc.user_data.pop(KEY, None)
    doc.user_data.pop(SOFT_KEY, None)


def of(doc: Doc) -> RelationLabels | None:
    """The soft labels of a doc, else one-hot rows of its relations; None if it is not annotated."""
    soft = get_labels(doc)
    if soft is not None:
        return soft
    listed = get(doc)
    return None if listed is None else one_hot(listed)


def one_hot(listed: Sequence[Relation]) -> RelationLabels:
    """One-hot rows of relations, shape (n, L); labels are "no_relation" and theirs, sorted."""
    labels = (NONE, *sorted({relation.label for relation in listed}))
    probs = np.zeros((len(listed), len(labels)), dtype="float32")
    for i, relation in enumerate(listed):
        probs[i, labels.index(relation.label)] = 1.0
    return RelationLabels(tuple(relation.pair for relation in listed), labels, probs)


def hard(labels: RelationLabels, threshold: float | None = None) -> tuple[Relation, ...]:
    """Choose the most probable relations, with their probabilities.

    threshold (float | None): the least probability at which the best label of a pair is set; by
        default it is set where it is more probable than "no_relation".
    """
    best = labels.probs.copy()
    best[:, labels.labels.index(NONE)] *= 1.0 if threshold is None else 0.0
    limit = max(threshold or 0.0, np.finfo("float32").tiny)  # a row of zeros stands for none
    return tuple(
        Relation(*pair, labels.labels[column], float(row[column]))
        for pair, row, column in zip(labels.pairs, best, best.argmax(axis=1), strict=True)
        if labels.labels[column] != NONE and row[column] >= limit
    )


def with_columns(labels: RelationLabels, columns: Sequence[str]) -> Floats2d:
    """Rearrange rows over other labels; a row with mass on any other label becomes all zeros.

    RETURNS (Floats2d): shape (n_pairs, len(columns)).
    """
    return soft_labels.with_tags(SoftLabels(labels.labels, labels.probs, "relations"), columns)


def carry(source: Doc, target: Doc, start: int) -> None:
    """Copy relations to a doc made from part of another doc, if both arguments lie in the part.

    source (Doc): the whole.
    target (Doc): the part, as made by ``Span.as_doc``, which drops user data.
    start (int): the number of the part's first token in the whole.
    """
    listed, soft = get(source), get_labels(source)
    if listed is None:
        return
    if soft is None:
        moved = ((r, _moved(r.pair, start, len(target))) for r in listed)
        put(target, [replace(r, head=pair[0], tail=pair[1]) for r, pair in moved if pair])
        return
    places = [_moved(pair, start, len(target)) for pair in soft.pairs]
    inside = [i for i, pair in enumerate(places) if pair is not None]
    pairs = tuple(pair for pair in places if pair is not None)
    put_labels(target, RelationLabels(pairs, soft.labels, soft.probs[inside]))


def validate(labels: RelationLabels, doc: Doc | None = None) -> None:
    """Check pairs, labels and sums. RAISES (SeqMixError): S252."""
    names, probs, pairs = labels.labels, labels.probs, labels.pairs
    reason = ""
    if probs.ndim != 2 or probs.shape != (len(pairs), len(names)):
        reason = f"shape {probs.shape} with {len(pairs)} pairs and {len(names)} labels"
    elif not soft_labels.are_names(names) or NONE not in names:
        reason = f"labels {names}"
    else:
        reason = soft_labels.wrong_rows(probs) or ("" if doc is None else _wrong_pairs(pairs, doc))
    if reason:
        raise SeqMixError(Errors.E252.format(reason=reason))


def _check_relations(listed: Sequence[Relation], doc: Doc) -> None:
    reason = _wrong_pairs([relation.pair for relation in listed], doc)
    for relation in listed:
        if not isinstance(relation.label, str) or relation.label in ("", NONE):
            reason = f"the label {relation.label!r}"
        elif not 0.0 <= relation.prob <= 1.0:  # false of NaN too
            reason = f"the probability {relation.prob}"
    if reason:
        raise SeqMixError(Errors.E251.format(reason=reason, text=doc.text[:80]))


def _wrong_pairs(pairs: Sequence[Pair], doc: Doc) -> str:
    """What is wrong with pairs of spans; "" if nothing is."""
    for pair in pairs:
        if any(not 0 <= start < end <= len(doc) for start, end in pair):
            return f"the spans {pair} in a doc of {len(doc)} tokens"
        if pair[0] == pair[1]:
            return f"the span {pair[0]} as head and tail"
    counts = Counter(pairs)
    return next((f"the pair {pair} twice" for pair in pairs if counts[pair] > 1), "")


def _moved(pair: Pair, start: int, length: int) -> Pair | None:
    """A pair in the tokens of a part; None where it lies outside."""
    if any(first < start or end > start + length for first, end in pair):
        return None
    (a, b), (c, d) = pair
    return (a - start, b - start), (c - start, d - start)


def _pack(labels: RelationLabels, tokens: int) -> dict[str, Any]:
    flat = [[*head, *tail] for head, tail in labels.pairs]
    return {
        "tokens": tokens,
        "pairs": np.array(flat, dtype="int32").reshape(-1, 4),
        "labels": list(labels.labels),
        "probs": np.ascontiguousarray(labels.probs, dtype="float32"),
    }


def _unpack(doc: Doc, key: str) -> RelationLabels | None:
    labels = _stored(doc, key, _read_labels)
    if labels is not None:
        validate(labels, doc)
    return labels


def _stored(doc: Doc, key: str, read: Callable[[dict[str, Any]], T]) -> T | None:
    data = doc.user_data.get(key)
    if data is None:
        return None
    text = doc.text[:80]
    try:
        before = data["tokens"]
        if before == len(doc):
            return read(data)
    except (KeyError, TypeError, ValueError, OverflowError) as err:
        reason = f"their stored form ({err!r})"
        raise SeqMixError(Errors.E251.format(reason=reason, text=text)) from None
    raise SeqMixError(Errors.E250.format(before=before, tokens=len(doc), text=text))


def _read_relations(data: dict[str, Any]) -> tuple[Relation, ...]:
    return tuple(
        Relation((int(a), int(b)), (int(c), int(d)), label, float(prob))
        for a, b, c, d, label, prob in data["relations"]
    )


def _read_labels(data: dict[str, Any]) -> RelationLabels:
    flat = np.asarray(data["pairs"]).tolist()
    pairs = tuple(((int(a), int(b)), (int(c), int(d))) for a, b, c, d in flat)
    return RelationLabels(pairs, tuple(data["labels"]), np.asarray(data["probs"]))


install()
