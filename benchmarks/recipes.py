"""What mixing by recipes costs a training step of a transformer.

    python benchmarks/recipes.py --encoder path/to/encoder [--docs DOCS] [--batch-size N]

Steps (forward and backward of ``spacy-seqmix.MixTransformerModel.v1``, no optimiser) over the same
docs in turn: without recipes, and with two mixed tokens in every doc. Prints the ratio of their
times (the target is at most 1.1), the median over pairs of steps; below it the ratio of processor
time, which other programs on the machine disturb less.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import spacy
import torch
import typer
from spacy.tokens import Doc
from spacy.util import registry
from spacy_transformers.data_classes import FullTransformerBatch
from transformers.modeling_outputs import ModelOutput

from spacy_seqmix.annotation import recipes
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.recipes import Recipe
from spacy_seqmix.convert.brackets import read_brackets
from spacy_seqmix.models.mix_transformer import build_mix_transformer

ROOT = Path(__file__).parents[1]
TARGET = 1.1
MIXED = 2  # tokens of each doc
WARM_UP = 3  # pairs of steps


def main(
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    docs: Annotated[Path, typer.Option(help="Docs: .spacy, or bracket markup")] = ROOT
    / "assets"
    / "mini"
    / "pool.txt",
    batch_size: Annotated[int, typer.Option(help="Docs at once")] = 32,
    repeats: Annotated[int, typer.Option(help="Pairs of steps")] = 60,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0 for its own choice")] = 0,
    gpu_id: Annotated[int, typer.Option(help="GPU id, or -1 for the CPU")] = -1,
) -> None:
    """Time both kinds of steps and print their ratio."""
    if threads:
        torch.set_num_threads(threads)
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)  # type: ignore[attr-defined]
    nlp = spacy.blank("en")
    texts = read_docs(docs, nlp) if docs.suffix == ".spacy" else list(read_brackets(docs, nlp))
    batches = cut(texts, batch_size, repeats + WARM_UP)
    get_spans = registry.get("span_getters", "spacy-transformers.strided_spans.v1")
    model: Any = build_mix_transformer(encoder, get_spans(window=128, stride=96))
    model.initialize()

    pairs, rng = [], np.random.default_rng(0)
    words = sorted({token.text for doc in texts for token in doc if token.is_alpha})
    for i, batch in enumerate(batches):
        mixed = [with_recipe(doc, words, rng) for doc in batch]
        # Each kind goes first as often as the other: what is second finds a warm cache.
        order = [(False, batch), (True, mixed)][:: 1 if i % 2 else -1]
        times = {which: step(model, some) for which, some in order}
        pairs.append((times[False], times[True]))

    device = model.transformer.device
    print(f"{date.today()}, torch {torch.__version__}, {device}, ", end="")
    print(f"{torch.get_num_threads()} threads, encoder {Path(encoder).parent.name}")
    print(f"{len(batches) - WARM_UP} pairs of steps over {batch_size} docs, ", end="")
    tokens = sum(map(len, chain(*batches))) / len(batches)
    print(f"{tokens:.0f} tokens, {MIXED} mixed in each doc")
    kept = pairs[WARM_UP:]
    for k, name in enumerate(("without", "with")):
        print(f"{name + ' recipes:':16} {statistics.median(p[k][0] for p in kept):.3f} s a step")
    for k, (name, note) in enumerate(
        (("ratio", f" (target: at most {TARGET})"), ("processor", ""))
    ):
        ratios = sorted(mixing[k] / plain[k] for plain, mixing in kept)
        low, high = ratios[len(ratios) // 4], ratios[-len(ratios) // 4]
        print(f"{name + ':':16} {statistics.median(ratios):.3f}{note}, ", end="")
        print(f"half of them {low:.3f} to {high:.3f}")


def cut(docs: Sequence[Doc], size: int, number: int) -> list[list[Doc]]:
    """Batches of docs that have tokens enough, from the start again when they run out."""
    usable = [doc for doc in docs if len(doc) >= MIXED]
    at = [[(i * size + k) % len(usable) for k in range(size)] for i in range(number)]
    return [[usable[j] for j in batch] for batch in at]


def with_recipe(doc: Doc, words: Sequence[str], rng: np.random.Generator) -> Doc:
    """A copy of a doc of which a few tokens are to be mixed with words drawn from the corpus."""
    tokens = sorted(rng.choice(len(doc), size=MIXED, replace=False).tolist())
    own = tuple(doc[i].text for i in tokens)
    partners = tuple(words[i] for i in rng.integers(len(words), size=MIXED))
    copied = doc.copy()
    recipes.put(copied, Recipe(tuple(tokens), own, partners, tuple(rng.beta(8, 8, size=MIXED))))
    return copied


def step(model: Any, docs: list[Doc]) -> tuple[float, float]:
    """The time of one forward and backward pass, and the processor's."""
    start, busy = perf_counter(), process_time()
    output, backprop = model.begin_update(docs)
    grads = ModelOutput(last_hidden_state=torch.ones_like(output.model_output.last_hidden_state))
    backprop(FullTransformerBatch(output.spans, output.wordpieces, grads, output.align))
    if model.transformer.device.type == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - start, process_time() - busy


if __name__ == "__main__":
    typer.run(main)
