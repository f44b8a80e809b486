"""Each architecture with and without SeqMix, at equal optimiser steps, over several seeds.

Trains the shipped configs on a random slice of a labelled file, each with the rates 0 and 0.2.
Every finished run is a JSON file in OUT: started again, it goes on with those that lack.

    python benchmarks/architectures.py TRAIN.spacy EVAL.spacy OUT --encoder E --lm LM
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated

import srsly
import typer
from slices import Job, finish, predicted, shipped, spread, train_slice
from spacy.scorer import Scorer
from spacy.tokens import Doc
from thinc.api import Config
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.models.names import first_available

# What it is called: its config, and optimiser steps in batches of 32 sentences.
ARMS = {
    "CNN, softmax": ("cnn_seqmix", 500),
    "CNN, spaCy's ner": ("ner_seqmix", 500),
    "transformer, softmax": ("transformer_seqmix", 100),
    "transformer, CRF": ("transformer_crf_seqmix", 100),
    "transformer, spaCy's ner": ("transformer_ner_seqmix", 100),
}
RATES = (0.0, 0.2)
# Parts of the evaluated docs: long sequences, and those with many entities.
LONG, RICH = 25, 3
PARTS: dict[str, Callable[[Doc], bool]] = {
    "all": lambda doc: True,
    f"{LONG} tokens or more": lambda doc: len(doc) >= LONG,
    f"{RICH} entities or more": lambda doc: len(doc.ents) >= RICH,
}


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    eval_path: Annotated[Path, typer.Argument(metavar="EVAL.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    lm: Annotated[str, typer.Option(help="Causal LM: name, folder or .gguf")] = "gpt2",
    n_docs: Annotated[int, typer.Option(help="Docs to train on, drawn by the seed")] = 200,
    batch: Annotated[int, typer.Option(help="Docs in a batch")] = 32,
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0,1,2",
    arms: Annotated[str, typer.Option(help="Only arms with this in their name")] = "",
    parts: Annotated[str, typer.Option(help="Only scores with this in their name")] = "",
) -> None:
    """Run what is lacking, and print a table."""
    encoder, lm = first_available(encoder), first_available(lm)
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = {name: arm for name, arm in ARMS.items() if arms in name}
    jobs: dict[Path, Job] = {}
    for seed, (name, steps), rate in product(numbers, chosen.values(), RATES):
        overrides = {
            "paths.encoder": encoder,
            "paths.lm": lm,
            "system.seed": seed,
            "training.max_steps": steps,
            "training.eval_frequency": steps,
            "training.patience": 0,
            "training.batcher.size": batch,
            "corpora.train.augmenter.rate": rate,
        }
        path = out / f"{name}-rate{rate}-seed{seed}.json"
        jobs[path] = partial(run, shipped(name, overrides), train_path, n_docs, eval_path)
    finish(jobs)
    page = MarkdownRenderer()
    shown = [part for part in PARTS if parts in part]
    header = ["docs", "architecture", "steps", "none", "SeqMix", "gain"]
    table = [row(part, name, out, numbers) for part in shown for name in chosen]
    page.add(page.table(table, header))
    print(page.text)


def run(config: Config, train_path: Path, n_docs: int, eval_path: Path) -> dict[str, float]:
    """Entity F1 × 100 of the last model on each part."""
    nlp = train_slice(config, train_path, n_docs)
    examples = predicted(nlp, eval_path)
    scorer = Scorer(nlp)
    return {
        part: 100 * scorer.score([eg for eg in examples if belongs(eg.reference)])["ents_f"]
        for part, belongs in PARTS.items()
    }


def row(part: str, name: str, out: Path, seeds: list[int]) -> list[str]:
    """A row of the table: means and deviations over seeds, and of the paired differences."""
    config, steps = ARMS[name]
    plain, mixed = (
        [srsly.read_json(out / f"{config}-rate{rate}-seed{s}.json")[part] for s in seeds]
        for rate in RATES
    )
    gains = [b - a for a, b in zip(plain, mixed, strict=True)]
    return [part, name, str(steps), spread(plain), spread(mixed), spread(gains, "+")]


if __name__ == "__main__":
    typer.run(main)
