"""Decoding of tag distributions into valid IOB2 sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..types import Floats2d
from .packing import Packing, Places

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


def entity_tags(label: int, length: int) -> list[int]:
    """The columns of the tags of an entity of some tokens, by the number of its label."""
    return [2 * label + 1, *[2 * label + 2] * (length - 1)]


def inside_after(column: int) -> int:
    """The column of the tag with which an entity goes on after the tag B- or I- of a column."""
    return column + column % 2


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
    return best_paths([floored_log(p) for p in probs], tags)[0]


def floored_log(p: Floats2d) -> Floats2d:
    """log p, at least ``LOG_FLOOR``."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log(p), LOG_FLOOR))


def best_paths(
    scores: Sequence[NDArray[np.floating[Any]]],
    tags: Sequence[str],
    chain: Chain | None = None,
) -> tuple[list[NDArray[np.int64]], NDArray[np.float64]]:
    """The valid tag sequence of each doc with the highest sum of scores (Viterbi).

    Time and memory grow with the sum of the tokens, not with the longest doc. Among equal scores,
    the tag with the lower number wins.

    scores (Sequence[Floats2d]): one array (n_tokens, L) a doc.
    tags (Sequence[str]): the L tags of the columns.
    chain (Chain | None): scores of starts, moves and ends, besides those of tokens.
    RETURNS (tuple): one array (n_tokens,) of tag numbers a doc, and the sums, 0 without tokens.
    """
    packing = Packing([len(array) for array in scores])
    sums = np.zeros(len(scores))
    if not len(packing):
        return [np.zeros(0, dtype="int64") for _ in scores], sums
    flat = np.empty((len(packing), len(tags)))
    flat[packing.flat] = np.concatenate(scores)
    steps = _Steps(tags, chain)
    best = flat[packing.at(0)] + steps.start
    back = np.empty(flat.shape, dtype="int32")
    tops, last = np.empty(len(best)), np.empty(len(best), dtype="int64")

    def finish(from_: int) -> None:
        ended = best[from_:] + steps.end
        last[from_ : len(best)] = ended.argmax(axis=1)
        tops[from_ : len(best)] = ended.max(axis=1)

    for t in range(1, len(packing.sizes)):
        n, here = packing.sizes[t], packing.at(t)
        finish(n)
        best, back[here] = steps.take(best[:n])
        best += flat[here]
    finish(0)
    path = np.empty(len(packing), dtype="int64")
    tag = last[:0]
    for t in range(len(packing.sizes) - 1, -1, -1):
        if t + 1 < len(packing.sizes):
            came_from = back[packing.at(t + 1)]
            tag = came_from[np.arange(len(tag)), tag]
        tag = np.concatenate([tag, last[len(tag) : packing.sizes[t]]])
        path[packing.at(t)] = tag
    sums[packing.order] = tops
    return [path[places] for places in packing.places], sums


class Chain(NamedTuple):
    """Scores of starting with a tag (L,), of moves, row to column (L, L), and of ending (L,)."""

    start: NDArray[np.float64]
    moves: NDArray[np.float64]
    end: NDArray[np.float64]


class _Steps:
    """The steps of Viterbi: most tags may follow any tag, but I-X only B-X and I-X."""

    def __init__(self, tags: Sequence[str], chain: Chain | None) -> None:
        start, moves = transition_scores(tags)
        allowed = moves == 0.0
        self.free = np.flatnonzero(allowed.all(axis=0))
        self.inside = np.flatnonzero(~allowed.all(axis=0))
        before = [np.flatnonzero(allowed[:, j]) for j in self.inside.tolist()]
        self.first = np.array([b[0] for b in before], dtype="int64")
        self.second = np.array([b[-1] for b in before], dtype="int64")
        self.start = np.where(start < 0, -np.inf, 0.0)
        if chain is None:
            # All moves that are allowed score the same: one row will do for all tags.
            self.end = np.zeros(len(tags))
            self.into = np.zeros((1, len(tags)))
            self.of_first = self.of_second = np.zeros(len(before))
        else:
            self.start = self.start + chain.start
            self.end = chain.end
            self.into = np.ascontiguousarray(chain.moves.T[self.free])
            self.of_first = chain.moves[self.first, self.inside]
            self.of_second = chain.moves[self.second, self.inside]

    def take(self, best: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The best score of each next tag, and the tag before it; shapes (n, L)."""
        score = np.empty_like(best)
        came_from = np.empty(best.shape, dtype="int64")
        paths = best[:, None, :] + self.into
        top = paths.argmax(axis=2)
        came_from[:, self.free] = top
        score[:, self.free] = np.take_along_axis(paths, top[:, :, None], axis=2)[:, :, 0]
        one, two = best[:, self.first] + self.of_first, best[:, self.second] + self.of_second
        later = two > one
        came_from[:, self.inside] = np.where(later, self.second, self.first)
        score[:, self.inside] = np.where(later, two, one)
        return score, came_from


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


def forbidden_tags(doc: Doc, words: Places, n_tags: int) -> NDArray[np.bool_] | None:
    """Which tags the words of a doc cannot get, since entities stand already or are blocked.

    words (Places): the tokens that get tags, all but whitespace.
    RETURNS (NDArray | None): shape (n_words, n_tags), columns as in ``tag_names``; None for a doc
        without such tokens.
    """
    taken = np.array([token.ent_iob_ in ("B", "I") for token in doc], dtype=bool)
    if not taken.any():
        return None
    out = np.zeros((len(words), n_tags), dtype=bool)
    out[taken[words], 1:] = True
    # No entity runs through whitespace that is taken.
    before = np.concatenate([[0], np.cumsum(taken)])[words]
    out[1:, 2::2] |= (np.diff(before) > 0)[:, None]
    return out
