"""The labels of an example's reference on the tokens of its predicted doc."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from spacy.training import Example

from . import recipes, soft_labels
from .decoding import split_tag
from .errors import Warnings
from .layers import ENTS, is_iob
from .types import Floats2d

# How spaCy marks the entities of one token, and the last token of longer ones.
IOB2 = {"U": "B", "L": "I"}


def aligned(example: Example, tags: Sequence[str], layer: str = ENTS) -> Floats2d:
    """The reference's soft labels on the tokens of ``example.predicted``.

    A token that covers several reference tokens of one type takes the first one's row (missing
    where the types disagree); one that is a later part of a reference token takes its row, in
    IOB2 with "B-" turned into "I-", since the entity goes on.

    tags (Sequence[str]): the L columns wanted.
    layer (str): "ents" or "tags".
    RETURNS (Floats2d): shape (n_predicted_tokens, L), rows of zeros where nothing is known.
    """
    lost = recipes.KEY in example.reference.user_data
    if lost and recipes.KEY not in example.predicted.user_data:
        warnings.warn(Warnings.W225, stacklevel=3)
    soft = soft_labels.get(example.reference)
    if soft is None or soft.layer != layer:
        return _aligned_hard(example, tags, layer)
    rows = soft_labels.with_tags(soft, tags)
    later = continued(rows, tags) if is_iob(layer) else rows
    out = np.zeros((len(example.predicted), len(tags)), dtype="float32")
    x2y, y2x = example.alignment.x2y, example.alignment.y2x
    for i in range(len(example.predicted)):
        found = [int(j) for j in x2y[i]]
        if not found:
            if is_iob(layer) and example.predicted[i].is_space:
                out[i, list(tags).index("O")] = 1.0
            continue
        first = found[0]
        if np.abs(later[found] - later[first]).max() > soft_labels.TOLERANCE:
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


def _aligned_hard(example: Example, tags: Sequence[str], layer: str) -> Floats2d:
    """spaCy's own alignment, as one-hot rows; misaligned tokens are missing."""
    out = np.zeros((len(example.predicted), len(tags)), dtype="float32")
    column = {tag: i for i, tag in enumerate(tags)}
    for i, tag in enumerate(_spacy_tags(example, layer)):
        if tag in column:
            out[i, column[tag]] = 1.0
    return out


def _spacy_tags(example: Example, layer: str) -> list[str]:
    if layer == ENTS:
        biluo = [tag or "-" for tag in example.get_aligned_ner()]
        return [IOB2.get(tag[0], tag[0]) + tag[1:] for tag in biluo]
    return [tag or "" for tag in example.get_aligned("TAG", as_string=True)]
