"""What the batteries of registered functions share."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import spacy
from spacy.util import registry

from spacy_seqmix.query.policies import QueryPolicy

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
    ("spacy-seqmix.TagCount.v1", {}),
    ("spacy-seqmix.TokenCost.v1", {}),
    ("spacy-seqmix.TokenCost.v1", {"policy": {"@misc": "spacy-seqmix.Margin.v1"}}),
    ("spacy-seqmix.Fluctuation.v1", {"policy": {"@misc": "spacy-seqmix.NTE.v1"}}),
    (
        "spacy-seqmix.Fluctuation.v1",
        {
            "policy": {
                "@misc": "spacy-seqmix.TokenCost.v1",
                "policy": {"@misc": "spacy-seqmix.QBC.v1"},
            }
        },
    ),
)


def policy_of(name: str, settings: dict[str, object]) -> QueryPolicy:
    """Build a policy as a config does."""
    return registry.resolve({"policy": {"@misc": name, **settings}})["policy"]


# With the settings that the short samples take.
WINDOWS = {
    "spacy-seqmix.SubSequence.v1": {"density": 0.2, "window": 2},
    "spacy-seqmix.WholeSequence.v1": {"density": 0.2},
    "spacy-seqmix.LabelConstrained.v1": {"density": 0.2, "window": 2},
}
POOLS = {
    "spacy-seqmix.Mention.v1": {},
    "spacy-seqmix.Token.v1": {"outside": False},
    "spacy-seqmix.MentionReplacement.v1": {},
}
SYNONYM, RELATION = "spacy-seqmix.Synonym.v1", "spacy-seqmix.Relation.v1"
# A synonym strategy takes a lexicon too.
STRATEGIES = {**WINDOWS, **POOLS, SYNONYM: {"segments": 2}, RELATION: {}}
TABLES = (
    "spacy-seqmix.PieceTable.v1",
    "spacy-seqmix.WordTable.v1",
    "spacy-seqmix.ContextualTable.v1",
    "spacy-seqmix.VectorsTable.v1",
)
NEAREST, INTERPOLATED = "spacy-seqmix.NearestToken.v1", "spacy-seqmix.Interpolated.v1"
# Each with a table it looks words up in, where it does.
REALISERS = (*((NEAREST, table) for table in TABLES), (INTERPOLATED, None))


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


def table_source(name, docs, encoder_dir, tmp_path):
    """Settings of a table: where its vectors come from."""
    if name != "spacy-seqmix.VectorsTable.v1":
        return {"encoder": str(encoder_dir)}
    nlp = spacy.blank("xx")
    for i, word in enumerate(sorted({t.text for doc in docs for t in doc})):
        nlp.vocab.set_vector(word, rng(i).normal(size=8).astype("float32"))
    nlp.to_disk(tmp_path)
    return {"vectors": str(tmp_path)}
