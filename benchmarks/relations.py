"""F1 of relations between given entities, by each shipped config, over several seeds.

Trains on a random slice of a labelled file and evaluates the last model. Every finished run is a
JSON file in OUT: started again, it goes on with those that lack.

    python benchmarks/relations.py TRAIN.spacy EVAL.spacy OUT --n-docs 500 --seeds 0,1,2
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from slices import spread, train_slice
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.atomic import replacing
from spacy_seqmix.corpus import create_corpus
from spacy_seqmix.models.names import first_available

# What it is called: its config, and optimiser steps in batches of 32 docs.
ARMS = {"CNN": ("relations_cnn", 800), "transformer": ("relations", 240)}
SCORES = ("rel_micro_p", "rel_micro_r", "rel_micro_f", "rel_untyped_micro_f", "rel_macro_f")


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    eval_path: Annotated[Path, typer.Argument(metavar="EVAL.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    n_docs: Annotated[int, typer.Option(help="Docs to train on, drawn by the seed; 0: all")] = 500,
    steps: Annotated[int, typer.Option(help="Optimiser steps; 0: those of each config")] = 0,
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0",
    arms: Annotated[str, typer.Option(help="Only arms with this in their name")] = "",
    gold_preproc: Annotated[bool, typer.Option(help="Take the corpus's own tokens")] = False,
) -> None:
    """Run what is lacking, print a table, and write it to OUT/table.md."""
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = {name: arm for name, arm in ARMS.items() if arms in name}
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (config, usual) in chosen.items():
        found = []
        for seed in numbers:
            count = steps or usual
            path = out / f"{config}-n{n_docs}-steps{count}-seed{seed}{'-gold' * gold_preproc}.json"
            if not path.exists():
                overrides = {
                    "system.seed": seed,
                    "training.max_steps": count,
                    "training.eval_frequency": count,
                    "training.patience": 0,
                    "corpora.train.gold_preproc": gold_preproc,
                }
                if config == "relations":
                    overrides["paths.encoder"] = first_available(encoder)
                with replacing(path) as temporary:
                    srsly.write_json(
                        temporary,
                        run(config, overrides, train_path, n_docs, eval_path, gold_preproc),
                    )
            found.append(srsly.read_json(path))
        cells = [spread([100 * scores[key] for scores in found]) for key in SCORES]
        rows.append([name, str(steps or usual), str(len(found)), *cells])
    page = MarkdownRenderer()
    page.add(page.table(rows, ["architecture", "steps", "seeds", *SCORES]))
    with replacing(out / "table.md") as temporary:
        temporary.write_text(page.text + "\n", encoding="utf8")
    print(page.text)


def run(
    name: str,
    overrides: dict[str, Any],
    train_path: Path,
    n_docs: int,
    eval_path: Path,
    gold_preproc: bool,
) -> dict[str, Any]:
    """Scores of the last model."""
    nlp = train_slice(name, overrides, train_path, n_docs)
    reader = create_corpus(eval_path, gold_preproc=gold_preproc, gold_ents=True)
    scores = nlp.evaluate(list(reader(nlp)))
    return {key: value for key, value in scores.items() if key.startswith("rel_")}


if __name__ == "__main__":
    typer.run(main)
