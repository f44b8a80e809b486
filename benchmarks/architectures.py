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
from slices import Job, claim, finish, predicted, publish, shipped, spread, train_slice
from spacy.scorer import Scorer
from spacy.tokens import Doc
from thinc.api import Config
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.models.names import first_available, short_name

# Of each shipped config, optimiser steps in batches of 32 sentences. The first two have CNNs.
STEPS = {
    "cnn_seqmix": 500,
    "ner_seqmix": 500,
    "transformer_seqmix": 100,
    "transformer_crf_seqmix": 100,
    "transformer_ner_seqmix": 100,
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
    configs: Annotated[str, typer.Option(help="Comma-separated names")] = ",".join(STEPS),
    parts: Annotated[str, typer.Option(help="Only scores with this in their name")] = "",
    n_process: Annotated[int, typer.Option(help="Runs at once")] = 1,
) -> None:
    """Run what is lacking, print a table, and write it to OUT/table-*.md."""
    encoder, lm = first_available(encoder), first_available(lm)
    models = {"encoder": short_name(encoder), "lm": short_name(lm)}
    claim(out, {"train": str(train_path), "eval": str(eval_path), **models})
    stem = f"n{n_docs}-batch{batch}"
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = {name: STEPS[name] for name in configs.split(",")}
    jobs: dict[Path, Job] = {}
    for seed, (name, steps), rate in product(numbers, chosen.items(), RATES):
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
        path = file_of(out, name, stem, rate, seed)
        jobs[path] = partial(run, shipped(name, overrides), train_path, n_docs, eval_path)
    finish(jobs, n_process)
    page = MarkdownRenderer()
    shown = [part for part in PARTS if parts in part]
    header = ["config", "docs", "steps", "none", "SeqMix", "gain"]
    table = [row(part, name, out, stem, numbers) for name in chosen for part in shown]
    page.add(page.table(table, header))
    publish(page, out / f"table-{stem}.md")


def file_of(out: Path, config: str, stem: str, rate: float, seed: int) -> Path:
    """Where the scores of one run are."""
    return out / f"{config}-{stem}-rate{rate}-seed{seed}.json"


def run(config: Config, train_path: Path, n_docs: int, eval_path: Path) -> dict[str, float]:
    """Entity F1 × 100 of the last model on each part."""
    nlp = train_slice(config, train_path, n_docs)
    examples = predicted(nlp, eval_path)
    scorer = Scorer(nlp)
    return {
        part: 100 * scorer.score([eg for eg in examples if belongs(eg.reference)])["ents_f"]
        for part, belongs in PARTS.items()
    }


def row(part: str, config: str, out: Path, stem: str, seeds: list[int]) -> list[str]:
    """A row of the table: means and deviations over seeds, and of the paired differences."""
    plain, mixed = (
        [srsly.read_json(file_of(out, config, stem, rate, s))[part] for s in seeds]
        for rate in RATES
    )
    gains = [b - a for a, b in zip(plain, mixed, strict=True)]
    return [config, part, str(STEPS[config]), spread(plain), spread(mixed), spread(gains, "+")]


if __name__ == "__main__":
    typer.run(main)
