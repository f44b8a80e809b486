"""Oracles label docs."""

from collections.abc import Sequence

from spacy.tokens import Doc

from ..types import Oracle


def gold(docs: Sequence[Doc]) -> list[Doc]:
    """The docs as they are: the pool's own annotation, for simulations."""
    return list(docs)


def make_gold_oracle() -> Oracle:
    """Create the oracle that reveals the annotation which the pool already has."""
    return gold
