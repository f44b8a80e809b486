"""What freezing an encoder's embeddings, and products in bfloat16, cost in F1 and spare in time.

configs/transformer.cfg on random slices of a labelled file, with and without
spacy-seqmix.FreezeEmbeddings.v1 and the matmul_precision "bfloat16" of active learning; seconds
are those of the processor, start included. Every finished run is a JSON file in OUT: started
again, it goes on with those that lack.

    python benchmarks/frozen_embeddings.py TRAIN.spacy EVAL.spacy OUT --encoder E
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Annotated, NamedTuple

import numpy as np
import spacy
import typer
from slices import Job, claim, finish, paired, predicted, publish, shipped, spread
from spacy.scorer import Scorer
from srsly import read_json
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.active.fit import FitSettings, fit
from spacy_seqmix.active.precision import matmul_precision
from spacy_seqmix.active.schema import Precision
from spacy_seqmix.docbin import read_docs
from spacy_seqmix.models.names import first_available, short_name


class Arm(NamedTuple):
    """Whether embeddings are frozen, and how matrices are multiplied."""

    frozen: bool
    precision: Precision


ARMS = {
    "all weights": Arm(False, "medium"),
    "embeddings frozen": Arm(True, "medium"),
    "embeddings frozen, bfloat16": Arm(True, "bfloat16"),
}


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    eval_path: Annotated[Path, typer.Argument(metavar="EVAL.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    n_docs: Annotated[int, typer.Option(help="Docs of the slice, drawn by the seed")] = 200,
    steps: Annotated[int, typer.Option(help="Optimiser steps, in batches of 16 docs")] = 240,
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0,1,2,3,4",
    n_process: Annotated[int, typer.Option(help="Runs at once")] = 1,
) -> None:
    """Run what is lacking, print a table, and write it to OUT/table-*.md."""
    encoder = first_available(encoder)
    inputs = {"train": str(train_path), "eval": str(eval_path), "encoder": short_name(encoder)}
    claim(out, inputs)
    stem = f"n{n_docs}-steps{steps}"
    numbers = [int(seed) for seed in seeds.split(",")]
    files: dict[str, list[Path]] = {}
    jobs: dict[Path, Job] = {}
    # Seed by seed, so that what is there can be compared.
    for seed in numbers:
        task = Task(train_path, eval_path, encoder, n_docs, steps, seed)
        for name, arm in ARMS.items():
            path = out / f"{name.replace(',', '').replace(' ', '-')}-{stem}-seed{seed}.json"
            files.setdefault(name, []).append(path)
            jobs[path] = partial(task.run, arm)
    finish(jobs, n_process)
    found = {name: [read_json(path) for path in paths] for name, paths in files.items()}
    page = MarkdownRenderer()
    page.add(table(found))
    publish(page, out / f"table-{stem}.md")


class Task(NamedTuple):
    """What the arms of a seed share."""

    train_path: Path
    eval_path: Path
    encoder: str
    n_docs: int
    steps: int
    seed: int

    def run(self, arm: Arm) -> dict[str, float]:
        """Entity F1 × 100 of a model trained from scratch, and seconds of the training."""
        with matmul_precision(arm.precision):
            return self.score(arm.frozen)

    def score(self, frozen: bool) -> dict[str, float]:
        """The same, in the precision that is set."""
        docs = read_docs(self.train_path, spacy.blank("en"))
        order = np.random.default_rng(self.seed).permutation(len(docs)).tolist()
        docs = [docs[i] for i in order[: self.n_docs]]
        overrides = {
            "paths.encoder": self.encoder,
            "training.accumulate_gradient": 2,
            "training.batcher.size": 16,
        }
        config = shipped("transformer", overrides).interpolate()
        freeze = {"@callbacks": "spacy-seqmix.FreezeEmbeddings.v1"} if frozen else None
        config["initialize"]["after_init"] = freeze
        settings = FitSettings("seqmix_ner", self.seed, self.steps, epochs=0, progress=False)
        with TemporaryDirectory() as folder:
            start = process_time()
            nlp = fit(config, docs, docs, Path(folder), settings, None)[0]
            seconds = process_time() - start
        score = Scorer(nlp).score(predicted(nlp, self.eval_path))["ents_f"]
        return {"f": 100 * float(score), "seconds": seconds}


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Means and deviations over seeds; differences and ratios to the training of all weights."""
    scores = {name: [one["f"] for one in runs] for name, runs in found.items()}
    seconds = {name: [one["seconds"] for one in runs] for name, runs in found.items()}
    plain = next(iter(ARMS))
    rows = []
    for name in ARMS:
        ratios = [a / b for a, b in zip(seconds[name], seconds[plain], strict=True)]
        difference = ("", "") if name == plain else paired(scores[name], scores[plain])
        rows.append((name, spread(scores[name]), *difference, f"{np.mean(ratios):.2f}"))
    header = ["training", "F1 × 100", "difference", "p", "time"]
    return MarkdownRenderer().table(rows, header, aligns=("l", "r", "r", "r", "r"))


if __name__ == "__main__":
    typer.run(main)
