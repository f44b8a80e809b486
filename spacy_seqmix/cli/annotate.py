"""`spacy seqmix annotate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from ..errors import plural
from ._common import CodeOption, GpuOption, read_overrides, show_messages

if TYPE_CHECKING:
    from ..annotate.page.labels import PageLabel

__all__ = ["annotate_cli"]


def annotate_cli(
    ctx: typer.Context,
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run")],
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            "--texts",
            "-t",
            help="Texts to label: .txt, .jsonl, .parquet or .spacy; a file, a pattern in quotation "
            "marks or a folder; repeatable. Begins a run",
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", "-l", help="Labels, such as PER,ORG; new ones go last")
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--lang", help="Language of the texts (default en)")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Train a CNN, not a transformer")] = False,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="Transformer to train, such as bert-base-cased")
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Texts between two trainings (default 20, then 40)"),
    ] = None,
    dev: Annotated[
        Path | None, typer.Option("--dev", help="Labelled docs (.spacy) to score on")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A config of your own, with [active]")
    ] = None,
    blind: Annotated[
        float | None,
        typer.Option(
            "--blind", min=0.0, max=1.0, help="Share of texts that are shown without suggestions"
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen to; others than 127.0.0.1 let others in"),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="Port (default that of before, 8642, or any)"
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser")
    ] = True,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
) -> None:
    """Label texts in a page, while a model learns from them and suggests the next labels.

    Begin with --texts and --labels. Run `annotate RUN_DIR` alone to go on. The values of a new
    run's config can be overridden: --active.seed 1.
    """
    from ..annotate.page.folder import PageFolder, begin, go_on
    from ..annotate.page.labels import read_labels, split_labels
    from ..annotate.page.serve import serve
    from ..annotate.page.start import NewRun
    from ..annotate.serving import check_installed

    overrides = read_overrides(ctx)
    with show_messages():
        check_installed()
        names = () if labels is None else tuple(split_labels(labels))
        new = NewRun(tuple(texts or ()), names, config, lang, fast, encoder, batch, dev)
        folder = PageFolder(run_dir)
        options = ["--gpu-id", str(use_gpu)]
        options += [] if code is None else ["--code", str(code)]
        serve(
            run_dir,
            lambda: begin(folder, new, overrides, blind=blind or 0.0),
            lambda: go_on(folder, new, overrides, blind=blind),
            host=host,
            port=port,
            browser=browser,
            train=options,
            on_start=lambda link: _show(link, read_labels(folder.labels_path)),
        )
    msg.good(f"Every answer is in {run_dir / 'answers.jsonl'}")
    msg.text(f"To go on: python -m spacy seqmix annotate {run_dir}")


def _show(link: str, labels: Sequence[PageLabel]) -> None:
    names = ", ".join(one.name for one in labels)
    msg.text(f"{plural(len(labels), 'label')}: {names}")
    msg.good(f"Label at {link}")
    msg.text("Ctrl-C ends the page and the training; every answer is kept.")
