"""Oracles label docs."""

from collections.abc import Sequence

from spacy.tokens import Doc
from spacy.util import registry

from ..types import Oracle


def gold(docs: Sequence[Doc]) -> list[Doc]:
    """The docs as they are: the pool's own annotation, for simulations."""
    return list(docs)


@registry.misc("spacy-seqmix.GoldOracle.v1")
def make_gold_oracle() -> Oracle:
    """Create the oracle that reveals the annotation which the pool already has."""
    return gold
