"""`spacy seqmix confidence`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ..errors import Errors, Warnings, plural
from ._common import CODE_HELP, GpuOption, show_messages

if TYPE_CHECKING:
    from ..query.temperature import Fit

__all__ = ["confidence_cli"]


def confidence_cli(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Pipeline: folder or package")],
    path: Annotated[
        Path,
        typer.Argument(metavar="GOLD.spacy", help="Labelled docs, none from its training"),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="New folder for the pipeline with the temperature"),
    ] = None,
    component: Annotated[
        str | None, typer.Option("--component", "-c", help="Component that predicts the spans")
    ] = None,
    code: Annotated[Path | None, typer.Option("--code", help=CODE_HELP)] = None,
    use_gpu: GpuOption = -1,
) -> None:
    """Measure how well span._.confidence is calibrated, and fit its temperature.

    Of ten spans with confidence 0.9, nine should be correct. The command shows how far MODEL is
    from that, before and after one number, the temperature, is fitted. "After" is measured on docs
    that the temperature was not fitted to (five folds). With --output, the pipeline is saved with
    a seqmix_uncertainty component that uses the temperature, if that helped.
    """
    from spacy.cli._util import import_code, setup_gpu

    from ..files import progress_bar
    from ..query.temperature import fit_file

    import_code(code)
    with show_messages():
        setup_gpu(use_gpu, silent=False)
        with progress_bar(None, "Measuring"):
            result = fit_file(model, path, output, component)
    spans = f"{plural(result.n_spans, 'span')} of '{result.component}'"
    msg.info(f"{spans}, {result.n_correct} of them correct")
    header = ["", "before", "after"]
    rows = [
        ("calibration error", result.before.error, result.after.error),
        ("Brier score", result.before.brier, result.after.brier),
        ("log-loss (nats)", result.before.log_loss, result.after.log_loss),
    ]
    shown = [(name, f"{a:.4f}", f"{b:.4f}") for name, a, b in rows]
    print(table(shown, header=header, divider=True, aligns=["l", "r", "r"]))
    print(_reliability(result.before, result.after))
    if result.doubt is None:
        msg.good(f"Temperature: {result.temperature:.3f}")
    else:
        text = Warnings.W590.format(temperature=f"{result.temperature:.3f}", reason=result.doubt)
        msg.warn(text)
    if output is not None and result.doubt is None:
        msg.good(f"Saved the pipeline to {output}")
    elif output is not None:
        msg.fail(Errors.E591.format(path=output), exits=1)


def _reliability(before: "Fit", after: "Fit") -> str:
    """Tabulate the spans by tenths of confidence: number, mean confidence, share correct."""
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
