"""The only reader and writer of soft labels on a Doc.

spaCy keeps arrays of ``doc.user_data`` through ``to_bytes`` and
``DocBin(store_user_data=True)`` only. Everywhere else (a DocBin's default, ``Span.as_doc``,
``Example.to_dict``) they would vanish without a word and the doc would train as if its labels
were hard. So every token with a truly soft row is marked in its ``ent_id_``, which those paths
keep or which the span group ``seqmix`` backs up, and reading a marked doc without its
probabilities raises an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

from .decoding import spans_of, split_tag, tag_names, viterbi
from .errors import Errors
from .types import Floats2d, SoftLabels

KEY = "seqmix_soft_labels"
PROBS_KEY = "seqmix_token_probs"
MARK = "seqmix:soft"
SPANS_KEY = "seqmix"
TOLERANCE = 1e-3


def install() -> None:
    """Register ``doc._.soft_labels`` and ``doc._.token_probs``; safe to call again."""
    if not Doc.has_extension("soft_labels"):
        Doc.set_extension("soft_labels", getter=get, setter=put)
    if not Doc.has_extension("token_probs"):
        Doc.set_extension("token_probs", getter=get_token_probs, setter=put_token_probs)


def get(doc: Doc) -> SoftLabels | None:
    """The soft labels of a doc, or None where it has none.

    doc (Doc): any doc.
    RETURNS (SoftLabels | None): the distribution over tags of every token.
    RAISES (ValueError): S101 when the doc is marked as mixed but its probabilities are gone,
        S102 when the number of tokens has changed since they were set.
    """
    soft = _unpack(doc, KEY)
    if soft is None and is_marked(doc):
        raise ValueError(Errors.E101.format(text=doc.text[:80]))
    return soft


def put(doc: Doc, soft: SoftLabels | None) -> None:
    """Set (or with None remove) the soft labels of a doc, and mark its soft tokens.

    RAISES (ValueError): S102, S103 when rows, tags or probabilities are not valid.
    """
    if soft is not None:
        validate(soft, doc)
    clear(doc)
    if soft is None:
        return
    doc.user_data[KEY] = _pack(soft)
    rows = np.flatnonzero(is_soft(soft))
    for i in rows.tolist():
        doc[i].ent_id_ = MARK
    if len(rows):
        doc.spans[SPANS_KEY] = [doc[int(i) : int(i) + 1] for i in rows]


def clear(doc: Doc) -> None:
    """Remove soft labels and marks, so that the doc counts as one-hot of its entities."""
    doc.user_data.pop(KEY, None)
    doc.spans.pop(SPANS_KEY, None)
    for token in doc:
        if token.ent_id_ == MARK:
            token.ent_id_ = ""


def is_marked(doc: Doc) -> bool:
    """Whether some token of the doc has, or had, a label that is truly soft."""
    return SPANS_KEY in doc.spans or any(token.ent_id_ == MARK for token in doc)


def get_token_probs(doc: Doc) -> SoftLabels | None:
    """The probabilities that a component predicted, where it was told to keep them."""
    return _unpack(doc, PROBS_KEY)


def put_token_probs(doc: Doc, probs: SoftLabels | None) -> None:
    """Keep predicted probabilities on a doc. They are no labels: nothing trains on them."""
    if probs is None:
        doc.user_data.pop(PROBS_KEY, None)
    else:
        doc.user_data[PROBS_KEY] = _pack(probs)


def of(doc: Doc) -> SoftLabels:
    """The soft labels of a doc; those of its entities, one-hot, where it has none."""
    soft = get(doc)
    return from_entities(doc) if soft is None else soft


def from_entities(doc: Doc, tags: Sequence[str] | None = None) -> SoftLabels:
    """One-hot rows of the doc's entities; rows of zeros where annotation is missing ("-").

    tags (Sequence[str] | None): the columns; by default "O" and the tags of the doc's labels.
    RETURNS (SoftLabels): shape (n_tokens, L). A label without a column counts as missing.
    """
    if tags is None:
        tags = tag_names(sorted({ent.label_ for ent in doc.ents}))
    column = {tag: i for i, tag in enumerate(tags)}
    probs = np.zeros((len(doc), len(tags)), dtype="float32")
    for i, tag in enumerate(entity_tags(doc)):
        if tag is not None and tag in column:
            probs[i, column[tag]] = 1.0
    return SoftLabels(tuple(tags), probs)


def entity_tags(doc: Doc) -> list[str | None]:
    """The IOB2 tag of every token; None where annotation is missing."""
    return [
        None
        if token.ent_iob_ == ""
        else "O"
        if token.ent_iob_ == "O" or not token.ent_type_
        else f"{token.ent_iob_}-{token.ent_type_}"
        for token in doc
    ]


def hard_tags(doc: Doc) -> list[str | None]:
    """The repaired IOB2 tag of every token: of its soft labels, else of its entities."""
    soft = get(doc)
    return entity_tags(doc) if soft is None else decode(soft)


def decode(soft: SoftLabels) -> list[str | None]:
    """The most probable valid IOB2 sequence; None where the row is missing."""
    if not len(soft.probs):
        return []
    probs = soft.probs.copy()
    missing = is_missing(soft)
    # An entity may not run through a token about which nothing is known.
    probs[missing, soft.labels.index("O")] = 1.0
    path = viterbi([probs], soft.labels)[0]
    return [None if gone else soft.labels[i] for i, gone in zip(path, missing, strict=True)]


def set_entities(doc: Doc, soft: SoftLabels) -> None:
    """Write the decoded entities of soft labels into ``doc.ents``; missing stays missing."""
    tags = decode(soft)
    found = spans_of([tag or "O" for tag in tags])
    ents = [Span(doc, start, end, label=label) for start, end, label in found]
    missing = [doc[i : i + 1] for i, tag in enumerate(tags) if tag is None]
    doc.set_ents(ents, missing=missing, default="outside")


def with_tags(soft: SoftLabels, tags: Sequence[str]) -> Floats2d:
    """The rows over other columns. Where mass falls on a tag not among them, the row is missing.

    RETURNS (Floats2d): shape (n_tokens, len(tags)).
    """
    column = {tag: i for i, tag in enumerate(tags)}
    out = np.zeros((len(soft.probs), len(tags)), dtype="float32")
    lost = np.zeros(len(soft.probs), dtype="float32")
    for i, tag in enumerate(soft.labels):
        if tag in column:
            out[:, column[tag]] = soft.probs[:, i]
        else:
            lost += soft.probs[:, i]
    out[lost > TOLERANCE] = 0.0
    return out


def aligned(example: Example, tags: Sequence[str]) -> Floats2d:
    """The reference's soft labels on the tokens of ``example.predicted``.

    A token that covers several reference tokens of one type takes the first one's row (missing
    where the types disagree); one that is a later part of a reference token takes its row with
    "B-" turned into "I-", since the entity goes on.

    tags (Sequence[str]): the L columns wanted.
    RETURNS (Floats2d): shape (n_predicted_tokens, L), rows of zeros where nothing is known.
    """
    soft = get(example.reference)
    if soft is None:
        return _aligned_hard(example, tags)
    rows = with_tags(soft, tags)
    later = continued(rows, tags)
    out = np.zeros((len(example.predicted), len(tags)), dtype="float32")
    x2y, y2x = example.alignment.x2y, example.alignment.y2x
    for i in range(len(example.predicted)):
        found = [int(j) for j in x2y[i]]
        if not found:
            if example.predicted[i].is_space:
                out[i, list(tags).index("O")] = 1.0
            continue
        first = found[0]
        if np.abs(later[found] - later[first]).max() > TOLERANCE:
            continue
        is_later_part = int(y2x[first][0]) < i
        out[i] = later[first] if is_later_part else rows[first]
    return out


def continued(rows: Floats2d, tags: Sequence[str]) -> Floats2d:
    """The rows with the mass of every "B-X" moved to "I-X"."""
    out: Floats2d = rows.copy()
    for i, tag in enumerate(tags):
        iob, label = split_tag(tag)
        if iob == "B" and f"I-{label}" in tags:
            out[:, list(tags).index(f"I-{label}")] += out[:, i]
            out[:, i] = 0.0
    return out


def split_sents(doc: Doc) -> list[Doc]:
    """The sentences of a doc as docs, soft labels included (``Span.as_doc`` drops them)."""
    soft = get(doc)
    parts = []
    for sent in doc.sents:
        part = sent.as_doc()
        if soft is not None:
            put(part, SoftLabels(soft.labels, soft.probs[sent.start : sent.end]))
        parts.append(part)
    return parts


def is_missing(soft: SoftLabels) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows carry no annotation; shape (n_tokens,)."""
    return np.asarray(soft.probs.sum(axis=1) == 0.0)


