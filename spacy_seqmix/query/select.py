"""Selectors pick docs from their scores."""

from collections.abc import Sequence

import numpy as np

from ..types import Floats1d


def top_k(
    scores: Floats1d, pool: Sequence[int], budget: int, rng: np.random.Generator
) -> list[int]:
    """The docs with the highest scores; ties are broken at random.

    scores (Floats1d): shape (n_docs,), higher is more wanted.
    pool (Sequence[int]): the id of each doc.
    budget (int): how many docs to pick; fewer come when the pool is smaller.
    RETURNS (list[int]): ids, the most wanted first.
    """
    shuffled = rng.permutation(len(pool))
    order = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    return [pool[int(i)] for i in order[:budget]]
