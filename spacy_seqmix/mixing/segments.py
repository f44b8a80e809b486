"""Eligible segments: windows dense in valid labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc

from .. import soft_labels
from ..types import Segment

# Densities are ratios of small integers: 3/5 must pass 0.6 whatever the rounding.
TOLERANCE = 1e-6


def dense_windows(doc: Doc, index: int, window: int, density: float) -> list[Segment]:
    """The windows of a doc whose valid label density is high enough.

    SeqMix, section 3.2: η = n / s with n valid labels (any tag but O; a soft label counts with
    its mass off O) in s tokens, eligible when η ≥ η0. Windows with a token that is not annotated
    or is whitespace are left out, and so are those across a sentence boundary.

    doc (Doc): a labelled doc.
    index (int): its number, written into the segments.
    window (int): s, in tokens.
    density (float): η0, in [0, 1].
    RETURNS (list[Segment]): in order of their start.
    """
    if len(doc) < window:
        return []
    soft = soft_labels.of(doc)
    unusable = soft_labels.is_missing(soft) | np.array([t.is_space for t in doc])
    valid = np.where(unusable, 0.0, 1.0 - soft.probs[:, soft.labels.index("O")])
    starts = np.array([t.is_sent_start is True for t in doc])
    total = np.concatenate([[0.0], np.cumsum(valid)])
    bad = np.concatenate([[0], np.cumsum(unusable)])
    begins = np.concatenate([[0], np.cumsum(starts)])
    first = np.arange(len(doc) - window + 1)
    ok = (total[first + window] - total[first]) / window >= density - TOLERANCE
    ok &= bad[first + window] == bad[first]
    # A sentence may start at the window's first token, not inside it.
    ok &= begins[first + window] == begins[first + 1]
    return [Segment(index, int(i), int(i) + window) for i in first[ok]]


def all_windows(docs: Sequence[Doc], window: int, density: float) -> list[Segment]:
    """The eligible windows of all docs, in order."""
    return [seg for i, doc in enumerate(docs) for seg in dense_windows(doc, i, window, density)]