def is_soft(soft: SoftLabels) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are neither one-hot nor missing; shape (n_tokens,)."""
    if not len(soft.probs):
        return np.zeros(0, dtype=bool)
    return np.asarray((soft.probs.max(axis=1) < 1.0 - TOLERANCE) & ~is_missing(soft))


def validate(soft: SoftLabels, doc: Doc | None = None) -> None:
    """Check shapes, tags and sums. RAISES (ValueError): S102, S103."""
    probs, tags = soft.probs, soft.labels
    if doc is not None and len(probs) != len(doc):
        raise ValueError(Errors.E102.format(rows=len(probs), tokens=len(doc), text=doc.text[:80]))
    reason = ""
    if probs.ndim != 2 or probs.shape[1] != len(tags):
        reason = f"shape {probs.shape} with {len(tags)} tags"
    elif (
        "O" not in tags
        or len(set(tags)) != len(tags)
        or any(tag != "O" and split_tag(tag)[0] not in ("B", "I") for tag in tags)
    ):
        reason = f"tags {tags}"
    elif not np.isfinite(probs).all() or (probs < 0).any():
        reason = "negative or not finite numbers"
    elif (np.abs(probs.sum(axis=1) - 1.0) > TOLERANCE)[~is_missing(soft)].any():
        reason = f"row sums {np.unique(probs.sum(axis=1).round(4))}"
    if reason:
        raise ValueError(Errors.E103.format(reason=reason))


def _aligned_hard(example: Example, tags: Sequence[str]) -> Floats2d:
    """spaCy's own alignment of entities, as one-hot rows; misaligned tokens are missing."""
    out = np.zeros((len(example.predicted), len(tags)), dtype="float32")
    column = {tag: i for i, tag in enumerate(tags)}
    for i, biluo in enumerate(example.get_aligned_ner()):
        if biluo is None or biluo == "-":
            continue
        tag = biluo.replace("U-", "B-", 1).replace("L-", "I-", 1)
        if tag in column:
            out[i, column[tag]] = 1.0
    return out


def _pack(soft: SoftLabels) -> dict[str, Any]:
    return {
        "labels": list(soft.labels),
        "probs": np.ascontiguousarray(soft.probs, dtype="float32"),
    }


def _unpack(doc: Doc, key: str) -> SoftLabels | None:
    data = doc.user_data.get(key)
    if data is None:
        return None
    soft = SoftLabels(tuple(data["labels"]), np.asarray(data["probs"]))
    if len(soft.probs) != len(doc):
        raise ValueError(
            Errors.E102.format(rows=len(soft.probs), tokens=len(doc), text=doc.text[:80])
        )
    return soft


install()
