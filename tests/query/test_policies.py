"""Query policies, by hand."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_seqmix.query.policies import (
    make_least_confidence_policy,
    make_margin_policy,
    make_mnlp_policy,
    make_nte_policy,
    make_random_policy,
)

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


# highest: 0.5, 0.75 and 0.9; margins: 0.1, 0.6 and 0.85
THREE = [[0.5, 0.4, 0.1], [0.1, 0.75, 0.15], [0.05, 0.9, 0.05]]


def test_least_confidence_by_hand():
    docs = [probs(*THREE), probs(THREE[0]), probs([1.0, 0.0, 0.0])]
    total = make_least_confidence_policy()(docs, RNG)
    assert total.dtype == np.float32
    assert total.tolist() == pytest.approx([0.5 + 0.25 + 0.1, 0.5, 0.0], abs=1e-6)
    mean = make_least_confidence_policy(mode="mean")(docs, RNG)
    assert mean.tolist() == pytest.approx([0.85 / 3, 0.5, 0.0], abs=1e-6)


def test_least_confidence_of_the_path_is_what_is_left_of_its_probability():
    policy = make_least_confidence_policy(mode="path")
    assert policy.needs == "paths"
    scores = policy(np.array([1.0, 0.25, 0.0], dtype="float32"), RNG)
    assert scores.dtype == np.float32
    assert scores.tolist() == [0.0, 0.75, 1.0]


def test_margin_by_hand():
    docs = [probs(*THREE), probs([0.5, 0.5, 0.0]), probs([0.0, 0.0, 1.0])]
    mean = make_margin_policy()(docs, RNG)
    assert mean.dtype == np.float32
    assert mean.tolist() == pytest.approx([-(0.1 + 0.6 + 0.85) / 3, 0.0, -1.0], abs=1e-6)
    smallest = make_margin_policy(mode="smallest")(docs, RNG)
    assert smallest.tolist() == pytest.approx([-0.1, 0.0, -1.0], abs=1e-6)


def test_margin_of_a_single_tag_is_its_probability():
    assert make_margin_policy()([probs([1.0], [1.0])], RNG).tolist() == [-1.0]


def test_mnlp_by_hand():
    docs = [probs(*THREE), probs([1.0, 0.0, 0.0]), probs([0.5, 0.5])]
    expected = [-(math.log(0.5) + math.log(0.75) + math.log(0.9)) / 3, 0.0, math.log(2)]
    scores = make_mnlp_policy()(docs, RNG)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "name"),
    [(make_least_confidence_policy, "LeastConfidence"), (make_margin_policy, "Margin")],
)
def test_policies_refuse_other_modes(make, name):
    with pytest.raises(ValueError, match=rf"S420\] The policy {name} has no mode 'median'.*mean"):
        make(mode="median")


@pytest.mark.parametrize(
    "make",
    [make_nte_policy, make_least_confidence_policy, make_margin_policy, make_mnlp_policy],
)
def test_policies_refuse_what_is_not_a_number(make):
    with pytest.raises(ValueError, match=r"S426.*score of doc 1 is not a number"):
        make()([probs([0.5, 0.5]), probs([0.5, math.nan])], RNG)


def test_least_confidence_of_paths_ties_where_they_are_improbable():
    scores = make_least_confidence_policy(mode="path")(np.array([1e-9, 1e-20, 1e-3]), RNG)
    assert scores.tolist() == [1.0, 1.0, pytest.approx(0.999)]


def test_random_is_uniform_and_needs_no_model(blank_en):
    policy = make_random_policy()
    assert policy.needs == "nothing"
    assert make_nte_policy().needs == "tokens"
    docs = [blank_en.make_doc("here")] * 4000
    scores = policy(docs, np.random.default_rng(0))
    assert scores.min() >= 0.0
    assert scores.max() < 1.0
    assert abs(scores.mean() - 0.5) < 0.02
    assert np.array_equal(scores, policy(docs, np.random.default_rng(0)))


ROWS = st.integers(2, 6).flatmap(
    lambda m: st.lists(
        st.lists(st.floats(0.01, 1.0), min_size=m, max_size=m), min_size=1, max_size=6
    )
)


@given(rows=ROWS)
def test_policies_agree_on_the_extremes(rows):
    """Certain docs are wanted least of all, uniform ones most, whatever stands between."""
    some = np.array(rows, dtype="float32")
    some /= some.sum(axis=1, keepdims=True)
    certain = np.zeros_like(some)
    certain[:, 0] = 1.0
    uniform = np.full_like(some, 1 / some.shape[1])
    for make in (
        make_nte_policy,
        make_least_confidence_policy,
        partial(make_least_confidence_policy, mode="mean"),
        make_margin_policy,
        partial(make_margin_policy, mode="smallest"),
        make_mnlp_policy,
    ):
        low, middle, high = make()([certain, some, uniform], RNG)
        assert low - 1e-6 <= middle <= high + 1e-6
        assert low < high
