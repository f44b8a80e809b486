"""Quantiles, shares and bins."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spacy_seqmix.lm.calibration import propose
from spacy_seqmix.lm.calibration_text import shares, short

NUMBERS = st.lists(st.floats(1, 1e9), min_size=1, max_size=50)


def test_bins_propose_is_the_quantiles_rounded_outwards():
    values = np.arange(1.0, 102.0)  # the q-quantile is 1 + 100 q
    assert propose(values, (0.05, 0.95)) == (6.0, 96.0)
    assert propose(values, (0.123, 0.777)) == (13.3, 78.7)
    assert propose(values * 1000 + 0.5, (0.0, 0.5)) == (1000.0, 51100.0)
    assert propose(np.array([12.3]), (0.0, 1.0)) == (12.3, 12.3)
    assert propose(np.array([0.0, 0.001239]), (0.0, 1.0)) == (0.0, 0.00124)


@given(NUMBERS, st.floats(0, 0.4), st.floats(0.5, 1))
def test_bins_proposed_range_holds_what_it_should(numbers, low, high):
    values = np.array(numbers)
    inside = propose(values, (low, high))
    at_low, at_high = np.quantile(values, [low, high])
    assert inside.low <= at_low
    assert inside.high is not None
    assert inside.high >= at_high
    assert inside.low >= 0.989 * at_low
    assert inside.high <= 1.011 * at_high


def test_bins_shares_by_hand():
    (one, two), edges = shares([np.array([0.0, 1.0, 8.0]), np.array([7.0])], log=False)
    np.testing.assert_allclose(edges, [0, 2, 4, 6, 8])
    np.testing.assert_allclose(one, [2 / 3, 0, 0, 1 / 3])
    np.testing.assert_allclose(two, [0, 0, 0, 1])
    _, edges = shares([np.array([1.0, 10.0, 100.0, 10_000.0])], log=True)
    np.testing.assert_allclose(edges, [1, 10, 100, 1000, 10_000])


@given(NUMBERS, NUMBERS, st.booleans())
@example([1.0, 1.0000000000000002], [1.0], True)
@example([1e9, 1e9 - 1e-6, 1e9 - 2e-6], [1e9], False)
def test_bins_shares_lose_nothing(first, second, log):
    found, edges = shares([np.array(first), np.array(second)], log=log)
    assert [one.sum() for one in found] == pytest.approx([1, 1])
    assert len(edges) == len(found[0]) + 1
    assert np.all(np.diff(edges) > 0)


@pytest.mark.parametrize(
    ("value", "want"),
    [(0.5, "0.5"), (12.345, "12.3"), (1264.9, "1260"), (1e6, "1000000"), (0, "0"), (20.0, "20")],
)
def test_bins_short(value, want):
    assert short(value) == want
