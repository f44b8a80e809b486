"""The types that pass between the rooms of the package: frozen, small, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

Floats1d: TypeAlias = NDArray[np.float32]
Floats2d: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class SoftLabels:
    """A distribution over tags for every token of a Doc.

    labels (tuple[str, ...]): L tag names, IOB2 ("O", "B-PER", "I-PER", ...) but in the layer of a
        tagger's tags.
    probs (Floats2d): shape (n_tokens, L); every row sums to 1, or is all zeros where the
        annotation is missing.
    layer (str): the annotation that they are of: "ents", "tags" or "spans:KEY".
    """

    labels: tuple[str, ...]
    probs: Floats2d
    layer: str = "ents"


@dataclass(frozen=True)
class Segment:
    """Tokens ``start`` to ``end`` (exclusive) of document number ``doc`` of a batch."""

    doc: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class SegmentMix:
    """Two segments and the weight ``lam`` in [0, 1] of the left one.

    words (tuple[str, ...] | None): what is mixed in instead of the right segment's own words: a
        synonym, whose labels are those of the segment.
    """

    left: Segment
    right: Segment
    lam: float
    words: tuple[str, ...] | None = None


@dataclass(frozen=True)
class MixPlan:
    """What becomes of one doc: the left segments are mixed with the right ones.

    mixes (tuple[SegmentMix, ...]): at least one; their left segments lie in one doc, in order and
        apart.
    both_ways (bool): whether the one mixed segment takes the place of either in turn, which gives
        two candidates, or of the left one alone.
    layer (str): whose labels are mixed: "ents", "tags", "spans:KEY" or "relations".
    relations (tuple[int, int] | None): of that last layer: which relation of the left doc is mixed
        with which of the right one; both have one λ.
    """

    mixes: tuple[SegmentMix, ...]
    both_ways: bool = True
    layer: str = "ents"
    relations: tuple[int, int] | None = None


@dataclass(frozen=True)
class Verdict:
    """What a discriminator found in one doc.

    perplexity (float): exp of the mean negative log-likelihood of the language model's tokens.
    window_nats (float | None): the summed negative log-likelihood (nats) of the mixed window in
        its context, over the number of words in it; None where the doc has no mixed window.
    keep (bool): whether every range that is set holds.
    """

    perplexity: float
    window_nats: float | None
    keep: bool


Strategy: TypeAlias = Callable[[Sequence[Doc], np.random.Generator], Iterator[MixPlan]]
Realiser: TypeAlias = Callable[[Sequence[Doc], Sequence[MixPlan]], list[Doc]]
Discriminator: TypeAlias = Callable[[Sequence[Doc]], list[Verdict]]
TokenProbs: TypeAlias = list[Floats2d]
# Perplexity, nats a word of the mixed window, whether the doc was kept.
Judged: TypeAlias = tuple[float, float | None, bool]
Oracle: TypeAlias = Callable[[Sequence[Doc]], list[Doc]]
