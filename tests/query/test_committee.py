"""Policies over a committee, by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_seqmix.query.committee import make_qbc_policy, vote_entropy
from spacy_seqmix.query.policies import entropy

RNG = np.random.default_rng(0)
POLICIES = [make_qbc_policy, lambda: make_qbc_policy(mode="kl")]


def probs(*rows):
    return np.array(rows, dtype="float32").reshape(len(rows), -1)


def h(*shares):
    """Entropy in nats."""
    return -sum(p * math.log(p) for p in shares if p)


# Three members; doc 1 has two tokens, doc 2 one.
MEMBERS = [
    [probs([0.6, 0.3, 0.1], [0.1, 0.8, 0.1]), probs([0.9, 0.1, 0.0])],
    [probs([0.5, 0.4, 0.1], [0.7, 0.2, 0.1]), probs([0.8, 0.1, 0.1])],
    [probs([0.2, 0.7, 0.1], [0.1, 0.1, 0.8]), probs([0.7, 0.1, 0.2])],
]


def test_qbc_vote_entropy_by_hand():
    # votes of token 1: 0, 0, 1; of token 2: 1, 0, 2; of the second doc: 0, 0, 0
    scores = make_qbc_policy()(MEMBERS, RNG)
    assert scores.dtype == np.float32
    expected = [(h(2 / 3, 1 / 3) + math.log(3)) / 2, 0.0]
    assert scores.tolist() == pytest.approx(expected, abs=1e-6)


def test_qbc_kl_by_hand():
    members = [[probs([0.9, 0.1])], [probs([0.5, 0.5])]]
    # the consensus is 0.7, 0.3
    first = 0.9 * math.log(0.9 / 0.7) + 0.1 * math.log(0.1 / 0.3)
    second = 0.5 * math.log(0.5 / 0.7) + 0.5 * math.log(0.5 / 0.3)
    scores = make_qbc_policy(mode="kl")(members, RNG)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([(first + second) / 2], abs=1e-6)


def test_qbc_kl_is_bald_by_hand():
    """The entropy of the mean less the mean entropy (Houlsby et al. 2011)."""
    scores = make_qbc_policy(mode="kl")(MEMBERS, RNG)
    token_1 = (
        h(1.3 / 3, 1.4 / 3, 0.1) - (h(0.6, 0.3, 0.1) + h(0.5, 0.4, 0.1) + h(0.2, 0.7, 0.1)) / 3
    )
    token_2 = h(0.3, 1.1 / 3, 1 / 3) - (2 * h(0.1, 0.8, 0.1) + h(0.7, 0.2, 0.1)) / 3
    doc_2 = h(0.8, 0.1, 0.1) - (h(0.9, 0.1) + h(0.8, 0.1, 0.1) + h(0.7, 0.1, 0.2)) / 3
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([(token_1 + token_2) / 2, doc_2], abs=1e-6)


def test_qbc_kl_does_not_want_what_all_are_unsure_of():
    unsure = [[probs([0.5, 0.5])] for _ in range(3)]
    split = [[probs([1.0, 0.0])], [probs([0.0, 1.0])], [probs([0.5, 0.5])]]
    assert make_qbc_policy(mode="kl")(unsure, RNG).tolist() == [0.0]
    assert make_qbc_policy(mode="kl")(split, RNG)[0] == pytest.approx(2 / 3 * math.log(2), abs=1e-6)


def test_vote_entropy_counts_votes_not_confidence():
    one = np.stack([probs([0.51, 0.49]), probs([0.49, 0.51])])
    other = np.stack([probs([0.99, 0.01]), probs([0.01, 0.99])])
    assert vote_entropy(one) == vote_entropy(other) == pytest.approx(math.log(2))


SIZES = st.tuples(st.integers(2, 5), st.integers(1, 6), st.integers(2, 7), st.integers(0, 99))


@given(sizes=SIZES)
def test_disagreement_is_bounded_and_kl_is_the_gap_of_entropies(sizes):
    members, tokens, tags, seed = sizes
    rng = np.random.default_rng(seed)
    drawn = rng.dirichlet(np.full(tags, 0.3), size=(members, tokens)).astype("float32")
    committee = [[one] for one in drawn]
    limit = math.log(min(members, tags)) + 1e-5
    for make in POLICIES:
        assert -1e-6 <= make()(committee, RNG)[0] <= limit
    wide = drawn.astype("float64")
    gap = entropy(wide.mean(axis=0)) - np.mean([entropy(p) for p in wide])
    assert make_qbc_policy(mode="kl")(committee, RNG)[0] == pytest.approx(gap, abs=1e-6)


@pytest.mark.parametrize("make", POLICIES)
def test_committee_that_agrees_wants_nothing(make):
    one = np.random.default_rng(3).dirichlet(np.ones(7), size=9).astype("float32")
    assert make()([[one], [one.copy()], [one.copy()]], RNG).tolist() == [0.0]


@pytest.mark.parametrize("make", POLICIES)
def test_committee_of_one_is_refused(make):
    for members in ([], [[]], MEMBERS[:1]):
        with pytest.raises(ValueError, match=rf"S421.*not {len(members)}"):
            make()(members, RNG)


@pytest.mark.parametrize(
    "other",
    [MEMBERS[0][:1], [p[:1] for p in MEMBERS[0]], [p[:, :2] for p in MEMBERS[0]]],
    ids=["docs", "tokens", "tags"],
)
def test_committee_with_other_docs_or_labels_is_refused(other):
    with pytest.raises(ValueError, match=r"S422.*member 3 has other numbers of docs, tokens or"):
        make_qbc_policy(mode="kl")([*MEMBERS[:2], other], RNG)


@pytest.mark.parametrize("make", POLICIES[1:])
def test_committee_refuses_what_is_not_a_number(make):
    with pytest.raises(ValueError, match=r"S426.*score of doc 0"):
        make()([[probs([0.5, 0.5])], [probs([math.nan, 0.5])]], RNG)


def test_qbc_refuses_other_modes():
    with pytest.raises(ValueError, match=r"S420\] The policy QBC has no mode 'votes'.*kl"):
        make_qbc_policy(mode="votes")


@pytest.mark.parametrize("make", POLICIES)
def test_qbc_refuses_members_that_are_not_numbers(make):
    members = [[probs([0.5, 0.5]), probs([0.9, 0.1])], [probs([0.5, 0.5]), probs([np.nan, 0.1])]]
    with pytest.raises(ValueError, match=r"S426.*doc 1"):
        make()(members, RNG)


@pytest.mark.parametrize("make", POLICIES)
def test_qbc_scores_certain_docs_zero_without_a_sign(make):
    (score,) = make()([[probs([1.0, 0.0])], [probs([1.0, 0.0])]], RNG)
    assert (score, math.copysign(1.0, score)) == (0.0, 1.0)
