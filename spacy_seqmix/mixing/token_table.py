"""The token table {W, E}: words, their vectors, and the batched look-up of the nearest one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..types import Floats2d

Metric: TypeAlias = Literal["squared", "cosine"]

# How many scores one block of a look-up may hold: 64 MiB of float32.
BLOCK = 16 * 1024 * 1024
# Scores that differ by less, as a share of the best one or of 1, are equal.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Query:
    """What to look up for one plan: one vector per position of its window.

    vectors (Floats2d): the mixed vectors, shape (s, width).
    own (frozenset[str]): the parents' tokens in the window, which are excluded.
    shapes (tuple[tuple[str, ...], ...]): the word shapes that are allowed at each position; empty
        for any.
    held_out (tuple[NDArray, Floats2d] | None): words whose vectors differ for this plan, since
        its parents' sentences do not count: the numbers of these words, and their vectors (NaN
        where nothing is left).
    """

    vectors: Floats2d
    own: frozenset[str]
    shapes: tuple[tuple[str, ...], ...] = ()
    held_out: tuple[NDArray[np.int64], Floats2d] | None = None


@dataclass(frozen=True)
class TokenTable:
    """A table of words and vectors, with a measure of nearness.

    words (list[str]): n words, the frequent ones first: of equal vectors the first is taken.
    vectors (Floats2d): shape (n, width).
    metric (str): "squared" distance (SeqMix, Eq. 7), or "cosine" of vectors from which the
        table's mean is taken: without that, a few hubs are near to everything.
    """

    words: list[str]
    vectors: Floats2d
    metric: Metric = "cosine"
    center: Floats2d = field(init=False)

    def __post_init__(self) -> None:
        mean = self.vectors.mean(axis=0) if len(self.words) else self.vectors.sum(axis=0)
        object.__setattr__(self, "center", mean)

    @cached_property
    def cased(self) -> bool:
        """Whether any word has a capital; if none has, case is taken from the parents."""
        return any(word != word.lower() for word in self.words)

    @cached_property
    def number(self) -> dict[str, int]:
        """The row of each word."""
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def _of_shape(self) -> dict[str, NDArray[np.int64]]:
        """The rows of the words of each shape."""
        rows: dict[str, list[int]] = {}
        for i, word in enumerate(self.words):
            rows.setdefault(word_shape(word), []).append(i)
        return {shape: np.array(numbers, dtype="int64") for shape, numbers in rows.items()}

    @cached_property
    def _folded(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for i, word in enumerate(self.words):
            rows.setdefault(word.lower(), []).append(i)
        return rows

    @cached_property
    def _keys(self) -> tuple[Floats2d, Floats2d]:
        """(vectors, offset): the nearest word has the highest vectors·q + offset."""
        return self._prepare(self.vectors)

    def nearest(self, queries: Sequence[Query]) -> list[list[str]]:
        """The nearest allowed word for every vector of every query.

        One matrix product for all of them, in blocks of bounded size. Words that a parent has in
        its window are excluded in any case. Where no word has an allowed shape, any will do.

        queries (Sequence[Query]): what to look up.
        RETURNS (list[list[str]]): the words of each query; empty if the table has none to offer.
        """
        out: list[list[str]] = []
        step = max(1, BLOCK // max(1, len(self.words)) // max(1, _longest(queries)))
        for at in range(0, len(queries), step):
            out += self._nearest_block(queries[at : at + step])
        return out

    def _nearest_block(self, queries: Sequence[Query]) -> list[list[str]]:
        keys, offset = self._keys
        stacked = self._prepare(np.concatenate([q.vectors for q in queries]))[0]
        # The measure ranks words for one vector, so nothing that is the same for all is added.
        scores = stacked @ keys.T
        scores += offset
        words: list[list[str]] = []
        row = 0
        for query in queries:
            part = scores[row : row + len(query.vectors)]
            here = stacked[row : row + len(query.vectors)]
            row += len(query.vectors)
            if query.held_out is not None and len(query.held_out[0]):
                columns, vectors = query.held_out
                fresh, fresh_offset = self._prepare(vectors)
                part[:, columns] = np.nan_to_num(here @ fresh.T + fresh_offset, nan=-np.inf)
            own = [i for word in query.own for i in self._folded.get(word.lower(), [])]
            part[:, own] = -np.inf
            words.append(self._pick(part, query))
        return words

    def _pick(self, scores: Floats2d, query: Query) -> list[str]:
        if not self.words:
            return []
        words = []
        for i, row in enumerate(scores):
            best = _first_best(row)
            if not np.isfinite(row[best]):
                return []
            fitting = self._fitting(query.shapes[i]) if query.shapes else ()
            if len(fitting):
                best_fitting = int(fitting[_first_best(row[fitting])])
                if np.isfinite(row[best_fitting]):
                    best = best_fitting
            words.append(self.words[best])
        return words

    def _fitting(self, shapes: Sequence[str]) -> NDArray[np.int64]:
        """The rows, in order, of the words that have any of these shapes."""
        # A table without capitals has no word of shape "Xx": its words take their case later.
        wanted = set(shapes) if self.cased else {_squeeze(shape.lower()) for shape in shapes}
        rows = [self._of_shape[shape] for shape in wanted if shape in self._of_shape]
        if len(rows) == 1:
            return rows[0]
        return np.sort(np.concatenate([*rows, np.zeros(0, dtype="int64")]))

    def _prepare(self, vectors: Floats2d) -> tuple[Floats2d, Floats2d]:
        if self.metric == "squared":
            return vectors, -0.5 * np.einsum("ij,ij->i", vectors, vectors)
        centred = vectors - self.center
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        return centred / np.maximum(norms, 1e-12), np.zeros(len(vectors), dtype="float32")


def _first_best(scores: NDArray[np.float32]) -> int:
    """The first of the scores that are highest up to rounding errors.

    Words in another case have equal vectors where the encoder has no case; how their products are
    rounded depends on where they stand, and on the number of threads.
    """
    best = int(scores.argmax())
    score = float(scores[best])
    if best == 0 or not np.isfinite(score):
        return best
    before = scores[:best] >= score - ROUNDING * max(1.0, abs(score))
    first = int(before.argmax())
    return first if before[first] else best


def word_shape(word: str) -> str:
    """Capitals, digits and punctuation of a word, runs shortened: "Xx" of "London", "d-d" of
    "12-34". Finer than a class, coarser than spaCy's ``shape_``, so that lengths may differ."""
    marks = "".join(
        "d" if c.isdigit() else "X" if c.isupper() or c.istitle() else "x" if c.isalpha() else c
        for c in word
    )
    return _squeeze(marks)


def cased_like(word: str, model: str) -> str:
    """Write a word without capitals in the case of a model word."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _squeeze(marks: str) -> str:
    return re.sub(r"(.)\1+", r"\1", marks)


def by_frequency(words: Sequence[str]) -> list[str]:
    """The distinct words, the most frequent first; ties by the alphabet, so that the order in
    which the docs came does not matter."""
    counts = Counter(words)
    return sorted(counts, key=lambda word: (-counts[word], word))


def same_script(words: Sequence[str], letters: frozenset[str]) -> list[bool]:
    """Which words use only the characters given, without foreign scripts and odd symbols."""
    return [all(c in letters for c in word.lower()) for word in words]


def _longest(queries: Sequence[Query]) -> int:
    return max((len(q.vectors) for q in queries), default=1)
