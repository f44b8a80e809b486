"""Decoding of tag distributions into valid IOB2 sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..types import Floats2d

# Log-probabilities are floored here, so that a sequence of impossible tags (the rest of an
# entity whose beginning was mixed away) still has a best valid path.
LOG_FLOOR = -50.0
FORBIDDEN = -1e9


def tag_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The IOB2 tags of entity labels: "O", then "B-" and "I-" of each label in turn.

    New labels append columns and never move old ones, so a trained layer can grow.
    """
    return ("O", *(f"{iob}-{label}" for label in labels for iob in "BI"))


def plain_tags(n_tags: int) -> tuple[str, ...]:
    """Tags for ``n_tags`` columns, where the names of the labels do not matter."""
    return tag_names([str(i) for i in range(n_tags // 2)])


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag: "B-PER" into ("B", "PER"), "O" into ("O", ""). Labels may contain "-"."""
    iob, _, label = tag.partition("-")
    return iob, label


def transition_scores(tags: Sequence[str]) -> tuple[Floats2d, Floats2d]:
    """Scores of IOB2's rules: which tags may begin a sequence, and which tag may follow which.

    tags (Sequence[str]): L IOB2 tags.
    RETURNS (tuple): start (L,) and moves (L, L) from row to column, 0 where allowed and a
        large negative number where not: I-X follows B-X and I-X only.
    """
    parts = [split_tag(tag) for tag in tags]
    start = np.array([FORBIDDEN if iob == "I" else 0.0 for iob, _ in parts], dtype="float32")
    moves = np.zeros((len(tags), len(tags)), dtype="float32")
    for j, (iob, label) in enumerate(parts):
        if iob == "I":
            moves[:, j] = FORBIDDEN
            for i, (before, before_label) in enumerate(parts):
                if before in "BI" and before_label == label:
                    moves[i, j] = 0.0
    return start, moves


def viterbi(probs: Sequence[Floats2d], tags: Sequence[str]) -> list[NDArray[np.int64]]:
    """The most probable valid tag sequence of each doc, under independent token distributions.

    probs (Sequence[Floats2d]): one array (n_tokens, L) a doc; rows need not be normalised, and a
        row of zeros (missing annotation) puts no preference on any tag.
    tags (Sequence[str]): the L tags of the columns.
    RETURNS (list): one array (n_tokens,) of tag numbers a doc.
    """
    if not probs:
        return []
    start, moves = transition_scores(tags)
    lengths = [len(p) for p in probs]
    longest = max(lengths)
    scores = np.zeros((len(probs), longest, len(tags)), dtype="float64")
    for row, p in zip(scores, probs, strict=True):
        if len(p):
            with np.errstate(divide="ignore"):
                row[: len(p)] = np.maximum(np.log(p), LOG_FLOOR)
    if not longest:
        return [np.zeros(0, dtype="int64") for _ in probs]
    best = scores[:, 0] + start
    back = np.zeros((len(probs), longest, len(tags)), dtype="int64")
    bests = [best]
    for t in range(1, longest):
        paths = best[:, :, None] + moves[None]
        back[:, t] = paths.argmax(axis=1)
        best = paths.max(axis=1) + scores[:, t]
        bests.append(best)
    out = []
    for d, n in enumerate(lengths):
        path = np.zeros(n, dtype="int64")
        if n:
            path[-1] = bests[n - 1][d].argmax()
            for t in range(n - 1, 0, -1):
                path[t - 1] = back[d, t, path[t]]
        out.append(path)
    return out


def spans_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(start, end, label) of each entity in a valid IOB2 sequence; end is exclusive."""
    spans: list[tuple[int, int, str]] = []
    for i, tag in enumerate(tags):
        iob, label = split_tag(tag)
        if iob == "B":
            spans.append((i, i + 1, label))
        elif iob == "I":
            begin, _, label = spans[-1]
            spans[-1] = (begin, i + 1, label)
    return spans


def preset_tokens(doc: Doc) -> list[int]:
    """The tokens that are part of an entity already, or are blocked for entities."""
    return [token.i for token in doc if token.ent_iob_ in ("B", "I")]


def keep_preset(doc: Doc, probs: Floats2d) -> Floats2d:
    """Set "O" to 1 on tokens that are part of an entity, or blocked; shape (n_tokens, L)."""
    rows = preset_tokens(doc)
    if not rows:
        return probs
    out: Floats2d = probs.copy()
    out[rows] = 0.0
    out[rows, 0] = 1.0
    return out
