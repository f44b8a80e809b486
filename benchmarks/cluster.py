"""Measure what a Ray cluster gains, costs and loses, with two nodes on this machine.

    python benchmarks/cluster.py MODEL TEXTS.spacy -n 8000
    python benchmarks/cluster.py MODEL TEXTS.spacy --sweep sweep.cfg --paths.pool P.spacy ...

The cluster has a head without room for work, and two nodes with one CPU each. N random sentences
of TEXTS are scored by one process, through Ray by one worker and by two, and by two of which one is
killed in the middle. With --sweep, the runs of a sweep are made one after the other, and through
Ray two at a time; values of its config can be overridden. Every process has one thread. Seconds are
those of the whole command but Python's start, with the start of the workers. At the end, what was
written is compared.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import psutil
import spacy
import torch
import typer
from spacy.tokens import DocBin
from wasabi.tables import table

from spacy_seqmix.parallel.cluster import SETTINGS
from spacy_seqmix.parallel.workers import RayOptions
from spacy_seqmix.score.run import score_pool
from spacy_seqmix.score.scorer import Wanted

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
Row = tuple[str, float, float, str]


def main(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    corpus: Annotated[Path, typer.Argument(metavar="TEXTS", help="Sentences (.spacy)")],
    n_texts: Annotated[int, typer.Option("-n", help="Texts to score")] = 8000,
    n_shards: Annotated[int, typer.Option(help="Shards of them")] = 16,
    policy: Annotated[str, typer.Option(help="What scores them")] = "TagCount",
    sweep: Annotated[Path | None, typer.Option(help="Config of a sweep to run as well")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of sentences")] = 0,
) -> None:
    """Print the table."""
    with cluster() as address, TemporaryDirectory() as name:
        rows = scored(model, corpus, n_texts, n_shards, policy, seed, address, Path(name))
        if sweep is not None:
            rows += swept(sweep, list(ctx.args), address, Path(name))
    shown = [(what, f"{took:.1f} s", f"{ratio:.2f}", same) for what, took, ratio, same in rows]
    header = ("What", "Seconds", "Ratio to one process", "Result")
    print(f"\n{date.today()}, {platform.machine()}, {policy}, seed {seed}")
    print(table(shown, header=header, divider=True, aligns=("l", "r", "r", "l")))


@contextmanager
def cluster() -> Iterator[str]:
    """A cluster whose processes have one thread each. YIELDS (str): its address."""
    os.environ.update(SETTINGS | ONE_THREAD)
    torch.set_num_threads(1)  # here torch has read the environment already
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(2):
            made.add_node(num_cpus=1)
        try:
            yield made.address
        finally:
            made.shutdown()


def scored(
    model: str,
    corpus: Path,
    n_texts: int,
    n_shards: int,
    policy: str,
    seed: int,
    address: str,
    folder: Path,
) -> list[Row]:
    """Score the same texts in each way."""
    sentences = [doc.text for doc in DocBin().from_disk(corpus).get_docs(spacy.blank("xx").vocab)]
    rng, pool = random.Random(seed), folder / "pool.txt"
    pool.write_text("".join(f"{rng.choice(sentences)} {k}\n" for k in range(n_texts)), "utf8")
    wanted, rows = Wanted(model, policy=policy), list[Row]()
    ways = {
        "score, one process": (None, False),
        "score, one worker": (RayOptions(address, workers=1), False),
        "score, two workers": (RayOptions(address), False),
        "score, two workers, one killed": (RayOptions(address), True),
    }
    for what, (ray, kill) in ways.items():
        out = folder / what
        killer = threading.Thread(target=kill_a_worker, args=(out, n_shards // 2), daemon=True)
        if kill:
            killer.start()
        took = timed(
            lambda out=out, ray=ray: score_pool(
                wanted, [pool], out, n_shards=n_shards, ray=ray, progress=False
            )
        )
        first = rows[0][1] if rows else took
        same = contents(out / "shards") == contents(folder / next(iter(ways)) / "shards")
        rows.append((what, took, took / first, "equal" if same else "different"))
        print(f"{what}: {took:.1f} s", flush=True)
    return rows


def kill_a_worker(out: Path, shards: int) -> None:
    """Kill one of Ray's workers once so many shards are done."""
    while len(list((out / "shards").glob("*.jsonl"))) < shards:
        time.sleep(0.05)
    ours = psutil.Process().children(recursive=True)
    next(one for one in ours if "ray::Worker" in " ".join(one.cmdline())).kill()


def swept(config: Path, overrides: list[str], address: str, folder: Path) -> list[Row]:
    """Run the same sweep in both ways."""
    rows = list[Row]()
    for what, options in (("sweep, one at a time", []), ("sweep, two at a time through Ray", None)):
        out = folder / what
        given = ["--ray-address", address] if options is None else options
        command = [sys.executable, "-m", "spacy", "seqmix", "sweep", str(config), str(out)]
        took = timed(
            lambda command=command, given=given: subprocess.run(
                [*command, *overrides, *given, "--quiet"], check=True
            )
        )
        first = rows[0][1] if rows else took
        same = journals(out) == journals(folder / "sweep, one at a time")
        rows.append((what, took, took / first, f"journals {'equal' if same else 'different'}"))
    return rows


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}


def journals(folder: Path) -> dict[str, Any]:
    """The journals of a sweep, without seconds."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("journal.jsonl")):
        lines = [json.loads(line) for line in path.read_text("utf8").splitlines()]
        found[str(path.relative_to(folder))] = [
            {key: value for key, value in line.items() if "seconds" not in key} for line in lines
        ]
    return found


def timed(function: Callable[[], object]) -> float:
    """The seconds that a function takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=settings)(main)
    app()
