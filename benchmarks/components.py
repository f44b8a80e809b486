"""Texts per second of a pipeline alone, and with each component that scores its docs.

    python benchmarks/components.py --model LM [--encoder ENCODER]

Prints medians of alternating runs over the same texts, and ratios to the pipeline alone in the
same run: the machine's speed cancels out of the ratios. Seconds are those of the processor, which
other programs on the machine disturb less, on one thread. The pipeline is a ``seqmix_ner`` that
was trained for some steps on the mini corpus.
"""

from __future__ import annotations

import statistics
from datetime import date
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from thinc.api import Config

from spacy_seqmix.convert.brackets import read_brackets

MINI = Path(__file__).parents[1] / "assets" / "mini"
TRANSFORMER = """
[model]
@architectures = "spacy-seqmix.SoftTagger.v1"

[model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
pooling = {"@layers":"reduce_mean.v1"}
"""
MIX = "spacy-seqmix.MixTransformerModel.v1"  # finds an encoder in a package, too
SPANS = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}


def main(
    model: Annotated[str, typer.Option(help="Causal LM")] = "gpt2",
    encoder: Annotated[str, typer.Option(help="Encoder; a CNN by default")] = "",
    limit: Annotated[int, typer.Option(help="Texts")] = 100,
    repeats: Annotated[int, typer.Option(help="Runs of each, in turn")] = 5,
    steps: Annotated[int, typer.Option(help="Steps of training")] = 40,
    seed: Annotated[int, typer.Option(help="Of weights and batches")] = 0,
) -> None:
    """Time the pipeline alone and with each component."""
    torch.set_num_threads(1)
    nlp = build(encoder, steps, seed)
    nlp.add_pipe("seqmix_uncertainty")
    nlp.add_pipe("seqmix_discriminator", config={"model": model})
    texts = [doc.text for doc in read_brackets(MINI / "test.txt", nlp)][:limit]
    extra = ("seqmix_uncertainty", "seqmix_discriminator")
    times: dict[str, list[float]] = {}
    for repeat in range(repeats + 1):
        for name in ("", *extra):
            with nlp.select_pipes(disable=[other for other in extra if other != name]):
                began = process_time()
                for _ in nlp.pipe(texts):
                    pass
            if repeat:  # the first run warms up
                times.setdefault(name, []).append(process_time() - began)
    print(f"{date.today()}, torch {torch.__version__}, one thread, ", end="")
    print(f"seed {seed}, {encoder or 'CNN'}, {model}, {len(texts)} texts, {repeats} runs of each")
    for name, of_name in times.items():
        ratio = statistics.median(a / b for a, b in zip(times[""], of_name, strict=True))
        rate = len(texts) / statistics.median(of_name)
        print(f"{f'with {name}' if name else 'the pipeline alone':28} {rate:8.1f} texts/s", end="")
        print(f"  {ratio:6.3f} of the pipeline alone" if name else "")


def build(encoder: str, steps: int, seed: int) -> Language:
    """A recogniser that was trained for some steps."""
    fix_random_seed(seed)
    nlp = spacy.blank("en")
    config: dict[str, Any] = {}
    if encoder:
        layer = {"@architectures": MIX, "name": encoder, "get_spans": SPANS}
        nlp.add_pipe("transformer", config={"model": layer})
        config = {"model": Config().from_str(TRANSFORMER)["model"]}
    nlp.add_pipe("seqmix_ner", config=config)
    examples = [Example(nlp.make_doc(d.text), d) for d in read_brackets(MINI / "pool.txt", nlp)]
    sgd = nlp.initialize(lambda: examples)
    if encoder:
        sgd.learn_rate = 5e-5
    for _, batch in zip(range(steps), minibatch(examples * steps, 16), strict=False):  # type: ignore[no-untyped-call]
        nlp.update(batch, sgd=sgd)
    return nlp


if __name__ == "__main__":
    typer.run(main)
