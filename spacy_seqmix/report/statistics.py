"""What the runs of two arms say about their difference: over seeds, and over data usage points.

Scores are F1 in 0..1; differences are those of runs with the same seed, which share their pool
and seed set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.integrate import trapezoid

from ..types import Floats1d, Floats2d

__all__ = ["Comparison", "Summary", "area", "compare", "holm", "summarise"]

CONFIDENCE = 0.95
# The level at which a difference is called one.
ALPHA = 0.05
# With fewer, no outcome of a two-sided signed-rank test has p < 0.05: 2 / 2⁵ is 0.0625; and a
# deviation, which intervals and effects divide by, is little more than chance.
MIN_PAIRS = 6
# Scores are 0 to 1: what is less than this is none.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Summary:
    """Scores of an arm at one data usage point, or areas under its learning curves.

    mean, deviation (float): over seeds; the deviation is the sample's, NaN with one seed.
    low, high (float): Student's t interval of the mean; of fewer than six seeds the lowest and the
        highest; NaN with one seed.
    n (int): seeds.
    """

    mean: float
    deviation: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """An arm against a baseline.

    gain (Summary): of the differences of the means over usage points, seed by seed.
    p_seeds (float): Wilcoxon signed-rank over seeds, of those differences.
    p_points (float): the same over usage points, of the means over seeds, as SeqMix tests.
    p_holm (float): ``p_seeds`` after Holm's correction over all arms of a family.
    effect (float): Cohen's d of paired differences, mean / deviation; NaN with fewer than six
        seeds.
    least (float): the smallest p that so many seeds can have, without those of no difference.
    can_tell (bool): whether they could show anything at 0.05, among so many comparisons.
    """

    gain: Summary
    p_seeds: float
    p_points: float
    effect: float
    least: float
    can_tell: bool
    p_holm: float = float("nan")


def area(points: Sequence[float], scores: Floats1d) -> float:
    """Area under a learning curve by trapezoids, over its width: a mean score. (points), (points).

    With one point it is the score itself.
    """
    if len(points) == 1:
        return float(scores[0])
    return float(trapezoid(scores, points)) / (points[-1] - points[0])


def summarise(values: Sequence[float] | Floats1d) -> Summary:
    """Mean, deviation and interval of one value a seed."""
    sample = np.asarray(values, dtype="float64")
    n, nan = len(sample), float("nan")
    if n < 2:
        return Summary(float(sample[0]) if n else nan, nan, nan, nan, n)
    mean, deviation = float(sample.mean()), float(sample.std(ddof=1))
    low, high = float(sample.min()), float(sample.max())
    if low < high and n >= MIN_PAIRS:
        # Not the bootstrap's: of six values its 95 % interval holds the mean in 86 % of cases.
        error = deviation / np.sqrt(n)
        low, high = map(float, stats.t.interval(CONFIDENCE, n - 1, loc=mean, scale=error))
    return Summary(mean, deviation, low, high, n)


def compare(scores: Floats2d, baseline: Floats2d) -> Comparison:
    """Compare an arm with a baseline. (seeds, points) each, with equal seeds and points in turn."""
    differences = np.asarray(scores, dtype="float64") - baseline
    means = (differences.mean(axis=1), differences.mean(axis=0))
    by_seed, by_point = (np.where(np.abs(one) > ROUNDING, one, 0.0) for one in means)
    gain = summarise(by_seed)
    # A gain that is the same for all seeds has a deviation of some 1e-18, by rounding.
    known = gain.n >= MIN_PAIRS and gain.deviation > ROUNDING
    effect = gain.mean / gain.deviation if known else float("nan")
    least = min(1.0, 2.0 ** (1 - int(np.count_nonzero(by_seed))))
    p_seeds, p_points = wilcoxon(by_seed), wilcoxon(by_point)
    return Comparison(gain, p_seeds, p_points, effect, least, can_tell=least < ALPHA)


def wilcoxon(differences: Floats1d) -> float:
    """p of the two-sided Wilcoxon signed-rank test; NaN for fewer than two differences.

    Where all are zero there is nothing to rank, and nothing speaks for a difference: 1.
    """
    if len(differences) < 2:
        return float("nan")
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Correct the p-values of a family of comparisons by Holm's step-down method."""
    tested = {k: c.p_seeds for k, c in comparisons.items() if not np.isnan(c.p_seeds)}
    corrected = _step_down(tested)
    # What would be left of the smallest p that so many seeds can have.
    least = _step_down({name: comparisons[name].least for name in tested})
    return {
        name: replace(one, p_holm=corrected[name], can_tell=least[name] < ALPHA)
        if name in tested
        else one
        for name, one in comparisons.items()
    }


def _step_down(p: Mapping[str, float]) -> dict[str, float]:
    names = sorted(p, key=lambda name: p[name])
    factors = np.arange(len(names), 0, -1)
    corrected = np.maximum.accumulate(factors * [p[name] for name in names])
    return dict(zip(names, np.minimum(corrected, 1.0).tolist(), strict=True))
