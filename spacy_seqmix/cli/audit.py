"""`spacy seqmix audit`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ..errors import plural
from ._common import CodeOption, GpuOption, printable, read_overrides, show_messages
from .ingest import ToolFormat

if TYPE_CHECKING:
    from ..annotate.audit.run import FoldDone
    from ..annotate.audit.tasks import Suspect

__all__ = ["audit_cli"]

SHOWN = 20
# The widths of the columns of text.
CONTEXT, ENTITIES = 48, 26


def audit_cli(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of tasks; for brat a folder")
    ],
    folds: Annotated[
        int, typer.Option("--folds", "-k", help="Number of parts, and of pipelines; at least 2")
    ] = 5,
    format: Annotated[
        ToolFormat, typer.Option("--format", "-f", help="Format of the tasks; auto: jsonl")
    ] = ToolFormat.auto,
    n_docs: Annotated[
        int | None,
        typer.Option("--n-docs", "-n", min=1, help="Number of tasks; by default all suspicious"),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work", help="Folder for what each fold found; by default OUTPUT with .audit added"
        ),
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--lang", "-l", help="Language of the docs (default en)")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Train CNNs, not transformers")] = False,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="Transformer to train, such as bert-base-cased")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A training config of your own")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of folds and training")] = 0,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
) -> None:
    """Find likely label errors: entities that pipelines which have not seen the doc doubt.

    The docs are cut into folds. For each, a pipeline is trained on the others and predicts this
    one. Where prediction and annotation differ, the place is ranked: by how much more probable the
    prediction is, and by how often the corpus labels the same words so. Run the same command again
    to go on after a stop: finished folds are kept. Values of the training config can be overridden:
    --active.epochs 5.
    """
    from spacy.cli._util import setup_gpu

    from ..annotate.audit.folds import Trainer
    from ..annotate.audit.run import audit_file
    from ..annotate.page.start import NewRun

    overrides = read_overrides(ctx)
    name = "jsonl" if format is ToolFormat.auto else format.value
    with show_messages():
        setup_gpu(use_gpu, silent=False)
        new = NewRun(config=config, lang=lang, fast=fast, encoder=encoder)
        trainer = Trainer.of(new, overrides, seed=seed, use_gpu=use_gpu)
        audit = audit_file(
            path,
            output,
            trainer,
            folds=folds,
            seed=seed,
            format=name,
            n_docs=n_docs,
            work=work,
            on_fold=lambda done: _show_fold(done, folds),
        )
    left_out = f"; {plural(audit.left_out, 'doc')} without annotation left out"
    judged = f"{plural(audit.docs, 'doc')} judged, F1 {audit.f1:.3f} against the given labels"
    msg.info(judged + left_out * bool(audit.left_out))
    if not audit.suspects:
        msg.good("Nothing is suspicious: the pipelines found just what is labelled")
        return
    print(_table(audit.suspects[:SHOWN]))
    msg.info(f"All {plural(len(audit.suspects), 'suspicious place')}: {audit.folder.table}")
    msg.good(f"Wrote {plural(len(audit.tasks), 'task')} to {output}")
    options = f"--pool {shlex.quote(str(path))} --whole"
    is_edited = format.value == "brackets"  # in the file itself, which no tool exports
    export = shlex.quote(str(output)) if is_edited else "EXPORT"
    if is_edited:
        msg.info("Write 'done' in place of 'todo' above each text that you have looked at")
    command = f"python -m spacy seqmix ingest {export} -o FILE.spacy {options}"
    msg.info(f"Once they are corrected: {command}")


def _show_fold(done: FoldDone, folds: int) -> None:
    found = f"F1 {done.f1:.3f}, {plural(done.doubts, 'suspicious place')}"
    before = ", from before" if done.kept else ""
    msg.text(f"Fold {done.number} of {folds}: {plural(done.docs, 'doc')}, {found}{before}")


def _table(suspects: list[Suspect]) -> str:
    rows = [
        (
            f"{one.score:.2f}",
            _short(one.context, CONTEXT),
            _short(one.given, ENTITIES),
            _short(one.found, ENTITIES),
            f"{one.probability:.2f}",
        )
        for one in suspects
    ]
    header = ("Score", "Text", "Given", "Found", "P(found)")
    made = table(
        rows, header=header, divider=True, aligns=("r", "l", "l", "l", "r"), max_col=CONTEXT
    )
    return str(made)


def _short(text: str, width: int) -> str:
    text = printable(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"
