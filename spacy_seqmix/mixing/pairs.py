"""Pairs of segments: a compact index of them all, from which pairs are drawn one by one."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.strings import get_string_id
from spacy.tokens import Doc

from ..types import Segment
from .segments import Chosen

Chooser: TypeAlias = Callable[[Doc], list[Chosen]]


@dataclass(frozen=True)
class SegmentIndex:
    """Segments in groups that can be paired, as arrays: a corpus has millions.

    segments (NDArray): shape (n, 3), doc, start and end of each; groups one after the other.
    texts (NDArray): shape (n,), the hash of each one's sequence.
    groups (NDArray): shape (n_groups,), where each group begins.
    n_pairs (NDArray): shape (n_groups,), pairs in each group and those before it.
    """

    segments: NDArray[np.int32]
    texts: NDArray[np.uint64]
    groups: NDArray[np.int64]
    n_pairs: NDArray[np.int64]

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Segment, Segment]]:
        """Pairs in random order, each once and either way round, until they run out.

        All pairs of all groups are equally likely. They have numbers, and no list is made of
        them: the time of a draw does not depend on how many there are (but for a binary search
        over the groups), and memory grows with the pairs drawn. Pairs of one doc, and of two
        sequences of the same text, are skipped.
        """
        total = int(self.n_pairs[-1]) if len(self.n_pairs) else 0
        for k in _shuffled(total, rng):
            group = int(np.searchsorted(self.n_pairs, k, side="right"))
            i, j = _pair(k - (int(self.n_pairs[group - 1]) if group else 0))
            i, j = int(self.groups[group]) + i, int(self.groups[group]) + j
            if rng.random() < 0.5:
                i, j = j, i
            left, right = Segment(*self.segments[i].tolist()), Segment(*self.segments[j].tolist())
            if left.doc != right.doc and self.texts[i] != self.texts[j]:
                yield left, right


def index_segments(docs: Sequence[Doc], choose: Chooser) -> SegmentIndex:
    """Index the segments of all docs by their key: one pass, linear in time and memory.

    docs (Sequence[Doc]): labelled docs.
    choose (Callable): the eligible segments of a doc.
    RETURNS (SegmentIndex): without the groups in which no pair could be made.
    """
    rows, hashes, keys = array("i"), array("Q"), array("i")
    numbers: dict[Hashable, int] = {}
    for number, doc in enumerate(docs):
        for start, end, key, text in choose(doc):
            rows.extend((number, start, end))
            hashes.append(get_string_id(text))
            keys.append(numbers.setdefault(key, len(numbers)))
    group_of = np.array(keys, dtype="int32")
    order = np.argsort(group_of, kind="stable")
    segments = np.array(rows, dtype="int32").reshape(-1, 3)[order]
    texts = np.array(hashes, dtype="uint64")[order]
    sizes = np.bincount(group_of, minlength=len(numbers)).astype("int64")
    starts = np.cumsum(sizes) - sizes
    pairs = sizes * (sizes - 1) // 2
    if len(sizes):
        for column in (segments[:, 0], texts):
            same = np.minimum.reduceat(column, starts) == np.maximum.reduceat(column, starts)
            pairs[same] = 0
    useful = pairs > 0
    return SegmentIndex(segments, texts, starts[useful], np.cumsum(pairs[useful]))


def _shuffled(n: int, rng: np.random.Generator) -> Iterator[int]:
    """range(n) in random order, drawn lazily: a Fisher-Yates shuffle of a sparse array."""
    moved: dict[int, int] = {}
    for k in range(n):
        j = int(rng.integers(k, n))
        yield moved.get(j, j)
        moved[j] = moved.pop(k, k)


def _pair(k: int) -> tuple[int, int]:
    """Pair number k of (1,0), (2,0), (2,1), (3,0), ...: all have numbers, none is stored."""
    i = int((1 + (1 + 8 * k) ** 0.5) / 2)
    while i * (i - 1) // 2 > k:  # the square root of large numbers may round up
        i -= 1
    while (i + 1) * i // 2 <= k:
        i += 1
    return i, k - i * (i - 1) // 2
