"""What the batteries of registered functions share."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

POLICIES = (
    ("spacy-seqmix.RandomPolicy.v1", {}),
    ("spacy-seqmix.NTE.v1", {}),
    ("spacy-seqmix.LeastConfidence.v1", {}),
    ("spacy-seqmix.LeastConfidence.v1", {"mode": "mean"}),
    ("spacy-seqmix.LeastConfidence.v1", {"mode": "path"}),
    ("spacy-seqmix.Margin.v1", {}),
    ("spacy-seqmix.Margin.v1", {"mode": "smallest"}),
    ("spacy-seqmix.MNLP.v1", {}),
    ("spacy-seqmix.QBC.v1", {}),
    ("spacy-seqmix.QBC.v1", {"mode": "kl"}),
    ("spacy-seqmix.BALD.v1", {}),
)


@pytest.fixture(autouse=True)
def global_random_state() -> Iterator[None]:
    """Nothing that is registered draws from, or seeds, the global generators."""
    import torch

    def state():
        numbers = np.random.get_state()[1].tolist()
        return numbers, random.getstate(), torch.get_rng_state().tolist()

    before = state()
    yield
    assert state() == before


@contextmanager
def global_draws() -> Iterator[None]:
    """Let layers that are not ours draw from the global generators, which are then set back."""
    import torch

    numbers, state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_state(numbers)
    random.setstate(state)


def rng(seed: int = 0) -> np.random.Generator:
    """A private generator."""
    return np.random.default_rng(seed)
