"""Self-training beside no augmentation: which unlabelled docs, how many, and with what labels.

A teacher is trained on a random slice of a labelled file (configs/transformer_segmix.cfg without
its augmenter). It labels the other docs of the file, whose annotation is not looked at. Each arm
is a student, trained from scratch with as many optimiser steps as the teacher, on the slice and on
docs with those labels. The table counts the steps of both. Every finished run is a JSON file in
OUT: started again, it goes on with those that lack.

    python benchmarks/self_training.py TRAIN.spacy EVAL.spacy OUT --encoder E

Arms are chosen by the scores on EVAL. ``--test TEST.spacy`` confirms the choice: run it once.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import spacy
import typer
from slices import Job, claim, finish, paired, predicted, publish, shipped, spread
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.util import registry
from srsly import read_json
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix import soft_labels
from spacy_seqmix.active.committee import save_model
from spacy_seqmix.active.fit import FitSettings, fit
from spacy_seqmix.active.precision import matmul_precision
from spacy_seqmix.active.pseudo_labels import pseudo_labelled
from spacy_seqmix.docbin import read_docs
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.models.names import first_available, short_name
from spacy_seqmix.types import SoftLabels

COMPONENT = "seqmix_ner"
CHUNK = 500  # docs labelled at once, until there are enough
PARTS = 4
STRATEGIES: dict[str, dict[str, Any]] = {
    "mentions": {"@misc": "spacy-seqmix.Mention.v1", "same_type": False, "segments": 0},
    "words": {"@misc": "spacy-seqmix.Token.v1", "segments": 0},
}


class Arm(NamedTuple):
    """What a student is trained on, besides the slice.

    unlabelled (int): so many docs with the teacher's labels.
    min_labels (int): only docs with so many tokens that the teacher takes for entities.
    kind (str): soft labels, or the hard ones that they decode to.
    temperature (float): of soft labels; below 1 they are sharper.
    copies (int): how often the slice is in the training set.
    teachers (int): whose probabilities are averaged, each with a random start of its own.
    generations (int): with 2 the student teaches another one.
    mixed (str): docs are not taken as they are, but mixed in the encoder: one of STRATEGIES.
    length (int): without unlabelled docs, how many times the steps the slice is trained for.
    """

    unlabelled: int = 0
    min_labels: int = 0
    kind: Literal["soft", "hard"] = "soft"
    temperature: float = 1.0
    copies: int = 1
    teachers: int = 1
    generations: int = 1
    mixed: str = ""
    length: int = 1

    @property
    def trainings(self) -> int:
        """How many times the steps it takes, its teachers' among them."""
        return self.teachers + self.generations if self.unlabelled else self.length


ARMS = {
    "none": Arm(),
    "none twice as long": Arm(length=2),
    "any 200": Arm(200),
    "any 800": Arm(800),
    "any 3000": Arm(3000),
    "rich 800": Arm(800, 2),
    "rich 3000": Arm(3000, 2),
    "rich 3000 hard": Arm(3000, 2, "hard"),
    "rich 3000 sharp": Arm(3000, 2, temperature=0.5),
    "rich 3000 balanced": Arm(3000, 2, copies=5),
    "rich 3000 of three": Arm(3000, 2, teachers=3),
    "rich 3000 twice": Arm(3000, 2, generations=2),
    "rich 800 mentions": Arm(800, 2, mixed="mentions"),
    "rich 800 words": Arm(800, 2, mixed="words"),
}


