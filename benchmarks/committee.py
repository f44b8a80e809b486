"""What a committee of three costs in a run, against one member.

    python benchmarks/committee.py [--steps N] [--repeats N] [--threads N]

Prints the seconds of two rounds, the seed round and one with a query, of runs that differ in
nothing but the policy and the committee, and their ratio (the target with separate seeds: at most
3.2). The model is the CNN of configs/cnn_seqmix.cfg without mixing; the runs alternate, so the
machine's speed cancels out of the ratios, whose medians are shown.
"""

from __future__ import annotations

import statistics
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import spacy
import torch
import typer
from thinc.api import Config

from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.convert.brackets import read_brackets

ROOT = Path(__file__).parents[1]
TARGET = 3.2
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "one member": ("spacy-seqmix.NTE.v1", {}),
    "three by seeds": ("spacy-seqmix.QBC.v1", {"members": 3, "kind": "seeds"}),
    "three by dropout": ("spacy-seqmix.QBC.v1", {"members": 3, "kind": "dropout"}),
}


def main(
    steps: Annotated[int, typer.Option(help="Optimiser steps of each training")] = 60,
    repeats: Annotated[int, typer.Option(help="Runs of each kind, in turn")] = 3,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0 for its own choice")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the runs")] = 0,
) -> None:
    """Time the runs and print the ratios."""
    if threads:
        torch.set_num_threads(threads)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with TemporaryDirectory() as name:
        folder = Path(name)
        nlp = spacy.blank("en")
        for part in ("pool", "dev"):
            write_docs(
                list(read_brackets(ROOT / "assets" / "mini" / f"{part}.txt", nlp)),
                folder / f"{part}.spacy",
            )
        for repeat in range(repeats):
            for kind, (policy, committee) in KINDS.items():
                config = make_config(folder, policy, committee, steps, seed)
                run = ActiveRun(config, folder / f"{kind} {repeat}", progress=False)
                # Round 0 trains without a query; round 1 queries and trains; round 2 is the last
                # and trains no members, so it would flatter them.
                seconds[kind].append(sum(r.seconds.total for r in run.run()[:2]))
    print(
        f"{date.today()}, torch {torch.__version__}, {torch.get_num_threads()} threads, seed {seed}"
    )
    print(f"{steps} steps a training, {repeats} runs of each")
    for kind, found in seconds.items():
        ratios = sorted(a / b for a, b in zip(found, seconds["one member"], strict=True))
        print(
            f"{kind:18} {statistics.median(found):7.1f} s  ratio {statistics.median(ratios):.2f}",
            end="",
        )
        print(f" (from {ratios[0]:.2f} to {ratios[-1]:.2f})")
    print(f"target of three by seeds: at most {TARGET}")


def make_config(
    folder: Path, policy: str, committee: dict[str, Any], steps: int, seed: int
) -> Config:
    """A run of three rounds over the mini corpus."""
    config = Config().from_disk(ROOT / "configs" / "cnn_seqmix.cfg", interpolate=False)
    del config["corpora"]["train"]["augmenter"]
    config["active"] = {
        "pool": str(folder / "pool.spacy"),
        "dev": str(folder / "dev.spacy"),
        "seed": seed,
        "n_seed": 100,
        "n_query": 50,
        "n_rounds": 2,
        "max_steps": steps,
        "policy": {"@misc": policy, **({"mode": "kl"} if "dropout" in committee.values() else {})},
        "committee": committee,
        "oracle": {"@misc": "spacy-seqmix.GoldOracle.v1"},
    }
    return config


if __name__ == "__main__":
    typer.run(main)
