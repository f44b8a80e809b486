"""The only reader and writer of soft labels on a Doc.

spaCy keeps arrays of ``doc.user_data`` through ``to_bytes`` and
``DocBin(store_user_data=True)`` only. Elsewhere (a DocBin's default, ``Span.as_doc``,
``Example.to_dict``) they would be lost in silence, and the doc would train as if its labels were
hard. So every token with a soft row is marked, and reading a marked doc without its probabilities
raises an error. No single place survives all these conversions: the mark is both in the span group
``seqmix`` and in ``token.ent_id_``, before the id that the token may have. ``clear`` restores that
id.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError, Warnings
from ..types import Floats2d, SoftLabels
from . import layers
from .extensions import add_extension
from .iob import split_tag, viterbi
from .layers import ENTS, check_layer, is_iob
from .whitespace import trimmed

KEY = "seqmix_soft_labels"
PROBS_KEY = "seqmix_token_probs"
MARK, BEFORE_ID = "seqmix:soft", "|"
SPANS_KEY = "seqmix"
TOLERANCE = 1e-3


def install() -> None:
    """Register ``doc._.soft_labels`` and ``doc._.token_probs``; safe to call again."""
    add_extension(Doc, "soft_labels", getter=get, setter=put)
    add_extension(Doc, "token_probs", getter=get_token_probs, setter=put_token_probs)


def get(doc: Doc) -> SoftLabels | None:
    """The soft labels of a doc, or None where it has none.

    They hold as long as the annotation of their layer is what it was when they were set, or is
    their own most probable tag sequence. Where a person has corrected it since, it counts instead:
    then the result is None, with the warning W580.

    doc (Doc): any doc.
    RETURNS (SoftLabels | None): the distribution over tags of every token.
    RAISES (SeqMixError): S101 when the doc is marked as mixed but its probabilities are gone,
        S102 when the number of tokens has changed since they were set, S103 for damaged ones.
    """
    soft = _unpack(doc, KEY)
    if soft is None and is_marked(doc):
        raise SeqMixError(Errors.E101.format(text=doc.text[:80]))
    if soft is not None and _is_corrected(doc, soft):
        warnings.warn(Warnings.W580.format(which="some docs"), stacklevel=2)
        return None
    return soft


def drop_corrected(doc: Doc) -> bool:
    """Remove soft labels that the doc's annotation no longer agrees with; see ``get``.

    RETURNS (bool): whether there were any.
    """
    soft = _unpack(doc, KEY)
    corrected = soft is not None and _is_corrected(doc, soft)
    if corrected:
        clear(doc)
    return corrected


def check_stored(doc: Doc) -> None:
    """Check the probabilities that a doc from a file has. RAISES (SeqMixError): S102, S103."""
    for key in (KEY, PROBS_KEY):
        _unpack(doc, key)


def put(doc: Doc, soft: SoftLabels | None) -> None:
    """Set (or with None remove) the soft labels of a doc, and mark its soft tokens.

    RAISES (SeqMixError): S102, S103 when rows, tags or probabilities are not valid.
    """
    if soft is not None:
        validate(soft, doc)
    clear(doc)
    if soft is None:
        return
    tags = layers.read(doc, soft.layer)
    doc.user_data[KEY] = {**_pack(soft), "annotation": _digest(tags)}
    rows = np.flatnonzero(is_soft(soft))
    for i in rows.tolist():
        own = doc[i].ent_id_
        doc[i].ent_id_ = f"{MARK}{BEFORE_ID}{own}" if own else MARK
    if len(rows):
        doc.spans[SPANS_KEY] = [doc[int(i) : int(i) + 1] for i in rows]


def clear(doc: Doc) -> None:
    """Remove soft labels and marks, so that only the doc's own annotation counts."""
    doc.user_data.pop(KEY, None)
    doc.spans.pop(SPANS_KEY, None)
    for token in doc:
        if token.ent_id_.startswith(MARK):
            token.ent_id_ = token.ent_id_.removeprefix(MARK).removeprefix(BEFORE_ID)


def is_marked(doc: Doc) -> bool:
    """Whether some token of the doc has, or had, a soft label."""
    has_ids = bool(doc.to_array("ENT_ID").any())
    return SPANS_KEY in doc.spans or (has_ids and any(t.ent_id_.startswith(MARK) for t in doc))


def get_token_probs(doc: Doc) -> SoftLabels | None:
    """The probabilities that a component predicted, if it stores them."""
    return _unpack(doc, PROBS_KEY)


def put_token_probs(doc: Doc, probs: SoftLabels | None) -> None:
    """Store predicted probabilities on a doc. Nothing trains on them: they are not labels."""
    if probs is None:
        doc.user_data.pop(PROBS_KEY, None)
    else:
        doc.user_data[PROBS_KEY] = _pack(probs)


def of(doc: Doc, layer: str = ENTS) -> SoftLabels:
    """The soft labels of a layer of a doc, else one-hot rows of its annotation."""
    soft = get(doc)
    return soft if soft is not None and soft.layer == layer else one_hot(doc, layer)


def one_hot(doc: Doc, layer: str = ENTS, tags: Sequence[str] | None = None) -> SoftLabels:
    """One-hot rows of a doc's annotation; all zeros where it is missing.

    tags (Sequence[str] | None): the columns; by default those of the doc's labels.
    RETURNS (SoftLabels): shape (n_tokens, L). A label without a column counts as missing.
    """
    doc_tags = layers.read(doc, layer)
    if tags is None:
        tags = layers.columns(layer, (tag for tag in doc_tags if tag is not None))
    column = {tag: i for i, tag in enumerate(tags)}
    probs = np.zeros((len(doc), len(tags)), dtype="float32")
    for i, tag in enumerate(doc_tags):
        if tag is not None and tag in column:
            probs[i, column[tag]] = 1.0
    return SoftLabels(tuple(tags), probs, layer)


