"""Eligible segments: windows and whole sequences dense in valid labels."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotation import soft_labels
from ..annotation.layers import ENTS, check_layer, is_iob
from ..errors import Errors, SeqMixError
from ..types import Strategy

# Densities are ratios of small integers: 3/5 must pass 0.6 whatever the rounding.
TOLERANCE = 1e-6
# Of λ ~ Beta(α, α): beyond it λ is one half, and the numbers overflow in the end.
MAX_ALPHA = 1e6

Numbers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


class Chosen(NamedTuple):
    """Tokens ``start`` to ``end`` (exclusive) of a doc, to be paired with others of equal ``key``
    whose sequence has another ``text``."""

    start: int
    end: int
    key: Hashable
    text: str


class Chooser(Protocol):
    """The segments of a doc that may be mixed, as windows, mentions or words."""

    @property
    def layer(self) -> str:
        """The layer of annotation whose labels count."""

    def __call__(self, doc: Doc) -> list[Chosen]:
        """The eligible segments of a labelled doc, in order of their start."""

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""


class ChoosingStrategy(Strategy):
    """A strategy over the segments that ``choose`` gives: a doc that has one is eligible."""

    choose: Chooser

    @property
    def layer(self) -> str:
        """The layer of annotation whose labels are mixed."""
        return self.choose.layer

    def eligible(self, doc: Doc) -> bool:
        """Whether the doc has a segment that could be mixed."""
        return bool(self.choose(doc))

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        return self.choose.describe()


@dataclass(frozen=True)
class Windows:
    """The windows of a doc: of ``size`` tokens, inside one sentence.

    size (int): s, in tokens.
    density (float): η0, in [0, 1].
    keep_entities (bool): leave out windows that begin or end inside an entity.
    same_tags (bool): pair windows of equal tag sequences only, and so leave out those with a
        truly soft label.
    layer (str): whose labels count, "ents", "tags" or "spans:KEY".
    """

    size: int = 5
    density: float = 0.6
    keep_entities: bool = False
    same_tags: bool = False
    layer: str = ENTS

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SeqMixError(Errors.E210.format(what="window >= 1", value=self.size))
        _check_density(self.density)
        check_layer(self.layer)

    def __call__(self, doc: Doc) -> list[Chosen]:
        """The eligible windows of a labelled doc, in order of their start."""
        starts = np.arange(len(doc) - self.size + 1)
        ok = dense(doc, starts, starts + self.size, self.density, self.layer)
        if not ok.any():
            return []
        if self.keep_entities or self.same_tags:
            tags = soft_labels.hard_tags(doc, self.layer)
            if self.keep_entities and is_iob(self.layer):
                ok &= ~cut(tags, starts, starts + self.size)
            if self.same_tags:
                ok &= _sums(~_is_hard(doc, tags, self.layer), starts, starts + self.size) == 0
        text = doc.text
        return [
            Chosen(i, i + self.size, tuple(tags[i : i + self.size]) if self.same_tags else (), text)
            for i in starts[ok].tolist()
        ]

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        rules = [f"at least {self.density:.0%} valid labels"]
        rules += ["no soft labels"] * self.same_tags + ["no cut entity"] * self.keep_entities
        return f"a window of {self.size} tokens with {', '.join(rules)}{_where(self.layer)}"


@dataclass(frozen=True)
class Sequences:
    """The sentences of a doc, or the whole doc if it has no boundaries; paired by length.

    Whitespace tokens at either end of a sentence do not belong to it.

    density (float): η0, in [0, 1].
    layer (str): whose labels count, as for windows.
    min_labels (int): the fewest tokens with a valid label, whatever the length.
    """

    density: float = 0.6
    layer: str = ENTS
    min_labels: int = 0

    def __post_init__(self) -> None:
        _check_density(self.density)
        check_layer(self.layer)
        if self.min_labels < 0:
            raise SeqMixError(Errors.E210.format(what="min_labels >= 0", value=self.min_labels))

    def __call__(self, doc: Doc) -> list[Chosen]:
        """The eligible sequences of a labelled doc, in order."""
        blank = [t.is_space for t in doc]
        borders = [0, *np.flatnonzero(_sent_starts(doc)).tolist(), len(doc)]
        starts, ends = [], []
        for start, end in pairwise(borders):
            while start < end and blank[start]:
                start += 1
            while start < end and blank[end - 1]:
                end -= 1
            if start < end:
                starts.append(start)
                ends.append(end)
        first, last = np.array(starts, dtype="int64"), np.array(ends, dtype="int64")
        ok = dense(doc, first, last, self.density, self.layer, self.min_labels)
        if not ok.any():
            return []
        # An entity across a boundary would leave its other part without a beginning.
        if is_iob(self.layer):
            ok &= ~cut(soft_labels.hard_tags(doc, self.layer), first, last)
        return [
            Chosen(start, end, end - start, doc[start:end].text)
            for start, end, fits in zip(starts, ends, ok, strict=True)
            if fits
        ]

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        fewest = f", {self.min_labels} or more" if self.min_labels else ""
        rule = f"at least {self.density:.0%} valid labels{fewest}"
        return f"a sentence with {rule}{_where(self.layer)}"


def _where(layer: str) -> str:
    """The layer and its conditions, for messages."""
    if layer == ENTS:
        return ""
    rule = ", where docs need the key and spans that do not overlap" if is_iob(layer) else ""
    return f" in the layer '{layer}'{rule}"


def dense(
    doc: Doc,
    starts: Numbers,
    ends: Numbers,
    density: float,
    layer: str = ENTS,
    min_labels: int = 0,
) -> Mask:
    """Select the segments of a doc with a sufficient density of valid labels.

    SeqMix, section 3.2: η = n / s with n valid labels (any tag but O; a soft label counts with
    its mass off O) in s tokens, eligible when η ≥ η0. Segments with a token that is not annotated
    or is whitespace are not, and neither are those across a sentence boundary.

    doc (Doc): a labelled doc.
    starts, ends (Numbers): the segments, none empty; ends are exclusive.
    density (float): η0, in [0, 1].
    layer (str): whose labels count. Those of a tagger are all valid.
    min_labels (int): the least n.
    RETURNS (Mask): one truth value a segment.
    """
    if not len(starts):
        return np.zeros(0, dtype=bool)
    soft = soft_labels.of(doc, layer)
    unusable = soft_labels.is_missing(soft) | np.array([t.is_space for t in doc])
    outside = soft.probs[:, soft.labels.index("O")] if is_iob(layer) else 0.0
    valid = np.where(unusable, 0.0, 1.0 - outside)
    n_valid = _sums(valid, starts, ends)
    ok = n_valid / (ends - starts) >= density - TOLERANCE
    ok &= n_valid >= min_labels - TOLERANCE
    ok &= _sums(unusable, starts, ends) == 0
    # A sentence may start at the first token, not inside.
    ok &= _sums(_sent_starts(doc), starts + 1, ends) == 0
    return np.asarray(ok)


def cut(tags: list[str | None], starts: Numbers, ends: Numbers) -> Mask:
    """Select the segments that begin or end inside an entity.

    tags (list[str | None]): valid IOB2, one a token, None where annotation is missing.
    """
    goes_on = np.array([tag is not None and tag.startswith("I-") for tag in [*tags, None]])
    return np.asarray(goes_on[starts] | goes_on[ends])


def _is_hard(doc: Doc, tags: list[str | None], layer: str) -> Mask:
    """Which tokens have their tag with probability 1, so that mixing equal tags keeps it."""
    soft = soft_labels.of(doc, layer)
    column = {tag: i for i, tag in enumerate(soft.labels)}
    # A missing row has no tag, and zeros in every column.
    chosen = [0 if tag is None else column[tag] for tag in tags]
    rows = soft.probs[np.arange(len(tags)), chosen]
    return np.asarray(rows >= 1.0 - soft_labels.TOLERANCE)


def _sent_starts(doc: Doc) -> Mask:
    return np.array([t.is_sent_start is True for t in doc], dtype=bool)


def _sums(values: NDArray[Any], starts: Numbers, ends: Numbers) -> NDArray[np.float64]:
    """The sum of values over each segment, by differences of running totals."""
    totals = np.concatenate([[0.0], np.cumsum(values, dtype="float64")])
    return np.asarray(totals[ends] - totals[starts])


def check_alpha(alpha: float) -> None:
    """RAISES (SeqMixError): S210 for an α for which λ ~ Beta(α, α) can't be drawn."""
    if not 0.0 < alpha <= MAX_ALPHA:
        what = f"alpha > 0 and at most {MAX_ALPHA:g}"
        raise SeqMixError(Errors.E210.format(what=what, value=alpha))


def _check_density(density: float) -> None:
    if not 0.0 <= density <= 1.0:
        raise SeqMixError(Errors.E210.format(what="density in [0, 1]", value=density))
