"""Which pairs of entities may be related, and what an example's reference says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy.training import Example

from . import relations
from .relations import NONE, Offsets, Pair
from .types import Floats2d


@dataclass(frozen=True)
class Candidates:
    """Ordered pairs of entities of a doc.

    pairs (NDArray[int32]): shape (n, 4): start and end of head and of tail, in tokens.
    types (NDArray[uint64]): shape (n, 2): the entity labels of head and tail, as spaCy hashes them.
    """

    pairs: NDArray[np.int32]
    types: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.pairs)

    def tuples(self) -> tuple[Pair, ...]:
        """The pairs as ``RelationLabels`` has them."""
        return tuple(((a, b), (c, d)) for a, b, c, d in self.pairs.tolist())


def candidates(spans: Sequence[Span], max_distance: int) -> Candidates:
    """Every entity with every other one, in both directions, that is near enough.

    spans (Sequence[Span]): the entities of a doc.
    max_distance (int): the number of tokens that may stand between two of them.
    RETURNS (Candidates): ordered by head, then tail.
    """
    starts = np.array([span.start for span in spans], dtype="int32")
    ends = np.array([span.end for span in spans], dtype="int32")
    kinds = np.array([span.label for span in spans], dtype="uint64")
    heads, tails = np.nonzero(~np.eye(len(spans), dtype=bool))
    between = np.maximum(starts[heads], starts[tails]) - np.minimum(ends[heads], ends[tails])
    near = between <= max_distance
    heads, tails = heads[near], tails[near]
    pairs = np.stack([starts[heads], ends[heads], starts[tails], ends[tails]], axis=1)
    return Candidates(pairs, np.stack([kinds[heads], kinds[tails]], axis=1))


def aligned_ents(example: Example) -> list[Span]:
    """The reference's entities on the tokens of ``example.predicted``, those that have a place."""
    spans: list[Span] = example.get_aligned_spans_y2x(example.reference.ents)
    return spans


def aligned_offsets(example: Example, offsets: Offsets) -> Offsets | None:
    """A span of the reference on the tokens of ``example.predicted``; None where that fails."""
    start, end = offsets
    found = example.get_aligned_spans_y2x([example.reference[start:end]], allow_overlap=True)
    return (found[0].start, found[0].end) if found else None


def target_rows(example: Example, found: Candidates, columns: Sequence[str]) -> Floats2d:
    """What the reference says of candidate pairs of ``example.predicted``.

    columns (Sequence[str]): the L labels, "no_relation" among them.
    RETURNS (Floats2d): shape (n_candidates, L): the rows of pairs that the reference lists, "no
        relation" for others; all zeros for pairs with labels that are no column, and for all pairs
        where the reference is not annotated.
    """
    rows = np.zeros((len(found), len(columns)), dtype="float32")
    gold = relations.of(example.reference)
    if gold is None:
        return rows
    rows[:, list(columns).index(NONE)] = 1.0
    number = {pair: i for i, pair in enumerate(found.tuples())}
    for pair, row in zip(
        aligned_pairs(example, gold.pairs), relations.with_columns(gold, columns), strict=True
    ):
        if pair in number:
            rows[number[pair]] = row
    return rows


def aligned_pairs(example: Example, pairs: Sequence[Pair]) -> list[Pair | None]:
    """Pairs of the reference on the tokens of ``example.predicted``; None where a span is lost."""
    spans = {span for pair in pairs for span in pair}
    place = {span: aligned_offsets(example, span) for span in spans}
    out: list[Pair | None] = []
    for head, tail in pairs:
        h, t = place[head], place[tail]
        out.append(None if h is None or t is None else (h, t))
    return out
