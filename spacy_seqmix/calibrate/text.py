"""A calibration as text: histograms, what the ranges keep, and what to paste in a config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from thinc.api import Config
from wasabi.util import can_render

from ..models.judge import Range
from ..models.names import short_name
from .bins import Floats, share, shares, short
from .run import MIXED, Calibration

__all__ = ["describe", "histogram", "to_config"]

WIDTH = 20  # of the longest bar
BLOCKS = "▏▎▍▌▋▊▉█"  # eighths
SECTION = "augment.discriminator"


def describe(found: Calibration) -> Iterator[str]:
    """The lines that show a calibration: bins that a proposed range touches are marked.

    found (Calibration): what ``calibrate`` returned.
    YIELDS (str): lines, without colours.
    """
    unit = found.judge.unit
    yield f"Perplexity of each {unit} under {short_name(found.judge.model)}"
    values = {kind: scores.perplexities for kind, scores in found.scores.items()}
    yield from histogram(values, found.perplexity, log=True)
    yield ""
    if found.window_nats is not None:
        yield "Nats per word in windows that were mixed, or could be"
        values = {kind: scores.nats for kind, scores in found.scores.items()}
        yield from histogram(values, found.window_nats, log=False)
        yield ""
    yield from _kept(found)


def histogram(series: dict[str, Floats], inside: Range, *, log: bool) -> Iterator[str]:
    """Bars for each series of values, side by side, by the share of its values.

    series (dict[str, Floats]): values by the name of their series.
    inside (Range): bins that it touches are marked.
    log (bool): whether bins are equally wide in logarithms.
    YIELDS (str): a heading, and a line for each bin.
    """
    mark, blocks = ("┃", BLOCKS) if can_render(f"┃{BLOCKS}") else ("|", "#")
    found, edges = shares(series.values(), log=log)
    scale = WIDTH / max(float(one.max()) for one in found)
    headings = (f"{f'{name} ({len(values)})':<{WIDTH + 7}}" for name, values in series.items())
    yield (" " * 20 + "".join(headings)).rstrip()
    for i, (low, high) in enumerate(pairwise(edges.tolist())):
        touched = high >= inside.low and (inside.high is None or low <= inside.high)
        shown = ((one[i], _bar(one[i] * scale, blocks)) for one in found)
        bars = "".join(f"{part:>5.0%} {bar:<{WIDTH + 1}}" for part, bar in shown)
        yield f"{mark if touched else ' '} {short(low):>6} - {short(high):<6} {bars}".rstrip()


def _kept(found: Calibration) -> Iterator[str]:
    """What share of each kind the proposed ranges keep, as a table."""
    yield f"{'Kept by the proposed ranges':<34}" + "".join(f"{kind:>11}" for kind in found.scores)
    low, high = (short(limit or 0) for limit in found.perplexity)
    kept = [share(found.perplexity, scores.perplexities) for scores in found.scores.values()]
    yield _row(f"Perplexity {low} to {high}", kept)
    if found.window_nats is None:
        return
    kept = [share(found.window_nats, scores.nats) for scores in found.scores.values()]
    yield _row(f"At most {short(found.window_nats.high or 0)} nats per word", kept)
    if (mixed := found.scores.get(MIXED)) is not None:
        pairs = zip(mixed.perplexities.tolist(), mixed.nats.tolist(), strict=True)
        both = [found.perplexity.holds(p) and found.window_nats.holds(n) for p, n in pairs]
        yield _row("Both", [None] * (len(found.scores) - 1) + [sum(both) / len(both)])


def _row(name: str, kept: Sequence[float | None]) -> str:
    return f"  {name:<32}" + "".join(" " * 11 if one is None else f"{one:>11.0%}" for one in kept)


def to_config(found: Calibration) -> str:
    """The discriminator with the proposed ranges, as a section to paste in a config."""
    judge = found.judge
    settings: dict[str, Any] = {
        "@misc": "spacy-seqmix.PerplexityDiscriminator.v1",
        "model": judge.model,
        "revision": judge.revision,
        "min_perplexity": found.perplexity.low,
        "max_perplexity": found.perplexity.high,
        "max_window_nats": None if found.window_nats is None else found.window_nats.high,
        "unit": judge.unit if judge.unit != "doc" else None,
        "start_token": judge.start_token,
        "trust_remote_code": list(judge.trust_remote_code) or None,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    config = Config({"section": given}).to_str(interpolate=False)
    return config.replace("[section]", f"[{SECTION}]").strip()


def _bar(length: float, blocks: str) -> str:
    """A bar of so many characters, in the finest steps that there are blocks for."""
    steps = round(length * len(blocks))
    if length > 0:
        steps = max(steps, 1)  # few is not none
    full, rest = divmod(steps, len(blocks))
    return blocks[-1] * full + (blocks[rest - 1] if rest else "")
