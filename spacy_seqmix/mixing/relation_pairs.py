"""RMix of SegMix (2023): a relation's arguments and label are mixed with those of another."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from ..annotation import relations
from ..annotation.layers import RELATIONS
from ..annotation.relations import Offsets, Pair
from ..types import MixPlan, Segment, SegmentMix, Strategy
from .partners import partners_in_pool, take_turns
from .segment_pool import Draw


class ChosenRelation(NamedTuple):
    """Row ``number`` of a doc's relations, to be paired with others of equal ``key``."""

    number: int
    pair: Pair
    key: Hashable
    text: tuple[str, str]


@dataclass(frozen=True)
class RelationPairs(Strategy):
    """See ``make_relation``."""

    draw: Draw
    same_type: bool = False
    both_ways: bool = False
    layer = RELATIONS

    @property
    def keeps_labels(self) -> bool:
        """Whether mixed docs have the labels of their parents, which stay hard."""
        return self.same_type

    def eligible(self, doc: Doc) -> bool:
        """Whether the doc has a relation that could be mixed."""
        return bool(self.choose(doc))

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        return "a relation between two spans that do not overlap"

    def choose(self, doc: Doc) -> list[ChosenRelation]:
        """The relations of a doc whose arguments do not overlap and have no whitespace tokens."""
        labels = relations.of(doc)
        if labels is None:
            return []
        chosen = []
        for number, (pair, row) in enumerate(zip(labels.pairs, labels.probs, strict=True)):
            (a, b), (c, d) = pair
            blank = any(token.is_space for token in (*doc[a:b], *doc[c:d]))
            if row.any() and not blank and (b <= c or d <= a):
                key = labels.labels[int(row.argmax())] if self.same_type else ()
                chosen.append(ChosenRelation(number, pair, key, (doc[a:b].text, doc[c:d].text)))
        return chosen

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans; no relation meets a partner twice. All docs come equally often."""
        own = [self.choose(doc) for doc in docs]
        deck = partners_in_pool(own, rng)

        def make(doc: int, one: ChosenRelation, partner: tuple[int, ChosenRelation]) -> MixPlan:
            return self._plan(doc, one, *partner, self.draw.weight(rng))

        for (plan,) in take_turns(own, deck, make, 1, rng):
            yield plan

    def _plan(
        self, doc: int, one: ChosenRelation, other: int, partner: ChosenRelation, lam: float
    ) -> MixPlan:
        def mix(ours: Offsets, theirs: Offsets) -> SegmentMix:
            return SegmentMix(Segment(doc, *ours), Segment(other, *theirs), lam)

        mixes = [mix(*sides) for sides in zip(one.pair, partner.pair, strict=True)]
        mixes.sort(key=lambda made: made.left.start)
        rows = (one.number, partner.number)
        return MixPlan(tuple(mixes), both_ways=False, layer=RELATIONS, relations=rows)


def make_relation(same_type: bool = False, alpha: float = 8.0, fold: bool = False) -> RelationPairs:
    """Create the relation strategy, RMix: a relation is mixed with one of another doc.

    Head is mixed with head and tail with tail, with one λ, and so is the distribution over labels.
    The entities of the doc keep their types, and its other relations their labels.

    same_type (bool): mix relations with the same label only, so that labels stay hard.
    alpha (float): of λ ~ Beta(α, α), the share of the doc's own relation.
    fold (bool): take λ or 1 − λ, whichever is larger.
    RETURNS (RelationPairs): a Strategy.
    RAISES (SeqMixError): S210 for values out of range.
    """
    return RelationPairs(Draw(1, alpha, fold), same_type)
