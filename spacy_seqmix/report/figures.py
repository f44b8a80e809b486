"""The pictures of a report: PNG, and SVG that takes the colours of its page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Errors, SeqMixError
from .summary import ArmSummary, ReportSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "draw", "new_figure", "save_picture", "to_svg"]

# Okabe and Ito's colours, which people with any colour vision can tell apart; not their black,
# which a dark page hides, and the two lightest darker, so that the contrast of all is 3 or more on
# a white page and on a dark one. Markers and dashes tell arms apart too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#BD8000", "#2F8FD0")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
MAX_TICKS = 8
# Text and lines are drawn in this colour, which the page replaces by its own.
INK = "#444444"
GRID = "#99999955"
BINS = 40
# The share of candidates that a last bin has: a few would leave the others no room.
ABOVE = 0.02
# Width of an inch of a picture on the page, at most.
REM = 7.8


def learning_curves(report: ReportSummary, tall: bool) -> Figure | None:
    """Scores on dev and test against labelled sentences, with intervals over seeds."""
    splits = report.splits
    if not splits:
        return None
    figure, axes = new_figure(len(splits), tall=tall)
    for ax, split in zip(axes, splits, strict=True):
        for style, arm in _styled(report.arms):
            if split not in arm.curves:
                continue
            curve = arm.curves[split]
            ax.plot(arm.points, [100 * s.mean for s in curve], label=_label(arm.name), **style)
            if len(arm.seeds) > 1:
                low, high = [100 * s.low for s in curve], [100 * s.high for s in curve]
                ax.fill_between(arm.points, low, high, color=style["color"], alpha=0.15, lw=0)
        ax.set_title(split)
        _points(ax, report.points)
    _label_y(axes, f"{report.measure} (%)", tall)
    _legend(figure, axes[0])
    return figure


def effort(report: ReportSummary, tall: bool) -> Figure | None:
    """Scores on dev and test against the minutes that people spent."""
    arms = [(style, arm) for style, arm in _styled(report.arms) if arm.minutes]
    splits = [s for s in report.splits if any(s in arm.curves for _, arm in arms)]
    if not splits:
        return None
    figure, axes = new_figure(len(splits), tall=tall)
    for ax, split in zip(axes, splits, strict=True):
        for style, arm in arms:
            if split in arm.curves:
                curve = [100 * s.mean for s in arm.curves[split]]
                ax.plot(arm.minutes, curve, label=_label(arm.name), **style)
        ax.set_title(split)
        ax.set_xlabel("minutes of labelling")
        ax.set_xlim(left=0)
    _label_y(axes, f"{report.measure} (%)", tall)
    _legend(figure, axes[0])
    return figure


def gains(report: ReportSummary, tall: bool) -> Figure | None:
    """Differences to the baseline at each data usage point, with intervals over seeds."""
    splits = [s for s in report.splits if any(s in arm.gains for arm in report.arms)]
    if not splits:
        return None
    figure, axes = new_figure(len(splits), tall=tall)
    for ax, split in zip(axes, splits, strict=True):
        ax.axhline(0.0, color=INK, lw=1)
        shown = [(style, arm) for style, arm in _styled(report.arms) if split in arm.gains]
        for k, (style, arm) in enumerate(shown):
            curve = arm.gains[split]
            means = np.array([100 * s.mean for s in curve])
            arms_apart = 0.006 * (k - (len(shown) - 1) / 2) * (arm.gain_points[-1] or 1)
            places = np.array(arm.gain_points, dtype="float64") + arms_apart
            errors = None
            if curve[0].n > 1:
                errors = np.abs(
                    [[100 * s.low for s in curve], [100 * s.high for s in curve]] - means
                )
            ax.errorbar(places, means, yerr=errors, label=_label(arm.name), capsize=2, **style)
        ax.set_title(split)
        _points(ax, report.points)
    _label_y(axes, f"gain over {_label(report.baseline)} (points)", tall)
    _legend(figure, axes[0])
    return figure


def perplexities(report: ReportSummary, tall: bool) -> Figure | None:
    """The discriminator's scores of all candidates, and its range."""
    arms = [(style, arm) for style, arm in _styled(report.arms) if arm.judged]
    if not arms:
        return None
    nats = any(judged[1] is not None for _, arm in arms for judged in arm.judged)
    figure, axes = new_figure(1 + nats, tall=tall)
    for ax, column, name in zip(axes, (0, 1), ("perplexity", "window_nats"), strict=False):
        series = [(s, a, _finite(j[column] for j in a.judged)) for s, a in arms]
        every = [v for *_, values in series for v in values]
        highest = np.quantile(every, 1 - ABOVE) if every else 1.0
        bins = np.linspace(0.0, float(highest) or 1.0, BINS)
        for style, arm, values in series:
            counts, _ = np.histogram(np.minimum(values, bins[-1]), bins)
            ax.stairs(counts, bins, color=style["color"], label=_label(arm.name), lw=1.5)
            for end in ("min", "max"):
                if f"{end}_{name}" in arm.ranges:
                    ax.axvline(arm.ranges[f"{end}_{name}"], color=style["color"], ls="--", lw=1)
        unit = "perplexity" if name == "perplexity" else "nats per word of the window"
        ax.set_xlabel(f"{unit} (the highest {100 * ABOVE:.0f} % in the last bin)")
    _label_y(axes, "candidates", tall)
    _legend(figure, axes[0])
    return figure


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and np.isfinite(value)]


