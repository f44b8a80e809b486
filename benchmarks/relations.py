"""F1 of relations between given entities, by each shipped config, over several seeds.

Trains on a random slice of a labelled file and evaluates the last model; with RMix it takes the
same optimiser steps. Every finished run is a JSON file in OUT: started again, it goes on with
those that lack.

    python benchmarks/relations.py TRAIN.spacy EVAL.spacy OUT --n-docs 500 --seeds 0,1,2
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import srsly
import typer
from slices import Job, finish, paired, publish, shipped, spread, train_slice
from thinc.api import Config
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.corpus import create_corpus
from spacy_seqmix.models.names import first_available

# What it is called: its config, and optimiser steps in batches of 32 docs.
ARMS = {"CNN": ("relations_cnn", 800), "transformer": ("relations", 240)}
RMIX = ("relations_segmix", 800)
BASELINE = "CNN"
SCORES = ("rel_micro_p", "rel_micro_r", "rel_micro_f", "rel_untyped_micro_f", "rel_macro_f")
COMPARED = "rel_micro_f"


class Arm(NamedTuple):
    """What is trained, and the rate of RMix."""

    name: str
    config: str
    steps: int
    rate: float = 0.0


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    eval_path: Annotated[Path, typer.Argument(metavar="EVAL.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    n_docs: Annotated[int, typer.Option(help="Docs to train on, drawn by the seed; 0: all")] = 500,
    steps: Annotated[int, typer.Option(help="Optimiser steps; 0: those of each config")] = 0,
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0",
    arms: Annotated[str, typer.Option(help="Only arms with this in their name")] = "",
    rates: Annotated[str, typer.Option(help="Rates of RMix for the CNN, comma-separated")] = "",
    n_process: Annotated[int, typer.Option(help="Runs at once")] = 1,
    gold_preproc: Annotated[bool, typer.Option(help="Take the corpus's own tokens")] = False,
) -> None:
    """Run what is lacking, print a table, and write it to OUT/table.md."""
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = [
        *(Arm(name, config, count) for name, (config, count) in ARMS.items()),
        *(Arm(f"CNN, RMix {rate}", *RMIX, float(rate)) for rate in rates.split(",") if rate),
    ]
    chosen = [arm._replace(steps=steps or arm.steps) for arm in chosen if arms in arm.name]
    files: dict[tuple[Arm, int], Path] = {}
    jobs: dict[Path, Job] = {}
    for arm, seed in product(chosen, numbers):
        how = f"-rate{arm.rate}" * bool(arm.rate) + "-gold" * gold_preproc
        path = files[arm, seed] = (
            out / f"{arm.config}-n{n_docs}-steps{arm.steps}{how}-seed{seed}.json"
        )
        config = arm_config(arm, seed, encoder, gold_preproc)
        jobs[path] = partial(run, config, train_path, n_docs, eval_path, gold_preproc)
    finish(jobs, n_process)
    found = {arm.name: [srsly.read_json(files[arm, seed]) for seed in numbers] for arm in chosen}
    compared = {name: [100 * one[COMPARED] for one in scores] for name, scores in found.items()}
    rows = []
    for arm in chosen:
        cells = [spread([100 * one[key] for one in found[arm.name]]) for key in SCORES]
        known = arm.rate and BASELINE in compared
        gain = paired(compared[arm.name], compared[BASELINE]) if known else ("", "")
        rows.append([arm.name, str(arm.steps), str(len(numbers)), *cells, *gain])
    page = MarkdownRenderer()
    page.add(page.table(rows, ["architecture", "steps", "seeds", *SCORES, "gain", "p"]))
    publish(page, out / "table.md")


def arm_config(arm: Arm, seed: int, encoder: str, gold_preproc: bool) -> Config:
    """The shipped config of an arm."""
    overrides: dict[str, Any] = {
        "system.seed": seed,
        "training.max_steps": arm.steps,
        "training.eval_frequency": arm.steps,
        "training.patience": 0,
        "corpora.train.gold_preproc": gold_preproc,
    }
    if arm.config == "relations":
        overrides["paths.encoder"] = first_available(encoder)
    if arm.rate:
        overrides["corpora.train.augmenter.rate"] = arm.rate
    return shipped(arm.config, overrides)


def run(
    config: Config, train_path: Path, n_docs: int, eval_path: Path, gold_preproc: bool
) -> dict[str, Any]:
    """Scores of the last model."""
    nlp = train_slice(config, train_path, n_docs)
    reader = create_corpus(eval_path, gold_preproc=gold_preproc, gold_ents=True)
    scores = nlp.evaluate(list(reader(nlp)))
    return {key: value for key, value in scores.items() if key.startswith("rel_")}


if __name__ == "__main__":
    typer.run(main)
