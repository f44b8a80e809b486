"""Query policies: small functions from token probabilities to how much a doc is wanted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..types import Floats1d, TokenProbs


@dataclass(frozen=True)
class QueryPolicy:
    """A policy and what it needs.

    score (Callable): (probabilities, generator) -> Floats1d (n_docs,), higher is more wanted.
    needs_probs (bool): whether the pool must be scored first; if not, the arrays may be empty.
    """

    score: Callable[[TokenProbs, np.random.Generator], Floats1d]
    needs_probs: bool = True

    def __call__(self, probs: TokenProbs, rng: np.random.Generator) -> Floats1d:
        return self.score(probs, rng)


def random_scores(probs: TokenProbs, rng: np.random.Generator) -> Floats1d:
    """Uniform scores: a random sample."""
    return rng.random(len(probs), dtype="float32")


def normalised_token_entropy(probs: TokenProbs, rng: np.random.Generator) -> Floats1d:
    """NTE (SeqMix, Eq. 3): −1/T Σ_t Σ_m p_tm log p_tm, in nats per token.

    A doc without tokens is never wanted.
    """
    return np.array([_entropy(p) if len(p) else -np.inf for p in probs], dtype="float32")


def make_random_policy() -> QueryPolicy:
    """Create the policy that draws at random and needs no model."""
    return QueryPolicy(random_scores, needs_probs=False)


def make_nte_policy() -> QueryPolicy:
    """Create the policy of normalised token entropy (SeqMix, Eq. 3)."""
    return QueryPolicy(normalised_token_entropy)


def _entropy(p: Floats1d) -> float:
    return float(-(p * np.log(np.maximum(p, 1e-30))).sum() / len(p))
