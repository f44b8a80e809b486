"""Copies of docs as they are: what more training on the same docs does without any mixing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from spacy.tokens import Doc

from .. import soft_labels
from ..errors import Errors, SeqMixError
from ..layers import ENTS, check_layer, is_iob
from ..types import MixPlan, Segment, SegmentMix


@dataclass(frozen=True)
class Duplication:
    """See ``make_duplication``."""

    min_labels: int = 0
    layer: str = ENTS
    keeps_labels: ClassVar[bool] = True
    replaces: ClassVar[bool] = True
    copies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_layer(self.layer)
        if self.min_labels < 0:
            raise SeqMixError(Errors.E210.format(what="min_labels >= 0", value=self.min_labels))

    def eligible(self, doc: Doc) -> bool:
        """Whether the doc is annotated, and has enough valid labels."""
        tags = [tag for tag in soft_labels.hard_tags(doc, self.layer) if tag is not None]
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


def make_duplication(min_labels: int = 0, layer: str = ENTS) -> Duplication:
    """Create a strategy that mixes nothing: it copies docs, each at most once.

    A control: what mixing gains over it, it does not gain by training for longer, or on a chosen
    part of the docs more often. A rate above 1 cannot be reached. Over docs with a model's labels
    (``mix_set = "pool"``) it is self-training.

    min_labels (int): only docs with so many tokens that have a valid label.
    layer (str): docs with a label there are copied: "ents", "tags" or "spans:KEY".
    RETURNS (Duplication): a Strategy; take it with the realiser "spacy-seqmix.Interpolated.v1".
    RAISES (SeqMixError): S210 for less than none, S217 for an unknown layer.
    """
    return Duplication(min_labels, layer)
