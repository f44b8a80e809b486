"""Quantiles and bins. Plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..models.judge import Range

Floats: TypeAlias = NDArray[np.float64]

DIGITS = 3
MOST_BINS = 20
# Values this close, for their size, count as one.
NARROW = 1e-6


def propose(values: Floats, quantiles: tuple[float, float]) -> Range:
    """The range between two quantiles, its limits rounded outwards to three digits.

    values (Floats): perplexities or nats, at least one.
    quantiles (tuple[float, float]): the quantiles, in [0, 1].
    RETURNS (Range): holds at least the share high - low of the values.
    """
    low, high = np.quantile(values, quantiles).tolist()
    return Range(_rounded(low, ROUND_FLOOR), _rounded(high, ROUND_CEILING))


def share(inside: Range, values: Floats) -> float:
    """The share of the values that are in a range; 0 of nothing."""
    return sum(map(inside.holds, values.tolist())) / max(1, len(values))


def shares(series: Iterable[Floats], *, log: bool) -> tuple[list[Floats], Floats]:
    """Histograms of several series over the same bins.

    series (Iterable[Floats]): at least one value in all.
    log (bool): whether bins are equally wide in logarithms; values are above 0 then.
    RETURNS (tuple): for each series the share of its values in each bin, and the bins' edges.
    """
    series = [np.log10(values) if log else values for values in series]
    both = np.concatenate(series)
    low, high = float(both.min()), float(both.max())
    if high - low < NARROW * max(1.0, abs(low), abs(high)):  # too narrow to be parted
        low, high = low - 0.5, high + 0.5
    bins = min(MOST_BINS, math.ceil(2 * len(both) ** 0.5))
    edges = np.histogram_bin_edges(both, bins, (low, high))
    found = [np.histogram(values, edges)[0] / max(1, len(values)) for values in series]
    return found, np.power(10.0, edges) if log else edges


def short(value: float) -> str:
    """Three digits, without an exponent where that is readable: 0.5, 12.3, 1260."""
    return f"{float(f'{value:.{DIGITS}g}'):.10g}"


def _rounded(value: float, rounding: str) -> float:
    # Through its shortest decimal, so that 12.3 does not become 12.4.
    return float(Context(prec=DIGITS, rounding=rounding).create_decimal(repr(value)))
