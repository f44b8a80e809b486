"""The learning curves of a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import Errors
from .runs import Run
from .table import usage_points

__all__ = ["draw_curves"]

# Okabe and Ito's colours, which people with any colour vision can tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MAX_TICKS = 8
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw_curves(runs: Sequence[Run], title: str, path: Path) -> None:
    """Draw the scores on dev and test against the number of labelled sentences, a line a run.

    runs (Sequence[Run]): the runs.
    title (str): the title of the figure.
    path (Path): the PNG to write, whatever its suffix.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ImportError(Errors.E513) from error
    splits = [
        s for s in ("dev", "test") if any(r.score(s) is not None for u in runs for r in u.rounds)
    ]
    figure = Figure(figsize=(1.5 + 4.5 * max(1, len(splits)), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, max(1, len(splits)), sharey=True, squeeze=False)[0]
    for ax, split in zip(axes, splits or ["dev"], strict=True):
        for i, run in enumerate(runs):
            scored = [(r.n_labelled, f) for r in run.rounds if (f := r.score(split)) is not None]
            ax.plot(
                [n for n, _ in scored],
                [100 * f for _, f in scored],
                color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                label=run.name,
            )
        ax.set_title(split)
        ax.set_xlabel("labelled sentences")
        if len(points := usage_points(runs)) <= MAX_TICKS:
            ax.set_xticks(points)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(nbins=MAX_TICKS - 1, integer=True))
        ax.yaxis.set_tick_params(labelleft=True)
        ax.grid(visible=True, color="#DDDDDD", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"{runs[0].measure} (%)")
    axes[0].legend(loc="lower right")
    figure.suptitle(title)
    figure.savefig(path, format="png", dpi=150)
