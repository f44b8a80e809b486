"""Pairs of segments: a compact index of them all, from which pairs are drawn one by one."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.strings import get_string_id
from spacy.tokens import Doc

from ..types import Segment
from .segments import Chooser

# In groups of at most this many segments, skipping useless pairs costs little.
SMALL = 16
# Drawing over docs stops after this many times the draws that one pair needs on average.
PATIENCE = 50


@dataclass(frozen=True)
class SegmentIndex:
    """Segments in blocks that can be paired, as arrays: a corpus has millions.

    segments (NDArray): shape (n, 3), doc, start and end of each; blocks one after the other.
    texts (NDArray): shape (n,), the hash of the sequence that each segment is from.
    blocks (NDArray): shape (n_blocks, 2): the start of each block, and the number of its first
        segments that are paired with the later ones only; 0 where all are paired with all.
    sizes (NDArray): shape (n_blocks,), segments in each block.
    n_pairs (NDArray): shape (n_blocks,), pairs in each block and those before it.
    """

    segments: NDArray[np.int32]
    texts: NDArray[np.uint64]
    blocks: NDArray[np.int64]
    sizes: NDArray[np.int64]
    n_pairs: NDArray[np.int64]

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Segment, Segment]]:
        """Yield all pairs once, in random order, with either segment first.

        All pairs of all blocks are equally likely. They have numbers, and no list is made of
        them: the time of a draw does not depend on how many there are (but for a binary search
        over the blocks), and memory grows with the pairs drawn. Pairs of one doc, and of two
        sequences of the same text, are skipped.
        """
        for k in shuffled(self.total, rng):
            left, right = self._pair_at(k, rng)
            if self._may_meet(left, right):
                yield self._segment(left), self._segment(right)

    def draw_over_docs(self, rng: np.random.Generator) -> Iterator[tuple[Segment, Segment]]:
        """Yield the same pairs, with all pairs of docs equally likely to be next.

        Pairs of docs with many segments are rejected in proportion to these. When hardly any new
        pair is accepted, the rest follows in the order of ``draw``.
        """
        docs = self.segments[:, 0]
        sizes = np.bincount(docs) if len(docs) else np.zeros(1, dtype="int64")
        having = sizes[sizes > 0]
        least, n_docs = (int(having.min()), len(having)) if len(having) else (1, 1)
        # As many draws as give one pair, on the average, and so many times more.
        patience = PATIENCE * (len(docs) / (n_docs * least)) ** 2
        taken: set[frozenset[int]] = set()
        missed = 0
        while self.total and missed <= patience:
            left, right = self._pair_at(int(rng.integers(self.total)), rng)
            missed += 1
            share = least / sizes[docs[left]] * least / sizes[docs[right]]
            if rng.random() >= share or not self._may_meet(left, right):
                continue
            pair = frozenset((left, right))
            if pair not in taken:
                taken.add(pair)
                missed = 0
                yield self._segment(left), self._segment(right)
        for k in shuffled(self.total, rng):
            left, right = self._pair_at(k, rng)
            if self._may_meet(left, right) and frozenset((left, right)) not in taken:
                yield self._segment(left), self._segment(right)

    @property
    def total(self) -> int:
        """How many pairs have numbers."""
        return int(self.n_pairs[-1]) if len(self.n_pairs) else 0

    def _pair_at(self, k: int, rng: np.random.Generator) -> tuple[int, int]:
        """The two segments of pair number k, in random order."""
        block = int(np.searchsorted(self.n_pairs, k, side="right"))
        k -= int(self.n_pairs[block - 1]) if block else 0
        begin, first = self.blocks[block].tolist()
        if first:
            i, j = divmod(k, int(self.sizes[block]) - first)
            j += first
        else:
            i, j = _pair(k)
        i, j = begin + i, begin + j
        return (j, i) if rng.random() < 0.5 else (i, j)

    def _may_meet(self, i: int, j: int) -> bool:
        """Whether two segments are from different docs and different texts."""
        other = self.segments[i, 0] != self.segments[j, 0] and self.texts[i] != self.texts[j]
        return bool(other)

    def _segment(self, i: int) -> Segment:
        return Segment(*self.segments[i].tolist())


def index_segments(docs: Sequence[Doc], choose: Chooser) -> SegmentIndex:
    """Index the segments of all docs by their key: one pass, linear in time and memory.

    docs (Sequence[Doc]): labelled docs.
    choose (Callable): the eligible segments of a doc.
    RETURNS (SegmentIndex): without the blocks in which no pair could be made.
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
    segments = np.array(rows, dtype="int32").reshape(-1, 3)
    texts = np.array(hashes, dtype="uint64")
    ends = np.cumsum(np.bincount(group_of, minlength=len(numbers))).tolist()
    rows_of_blocks: list[tuple[int, int, int]] = []
    for begin, end in pairwise([0, *ends]):
        rows_of_blocks += _split(order, begin, end, (texts, segments[:, 0]))
    begins, firsts, sizes = np.array(rows_of_blocks, dtype="int64").reshape(-1, 3).T
    pairs = np.where(firsts > 0, firsts * (sizes - firsts), sizes * (sizes - 1) // 2)
    useful = pairs > 0
    blocks = np.stack([begins, firsts], axis=1)[useful]
    return SegmentIndex(
        segments[order], texts[order], blocks, sizes[useful], np.cumsum(pairs[useful])
    )


def _split(
    order: NDArray[np.int64], begin: int, end: int, owners: Sequence[NDArray[Any]]
) -> Iterator[tuple[int, int, int]]:
    """(begin, first, size) of the blocks of one group.

    As a rule it is one. But a doc of thousands of tokens may have most of the segments, and so may
    a text that comes again and again: most of all pairs could not be used then. Such segments are
    moved to the front of the group, to be paired with the others alone.
    """
    while end - begin > 1:
        group = order[begin:end]
        for owner in owners:
            values, counts = np.unique(owner[group], return_counts=True)
            if 2 * counts.max() > len(group) > SMALL or len(values) == 1:
                break
        else:
            break
        mine = owner[group] == values[counts.argmax()]
        order[begin:end] = np.concatenate([group[mine], group[~mine]])
        yield begin, int(counts.max()), end - begin
        begin += int(counts.max())
    yield begin, 0, end - begin


def shuffled(n: int, rng: np.random.Generator) -> Iterator[int]:
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
