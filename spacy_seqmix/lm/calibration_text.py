"""A calibration as text: histograms, the shares that the ranges keep, and a config section."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Config
from wasabi.tables import table
from wasabi.util import can_render

from ..model_names import short_name
from .calibration import MIXED, Calibration, Floats
from .settings import LMSettings, Range

__all__ = ["describe", "shares", "short", "to_config"]

WIDTH = 20  # of the longest bar
BLOCKS = "▏▎▍▌▋▊▉█"  # eighths
SECTION = "augment.discriminator"
MOST_BINS = 20
NARROW = 1e-6  # values this close, for their size, count as one


def describe(calibration: Calibration) -> Iterator[str]:
    """Yield the lines that show a calibration, with a mark at bins that a proposed range touches.

    calibration (Calibration): what ``calibrate`` returned.
    YIELDS (str): lines, without colours.
    """
    unit = calibration.discriminator.unit
    yield f"Perplexity of each {unit} under {short_name(calibration.discriminator.settings.model)}"
    values = {kind: scores.perplexities for kind, scores in calibration.scores.items()}
    yield from _histogram(values, calibration.perplexity, log=True)
    yield ""
    if calibration.window_nats is not None:
        yield "Nats per word in windows that were mixed, or could be"
        values = {kind: scores.nats for kind, scores in calibration.scores.items()}
        yield from _histogram(values, calibration.window_nats, log=False)
        yield ""
    yield from _kept(calibration).strip("\n").splitlines()


def _histogram(series: dict[str, Floats], inside: Range, *, log: bool) -> Iterator[str]:
    """Yield the bars of several series side by side, by the share of values in each bin.

    series (dict[str, Floats]): values by the name of their series.
    inside (Range): bins that it touches are marked.
    log (bool): whether bins are equally wide in logarithms.
    YIELDS (str): a heading, and a line for each bin.
    """
    mark, blocks = ("┃", BLOCKS) if can_render(f"┃{BLOCKS}") else ("|", "#")
    columns, edges = shares(series.values(), log=log)
    scale = WIDTH / max(float(one.max()) for one in columns)
    headings = (f"{f'{name} ({len(values)})':<{WIDTH + 7}}" for name, values in series.items())
    yield (" " * 20 + "".join(headings)).rstrip()
    for i, (low, high) in enumerate(pairwise(edges.tolist())):
        touched = high >= inside.low and (inside.high is None or low <= inside.high)
        shown = ((one[i], _bar(one[i] * scale, blocks)) for one in columns)
        bars = "".join(f"{part:>5.0%} {bar:<{WIDTH + 1}}" for part, bar in shown)
        yield f"{mark if touched else ' '} {short(low):>6} - {short(high):<6} {bars}".rstrip()


def _kept(calibration: Calibration) -> str:
    """A table of the share of each kind of docs that the proposed ranges keep."""
    scores = calibration.scores
    low, high = (short(limit or 0) for limit in calibration.perplexity)
    kept = {kind: _inside(calibration.perplexity, s.perplexities) for kind, s in scores.items()}
    rows = [(f"Perplexity {low} to {high}", *map(_share, kept.values()))]
    if calibration.window_nats is not None:
        nats = {kind: _inside(calibration.window_nats, s.nats) for kind, s in scores.items()}
        most = short(calibration.window_nats.high or 0)
        rows.append((f"At most {most} nats per word", *map(_share, nats.values())))
        if MIXED in scores:
            both = _share(kept[MIXED] & nats[MIXED])
            rows.append(("Both", *[""] * (len(scores) - 1), both))
    header = ("Kept by the proposed ranges", *scores)
    aligns: list[Any] = ["l", *"r" * len(scores)]
    return str(table(rows, header=header, aligns=aligns))


def _share(inside: NDArray[np.bool_]) -> str:
    return f"{inside.mean() if len(inside) else 0:.0%}"


def _inside(limits: Range, values: Floats) -> NDArray[np.bool_]:
    return np.array([limits.holds(value) for value in values.tolist()], dtype=bool)


def to_config(calibration: Calibration) -> str:
    """The discriminator with the proposed ranges, as a section of a config."""
    settings = calibration.discriminator.settings.as_config()
    defaults = LMSettings().as_config()
    low, high = calibration.perplexity
    section = {
        "@misc": "spacy-seqmix.PerplexityDiscriminator.v1",
        "model": settings.pop("model"),
        **{key: value for key, value in settings.items() if value != defaults[key]},
        **{"min_perplexity": low, "max_perplexity": high},
    }
    if calibration.window_nats is not None:
        section["max_window_nats"] = calibration.window_nats.high
    if calibration.discriminator.unit != "doc":
        section["unit"] = calibration.discriminator.unit
    config = Config({"section": section}).to_str(interpolate=False)
    return config.replace("[section]", f"[{SECTION}]").strip()


def shares(series: Iterable[Floats], *, log: bool) -> tuple[list[Floats], Floats]:
    """Histograms of several series over the same bins.

    series (Iterable[Floats]): at least one value in all.
    log (bool): whether bins are equally wide in logarithms; values are above 0 then.
    RETURNS (tuple): for each series the share of its values in each bin, and the bins' edges.
    """
    series = [np.log10(values) if log else values for values in series]
    both = np.concatenate(series)
    low, high = float(both.min()), float(both.max())
    if high - low < NARROW * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    bins = min(MOST_BINS, math.ceil(2 * len(both) ** 0.5))
    edges = np.histogram_bin_edges(both, bins, (low, high))
    columns = [np.histogram(values, edges)[0] / max(1, len(values)) for values in series]
    return columns, np.power(10.0, edges) if log else edges


def short(value: float) -> str:
    """Three digits, without an exponent where that is readable: 0.5, 12.3, 1260."""
    return f"{float(f'{value:.3g}'):.10g}"


def _bar(length: float, blocks: str) -> str:
    """A bar of ``length`` characters, in steps as fine as the blocks allow."""
    steps = round(length * len(blocks))
    if length > 0:
        steps = max(steps, 1)  # few is not none
    full, rest = divmod(steps, len(blocks))
    return blocks[-1] * full + (blocks[rest - 1] if rest else "")
