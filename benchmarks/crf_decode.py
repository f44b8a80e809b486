"""Time of Viterbi with transitions, against that of pytorch-crf.

    python benchmarks/crf_decode.py [--repeats N]

Prints medians of alternating runs over the same scores, in seconds of the processor on one thread,
and their ratio (the target: at most 1.3). Without pytorch-crf (`pip install pytorch-crf`) only our
own times.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import date
from time import process_time
from typing import Annotated, Any

import numpy as np
import torch
import typer

from spacy_seqmix.annotation.iob import Chain, best_paths, plain_tags

TARGET = 1.3
SIZES = ((64, 128, 67), (32, 40, 9))  # docs, tokens of each, tags


def main(
    repeats: Annotated[int, typer.Option(help="Runs of each, in turn")] = 7,
    seed: Annotated[int, typer.Option(help="Of the scores")] = 0,
) -> None:
    """Time both on scores of several sizes."""
    torch.set_num_threads(1)
    print(f"{date.today()}, torch {torch.__version__}, one thread, seed {seed}, {repeats} runs")
    for size in SIZES:
        runs = runs_of(*size, seed)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for repeat in range(repeats + 1):
            for name, run in runs.items():
                began = process_time()
                run()
                if repeat:  # the first run warms up
                    times[name].append(process_time() - began)
        medians = {name: statistics.median(of_name) for name, of_name in times.items()}
        line = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in medians.items())
        print("{} docs of {} tokens, {} tags: ".format(*size) + line, end="")
        if len(medians) == 2:
            ours, theirs = medians.values()
            print(f", ratio {ours / theirs:.2f} (target: at most {TARGET})", end="")
        print()


def runs_of(n_docs: int, n_tokens: int, n_tags: int, seed: int) -> dict[str, Callable[[], Any]]:
    """Decoding the same scores by both."""
    rng = np.random.default_rng(seed)
    emissions = rng.normal(size=(n_docs, n_tokens, n_tags))
    chain = Chain(*(rng.normal(size=s) for s in ((n_tags,), (n_tags, n_tags), (n_tags,))))
    tags = plain_tags(n_tags)
    runs: dict[str, Callable[[], Any]] = {
        "spacy_seqmix": lambda: best_paths(list(emissions), tags, chain)
    }
    try:
        from torchcrf import CRF
    except ImportError:
        return runs
    crf = CRF(n_tags, batch_first=True)
    with torch.no_grad():
        crf.start_transitions.copy_(torch.from_numpy(chain.start))
        crf.transitions.copy_(torch.from_numpy(chain.moves))
        crf.end_transitions.copy_(torch.from_numpy(chain.end))
    batch = torch.from_numpy(emissions).float()
    mask = torch.ones(n_docs, n_tokens, dtype=torch.bool)

    def decode() -> Any:
        with torch.no_grad():
            return crf.decode(batch, mask)

    return {**runs, "pytorch-crf": decode}


if __name__ == "__main__":
    typer.run(main)
