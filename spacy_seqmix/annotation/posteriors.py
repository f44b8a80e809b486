"""Probabilities of tags that others found, as the annotation of a doc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..types import SoftLabels
from . import soft_labels

__all__ = ["CERTAIN", "annotate_rows", "hardened"]

# From this probability on, a tag counts as certain.
CERTAIN = 0.99


def annotate_rows(doc: Doc, tags: Sequence[str], rows: NDArray[np.floating[Any]]) -> None:
    """Set a doc's entities, and its soft labels where some row is uncertain.

    doc (Doc): its entities and soft labels are replaced.
    tags (Sequence[str]): L IOB2 tags, as ``iob.tag_names`` has them.
    rows (NDArray): their probabilities, (n_tokens, L); zeros where nothing is known.
    """
    soft = SoftLabels(tuple(tags), hardened(rows))
    soft_labels.clear(doc)
    soft_labels.annotate(doc, soft)
    if soft_labels.is_soft(soft).any():
        soft_labels.put(doc, soft)


def hardened(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The rows, of which those with a probability of ``CERTAIN`` or more are one-hot."""
    out = np.array(rows, dtype="float32")
    certain = np.flatnonzero(out.max(axis=1, initial=0.0) >= CERTAIN)
    best = out[certain].argmax(axis=1)
    out[certain] = 0.0
    out[certain, best] = 1.0
    return out