def queries(report: ReportSummary, tall: bool) -> Figure | None:
    """Length and entity rate of what each arm queried."""
    arms = [(style, arm) for style, arm in _styled(report.arms) if arm.queried]
    if not arms:
        return None
    figure, axes = new_figure(2, tall=tall)
    for style, arm in arms:
        points = [q.point for q in arm.queried]
        axes[0].plot(points, [q.tokens for q in arm.queried], label=_label(arm.name), **style)
        axes[1].plot(
            points, [100 * q.entities for q in arm.queried], label=_label(arm.name), **style
        )
    axes[0].set_ylabel("tokens of a queried doc")
    axes[1].set_ylabel("entities per 100 tokens")
    for ax in axes:
        _points(ax, [point for _, arm in arms for point in arm.points])
    _legend(figure, axes[0])
    return figure


FIGURES: dict[str, tuple[str, Callable[[ReportSummary, bool], Any]]] = {
    "curves": ("Learning curves", learning_curves),
    "effort": ("Learning curves over minutes of labelling", effort),
    "gains": ("Gains at each data usage point", gains),
    "queries": ("Length and entities of queried docs", queries),
    "perplexity": ("Scores of the discriminator", perplexities),
}


def draw(report: ReportSummary, *, tall: bool = False) -> dict[str, Figure]:
    """All pictures for which there are figures, by name.

    tall (bool): panels one below the other, for narrow screens.
    RAISES (SeqMixError): S513.
    """
    figures = {name: make(report, tall) for name, (_, make) in FIGURES.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def save_picture(figure: Figure, path: Path, kind: str = "png") -> None:
    """Write a picture on white, as "png" or "svg", whatever the suffix of the path."""
    import matplotlib as mpl

    metadata = {"Date": None} if kind == "svg" else None
    with mpl.rc_context({"svg.hashsalt": kind}):
        _save(figure, path, kind, dpi=150, facecolor="white", metadata=metadata)


def to_svg(figure: Figure, name: str, *, tall: bool = False) -> str:
    """A picture whose text can be read and takes the colour of the page's text.

    name (str): one of FIGURES, whose title describes it to screen readers; the name and the shape
        are put before its ids.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    shape = "tall" if tall else "wide"
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        _save(figure, buffer, "svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' width="[^"]*pt"| height="[^"]*pt"', "", svg, count=2)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-{shape}-", svg)
    svg = svg.replace(INK, "currentColor")
    style = f"max-width: {REM * figure.get_figwidth():.0f}rem"
    return svg.replace(
        "<svg ",
        f'<svg class="{shape}" role="img" aria-label="{FIGURES[name][0]}" style="{style}" ',
        1,
    )


def _save(figure: Figure, file: Any, kind: str, **settings: Any) -> None:
    """Save a figure; later saves keep its layout, whose search takes half of the time."""
    figure.savefig(file, format=kind, **settings)
    figure.set_layout_engine("none")


def new_figure(
    panels: int, *, tall: bool = False, width: float | None = None
) -> tuple[Figure, Any]:
    """Make an empty figure and its axes.

    panels (int): how many axes, side by side.
    tall (bool): one below the other, for narrow screens.
    width (float | None): of a panel, in inches; by default a single one takes the room of two.
    RAISES (SeqMixError): S513 without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SeqMixError(Errors.E513) from error
    width = width or (4.2 if panels > 1 else 8.4)
    size = (4.6, 0.8 + 3.2 * panels) if tall else (1.2 + width * panels, 4.4)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(*((panels, 1) if tall else (1, panels)), squeeze=False).ravel()
    for ax in axes:
        ax.grid(visible=True, color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["bottom", "left"]].set_color(INK)
        ax.tick_params(colors=INK)
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
            text.set_color(INK)
    return figure, axes


def _styled(arms: Sequence[ArmSummary]) -> Iterator[tuple[dict[str, Any], ArmSummary]]:
    """Each arm with its colour, marker and dashes."""
    for i, arm in enumerate(arms):
        yield (
            {
                "color": COLOURS[i % len(COLOURS)],
                "marker": MARKERS[i % len(MARKERS)],
                "linestyle": DASHES[i % len(DASHES)],
                "markersize": 5,
            },
            arm,
        )


def _label(name: str) -> str:
    """A name as matplotlib shows it: dollars would begin a formula, and "_" hides a label."""
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")


def _label_y(axes: Any, text: str, tall: bool) -> None:
    """Label the y-axis, only once where panels stand beside each other."""
    for ax in axes if tall else axes[:1]:
        ax.set_ylabel(text)


def _points(ax: Any, points: Sequence[int]) -> None:
    """Ticks at the data usage points, unless there are many."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("labelled sentences")
    unique = sorted(set(points))
    if len(unique) <= MAX_TICKS:
        ax.set_xticks(unique)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=MAX_TICKS - 1, integer=True))


def _legend(figure: Figure, ax: Any) -> None:
    """One legend below all panels."""
    handles, labels = ax.get_legend_handles_labels()
    room = int(14 * figure.get_figwidth())  # letters of a line
    columns = max(1, min(len(labels), room // (8 + max(map(len, labels), default=1))))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK
    )