def hard_tags(doc: Doc, layer: str = ENTS) -> list[str | None]:
    """The tag of every token, decoded from its soft labels, else from its annotation."""
    soft = get(doc)
    if soft is None or soft.layer != layer:
        return layers.read(doc, layer)
    return _decoded(doc, soft)


def decode(soft: SoftLabels) -> list[str | None]:
    """The most probable valid tag sequence (of IOB2, in layers with IOB2 tags).

    RETURNS (list[str | None]): one tag per token; None where the row is missing.
    """
    if not len(soft.probs):
        return []
    missing = is_missing(soft)
    if is_iob(soft.layer):
        probs = soft.probs.copy()
        # An entity may not run through a token about which nothing is known.
        probs[missing, soft.labels.index("O")] = 1.0
        path = viterbi([probs], soft.labels)[0]
    elif soft.labels:
        path = soft.probs.argmax(axis=1)
    else:
        return [None] * len(soft.probs)
    return [None if gone else soft.labels[i] for i, gone in zip(path, missing, strict=True)]


def annotate(doc: Doc, soft: SoftLabels) -> None:
    """Write the decoded soft labels into the doc's own annotation; missing stays missing."""
    layers.write(doc, soft.layer, _decoded(doc, soft))


def _decoded(doc: Doc, soft: SoftLabels) -> list[str | None]:
    tags = decode(soft)
    return trimmed(tags, doc) if soft.layer == ENTS else tags


def with_tags(soft: SoftLabels, tags: Sequence[str]) -> Floats2d:
    """Rearrange rows over other columns; a row with mass on any other tag becomes all zeros.

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


def used(labels: Sequence[str], probs: Floats2d) -> set[str]:
    """The labels to which any row gives weight."""
    weights = probs.sum(axis=0)
    return {label for label, weight in zip(labels, weights, strict=True) if weight > 0}


def is_missing(soft: SoftLabels) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows carry no annotation; shape (n_tokens,)."""
    return np.asarray(soft.probs.sum(axis=1) == 0.0)


def is_soft(soft: SoftLabels) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are neither one-hot nor missing; shape (n_tokens,)."""
    if not len(soft.probs):
        return np.zeros(0, dtype=bool)
    return np.asarray((soft.probs.max(axis=1) < 1.0 - TOLERANCE) & ~is_missing(soft))


def validate(soft: SoftLabels, doc: Doc | None = None) -> None:
    """Check types, shapes, tags and sums. RAISES (SeqMixError): S102, S103."""
    probs, tags = soft.probs, soft.labels
    if doc is not None and probs.ndim and len(probs) != len(doc):
        raise SeqMixError(Errors.E102.format(rows=len(probs), tokens=len(doc), text=doc.text[:80]))
    if probs.ndim != 2 or probs.shape[1] != len(tags):
        reason = f"shape {probs.shape} with {len(tags)} tags"
    elif not are_names(tags) or (is_iob(check_layer(soft.layer)) and not _are_iob2(tags)):
        reason = f"tags {tags}"
    else:
        reason = wrong_rows(probs)
    if reason:
        raise SeqMixError(Errors.E103.format(reason=reason))


def wrong_rows(probs: Floats2d) -> str:
    """What is wrong with rows that should be distributions or zeros; "" if nothing is."""
    if probs.dtype.kind not in "fiub":
        return f"values of the type {probs.dtype}"
    if not np.isfinite(probs).all() or (probs < 0).any():
        return "negative or not finite numbers"
    sums = probs.sum(axis=1)
    if (np.abs(sums - 1.0) > TOLERANCE)[sums != 0].any():
        return f"row sums {np.unique(sums.round(4))}"
    return ""


def are_names(labels: Sequence[Any]) -> bool:
    """Whether labels are texts, none empty, each once."""
    texts = {label for label in labels if isinstance(label, str) and label}
    return len(texts) == len(labels)


def _are_iob2(tags: Sequence[str]) -> bool:
    return "O" in tags and all(tag == "O" or split_tag(tag)[0] in ("B", "I") for tag in tags)


def _pack(soft: SoftLabels) -> dict[str, Any]:
    return {
        "labels": list(soft.labels),
        "probs": np.ascontiguousarray(soft.probs, dtype="float32"),
        "layer": soft.layer,
    }


def _unpack(doc: Doc, key: str) -> SoftLabels | None:
    data = doc.user_data.get(key)
    if data is None:
        return None
    try:
        layer = str(data.get("layer", ENTS))  # files of the first version name none
        soft = SoftLabels(tuple(data["labels"]), np.asarray(data["probs"]), layer)
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise SeqMixError(Errors.E103.format(reason=f"their stored form ({err!r})")) from None
    validate(soft, doc)
    return soft


def _is_corrected(doc: Doc, soft: SoftLabels) -> bool:
    """Whether the annotation is neither that with which the rows were set, nor their decision."""
    known = doc.user_data[KEY].get("annotation")
    return known != _digest(layers.read(doc, soft.layer)) and not decides(soft, doc)


def decides(soft: SoftLabels, doc: Doc) -> bool:
    """Whether a doc's annotation is what the rows decide for, or is missing altogether."""
    tags = layers.read(doc, soft.layer)
    return not any(tags) or tags == _decoded(doc, soft)


def _digest(tags: Sequence[str | None]) -> str:
    return hashlib.blake2b(repr(tags).encode("utf8"), digest_size=8).hexdigest()


install()
