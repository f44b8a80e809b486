"""Agreement of two models, and the bound on the change of F1."""

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_seqmix.query.agreement import Agreement, agreement, should_stop
from spacy_seqmix.types import Suggestion

VOCAB = spacy.blank("xx").vocab


def spans(*places):
    return [Suggestion(start, end, label) for start, end, label in places]


def doc(n):
    return Doc(VOCAB, words=["w"] * n)


def test_agreement_by_hand():
    first = [spans((0, 2, "A")), spans((3, 4, "B"))]
    second = [spans((0, 1, "A")), spans((3, 4, "B"))]
    found = agreement([doc(4), doc(6)], first, second)
    # tags of the first: B-A I-A, 7 O, B-B; of the second: B-A, 8 O, B-B; 9 of 10 agree
    by_chance = (1 * 1 + 7 * 8 + 1 * 1) / 100
    assert found.kappa == pytest.approx((0.9 - by_chance) / (1 - by_chance))
    assert found.same == 0.5
    assert found.bound == 1.0
    assert Agreement(1.0, 0.98).bound == pytest.approx(4 * 0.02 / 1.02)
    assert agreement([doc(4), doc(6)], first, first) == Agreement(1.0, 1.0)
    assert Agreement(1.0, 1.0).bound == 0.0


def test_agreement_looks_at_confidence_and_order_of_spans_as_little_as_at_gold_labels():
    a = [[Suggestion(0, 1, "A", 0.1), Suggestion(2, 3, "B", 0.2)]]
    b = [[Suggestion(2, 3, "B"), Suggestion(0, 1, "A")]]
    assert agreement([doc(4)], a, b) == Agreement(1.0, 1.0)
    overlapping = [spans((0, 3, "A"), (1, 2, "B"))]
    assert agreement([doc(4)], overlapping, overlapping) == Agreement(1.0, 1.0)


def test_agreement_of_models_that_find_nothing_is_none():
    nothing = agreement([doc(4), doc(0)], [[], []], [[], []])
    assert nothing == Agreement(None, None)
    assert nothing.bound is None
    assert agreement([], [], []) == Agreement(None, None)
    one = agreement([doc(4)], [[]], [spans((0, 1, "A"))])
    assert one == Agreement(0.0, 0.0)
    assert one.bound == 1.0
    assert not should_stop([nothing] * 5)


SETS = st.frozensets(st.integers(0, 12), max_size=13)


def f1(predicted, gold):
    return 2 * len(predicted & gold) / (len(predicted) + len(gold)) if predicted or gold else 0.0


@given(first=SETS, second=SETS, gold=SETS)
def test_agreement_bounds_the_difference_of_f1(first, second, gold):
    if not (first or second):
        return
    bound = Agreement(None, f1(first, second)).bound
    assert abs(f1(first, gold) - f1(second, gold)) <= bound + 1e-12


@given(a=st.integers(0, 9), b=st.integers(0, 9), c=st.integers(0, 9), d=st.integers(0, 9))
def test_agreement_bound_is_below_that_of_bloodgood_and_grothendieck(a, b, c, d):
    """For two classes: a spans of one token that both predict, b and c that one does, d others."""
    n = a + b + c + d
    first = [spans(*((i, i + 1, "X") for i in range(a + b)))]
    second = [spans(*((i, i + 1, "X") for i in (*range(a), *range(a + b, a + b + c))))]
    found = agreement([doc(n)], first, second)
    if found.kappa is not None and found.kappa > 0:
        assert found.same >= found.kappa - 1e-9
        assert found.bound <= 4 * (1 - found.kappa) / found.kappa + 1e-9


def test_should_stop_after_three_high_rounds():
    def history(*kappas):
        return [Agreement(kappa, 0.9) for kappa in kappas]

    assert not should_stop([])
    assert not should_stop(history(1.0, 1.0))
    assert should_stop(history(0.99, 0.995, 1.0))
    assert should_stop(history(0.2, 0.99, 0.995, 1.0))
    assert not should_stop(history(1.0, 1.0, 1.0, 0.98))
    assert not should_stop(history(1.0, 1.0, None))
    assert should_stop(history(0.9, 0.9), threshold=0.9, rounds=2)
