"""`spacy seqmix report`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

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
    """Compare runs of `spacy seqmix active`: report.html, report.md, results.json and pictures.

    Only runs with the same pool, seed set and optimiser steps are compared. Arms of a sweep may
    differ in their steps; the report then says so.
    """
    from ..report import write_report

    try:
        page = write_report(
            given,
            out_dir,
            title,
            command or _own_command(given, out_dir, title, baseline, allow_different, shown or ()),
            baseline=baseline,
            shown=shown or (),
            allow_different=allow_different,
        )
    except (ValueError, ImportError, OSError) as error:
        msg.fail(str(error), exits=1)
    msg.good(f"Wrote {page}, report.md, results.json and pictures")


def _own_command(
    given: Sequence[str],
    out_dir: Path,
    title: str,
    baseline: str | None,
    allow_different: bool,
    shown: Sequence[str],
) -> str:
    words = ["python", "-m", "spacy", "seqmix", "report", *given, "-o", str(out_dir)]
    words += ["--title", title, *(["--baseline", baseline] if baseline else [])]
    words += [word for name in shown for word in ("--arm", name)]
    return shlex.join([*words, *(["--allow-different"] if allow_different else [])])
