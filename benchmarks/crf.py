"""Time of the CRF, against that of pytorch-crf: loss and gradient, and Viterbi with transitions.

    python benchmarks/crf.py [--repeats N]

Prints, of alternating runs over the same scores and tags, the least seconds of the processor on one
thread, and their ratio (the targets: at most 1 for loss and gradient, 1.3 for Viterbi). Without
pytorch-crf (`pip install pytorch-crf`) only our own times.

Both give the same loss where every path is allowed; here ours leaves out those that IOB2 forbids,
and sums in double precision.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from time import process_time
from typing import Annotated, Any, TypeAlias

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from spacy_seqmix.annotation.iob import Chain, best_paths, plain_tags
from spacy_seqmix.models.crf import CRF, Marginals
from spacy_seqmix.models.crf_inference import Transitions

SIZES = ((32, 40, 9), (64, 128, 67))  # docs, tokens of each, tags
Runs: TypeAlias = dict[str, Callable[[], Any]]


def main(
    repeats: Annotated[int, typer.Option(help="Runs of each, in turn")] = 15,
    seed: Annotated[int, typer.Option(help="Of the scores")] = 0,
) -> None:
    """Time both on scores of several sizes."""
    torch.set_num_threads(1)
    print(f"{date.today()}, torch {torch.__version__}, one thread, seed {seed}, {repeats} runs")
    for size in SIZES:
        emissions, chain = scores_of(*size, seed)
        paths = valid_paths(*size, seed)
        theirs = pytorch_crf(chain)
        print("{} docs of {} tokens, {} tags".format(*size))
        show("loss and gradient", losses(emissions, chain, paths, theirs), 1.0, repeats)
        show("Viterbi", decodings(emissions, chain, theirs), 1.3, repeats)


def show(what: str, runs: Runs, target: float, repeats: int) -> None:
    """Time runs in turn, and print the least time of each."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            began = process_time()
            run()
            if repeat:  # the first run warms up
                times[name].append(process_time() - began)
    least = {name: min(of_name) for name, of_name in times.items()}
    line = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in least.items())
    if len(least) == 2:
        ours, theirs = least.values()
        line += f", ratio {ours / theirs:.2f} (target: at most {target})"
    print(f"  {what}: {line}")


def scores_of(
    n_docs: int, n_tokens: int, n_tags: int, seed: int
) -> tuple[NDArray[np.float32], Chain]:
    """Random emissions, as a network gives them out, and transitions."""
    rng = np.random.default_rng(seed)
    emissions = rng.normal(size=(n_docs, n_tokens, n_tags)).astype("float32")
    return emissions, Chain(*(rng.normal(size=s) for s in ((n_tags,), (n_tags, n_tags), (n_tags,))))


def valid_paths(n_docs: int, n_tokens: int, n_tags: int, seed: int) -> NDArray[np.int64]:
    """Random paths that IOB2 allows: the best ones of random scores."""
    rng = np.random.default_rng(seed + 1)
    scores = list(rng.normal(size=(n_docs, n_tokens, n_tags)))
    tags = plain_tags(n_tags)
    zeros = np.zeros(n_tags)
    return np.array(best_paths(scores, tags, Chain(zeros, np.zeros((n_tags, n_tags)), zeros))[0])


def pytorch_crf(chain: Chain) -> Any:
    """Their module with these transitions; None where it isn't installed."""
    try:
        from torchcrf import CRF as Theirs  # noqa: N811
    except ImportError:
        return None
    crf = Theirs(len(chain.start), batch_first=True)
    with torch.no_grad():
        crf.start_transitions.copy_(torch.from_numpy(chain.start))
        crf.transitions.copy_(torch.from_numpy(chain.moves))
        crf.end_transitions.copy_(torch.from_numpy(chain.end))
    return crf


def losses(
    emissions: NDArray[np.float32], chain: Chain, paths: NDArray[np.int64], crf: Any
) -> Runs:
    """The loss of a batch and its gradients, from arrays to arrays, as in a training step."""
    rows = list(np.eye(emissions.shape[2], dtype="float32")[paths])
    transitions = Transitions(*(torch.from_numpy(part) for part in chain))
    runs: Runs = {"spacy_seqmix": lambda: CRF.loss(Marginals(list(emissions), transitions), rows)}
    if crf is None:
        return runs
    mask, tags = torch.ones(paths.shape, dtype=torch.bool), torch.from_numpy(paths)

    def loss() -> Any:
        crf.zero_grad()
        batch = torch.from_numpy(emissions).requires_grad_()
        nll = -crf(batch, tags, mask=mask)
        nll.backward()
        return float(nll.detach()), batch.grad

    return {**runs, "pytorch-crf": loss}


def decodings(emissions: NDArray[np.float32], chain: Chain, crf: Any) -> Runs:
    """Decoding the same scores by both."""
    tags = plain_tags(emissions.shape[2])
    arrays = list(emissions.astype("float64"))
    runs: Runs = {"spacy_seqmix": lambda: best_paths(arrays, tags, chain)}
    if crf is None:
        return runs
    batch, mask = torch.from_numpy(emissions), torch.ones(emissions.shape[:2], dtype=torch.bool)

    def decode() -> Any:
        with torch.no_grad():
            return crf.decode(batch, mask)

    return {**runs, "pytorch-crf": decode}


if __name__ == "__main__":
    typer.run(main)
