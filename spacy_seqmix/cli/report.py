"""`spacy seqmix report`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import Errors

__all__ = ["report_cli"]


def report_cli(
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder of the report")],
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=RUN_DIR...",
            help="Runs to compare, by the names to show; the first is the baseline",
        ),
    ],
    title: Annotated[
        str, typer.Option("--title", "-t", help="Title of the report")
    ] = "Active learning",
    command: Annotated[
        str | None,
        typer.Option("--command", "-c", help="Command that made the runs; this one if left out"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", "-s", help="Seed of the runs; what their configs say if left out"),
    ] = None,
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different",
            help="Compare runs whose seed sets, rounds or optimiser steps differ",
        ),
    ] = False,
) -> None:
    """Compare the runs of `spacy seqmix active`: table.md, results.json and curves.png.

    Runs are compared at equal optimiser steps, from the same seed set, or not at all.
    """
    from ..report import write_report

    try:
        table = write_report(
            _parse_runs(runs),
            out_dir,
            title,
            command or _own_command(out_dir, runs, title),
            seed,
            allow_different=allow_different,
        )
    except (ValueError, ImportError, OSError) as error:
        msg.fail(str(error), exits=1)
    msg.good(f"Wrote {table}, results.json and curves.png")


def _parse_runs(pairs: Sequence[str]) -> dict[str, Path]:
    """Parse NAME=RUN_DIR arguments."""
    runs: dict[str, Path] = {}
    for pair in pairs:
        name, equals, folder = pair.partition("=")
        if not (name and equals and folder) or name in runs:
            raise ValueError(Errors.E514.format(text=pair))
        runs[name] = Path(folder)
    return runs


def _own_command(out_dir: Path, runs: Sequence[str], title: str) -> str:
    words = ["python", "-m", "spacy", "seqmix", "report", str(out_dir), *runs, "--title", title]
    return shlex.join(words)
