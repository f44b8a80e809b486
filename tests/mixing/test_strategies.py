"""Plans: pairs of windows of different docs, each pair once."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_seqmix.mixing.segments import all_windows
from spacy_seqmix.mixing.strategies import SubSequence, _pair, _shuffled, make_sub_sequence

VOCAB = Vocab()


def docs_of(lengths):
    return [
        Doc(VOCAB, words=[f"d{i}w{j}" for j in range(n)], ents=["B-PER"] * n)
        for i, n in enumerate(lengths)
    ]


def pair_of(plan):
    return frozenset({plan.left, plan.right})


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 5), max_size=5), seed=st.integers(0, 9))
def test_sub_sequence_plans_are_all_pairs_across_docs(lengths, seed):
    docs = docs_of(lengths)
    plans = list(SubSequence(window=2, density=1.0)(docs, np.random.default_rng(seed)))
    windows = all_windows(docs, 2, 1.0)
    expected = {frozenset({a, b}) for a in windows for b in windows if a.doc < b.doc}
    assert {pair_of(plan) for plan in plans} == expected
    assert len(plans) == len(expected)
    assert all(len(plan.left) == len(plan.right) == 2 for plan in plans)
    assert all(0.0 <= plan.lam <= 1.0 for plan in plans)


@pytest.mark.parametrize("alpha", [0.5, 8.0])
def test_sub_sequence_lambda_is_beta(alpha):
    plans = SubSequence(window=1, density=1.0, alpha=alpha)(
        docs_of([40, 40, 40]), np.random.default_rng(0)
    )
    lams = np.array([plan.lam for plan in plans])
    assert len(lams) == 4800
    assert abs(lams.mean() - 0.5) < 0.02
    assert lams.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)  # of Beta(α, α)


def test_sub_sequence_sides_are_drawn():
    plans = list(SubSequence(1, 1.0)(docs_of([20, 20]), np.random.default_rng(0)))
    share = np.mean([plan.left.doc == 0 for plan in plans])
    assert 0.4 < share < 0.6


def test_sub_sequence_needs_two_docs():
    # a long doc alone has a million pairs of windows, none of them of use
    assert list(SubSequence(1, 1.0)(docs_of([1500]), np.random.default_rng(0))) == []
    assert list(SubSequence(1, 1.0)([], np.random.default_rng(0))) == []


def test_sub_sequence_eligible_and_its_description():
    strategy = make_sub_sequence(window=3, density=0.6)
    assert [strategy.eligible(doc) for doc in docs_of([2, 3])] == [False, True]
    assert strategy.describe() == "a window of 3 tokens with at least 60% valid labels"


@pytest.mark.parametrize(
    "values", [{"window": 0}, {"density": -0.1}, {"density": 1.1}, {"alpha": 0.0}]
)
def test_sub_sequence_refuses_values_out_of_range(values):
    with pytest.raises(ValueError, match="S210"):
        make_sub_sequence(**values)


def test_pair_numbers_are_a_bijection():
    expected = [(i, j) for i in range(1, 60) for j in range(i)]
    assert [_pair(k) for k in range(len(expected))] == expected


@given(st.integers(1, 10**12), st.data())
def test_pair_of_large_numbers(i, data):
    j = data.draw(st.sampled_from([0, i // 2, i - 1]))
    assert _pair(i * (i - 1) // 2 + j) == (i, j)


@given(st.integers(0, 200), st.integers(0, 3))
def test_shuffled_is_a_permutation(n, seed):
    assert sorted(_shuffled(n, np.random.default_rng(seed))) == list(range(n))


def test_shuffled_is_uniform_and_lazy():
    rng = np.random.default_rng(0)
    seen = np.zeros((4, 4))
    for _ in range(2000):
        for place, item in enumerate(_shuffled(4, rng)):
            seen[place, item] += 1
    assert np.abs(seen / 2000 - 0.25).max() < 0.04
    assert len(list(islice(_shuffled(10**12, rng), 5))) == 5
