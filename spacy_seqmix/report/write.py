"""A whole report: `table.md`, `results.json` and `curves.png`."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import srsly

from ..atomic import replacing
from ..errors import Errors
from .curves import draw_curves
from .runs import Run, differences, read_run
from .table import Facts, Machine, make_table

__all__ = ["write_report"]


def write_report(
    runs: Mapping[str, Path],
    out_dir: Path,
    title: str,
    command: str,
    seed: int | None,
    *,
    allow_different: bool = False,
) -> Path:
    """Compare runs: a table, the numbers as JSON, and learning curves.

    All three files appear together, or none of them does.

    runs (Mapping[str, Path]): the run folder of each name; differences are taken from the first.
    out_dir (Path): where to write; made if need be.
    title (str): the heading.
    command (str): the command that made the runs, as a reader should type it.
    seed (int | None): the seed of the runs; by default what their configs say, if they agree.
    allow_different (bool): also compare runs of other seed sets, rounds or optimiser steps; the
        table then says what differs.
    RETURNS (Path): the Markdown file.
    """
    read = [read_run(name, folder) for name, folder in runs.items()]
    notes = differences(read)
    if notes and not allow_different:
        raise ValueError(Errors.E512.format(reason="; ".join(notes)))
    facts: Facts = {
        "title": title,
        "command": command,
        "seed": _common_seed(read) if seed is None else seed,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": _describe_machine(),
        "models": sorted({f"{kind} {name}" for run in read for kind, name in run.models.items()}),
    }
    table = make_table(read, facts, notes)
    with ExitStack() as stack:
        markdown, numbers, picture = (
            stack.enter_context(replacing(out_dir / name))
            for name in ("table.md", "results.json", "curves.png")
        )
        markdown.write_text(table, "utf8")
        srsly.write_json(numbers, _as_json(read, facts, notes))
        draw_curves(read, title, picture)
    return out_dir / "table.md"


def _common_seed(runs: Sequence[Run]) -> int | None:
    seeds = {run.seed for run in runs}
    return seeds.pop() if len(seeds) == 1 else None


def _as_json(runs: Sequence[Run], facts: Facts, notes: Sequence[str]) -> dict[str, Any]:
    return {
        **facts,
        "notes": list(notes),
        "runs": [
            {"name": run.name, "rounds": [r.model_dump(mode="json") for r in run.rounds]}
            for run in runs
        ],
    }


def _describe_machine() -> Machine:
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
        "spacy": _version("spacy"),
        "torch": _version("torch"),
    }


def _processor() -> str:
    """The processor's model where the system tells it, else its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf8").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
