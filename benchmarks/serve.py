"""How long the backend of Label Studio takes to answer while a training runs beside it.

    python benchmarks/serve.py OUT [--calls 60] [--tasks 20]

Begins a run with a CNN and the gold labels of the mini corpus in OUT, a new folder, then serves it
with --train, and sends tasks twice a second, over several rounds of training. Prints the median and
the slowest call (the target: a second for 20 tasks).
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Annotated

import httpx
import torch
import typer

from spacy_seqmix.convert.brackets import parse_markup

ROOT = Path(__file__).parents[1]
MINI = ROOT / "assets" / "mini"
CONFIG = ROOT / "spacy_seqmix" / "annotate" / "configs" / "cnn.cfg"
SEQMIX = (sys.executable, "-m", "spacy", "seqmix")
INTERFACE = (
    '<View><Labels name="label" toName="text">'
    + "".join(f'<Label value="{label}"/>' for label in ("PER", "ORG", "LOC", "MISC"))
    + '</Labels><Text name="text" value="$text"/></View>'
)


def main(
    out: Annotated[Path, typer.Argument(help="New folder")],
    calls: Annotated[int, typer.Option(help="Number of calls")] = 60,
    tasks: Annotated[int, typer.Option(help="Tasks of a call")] = 20,
) -> None:
    """Time /predict beside a training."""
    out.mkdir(parents=True)
    run, log = out / "run", out / "serve.log"
    begin(out, run)
    lines = (MINI / "test.txt").read_text("utf8").splitlines()
    texts = [parse_markup(line)[0] for line in lines if line.strip()]
    command = [*SEQMIX, "serve", str(run), "--port", "0", "--train"]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        try:
            address = wait_for(lambda: re.search(r"http://\S+", log.read_text("utf8")))[0]
            with httpx.Client(base_url=address, timeout=100) as client:
                wait_for(lambda: version(client) != "no-model")
                times, versions = measure(client, run, texts, calls, tasks)
        finally:
            server.terminate()
    print(f"{date.today()}, torch {torch.__version__}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}, {tasks} tasks a call, {versions} pipelines")
    print("| calls | median | slowest |\n|---:|---:|---:|")
    print(f"| {len(times)} | {statistics.median(times):.3f} s | {max(times):.3f} s |")


def begin(out: Path, run: Path) -> None:
    """Train the first round."""
    pool = out / "pool.spacy"
    subprocess.run([*SEQMIX, "convert", str(MINI / "pool.txt"), str(pool)], check=True)
    config = out / "config.cfg"
    config.write_text(
        f'[active]\nextends = "{CONFIG}"\npool = "{pool}"\n'
        '[active.oracle]\n@misc = "spacy-seqmix.GoldOracle.v1"\n',
        "utf8",
    )
    with subprocess.Popen([*SEQMIX, "active", str(config), str(run)]) as first:
        wait_for((run / "model-last").exists)
        first.terminate()


def measure(
    client: httpx.Client, run: Path, texts: list[str], calls: int, tasks: int
) -> tuple[list[float], int]:
    """The seconds of calls beside the training, and how many pipelines answered."""
    times: list[float] = []
    versions: set[str] = set()
    for call in range(calls):
        chosen = [texts[(call * tasks + n) % len(texts)] for n in range(tasks)]
        listed = [{"id": n, "data": {"text": text}} for n, text in enumerate(chosen)]
        if not (run / "lock.tmp").exists():  # the loop has it as long as it runs
            raise SystemExit(f"the training ended: see {run}/label-studio/training.log")
        began = time.perf_counter()
        answer = client.post("/predict", json={"tasks": listed, "label_config": INTERFACE})
        seconds = time.perf_counter() - began
        results = answer.raise_for_status().json()["results"]
        assert len(results) == tasks
        versions |= {result["model_version"] for result in results}
        times.append(seconds)
        time.sleep(0.5)
    return times, len(versions)


def version(client: httpx.Client) -> str:
    """The version of the pipeline that answers."""
    return str(client.post("/setup", json={}).json()["model_version"])


def wait_for(condition):  # type: ignore[no-untyped-def]
    """What a condition gives, as soon as it is true."""
    end = time.monotonic() + 300
    while not (found := condition()):
        if time.monotonic() > end:
            raise SystemExit("it never happened")
        time.sleep(0.1)
    return found


if __name__ == "__main__":
    typer.run(main)
