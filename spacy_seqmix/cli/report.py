"""`spacy seqmix report`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ._common import show_messages

__all__ = ["report_cli"]


def report_cli(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="RUNS...", help="RUN_DIR, NAME=RUN_DIR (one name for all seeds), or SWEEP_DIR"
        ),
    ],
    out_dir: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report")],
    title: Annotated[
        str, typer.Option("--title", "-t", help="Title of the report")
    ] = "Active learning",
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", "-b", help="Arm to compare all others with"),
    ] = None,
    shown: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            "-a",
            help="Show only this arm and its baseline; may contain * and ?",
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", "-c", help="Command that made the runs; by default this one"),
    ] = None,
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different",
            help="Compare runs whose pools, seed sets, rounds or optimiser steps differ",
        ),
    ] = False,
) -> None:
    """Compare runs of `spacy seqmix active`: a page, the same in Markdown, numbers and pictures.

    Only runs with the same pool, seed set and optimiser steps are compared. Arms of a sweep may
    differ in their steps; the report then says so.
    """
    from ..files import progress_bar
    from ..report import write_report

    with show_messages(), progress_bar(None, "Comparing the runs"):
        page = write_report(
            given,
            out_dir,
            title,
            # As it was typed.
            command or shlex.join(["python", "-m", "spacy", *sys.argv[1:]]),
            baseline=baseline,
            shown=shown or (),
            allow_different=allow_different,
        )
    msg.good(f"Wrote {page}, report.md, results.json and pictures")
