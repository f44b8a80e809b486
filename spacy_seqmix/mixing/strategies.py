"""SeqMix's strategies, which choose pairs of segments and draw λ, and the control duplication."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc

from ..annotation import soft_labels
from ..annotation.layers import ENTS, check_layer, is_iob
from ..errors import Errors, SeqMixError
from ..types import MixPlan, PlanFunction, Segment, SegmentMix, Strategy
from .pairs import SegmentIndex, index_segments
from .segments import ChoosingStrategy, Sequences, Windows, check_alpha

WINDOWS, DOCS = "windows", "docs"


@dataclass(frozen=True)
class FunctionStrategy(Strategy):
    """A plain function as a strategy, with the defaults of the protocol."""

    plan: PlanFunction

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield the function's plans."""
        return iter(self.plan(docs, rng))


def as_strategy(strategy: Strategy | PlanFunction) -> Strategy:
    """Return a strategy as it is, and a plain function with the defaults of ``Strategy``.

    RAISES (SeqMixError): S212 for other objects, and for one with a part of the protocol only,
        whose own ``eligible`` must not be ignored in silence.
    """
    if isinstance(strategy, Strategy):
        return strategy
    partly = any(hasattr(strategy, name) for name in dir(Strategy) if not name.startswith("_"))
    if partly or not callable(strategy):
        what = "a strategy (derive yours from spacy_seqmix.types.Strategy), or a function "
        raise SeqMixError(Errors.E212.format(what=f"{what}(docs, rng) -> plans, not {strategy!r}"))
    return FunctionStrategy(strategy)


@dataclass(frozen=True)
class SegmentPairs(ChoosingStrategy):
    """A strategy of SeqMix (EMNLP 2020, section 3.2).

    choose (Windows | Sequences): chooses the segments of a doc that may be paired, each with the
        key that both sides of a pair share.
    alpha (float): α of λ ~ Beta(α, α), Eq. 6.
    both_ways (bool): whether the mixed segment is put into both parents, or into one.
    uniform_over (str): "windows" or "docs": all pairs of these are equally likely.
    """

    choose: Windows | Sequences
    alpha: float = 8.0
    both_ways: bool = True
    uniform_over: str = WINDOWS

    def __post_init__(self) -> None:
        if self.uniform_over not in (WINDOWS, DOCS):
            what = f"uniform_over '{WINDOWS}' or '{DOCS}'"
            raise SeqMixError(Errors.E210.format(what=what, value=repr(self.uniform_over)))
        check_alpha(self.alpha)

    @property
    def keeps_labels(self) -> bool:
        """Whether mixed docs have the labels of their parents, which stay hard."""
        return isinstance(self.choose, Windows) and self.choose.same_tags

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans without repeating a pair, until the pairs run out.

        One linear pass indexes the segments; the time of a draw does not grow with their number.
        """
        yield from self.draw(index_segments(docs, self.choose), rng)

    def draw(self, index: SegmentIndex, rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans over segments that are indexed already."""
        draw = index.draw_over_docs if self.uniform_over == DOCS else index.draw
        for left, right in draw(rng):
            lam = float(rng.beta(self.alpha, self.alpha))
            yield MixPlan((SegmentMix(left, right, lam),), self.both_ways, self.layer)


