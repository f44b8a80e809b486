"""Query policies, by hand."""

import math

import numpy as np
import pytest

from spacy_seqmix.query.policies import make_nte_policy, make_random_policy

RNG = np.random.default_rng(0)


def probs(*rows):
    return np.array(rows, dtype="float32").reshape(len(rows), -1)


def test_nte_by_hand():
    docs = [
        probs([1.0, 0.0], [1.0, 0.0]),
        probs([0.5, 0.5], [1.0, 0.0]),
        probs([0.5, 0.5]),
        probs([0.25, 0.75], [0.5, 0.5], [0.9, 0.1]),
    ]
    h = [-(p * math.log(p) + (1 - p) * math.log(1 - p)) for p in (0.25, 0.5, 0.9)]
    expected = [0.0, math.log(2) / 2, math.log(2), sum(h) / 3]
    scores = make_nte_policy()(docs, RNG)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx(expected, abs=1e-6)


def test_nte_is_highest_for_uniform_rows_and_does_not_grow_with_length():
    uniform = [np.full((n, 9), 1 / 9, dtype="float32") for n in (1, 5, 50)]
    assert make_nte_policy()(uniform, RNG).tolist() == pytest.approx([math.log(9)] * 3, rel=1e-5)


def test_nte_never_wants_a_doc_without_tokens():
    scores = make_nte_policy()([np.zeros((0, 3), dtype="float32"), probs([1.0, 0.0])], RNG)
    assert scores[0] == -np.inf
    assert scores[1] == 0.0


def test_random_is_uniform_and_needs_no_model():
    policy = make_random_policy()
    assert not policy.needs_probs
    assert make_nte_policy().needs_probs
    empty = [np.zeros((0, 1), dtype="float32")] * 4000
    scores = policy(empty, np.random.default_rng(0))
    assert scores.min() >= 0.0
    assert scores.max() < 1.0
    assert abs(scores.mean() - 0.5) < 0.02
    assert np.array_equal(scores, policy(empty, np.random.default_rng(0)))
