"""Policies around another one: fluctuation and the cost of reading, by hand."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.query.committee import make_qbc_policy
from spacy_seqmix.query.policies import (
    QueryPolicy,
    evidence,
    make_margin_policy,
    make_nte_policy,
    make_tag_count_policy,
    score_docs,
)
from spacy_seqmix.query.probabilities import token_probs
from spacy_seqmix.query.wrapping import make_fluctuation_policy, make_token_cost_policy

RNG = np.random.default_rng(0)
VOCAB = spacy.blank("xx").vocab
PLAIN = QueryPolicy(lambda scores, rng: scores)
NAN = np.nan


def array(*values):
    return np.array(values, dtype="float32")


def docs_of(*lengths):
    return [Doc(VOCAB, words=[*["w"] * n, "\n"]) for n in lengths]


def test_tag_count_is_the_expected_number_of_entity_tokens():
    scores = make_tag_count_policy()([array(0.25, 0.5, 1.0), array(0.0), array()], RNG)
    assert scores.tolist() == [1.75, 0.0, -np.inf]


@pytest.mark.parametrize("component", ["seqmix_ner", "seqmix_crf", "ner", "beam_ner"])
def test_tag_count_evidence_is_what_is_left_of_o(component, trained, unlabelled):
    docs = [doc for doc in unlabelled if len(doc)]
    probs = token_probs(trained, component, docs)
    found = evidence("entities", trained, component, docs)
    for p, inside in zip(probs, found, strict=True):
        assert inside.tolist() == pytest.approx(p[:, 1:].sum(axis=1).tolist(), abs=1e-5)
    scores = score_docs(
        make_tag_count_policy(),
        docs,
        lambda some: evidence("entities", trained, component, some),
        RNG,
    )
    assert scores.tolist() == pytest.approx(
        [float(p[:, 1:].sum()) if len(p) else -np.inf for p in probs], abs=1e-4
    )


def test_token_cost_divides_by_the_words():
    scores, docs = array(4.0, 4.0, -np.inf, -1.0, -1.0), docs_of(1, 4, 0, 1, 4)
    whole = make_token_cost_policy(PLAIN, weight=1).adjusted(scores, docs)
    assert whole.tolist() == [4, 1, -np.inf, -1, -4]
    half = make_token_cost_policy(PLAIN).adjusted(scores, docs)
    assert half.tolist() == [4, 2, -np.inf, -1, -2]
    assert (
        make_token_cost_policy(PLAIN, weight=0).adjusted(scores, docs).tolist() == scores.tolist()
    )


def test_fluctuation_adds_half_of_the_change_since_the_last_round():
    policy = make_fluctuation_policy(PLAIN, rounds=2)
    assert policy.history == 1
    history = array(9.0, 1.0, 2.0, NAN, NAN).reshape(5, 1)
    scores = array(9.0, 2.0, 1.0, 3.0, -np.inf)
    expected = [9.0, 2.5, 1.5, 3.0 + (0 + 0.5 + 0.5) / 3, -np.inf]
    assert policy.adjusted(scores, docs_of(1, 1, 1, 1, 0), history).tolist() == pytest.approx(
        expected
    )
    assert policy.adjusted(scores, docs_of(1, 1, 1, 1, 0)).tolist() == scores.tolist()


def test_fluctuation_is_the_deviation_over_the_last_rounds_that_are_known():
    policy = make_fluctuation_policy(PLAIN, weight=2.0, rounds=3)
    history = np.array([[50, 1, 4], [50, NAN, 3], [0, NAN, NAN]], dtype="float32")
    scores = array(1.0, 1.0, 1.0)
    a, b = float(np.std([1, 4, 1])), 1.0
    found = policy.adjusted(scores, docs_of(1, 1, 1), history)
    assert found.tolist() == pytest.approx([1 + 2 * a, 1 + 2 * b, 1 + (a + b)])


def test_fluctuation_of_a_wrapped_policy_changes_its_adjusted_scores_too():
    """What earlier scores were kept are those of the evidence."""
    policy = make_fluctuation_policy(make_token_cost_policy(PLAIN, weight=1), rounds=2)
    history = array(8.0, 8.0).reshape(2, 1)
    found = policy.adjusted(array(4.0, 4.0), docs_of(4, 1), history)
    assert found.tolist() == [1 + 0.5, 4 + 2]
    twice = make_fluctuation_policy(make_fluctuation_policy(PLAIN, rounds=2), rounds=2)
    assert twice.history == 2
    # now 1 + 1 (changed from 3), before 3 + 0.5 (changed from 2)
    found = twice.adjusted(array(1.0), docs_of(1), np.array([[2.0, 3.0]], "float32"))
    assert found.tolist() == [2 + abs(3.5 - 2) / 2]


@pytest.mark.parametrize("wrap", [make_fluctuation_policy, make_token_cost_policy])
@pytest.mark.parametrize(
    "inner", [make_nte_policy(), make_margin_policy(), make_qbc_policy(), make_tag_count_policy()]
)
def test_policies_that_wrap_need_what_the_other_needs(wrap, inner):
    policy = wrap(inner)
    assert policy.needs == inner.needs
    assert policy.score is inner.score


def test_policies_that_wrap_refuse_other_numbers():
    for settings in ({"weight": -1}, {"weight": NAN}, {"weight": np.inf}):
        with pytest.raises(ValueError, match=r"S711.*TokenCost.*weight.*0 or more"):
            make_token_cost_policy(PLAIN, **settings)
        with pytest.raises(ValueError, match=r"S711.*Fluctuation.*weight.*0 or more"):
            make_fluctuation_policy(PLAIN, **settings)
    with pytest.raises(ValueError, match=r"S711.*rounds = 1: it must be 2 or more"):
        make_fluctuation_policy(PLAIN, rounds=1)
