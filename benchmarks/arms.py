"""Scores of finished runs by arm: the last round's F1 of each seed, mean and deviation.

Runs of one arm share its name; those that are compared share their seeds and optimiser steps.

    python benchmarks/arms.py OUT.md softmax=RUN_DIR softmax=RUN_DIR crf=RUN_DIR crf=RUN_DIR
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import typer
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.atomic import replacing
from spacy_seqmix.report.runs import Run, read_run

SPLITS = ("dev", "test")


def main(
    out: Annotated[Path, typer.Argument(metavar="OUT.md", help="Markdown to write")],
    named: Annotated[list[str], typer.Argument(metavar="NAME=RUN_DIR...", help="Finished runs")],
    title: Annotated[str, typer.Option(help="Heading")] = "Arms",
) -> None:
    """Write and print a table: a row a run, and a row with mean and deviation for each arm."""
    folders = [(name, Path(path)) for name, _, path in (text.partition("=") for text in named)]
    runs = [(read_run(name, path), path.name) for name, path in folders]
    steps = {run.rounds[-1].steps for run, _ in runs}
    if len(steps) > 1:
        raise SystemExit(f"The runs have different numbers of optimiser steps: {sorted(steps)}")
    rows = []
    for arm in dict.fromkeys(name for name, _ in folders):
        of_arm = [(run, folder) for run, folder in runs if run.name == arm]
        for run, folder in of_arm:
            rows.append([arm, folder, *(f"{f1(run, split):.1f}" for split in SPLITS)])
        found = [run for run, _ in of_arm]
        rows.append([f"**{arm}**", "mean ± deviation", *(spread(found, s) for s in SPLITS)])
    page = MarkdownRenderer()
    page.add(page.title(1, title))
    last = runs[0][0].rounds[-1]
    page.add(f"Entity F1 × 100 after {last.steps} steps on {last.n_labelled} labelled sentences.")
    page.add(page.table(rows, ["arm", "run", *SPLITS], aligns=["l", "l", "r", "r"]))
    with replacing(out) as temporary:
        temporary.write_text(page.text + "\n", encoding="utf8")
    print(page.text)


def f1(run: Run, split: str) -> float:
    """Entity F1 × 100 of the last round."""
    return 100 * (run.rounds[-1].score(split) or 0.0)


def spread(runs: list[Run], split: str) -> str:
    """Mean and sample deviation over runs."""
    values = [f1(run, split) for run in runs]
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


if __name__ == "__main__":
    typer.run(main)
