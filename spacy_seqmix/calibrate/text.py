"""A calibration as lines for the terminal: histograms, shares, and what to paste in a config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from wasabi.tables import table
from wasabi.util import can_render

from ..models.judge import Range
from ..models.names import short_name
from .ranges import linear_edges, log_edges, short
from .run import Calibration
from .scores import Floats

__all__ = ["describe", "histogram", "to_config"]

WIDTH = 24  # of the longest bar
BLOCKS = "▏▎▍▌▋▊▉█"  # eighths


def describe(found: Calibration) -> Iterator[str]:
    """The lines that show a calibration.

    found (Calibration): what ``calibrate`` returned.
    YIELDS (str): lines, without colours.
    """
    both = [found.corpus] if found.mixed is None else [found.corpus, found.mixed]
    names = [scores.name for scores in both]
    yield f"Perplexity of {found.unit}s under {short_name(found.model)}"
    values = [scores.known for scores in both]
    yield from histogram(names, values, log_edges(np.concatenate(values)), found.perplexity)
    if found.window_nats is not None:
        lengths = " or ".join(map(str, found.sizes))
        yield ""
        yield f"Nats per word in windows of {lengths} tokens"
        values = [scores.nats for scores in both]
        names = [names[0], *(f"{name} (mixed)" for name in names[1:])]
        yield from histogram(names, values, linear_edges(np.concatenate(values)), found.window_nats)
    yield ""
    yield from _shares(found)


def histogram(
    names: Sequence[str], series: Sequence[Floats], edges: Floats, inside: Range
) -> Iterator[str]:
    """Bars for each series of values, side by side, each scaled by the share of its values.

    names (Sequence[str]): of the series.
    series (Sequence[Floats]): values.
    edges (Floats): of the bins.
    inside (Range): bins that it touches are marked.
    YIELDS (str): a heading, and a line for each bin.
    """
    mark, blocks = ("┃", BLOCKS) if can_render(f"┃{BLOCKS}") else ("|", "#")
    counts = [np.histogram(values, edges)[0] for values in series]
    shares = [count / max(1, count.sum()) for count in counts]
    scale = WIDTH / max(float(one.max()) for one in shares)
    yield " " * 20 + "".join(f"{name[: WIDTH + 6]:<{WIDTH + 8}}" for name in names).rstrip()
    for i, (low, high) in enumerate(pairwise(edges.tolist())):
        touched = high > inside.low and (inside.high is None or low <= inside.high)
        bars = "".join(
            f"{count[i]:>6} {_bar(one[i] * scale, blocks):<{WIDTH + 1}}"
            for count, one in zip(counts, shares, strict=True)
        )
        yield f"{mark if touched else ' '} {short(low):>6} – {short(high):<6}{bars}".rstrip()


def to_config(found: Calibration) -> list[str]:
    """The lines to paste in a config, under a section for ``PerplexityDiscriminator``."""
    lines = [
        f"min_perplexity = {found.perplexity.low}",
        f"max_perplexity = {found.perplexity.high}",
    ]
    if found.window_nats is not None:
        lines.append(f"max_window_nats = {found.window_nats.high}")
    return lines if found.unit == "doc" else [*lines, f'unit = "{found.unit}"']


def _shares(found: Calibration) -> Iterator[str]:
    """What the ranges keep, as a table."""
    kept = found.kept()
    low, high = (short(limit or 0) for limit in found.perplexity)
    names = {"perplexity": f"perplexity {low} to {high}"}
    if found.window_nats is not None:
        names["window_nats"] = f"at most {short(found.window_nats.high or 0)} nats per word"
        names["both"] = "both"
    of = {"perplexity": f"of {found.unit}s", "window_nats": "of windows", "both": ""}
    rows = []
    for key, name in names.items():
        share = kept["corpus"].get(key)
        rows.append([name, "" if share is None else f"{share:.0%} {of[key]}"])
        if found.mixed is not None:
            rows[-1].append(f"{kept['mixed'][key]:.0%} of docs")
    header = ["Range", f"Keeps of {found.corpus.name}"]
    if found.mixed is None:
        rows = [row for row in rows if row[0] != "both"]
    else:
        header.append(f"Keeps of {found.mixed.name}")
    yield from str(table(rows, header=header, divider=True)).strip("\n").split("\n")


def _bar(length: float, blocks: str) -> str:
    """A bar of so many characters, in the finest steps that there are blocks for."""
    steps = round(length * len(blocks))
    if length > 0:
        steps = max(steps, 1)  # few is not none
    full, rest = divmod(steps, len(blocks))
    return blocks[-1] * full + (blocks[rest - 1] if rest else "")