@dataclass(frozen=True)
class Duplication(Strategy):
    """See ``make_duplication``."""

    min_labels: int = 0
    layer: str = ENTS
    keeps_labels = True
    replaces = True
    copies = True

    def __post_init__(self) -> None:
        check_layer(self.layer)
        if self.min_labels < 0:
            raise SeqMixError(Errors.E210.format(what="min_labels >= 0", value=self.min_labels))

    def eligible(self, doc: Doc) -> bool:
        """Whether the doc is annotated, and has enough valid labels."""
        tags = [
            tag
            for token, tag in zip(doc, soft_labels.hard_tags(doc, self.layer), strict=True)
            if tag is not None and not token.is_space
        ]
        n_valid = sum(not is_iob(self.layer) or tag != "O" for tag in tags)
        return bool(tags) and n_valid >= self.min_labels

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        valid = f", on {self.min_labels} tokens or more" if self.min_labels else ""
        return f"labels in the layer '{self.layer}'{valid}"

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield every doc once, in random order, with all the weight on itself."""
        for number in rng.permutation(len(docs)).tolist():
            if self.eligible(docs[number]):
                whole = Segment(number, 0, len(docs[number]))
                yield MixPlan((SegmentMix(whole, whole, 1.0),), both_ways=False, layer=self.layer)


def make_sub_sequence(
    window: int = 5,
    density: float = 0.6,
    alpha: float = 8.0,
    keep_entities: bool = False,
    layer: str = ENTS,
    uniform_over: str = WINDOWS,
) -> SegmentPairs:
    """Create the sub-sequence strategy: two dense windows of equal length.

    window (int): s, the length of a window in tokens.
    density (float): η0, the least share of valid labels in a window.
    alpha (float): α of λ ~ Beta(α, α); large values keep λ near one half.
    keep_entities (bool): leave out windows that begin or end inside an entity, unlike the paper.
    layer (str): whose labels are mixed: "ents", "tags" (of a tagger; all of them are valid), or
        "spans:KEY" (of a span categoriser; docs whose spans overlap are not mixed).
    uniform_over (str): "windows": all pairs of windows are equally likely, so that docs with many
        windows are mixed often; or "docs": all pairs of docs with windows are.
    RETURNS (SegmentPairs): a Strategy.
    RAISES (SeqMixError): S210 for values out of range, S217 for an unknown layer.
    """
    choose = Windows(window, density, keep_entities, layer=layer)
    return SegmentPairs(choose, alpha, uniform_over=uniform_over)


def make_whole_sequence(
    density: float = 0.6, alpha: float = 8.0, layer: str = ENTS, min_labels: int = 0
) -> SegmentPairs:
    """Create the whole-sequence strategy: two dense sequences of the same length.

    A sequence is a sentence where boundaries are known, and otherwise the whole doc. The mixture
    replaces one of the two: there is one candidate per plan, not two.

    min_labels (int): the fewest tokens with a valid label on both sides, beside the density. The
        code of SeqMix's authors asks for three, at any density.
    Other arguments, result and errors as in ``make_sub_sequence``.
    """
    return SegmentPairs(Sequences(density, layer, min_labels), alpha, both_ways=False)


def make_label_constrained(
    window: int = 5,
    density: float = 0.6,
    alpha: float = 8.0,
    keep_entities: bool = True,
    layer: str = ENTS,
    uniform_over: str = WINDOWS,
) -> SegmentPairs:
    """Create the label-constrained strategy: two dense windows with the same tag sequence.

    Both windows have the same hard IOB2 tags, so the mixture has them too: labels stay hard.

    Arguments, result and errors as in ``make_sub_sequence``.
    """
    choose = Windows(window, density, keep_entities, True, layer)
    return SegmentPairs(choose, alpha, uniform_over=uniform_over)


def make_duplication(min_labels: int = 0, layer: str = ENTS) -> Duplication:
    """Create a strategy that mixes nothing: it copies docs, each at most once.

    A control: training is longer, or repeats a chosen part of the docs, without mixing. Rates above
    1 cannot be reached. Over docs with a model's labels (``mix_set = "pool"``) this is
    self-training.

    min_labels (int): copy only docs with at least this many tokens with a valid label.
    layer (str): the layer of these labels: "ents", "tags" or "spans:KEY".
    RETURNS (Duplication): a Strategy; use it with the realiser "spacy-seqmix.Interpolated.v1".
    RAISES (SeqMixError): S210 for a negative number, S217 for an unknown layer.
    """
    return Duplication(min_labels, layer)