def main(
    train_path: Annotated[Path, typer.Argument(metavar="TRAIN.spacy", help="Labelled docs")],
    eval_path: Annotated[Path, typer.Argument(metavar="EVAL.spacy", help="Labelled docs")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of finished runs")],
    test: Annotated[Path | None, typer.Option(help="Further labelled docs to score on")] = None,
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    n_docs: Annotated[int, typer.Option(help="Docs of the slice, drawn by the seed")] = 200,
    steps: Annotated[int, typer.Option(help="Optimiser steps, in batches of 32 docs")] = 200,
    seeds: Annotated[str, typer.Option(help="Comma-separated")] = "0,1,2,3,4",
    arms: Annotated[str, typer.Option(help="Comma-separated; all if left out")] = "",
    bfloat16: Annotated[bool, typer.Option(help="Matrix products in bfloat16")] = False,
    n_process: Annotated[int, typer.Option(help="Runs at once")] = 1,
) -> None:
    """Run what is lacking, print a table, and write it to OUT/table-*.md."""
    encoder = first_available(encoder)
    splits = {"eval": eval_path} | ({"test": test} if test else {})
    inputs = {"train": str(train_path), **{name: str(path) for name, path in splits.items()}}
    claim(out, {**inputs, "encoder": short_name(encoder)})
    numbers = [int(seed) for seed in seeds.split(",")]
    chosen = ["none", *(name for name in arms.split(",") if name and name != "none")]
    chosen = chosen if arms else list(ARMS)
    files: dict[tuple[str, int], Path] = {}
    jobs: dict[Path, Job] = {}
    stem = f"n{n_docs}-steps{steps}" + "-bf16" * bfloat16
    for name, seed in product(chosen, numbers):
        path = files[name, seed] = out / f"{name.replace(' ', '-')}-{stem}-seed{seed}.json"
        teachers = out / "teachers" / f"{stem}-seed{seed}"
        task = Task(train_path, splits, encoder, n_docs, steps, seed, bfloat16, teachers)
        jobs[path] = partial(task.run, ARMS[name])
    # What all arms of a seed share, before two of them would make it at once.
    finish({files["none", seed]: jobs[files["none", seed]] for seed in numbers}, n_process)
    finish(jobs, n_process)
    page = MarkdownRenderer()
    found = {name: [read_json(files[name, s]) for s in numbers] for name in chosen}
    for split in splits:
        page.add(page.title(2, split))
        page.add(table({name: [one[split] for one in found[name]] for name in chosen}, steps))
    publish(page, out / f"table-{stem}.md")


class Task(NamedTuple):
    """What all arms of a seed share."""

    train_path: Path
    splits: dict[str, Path]
    encoder: str
    n_docs: int
    steps: int
    seed: int
    bfloat16: bool
    teachers: Path

    def run(self, arm: Arm) -> dict[str, float]:
        """Entity F1 × 100 on each split: of the student, or of the teacher if none is taught."""
        with matmul_precision("bfloat16" if self.bfloat16 else "highest"):
            return self.score(arm)

    def score(self, arm: Arm) -> dict[str, float]:
        """The same, in the precision that is set."""
        docs = read_docs(self.train_path, spacy.blank("en"))
        order = np.random.default_rng(self.seed).permutation(len(docs)).tolist()
        labelled = [docs[i] for i in order[: self.n_docs]]
        rest = [docs[i] for i in order[self.n_docs :]]
        if arm.length > 1:
            models = [self.fit(labelled, 0, arm.length)]
        else:
            models = [self.teacher(labelled, start) for start in range(arm.teachers)]
        for _ in range(arm.generations if arm.unlabelled else 0):
            added = teach(models, rest, arm)
            if arm.mixed:
                added = mix(added, arm, self.seed)
            models = [self.fit([*labelled * arm.copies, *added], 0)]
        scorer = Scorer(models[0])
        return {
            name: 100 * float(scorer.score(predicted(models[0], path))["ents_f"])
            for name, path in self.splits.items()
        }

    def teacher(self, labelled: list[Doc], start: int) -> Language:
        """A model of the slice alone, trained once for all arms."""
        path = self.teachers.with_name(f"{self.teachers.name}-start{start}")
        if not path.exists():
            save_model(self.fit(labelled, start), path)
        return spacy.load(path)

    def fit(self, docs: list[Doc], start: int, length: int = 1) -> Language:
        """The last model of a training from scratch."""
        overrides = {
            "paths.encoder": self.encoder,
            # Parts of a batch are of like length: less padding, the same gradient.
            "training.accumulate_gradient": PARTS,
            "corpora.train.augmenter": None,
        }
        seed = self.seed + 1000 * start
        steps = length * self.steps
        settings = FitSettings(COMPONENT, seed, steps, epochs=0, progress=False)
        with TemporaryDirectory() as folder:
            config = shipped("transformer_segmix", overrides).interpolate()
            return fit(config, docs, docs, Path(folder), settings, None)[0]


def teach(models: list[Language], docs: list[Doc], arm: Arm) -> list[Doc]:
    """The first docs that an arm wants, with the labels of the teachers."""
    out: list[Doc] = []
    for begin in range(0, len(docs), CHUNK):
        chunk = docs[begin : begin + CHUNK]
        answers = [pseudo_labelled(nlp, COMPONENT, chunk) for nlp in models]
        for found in zip(*answers, strict=True):
            doc = relabelled(found, arm)
            if sum(1 for token in doc if token.ent_iob_ in ("B", "I")) >= arm.min_labels:
                out.append(doc)
        if len(out) >= arm.unlabelled:
            break
    return out[: arm.unlabelled]


def relabelled(found: tuple[Doc, ...], arm: Arm) -> Doc:
    """One doc with the average of its soft labels, as an arm wants them."""
    doc = found[0]
    given = [soft for one in found if (soft := soft_labels.get(one)) is not None]
    if not given:
        return doc
    probs = np.mean([soft.probs for soft in given], axis=0) ** (1 / arm.temperature)
    probs /= probs.sum(axis=1, keepdims=True)
    soft = SoftLabels(given[0].labels, probs.astype("float32"), given[0].layer)
    soft_labels.annotate(doc, soft)
    soft_labels.put(doc, soft if arm.kind == "soft" else None)
    return doc


def mix(docs: list[Doc], arm: Arm, seed: int) -> list[Doc]:
    """As many docs, mixed in the encoder."""
    parts = registry.resolve(
        {
            "strategy": STRATEGIES[arm.mixed],
            "realiser": {"@misc": "spacy-seqmix.Interpolated.v1"},
        }
    )
    mixer = Mixer(rate=1.0, **parts)
    return mix_docs(docs, mixer, np.random.default_rng(seed), spacy.blank("en"))[0]


def table(scores: dict[str, list[float]], steps: int) -> str:
    """Means and deviations over seeds, and paired differences to no augmentation: to the shortest
    training, and to one of the same number of steps, if there is one."""
    plain = {ARMS[name].trainings: name for name in scores if not ARMS[name].unlabelled}
    rows = []
    for name, values in scores.items():
        row = [name, str(steps * ARMS[name].trainings), spread(values)]
        for other in ("none", plain.get(ARMS[name].trainings, name)):
            row += ("", "") if name == other else paired(values, scores[other])
        rows.append(row)
    header = ["arm", "steps", "F1 × 100", "over none", "p", "over none at its steps", "p"]
    return MarkdownRenderer().table(rows, header, aligns=("l", *"rrrrrr"))


if __name__ == "__main__":
    typer.run(main)
