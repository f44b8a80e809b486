"""How long a report of many runs takes to build and to open, and how large it is.

Makes arms of several seeds out of copies of one run folder, whose scores are shaken a little.

    python benchmarks/report.py RUN_DIR
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from thinc.api import Config

from spacy_seqmix.report import write_report

BROWSERS = ("chromium", "chromium-browser")
REPEATS = 3


def main(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A finished run folder")],
    n_arms: Annotated[int, typer.Option("--arms", help="Arms")] = 20,
    n_seeds: Annotated[int, typer.Option("--seeds", help="Seeds of each arm")] = 5,
) -> None:
    """Print seconds and sizes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        given = []
        for k in range(n_arms):
            for seed in range(n_seeds):
                copied(run_dir, folder / f"arm-{k}-{seed}", seed, np.random.default_rng([k, seed]))
                given.append(f"arm {k}={folder / f'arm-{k}-{seed}'}")
        began = perf_counter()
        page = write_report(given, folder / "report", "Benchmark", "python benchmarks/report.py")
        print(f"{len(given)} runs: {perf_counter() - began:.1f} s to build")
        print(f"report.html: {page.stat().st_size / 1e6:.1f} MB")
        browser = next((found for one in BROWSERS if (found := shutil.which(one))), None)
        if browser is None:
            print("no Chromium: not opened")
            return
        blank = folder / "blank.html"
        blank.write_text("<!doctype html><title>blank</title>")
        print(f"{opened(browser, page) - opened(browser, blank):.1f} s to open")


def copied(run_dir: Path, to: Path, seed: int, rng: np.random.Generator) -> None:
    """Copy a run folder without its models, with another seed and other scores."""
    shutil.copytree(run_dir, to, ignore=shutil.ignore_patterns("models"))
    config = Config().from_disk(to / "config.cfg", interpolate=False)
    config["active"]["seed"] = seed
    config.to_disk(to / "config.cfg")
    lines = (to / "journal.jsonl").read_text("utf8").splitlines()
    rounds: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for one in rounds:
        for scores in one["scores"].values():
            scores["ents_f"] = float(np.clip(scores["ents_f"] + rng.normal(0.0, 0.02), 0.0, 1.0))
    text = "".join(json.dumps(one) + "\n" for one in rounds)
    (to / "journal.jsonl").write_text(text, "utf8")


def opened(browser: str, page: Path) -> float:
    """Median seconds that a headless browser takes to load a page and to give its DOM."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    seconds = []
    for _ in range(REPEATS):
        began = perf_counter()
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True)
        seconds.append(perf_counter() - began)
    return median(seconds)


if __name__ == "__main__":
    typer.run(main)
