"""SegMix: each doc's own segments are mixed with ones drawn from a pool over all docs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from spacy.tokens import Doc

from ..annotation import soft_labels
from ..annotation.iob import spans_of
from ..annotation.layers import ENTS, check_layer, is_iob
from ..errors import Errors, SeqMixError
from ..types import MixPlan, Segment, SegmentMix
from .partners import partners_in_pool, take_turns
from .segments import ChoosingStrategy, Chosen, check_alpha, dense

# A segment to mix with, and the words to mix in where they are not those of that segment.
Partner: TypeAlias = tuple[Segment, tuple[str, ...] | None]
# The partners of one segment of a doc, each once, in random order.
Deck: TypeAlias = Callable[[int, Chosen], Iterator[Partner]]


@dataclass(frozen=True)
class Mentions:
    """The mentions of a doc: entities, or spans of a layer "spans:KEY".

    same_type (bool): pair mentions with the same label only, so that labels stay hard.
    """

    same_type: bool = False
    layer: str = ENTS

    def __post_init__(self) -> None:
        if not is_iob(check_layer(self.layer)):
            raise SeqMixError(Errors.E248.format(layer=self.layer))

    def __call__(self, doc: Doc) -> list[Chosen]:
        """The mentions of a labelled doc in their order."""
        tags = soft_labels.hard_tags(doc, self.layer)
        mentions = spans_of([tag or "O" for tag in tags])
        if not mentions:
            return []
        starts, ends = np.array([(start, end) for start, end, _ in mentions]).T
        usable = dense(doc, starts, ends, 0.0, self.layer)
        return [
            Chosen(start, end, label if self.same_type else (), doc[start:end].text)
            for (start, end, label), ok in zip(mentions, usable, strict=True)
            if ok
        ]

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        return f"a mention in the layer '{self.layer}'"


@dataclass(frozen=True)
class Tokens:
    """The words of a doc: tokens with a letter or a digit.

    same_type (bool): pair words with the same tag only, so that labels stay hard.
    outside (bool): include words with the tag "O".
    """

    same_type: bool = False
    outside: bool = True
    layer: str = ENTS

    def __post_init__(self) -> None:
        check_layer(self.layer)

    def __call__(self, doc: Doc) -> list[Chosen]:
        """The words of a labelled doc in their order."""
        tags = soft_labels.hard_tags(doc, self.layer)
        return [
            Chosen(token.i, token.i + 1, tag if self.same_type else (), token.text)
            for token, tag in zip(doc, tags, strict=True)
            if tag is not None and (self.outside or tag != "O") and is_word(token.text)
        ]

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        where = "" if self.outside else " with a tag other than O"
        return f"a labelled word{where} in the layer '{self.layer}'"


@dataclass(frozen=True)
class Draw:
    """Settings of a draw: the number of segments and their weights.

    segments (int): the most segments of a doc that are mixed; 0 for all.
    alpha (float): α of λ ~ Beta(α, α).
    fold (bool): take λ or 1 − λ, whichever is larger.
    replace (bool): λ = 0.
    """

    segments: int = 1
    alpha: float = 8.0
    fold: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if self.segments < 0:
            raise SeqMixError(Errors.E210.format(what="segments >= 0", value=self.segments))

    def weight(self, rng: np.random.Generator) -> float:
        """Draw λ, the share of the doc's own segment."""
        if self.replace:
            return 0.0
        lam = float(rng.beta(self.alpha, self.alpha))
        return max(lam, 1.0 - lam) if self.fold else lam


@dataclass(frozen=True)
class PooledSegments(ChoosingStrategy):
    """A strategy of SegMix over a pool of segments.

    choose (Mentions | Tokens): chooses the segments of a doc, each with the key that both sides of
        a pair share.
    """

    choose: Mentions | Tokens
    draw: Draw
    both_ways: bool = False

    @property
    def replaces(self) -> bool:
        """Whether segments are replaced whole, so that no embeddings are mixed."""
        return self.draw.replace

    @property
    def keeps_labels(self) -> bool:
        """Whether mixed docs have the labels of their parents, which stay hard."""
        return self.draw.replace or self.choose.same_type

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans; no segment gets the same partner twice. All docs come equally often.

        One linear pass makes the segment pool; the time of a draw does not grow with it.
        """
        own = [self.choose(doc) for doc in docs]
        partners = partners_in_pool(own, rng)

        def deck(number: int, chosen: Chosen) -> Iterator[Partner]:
            for other, partner in partners(number, chosen):
                yield Segment(other, partner.start, partner.end), None

        yield from draw_plans(own, deck, self.draw, self.layer, rng)


def draw_plans(
    own: Sequence[Sequence[Chosen]], deck: Deck, draw: Draw, layer: str, rng: np.random.Generator
) -> Iterator[MixPlan]:
    """Yield plans for docs in random order, pass after pass, until no segment has a partner left.

    own (Sequence[Sequence[Chosen]]): the segments of each doc, which do not overlap.
    """

    def make(number: int, chosen: Chosen, partner: Partner) -> SegmentMix:
        segment = Segment(number, chosen.start, chosen.end)
        return SegmentMix(segment, partner[0], draw.weight(rng), partner[1])

    for mixes in take_turns(own, deck, make, draw.segments, rng):
        mixes.sort(key=lambda mix: mix.left.start)
        yield MixPlan(tuple(mixes), both_ways=False, layer=layer)


def is_word(text: str) -> bool:
    """Whether a token has a letter or a digit."""
    return any(char.isalnum() for char in text)


def make_mention(
    same_type: bool = False,
    segments: int = 1,
    alpha: float = 8.0,
    fold: bool = False,
    layer: str = ENTS,
) -> PooledSegments:
    """Create the mention strategy, MMix: mentions are mixed with mentions of other docs.

    Mentions may differ in length: the realiser handles the rest of the longer one.

    same_type (bool): mix mentions with the same label only, so that labels stay hard.
    segments (int): the most mentions of a doc that are mixed; 0 for all.
    alpha (float): α of λ ~ Beta(α, α), the share of the doc's own mention.
    fold (bool): use the larger of λ and 1 − λ, so that the doc's own mention prevails.
    layer (str): "ents", or "spans:KEY" of a span categoriser (docs whose spans overlap are not
        mixed).
    RETURNS (PooledSegments): a Strategy.
    RAISES (SeqMixError): S210 for values out of range, S217 for an unknown layer, S248 for one
        without mentions.
    """
    draw = Draw(segments, alpha, fold)
    return PooledSegments(Mentions(same_type, layer), draw)


def make_token(
    same_type: bool = False,
    outside: bool = True,
    segments: int = 1,
    alpha: float = 8.0,
    fold: bool = False,
    layer: str = ENTS,
) -> PooledSegments:
    """Create the token strategy, TMix: single words are mixed with words of other docs.

    outside (bool): include words with the tag "O", not only those in entities.
    layer (str): "ents", "tags" or "spans:KEY".

    Other arguments, result and errors as in ``make_mention``, for words instead of mentions;
    ``same_type`` compares IOB2 tags.
    """
    draw = Draw(segments, alpha, fold)
    return PooledSegments(Tokens(same_type, outside, layer), draw)


def make_mention_replacement(segments: int = 1, layer: str = ENTS) -> PooledSegments:
    """Create mention replacement: mentions are replaced by others with the same label (λ = 0).

    Nothing is mixed, and labels stay hard: this is the baseline that mixing has to beat.

    Arguments, result and errors as in ``make_mention``.
    """
    return PooledSegments(Mentions(True, layer), Draw(segments, replace=True))
