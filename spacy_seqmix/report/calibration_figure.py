"""A calibration as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Errors, SeqMixError
from ..files import replacing
from ..lm.calibration import Calibration, Floats
from ..lm.calibration_text import shares, short
from ..lm.settings import Range
from ..model_names import short_name
from .figures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "picture_path", "require_matplotlib"]

LOOKS: tuple[dict[str, Any], ...] = (
    {"fill": True, "color": COLOURS[5]},
    {"color": COLOURS[1], "linewidth": 2.0},
)


def require_matplotlib() -> None:
    """Raise S515 if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise SeqMixError(Errors.E515) from error


def picture_path(path: Path) -> Path:
    """The PNG itself, or ``perplexity.png`` in a folder."""
    return path if path.suffix.lower() == ".png" else path / "perplexity.png"


def draw(calibration: Calibration, path: Path) -> Path:
    """Draw the distributions, with the proposed ranges shaded.

    calibration (Calibration): what ``calibrate`` returned.
    path (Path): the PNG to write, or a folder for ``perplexity.png``.
    RETURNS (Path): the file.
    RAISES (SeqMixError): S515 without matplotlib.
    """
    require_matplotlib()
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

    figure, axes = new_figure(1 if calibration.window_nats is None else 2, width=5.5)
    values = {kind: scores.perplexities for kind, scores in calibration.scores.items()}
    axes[0].set_xscale("log")
    _distributions(axes[0], values, calibration.perplexity, log=True)
    low, high = axes[0].get_xlim()
    axes[0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e3 * low else (1, 3)))
    axes[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes[0].xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_xlabel(f"perplexity of each {calibration.discriminator.unit} (log scale)")
    axes[0].set_ylabel("share")

    if calibration.window_nats is not None:
        values = {kind: scores.nats for kind, scores in calibration.scores.items()}
        _distributions(axes[1], values, calibration.window_nats, log=False)
        axes[1].set_xlabel("nats per word in windows that were mixed, or could be")
    for ax in axes:
        ax.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    figure.suptitle(short_name(calibration.discriminator.settings.model), fontsize="medium")
    path = picture_path(path)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return path


def _distributions(ax: Axes, series: dict[str, Floats], inside: Range, *, log: bool) -> None:
    """The first series filled, the second as an outline, the range behind them."""
    columns, edges = shares(series.values(), log=log)
    limits = [short(limit) for limit in inside if limit]
    label = f"proposed: {' to '.join(limits) if inside.low else f'at most {limits[-1]}'}"
    low, high = max(inside.low, edges[0]), min(inside.high or edges[-1], edges[-1])
    ax.axvspan(low, high, color=COLOURS[4], alpha=0.18, linewidth=0, label=label, zorder=0)
    for limit in filter(None, inside):
        ax.axvline(limit, color=COLOURS[4], linewidth=1.2)
    for one, (kind, values), look in zip(columns, series.items(), LOOKS, strict=False):
        ax.stairs(one, edges, label=f"{kind} (n = {len(values)})", **look)
    ax.set_xlim(edges[0], edges[-1])
    # Above the axes, where no bar can hide it or be hidden by it.
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize="small", ncols=3)
