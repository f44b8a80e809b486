"""`spacy seqmix confidence`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ._common import show_warnings

if TYPE_CHECKING:
    from ..query.temperature import Fit

__all__ = ["confidence_cli"]


def confidence_cli(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Pipeline: folder or package")],
    path: Annotated[
        Path, typer.Argument(metavar="GOLD.spacy", help="Labelled docs, not those trained on")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="New folder for the pipeline with the temperature"),
    ] = None,
    component: Annotated[
        str | None, typer.Option("--component", "-c", help="Component that predicts the spans")
    ] = None,
    use_gpu: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU id, or -1 for the CPU")] = -1,
) -> None:
    """Measure how well span._.confidence is calibrated, and fit its temperature.

    Nine of ten spans with confidence 0.9 should be correct. Shows how far MODEL is from
    that, before and after one number, the temperature, was fitted; "after" is measured on other
    docs than it was fitted to (five folds). With --output the pipeline is saved with a
    seqmix_uncertainty component that has it.
    """
    from spacy.cli._util import setup_gpu

    from ..query.temperature import fit_file

    try:
        with show_warnings():
            setup_gpu(use_gpu, silent=False)
            result = fit_file(model, path, output, component)
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err), exits=1)
    msg.info(f"{result.n_spans} spans of '{result.component}', {result.n_correct} of them correct")
    header = ["", "before", "after"]
    rows = [
        ("calibration error", result.before.error, result.after.error),
        ("Brier score", result.before.brier, result.after.brier),
        ("log-loss (nats)", result.before.log_loss, result.after.log_loss),
    ]
    shown = [(name, f"{a:.4f}", f"{b:.4f}") for name, a, b in rows]
    print(table(shown, header=header, divider=True, aligns=["l", "r", "r"]))
    print(_reliability(result.before, result.after))
    msg.good(f"Temperature: {result.temperature:.3f}")
    if output is not None:
        msg.good(f"Saved the pipeline to {output}")


def _reliability(before: "Fit", after: "Fit") -> str:
    """Per tenth of confidence: how many spans, their mean confidence, and the share correct."""
    columns = [{b.low: b for b in fit.bins} for fit in (before, after)]
    header = ["Confidence", *(f"{what} {when}" for when in ("before", "after") for what in WHAT)]
    rows = []
    for low in sorted({*columns[0], *columns[1]}):
        row = [f"{low:.1f} to {low + 0.1:.1f}"]
        for of_fit in columns:
            b = of_fit.get(low)
            row += [f"{b.n}", f"{b.confidence:.3f}", f"{b.correct:.3f}"] if b else ["0", "-", "-"]
        rows.append(row)
    return str(table(rows, header=header, divider=True, aligns=("l", *("r",) * 6)))


WHAT = ("spans", "mean", "correct")
