"""SegMix's strategies and realisers over rates and seeds, beside none and mention replacement.

Trains configs/transformer_segmix.cfg on a random slice of a labelled file, each arm with the same
optimiser steps and the last model evaluated. Every finished run is a JSON file in OUT: started
again, it goes on with those that lack.

    python benchmarks/segmix.py TRAIN.spacy EVAL.spacy OUT --encoder E --wordnet FOLDER
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import srsly
import typer
from slices import Job, finish, paired, predicted, publish, shipped, spread, train_slice
from spacy.scorer import Scorer
from thinc.api import Config
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.active.precision import matmul_precision
from spacy_seqmix.models.names import first_available

REPLACEMENT = "replacement"
# What papers call them: the strategy and its arguments.
STRATEGIES: dict[str, dict[str, Any]] = {
    REPLACEMENT: {"@misc": "spacy-seqmix.MentionReplacement.v1"},
    "MMix": {"@misc": "spacy-seqmix.Mention.v1", "same_type": False},
    "MMix of one type": {"@misc": "spacy-seqmix.Mention.v1", "same_type": True},
    "TMix": {"@misc": "spacy-seqmix.Token.v1"},
    "SMix": {"@misc": "spacy-seqmix.Synonym.v1"},
}
PARTS = 4
INTERPOLATED, NEAREST = "interpolated", "nearest"


class Arm(NamedTuple):
    """What is trained: no mixing with a rate of 0."""

    strategy: str = "none"
    realiser: str = ""
    rate: float = 0.0

    def __str__(self) -> str:
        return f"{self.strategy} {self.realiser} {self.rate}" if self.rate else self.strategy


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    eval_path: Annotated[Path, typer.Argument(metavar="EVAL.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    wordnet: Annotated[str, typer.Option(help="Folder of NLTK data; else a table")] = "",
    n_docs: Annotated[int, typer.Option(help="Docs to train on, drawn by the seed")] = 200,
    steps: Annotated[int, typer.Option(help="Optimiser steps, in batches of 32 docs")] = 200,
    rates: Annotated[str, typer.Option(help="Comma-separated")] = "0.1,0.2,0.3,0.5",
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0,1,2,3,4",
    arms: Annotated[str, typer.Option(help="Only arms with one of these in their name")] = "",
    segments: Annotated[int, typer.Option(help="Mixed segments of a doc; 0: all")] = 0,
    bfloat16: Annotated[bool, typer.Option(help="Matrix products in bfloat16")] = False,
    n_process: Annotated[int, typer.Option(help="Runs at once")] = 1,
) -> None:
    """Run what is lacking, print a table, and write it to OUT/table.md."""
    encoder = first_available(encoder)
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = [arm for arm in grid(rates) if any(name in str(arm) for name in arms.split(","))]
    chosen.insert(0, Arm())
    files: dict[tuple[Arm, int], Path] = {}
    jobs: dict[Path, Job] = {}
    for seed, arm in product(numbers, chosen):
        how = f"-segments{segments}" * bool(arm.rate) + "-bf16" * bfloat16
        stem = f"{arm}-n{n_docs}-steps{steps}{how}-seed{seed}".replace(" ", "-")
        path = files[arm, seed] = out / f"{stem}.json"
        config = arm_config(arm, seed, encoder, wordnet, segments, steps)
        jobs[path] = partial(run, config, train_path, n_docs, eval_path, bfloat16)
    finish(jobs, n_process)
    page = MarkdownRenderer()
    page.add(table({arm: [srsly.read_json(files[arm, s]) for s in numbers] for arm in chosen}))
    publish(page, out / "table.md")


def grid(rates: str) -> list[Arm]:
    """All arms but the one without mixing; replacement has one realiser."""
    return [
        Arm(name, realiser, float(rate))
        for name, realiser, rate in product(STRATEGIES, (INTERPOLATED, NEAREST), rates.split(","))
        if (name, realiser) != (REPLACEMENT, NEAREST)
    ]


def arm_config(
    arm: Arm, seed: int, encoder: str, wordnet: str, segments: int, steps: int
) -> Config:
    """The shipped config with the strategy and the realiser of an arm."""
    overrides = {
        "paths.encoder": encoder,
        "system.seed": seed,
        "training.max_steps": steps,
        "training.eval_frequency": steps,
        # Parts of a batch are of like length: less padding, the same gradient.
        "training.accumulate_gradient": PARTS,
        "corpora.train.augmenter.rate": arm.rate,
    }
    config = shipped("transformer_segmix", overrides)
    if not arm.rate:
        return config
    table = {"@misc": "spacy-seqmix.WordTable.v1", "encoder": encoder, "metric": "cosine"}
    strategy = {**STRATEGIES[arm.strategy], "segments": segments}
    if arm.strategy == "SMix":
        lexicon: dict[str, Any] = {"@misc": "spacy-seqmix.TableNeighbours.v1", "table": table}
        if wordnet:
            lexicon = {"@misc": "spacy-seqmix.WordNet.v1", "path": wordnet}
        strategy["lexicon"] = lexicon
    augmenter = config["corpora"]["train"]["augmenter"]
    augmenter["strategy"] = strategy
    if arm.realiser == NEAREST:
        augmenter["realiser"] = {"@misc": "spacy-seqmix.NearestToken.v1", "table": table}
    return config


def run(config: Config, train_path: Path, n_docs: int, eval_path: Path, bfloat16: bool) -> float:
    """Entity F1 × 100 of the last model."""
    with matmul_precision("medium" if bfloat16 else "highest"):
        nlp = train_slice(config, train_path, n_docs)
        return 100 * float(Scorer(nlp).score(predicted(nlp, eval_path))["ents_f"])


def table(scores: dict[Arm, list[float]]) -> str:
    """Means and deviations over seeds, and paired differences to no mixing and to replacement.

    Replacement has the same rate, or is the first one that was run, if any was.
    """
    first = next((arm for arm in scores if arm.strategy == REPLACEMENT), None)
    rows = []
    for arm, values in scores.items():
        row = [str(arm), spread(values)]
        same_rate = arm._replace(strategy=REPLACEMENT, realiser=INTERPOLATED)
        for other in (Arm(), same_rate if same_rate in scores else first):
            if arm.rate and other is not None and other != arm:
                row += paired(values, scores[other])
            else:
                row += ("", "")
        rows.append(row)
    header = ["arm", "F1", "over none", "p", "over replacement", "p"]
    return MarkdownRenderer().table(rows, header)


if __name__ == "__main__":
    typer.run(main)
