"""Selection by score."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_seqmix.query.selection import ranked

SCORES = st.lists(st.integers(0, 4), max_size=20)


def pick(scores, budget, seed=0):
    pool = [10 + i for i in range(len(scores))]
    return ranked(np.array(scores, dtype="float32"), pool, np.random.default_rng(seed))[:budget]


def test_ranked_takes_the_highest_first():
    assert pick([0.1, 0.9, -np.inf, 0.5], 2) == [11, 13]
    assert pick([0.1, 0.9, -np.inf, 0.5], 9) == [11, 13, 10, 12]
    assert pick([], 3) == []
    assert pick([1.0], 0) == []


@given(scores=SCORES, budget=st.integers(0, 25), seed=st.integers(0, 5))
def test_ranked_leaves_out_nothing_better(scores, budget, seed):
    found = pick(scores, budget, seed)
    assert len(found) == len(set(found)) == min(budget, len(scores))
    kept = [scores[i - 10] for i in found]
    assert kept == sorted(scores, reverse=True)[: len(found)]
    assert found == pick(scores, budget, seed)


def test_ranked_breaks_ties_at_random():
    firsts = [pick([1.0, 1.0, 1.0, 0.0], 1, seed)[0] for seed in range(300)]
    counts = [firsts.count(10 + i) for i in range(4)]
    assert counts[3] == 0
    assert min(counts[:3]) > 60
