"""A calibration as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Errors
from ..models.judge import Range
from ..models.names import short_name
from ..report.curves import COLOURS
from .ranges import linear_edges, log_edges, short
from .run import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "require_matplotlib"]


def require_matplotlib() -> None:
    """Raise an ImportError (S515) where nothing can be drawn."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(Errors.E515) from error


def draw(found: Calibration, path: Path) -> None:
    """Draw the distributions, with the proposed ranges shaded.

    found (Calibration): what ``calibrate`` returned.
    path (Path): the PNG to write, whatever its suffix.
    RAISES (ImportError): S515 without matplotlib.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

    panels = 1 if found.window_nats is None else 2
    figure = Figure(figsize=(1.0 + 5.5 * panels, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    both = [found.corpus] if found.mixed is None else [found.corpus, found.mixed]

    values = [scores.known for scores in both]
    edges = log_edges(np.concatenate(values))
    axes[0].set_xscale("log")
    _distributions(axes[0], [s.name for s in both], values, edges, found.perplexity)
    decades = np.log10(edges[-1] / edges[0])
    axes[0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 4 else (1,)))
    axes[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes[0].xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_xlabel(f"perplexity of the {found.unit} (log scale)")
    axes[0].set_ylabel(f"share of {found.unit}s")

    if found.window_nats is not None:
        values = [scores.nats for scores in both]
        edges = linear_edges(np.concatenate(values))
        names = [f"{found.corpus.name}, unmixed", *(f"{s.name}, mixed" for s in both[1:])]
        _distributions(axes[1], names, values, edges, found.window_nats)
        lengths = " or ".join(map(str, found.sizes))
        axes[1].set_xlabel(f"nats per word in windows of {lengths} tokens")
        axes[1].set_ylabel("share of windows")
    for ax in axes:
        ax.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=0))
    figure.suptitle(short_name(found.model))
    figure.savefig(path, format="png", dpi=150)


def _distributions(
    ax: Axes, names: list[str], series: list[Any], edges: Any, inside: Range
) -> None:
    """The first series filled, the second as an outline, the range behind them."""
    assert inside.high is not None
    low = max(inside.low, edges[0])
    limits = f"{short(inside.low)} to {short(inside.high)}" if inside.low else short(inside.high)
    says = f"proposed: {limits}" if inside.low else f"proposed: at most {limits}"
    ax.axvspan(low, inside.high, color=COLOURS[4], alpha=0.18, linewidth=0, label=says)
    for limit in (inside.low, inside.high):
        if limit:
            ax.axvline(limit, color=COLOURS[4], linewidth=1.2)
    for i, (name, values) in enumerate(zip(names, series, strict=True)):
        shares = np.histogram(values, edges)[0] / max(1, len(values))
        look: dict[str, Any] = (
            {"fill": True, "alpha": 0.55, "color": COLOURS[0]}
            if i == 0
            else {"color": COLOURS[1], "linewidth": 2.0}
        )
        ax.stairs(shares, edges, label=f"{name} (n = {len(values)})", **look)
    ax.set_xlim(edges[0], edges[-1])
    ax.grid(visible=True, axis="y", color="#DDDDDD", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    # Above the axes, where no bar can hide it or be hidden by it.
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize="small")
