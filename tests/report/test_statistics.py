"""Statistics of arms, against direct computation."""

from itertools import product
from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from spacy_seqmix.report.statistics import (
    MIN_PAIRS,
    area,
    compare,
    holm,
    summarise,
    wilcoxon,
)


def signed_rank_p(differences):
    """All signs are equally likely: how many give a sum of ranks as far from the middle."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    found = abs(ranks[np.array(differences) > 0].sum() - ranks.sum() / 2)
    signs = list(product([0, 1], repeat=len(ranks)))
    return np.mean([abs(np.dot(s, ranks) - ranks.sum() / 2) >= found - 1e-9 for s in signs])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-99, 99).filter(bool), min_size=2, max_size=8, unique_by=abs))
def test_wilcoxon_is_exact_without_ties(differences):
    assert_allclose(wilcoxon(np.array(differences, dtype=float)), signed_rank_p(differences))


def test_wilcoxon_with_nothing_to_rank():
    assert isnan(wilcoxon(np.array([0.3])))
    assert isnan(wilcoxon(np.zeros(1)))
    # nothing speaks for a difference, and it counts as a comparison
    assert wilcoxon(np.zeros(5)) == 1.0
    assert 0 < wilcoxon(np.array([0.1, 0.1, 0.1, 0.0, -0.1, 0.2])) <= 1


def test_few_seeds_cannot_show_anything():
    for n in range(2, MIN_PAIRS):
        best = compare(np.linspace(0.6, 0.7, n)[:, None] + np.arange(n)[:, None], np.zeros((n, 1)))
        assert not best.can_tell
        assert best.p_seeds >= 0.05
    n = MIN_PAIRS
    best = compare(np.linspace(0.6, 0.7, n)[:, None], np.zeros((n, 1)))
    assert best.can_tell
    assert best.p_seeds < 0.05


def test_compare_seeds_and_points():
    baseline = np.array([[0.6, 0.7, 0.8], [0.5, 0.6, 0.7]])
    scores = baseline + np.array([[0.01, 0.02, 0.03], [0.03, 0.02, 0.01]])
    found = compare(scores, baseline)
    assert_allclose(found.gain.mean, 0.02)
    assert found.gain.deviation < 1e-12
    assert found.gain.n == 2
    assert_allclose(found.p_points, signed_rank_p([0.02, 0.021, 0.022]))
    assert isnan(found.p_holm)
    one = compare(scores[:1], baseline[:1])
    assert_allclose(one.gain.mean, 0.02)
    assert isnan(one.gain.deviation)
    assert isnan(one.p_seeds)
    assert isnan(one.effect)
    assert not one.can_tell


def test_compare_seeds_without_a_difference():
    gains = np.array([0.01, 0.02, 0.0, 0.04, 0.05, 0.06])[:, None]
    found = compare(0.5 + gains, np.full((6, 1), 0.5))
    # five signs are left
    assert found.least == 1 / 16
    assert found.p_seeds >= 1 / 16
    assert not found.can_tell
    same = compare(np.full((6, 1), 0.5), np.full((6, 1), 0.5))
    assert (same.p_seeds, same.least, same.can_tell) == (1.0, 1.0, False)


def test_effect_of_a_constant_gain_is_none():
    baseline = np.linspace(0.5, 0.8, 7)[:, None]
    assert isnan(compare(baseline + 0.02, baseline).effect)


def test_effect_needs_as_many_seeds_as_a_conclusion():
    gains = np.linspace(0.01, 0.03, MIN_PAIRS)[:, None]
    assert compare(gains, np.zeros_like(gains)).effect > 1
    assert isnan(compare(gains[1:], np.zeros_like(gains[1:])).effect)
    assert isnan(compare(gains[:2], np.zeros_like(gains[:2])).effect)


def test_effect_is_of_paired_differences():
    gains = np.array([0.01, 0.03, 0.02, 0.06, 0.02, 0.04])
    found = compare(0.5 + gains[:, None], np.full((6, 1), 0.5))
    deviation = sqrt(sum((g - gains.mean()) ** 2 for g in gains) / 5)
    assert_allclose(found.effect, gains.mean() / deviation)
    assert_allclose(found.gain.deviation, deviation)


def test_summarise_has_an_interval_around_the_mean():
    values = np.random.default_rng(0).normal(0.7, 0.02, 20)
    found = summarise(values)
    assert found.low < found.mean < found.high
    # near that of the normal distribution
    half = 1.96 * values.std() / sqrt(20)
    assert_allclose(found.high - found.mean, half, rtol=0.15)
    assert_allclose(found.mean - found.low, half, rtol=0.15)
    assert summarise(values) == found
    few = summarise([0.5, 0.9, 0.7])
    assert (few.low, few.high) == (0.5, 0.9)
    same = summarise([0.5, 0.5])
    assert (same.low, same.mean, same.high, same.deviation) == (0.5, 0.5, 0.5, 0.0)
    assert summarise([]).n == 0
    assert isnan(summarise([]).mean)
    assert isnan(summarise([0.3]).low)


def test_holm_multiplies_step_by_step():
    one = compare(np.array([[0.1], [0.2]]), np.zeros((2, 1)))
    ps = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5, "e": float("nan")}
    family = {name: one.__class__(one.gain, p, p, 1.0, 0.01, True) for name, p in ps.items()}
    found = {name: c.p_holm for name, c in holm(family).items()}
    # 0.01·4, 0.03·3, then never less than the one before: 0.04·2 is
    assert_allclose([found[k] for k in "acbd"], [0.04, 0.09, 0.09, 0.5])
    assert isnan(found["e"])
    assert holm({}) == {}


@pytest.mark.parametrize("n", [6, 8, 12])
def test_summarise_has_intervals_that_hold_the_mean_as_often_as_they_say(n):
    # A percentile bootstrap's do in 86 % of samples of six, and 92 % of twelve.
    samples = np.random.default_rng(n).normal(0.01, 0.02, (4000, n))
    found = [summarise(sample) for sample in samples]
    held = np.mean([one.low <= 0.01 <= one.high for one in found])
    assert abs(held - 0.95) < 0.01


@pytest.mark.parametrize(
    ("points", "scores", "expected"),
    [([200], [0.7], 0.7), ([200, 300], [0.6, 0.8], 0.7), ([200, 300, 700], [0.7, 0.8, 0.9], 0.83)],
)
def test_area_under_the_curve(points, scores, expected):
    assert_allclose(area(points, np.array(scores)), expected)


@pytest.mark.parametrize(("n_arms", "n_seeds"), [(1, 6), (3, 7), (6, 8)])
def test_holm_says_with_how_many_arms_nothing_can_be_told(n_arms, n_seeds):
    best = compare(np.arange(1.0, n_seeds + 1)[:, None], np.zeros((n_seeds, 1)))
    for more, can_tell in ((0, True), (1, False)):
        found = holm({str(k): best for k in range(n_arms + more)})
        assert {one.can_tell for one in found.values()} == {can_tell}
        assert all((one.p_holm < 0.05) is can_tell for one in found.values())
