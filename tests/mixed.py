"""Plans and origins of one mixed segment, as most tests want them."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.tokens import Doc

from spacy_seqmix import MixPlan, Segment, SegmentMix
from spacy_seqmix.annotation.provenance import Origin, Part, get_origin


def plan_of(left: Segment, right: Segment, lam: float, both_ways: bool = True) -> MixPlan:
    return MixPlan((SegmentMix(left, right, lam),), both_ways)


def origin_of(start: int, end: int, words: Sequence[str], weight: float = 0.5) -> Origin:
    """Of a doc "aa" whose window was mixed with the beginning of a doc "bb"."""
    part = Part(start, end, start, end, "bb", 0, end - start, weight, tuple(words))
    return Origin("aa", (part,))


def part_of(doc: Doc) -> Part:
    """The only mixed segment of a doc."""
    origin = get_origin(doc)
    assert origin is not None
    (part,) = origin.parts
    return part


def mix_of(plan: MixPlan) -> SegmentMix:
    """The only mix of a plan."""
    (mix,) = plan.mixes
    return mix
