"""Each architecture with and without SeqMix, at equal optimiser steps, over several seeds.

Trains the shipped configs on a random slice of a labelled file, each with the rates 0 and 0.2.
Every finished run is a JSON file in OUT: started again, it goes on with those that lack.

    python benchmarks/architectures.py TRAIN.spacy DEV.spacy TEST.spacy OUT --encoder E --lm LM
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import spacy
import srsly
import typer
from spacy.cli.train import train
from spacy.training import Example
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.atomic import replacing
from spacy_seqmix.docbin import read_docs, write_docs
from spacy_seqmix.query.probabilities import copy_tokens

CONFIGS = Path(__file__).parent.parent / "configs"
# What it is called: its config, and optimiser steps in batches of 32 sentences.
ARMS = {
    "CNN, softmax": ("cnn_seqmix", 1000),
    "CNN, spaCy's ner": ("ner_seqmix", 1000),
    "transformer, softmax": ("transformer_seqmix", 220),
    "transformer, CRF": ("transformer_crf_seqmix", 220),
    "transformer, spaCy's ner": ("transformer_ner_seqmix", 220),
}
RATES = (0.0, 0.2)
SPLITS = ("dev", "test")


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    dev_path: Annotated[Path, typer.Argument(metavar="DEV.spacy", help="Labelled docs")],
    test_path: Annotated[Path, typer.Argument(metavar="TEST.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    lm: Annotated[str, typer.Option(help="Causal LM: name, folder or .gguf")] = "gpt2",
    n_docs: Annotated[int, typer.Option(help="Docs to train on, drawn by the seed")] = 700,
    batch: Annotated[int, typer.Option(help="Docs in a batch")] = 32,
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0,1,2",
    arms: Annotated[str, typer.Option(help="Only arms with this in their name")] = "",
) -> None:
    """Run what is lacking, and print a table."""
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = {name: arm for name, arm in ARMS.items() if arms in name}
    out.mkdir(parents=True, exist_ok=True)
    for seed, (config, steps), rate in product(numbers, chosen.values(), RATES):
        path = out / f"{config}-rate{rate}-seed{seed}.json"
        if not path.exists():
            overrides = {
                "paths.encoder": encoder,
                "paths.lm": lm,
                "paths.dev": str(dev_path),
                "system.seed": seed,
                "training.max_steps": steps,
                "training.eval_frequency": steps,
                "training.patience": 0,
                "training.batcher.size": batch,
                "corpora.train.augmenter.rate": rate,
            }
            paths = {"dev": dev_path, "test": test_path}
            with replacing(path) as temporary:
                srsly.write_json(temporary, run(config, overrides, train_path, n_docs, paths))
    page = MarkdownRenderer()
    header = ["architecture", "steps"]
    header += [f"{split}, {kind}" for split in SPLITS for kind in ("none", "SeqMix", "gain")]
    page.add(page.table([row(name, out, numbers) for name in chosen], header))
    print(page.text)


def run(
    name: str, overrides: dict[str, Any], train_path: Path, n_docs: int, paths: dict[str, Path]
) -> dict[str, float]:
    """Entity F1 × 100 of the last model on each split."""
    nlp = spacy.blank("en")
    docs = read_docs(train_path, nlp)
    order = np.random.default_rng(overrides["system.seed"]).permutation(len(docs))[:n_docs]
    with TemporaryDirectory() as folder:
        part = Path(folder, "train.spacy")
        write_docs([docs[int(i)] for i in order], part)
        config = CONFIGS / f"{name}.cfg"
        train(config, Path(folder, "out"), overrides={**overrides, "paths.train": str(part)})
        nlp = spacy.load(Path(folder, "out", "model-last"))
    scores = {}
    for split, path in paths.items():
        gold = read_docs(path, nlp)
        found = nlp.evaluate([Example(copy_tokens(doc, nlp), doc) for doc in gold])
        scores[split] = 100 * found["ents_f"]
    return scores


def row(name: str, out: Path, seeds: list[int]) -> list[str]:
    """A row of the table: means and deviations over seeds, and of the paired differences."""
    config, steps = ARMS[name]
    cells = [name, str(steps)]
    for split in SPLITS:
        plain, mixed = (
            [srsly.read_json(out / f"{config}-rate{rate}-seed{s}.json")[split] for s in seeds]
            for rate in RATES
        )
        gains = [b - a for a, b in zip(plain, mixed, strict=True)]
        cells += [spread(plain), spread(mixed), spread(gains, "+")]
    return cells


def spread(values: list[float], sign: str = "") -> str:
    """Mean and sample deviation."""
    tail = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):{sign}.1f}{tail}"


if __name__ == "__main__":
    typer.run(main)
