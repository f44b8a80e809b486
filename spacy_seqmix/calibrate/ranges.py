"""Bins, quantiles, and the ranges that they suggest. Plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from ..models.judge import Range
from .scores import Floats

# Widths of bins: in decades for perplexities, in nats for windows.
WIDTHS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
MOST_BINS = 30
QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


def log_edges(values: Floats) -> Floats:
    """Edges of bins that are equally wide in logarithms, powers of ten among them (nearly)."""
    edges: Floats = np.power(10.0, linear_edges(np.log10(values)), dtype=np.float64)
    # Rounding must not leave the extremes out.
    edges[0], edges[-1] = min(edges[0], values.min()), max(edges[-1], values.max())
    return edges


def linear_edges(values: Floats) -> Floats:
    """Edges of equally wide bins at round numbers, at most ``MOST_BINS`` bins.

    values (Floats): at least one, all finite.
    RETURNS (Floats): shape (n_bins + 1,); all values are between the first and the last.
    """
    low, high = float(values.min()), float(values.max())
    for width in (*WIDTHS, (high - low) / (MOST_BINS - 2)):
        first, last = math.floor(low / width), math.floor(high / width) + 1
        if last - first <= MOST_BINS:
            break
    edges: Floats = np.arange(first, last + 1) * width
    return edges


def propose(values: Floats, low: float, high: float) -> Range:
    """The range between two quantiles, its limits rounded outwards to three digits.

    values (Floats): perplexities or nats of real text.
    low, high (float): the quantiles, in [0, 1].
    RETURNS (Range): holds at least the share high − low of the values.
    """
    at_low, at_high = np.quantile(values, [low, high])
    return Range(_rounded(float(at_low), math.floor), _rounded(float(at_high), math.ceil))


def share(kept: Iterable[bool]) -> float:
    """The share that was kept; 0 of nothing."""
    found = [bool(one) for one in kept]
    return sum(found) / max(1, len(found))


def quantiles(values: Floats, more: tuple[float, ...] = ()) -> dict[str, float]:
    """The usual quantiles and some more, by their names; empty where there are no values."""
    names = sorted({*QUANTILES, *more}) if len(values) else []
    return {f"{name:g}": float(np.quantile(values, name)) for name in names}


def short(value: float) -> str:
    """Three digits, without an exponent where that is readable: 0.5, 12.3, 1260."""
    return f"{float(f'{value:.3g}'):.10g}"


def _rounded(value: float, how: Callable[[float], int]) -> float:
    if value <= 0 or not math.isfinite(value):
        return value
    digits = 2 - math.floor(math.log10(value))
    # Through a decimal, so that 12.3 does not become 12.299999999999999.
    return round(how(round(value * 10.0**digits, 9)) / 10.0**digits, max(digits, 0))
