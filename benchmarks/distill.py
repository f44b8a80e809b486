"""Distill a transformer with a CRF into a CNN, and compare the student with its controls.

    python benchmarks/distill.py train.spacy dev.spacy test.spacy -o OUT --encoder ENCODER

Some of the training sentences are labelled, others only text. The teacher, of
configs/transformer_crf.cfg, learns the labelled ones. The CNN of configs/cnn_crf.cfg learns the
labelled ones alone, these and the texts with the probabilities of the teacher, or with its most
probable tags; all in equal steps. Each row is one seed of one of the four. It is added to
OUT/rows.jsonl when it is done, and a second run goes on with the rows that lack. The table has the
entity F1 on dev and test in points: the mean of the seeds and their standard deviation. At the end
of each run, the pipelines of the first seed read the same texts of test in turn, ROUNDS times. The
best speed of each is in the table, since other load on the machine makes a speed only lower. A
second table has the differences of F1 seed by seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import spacy
import srsly
import torch
import typer
from spacy.tokens import Doc
from wasabi.tables import table

from spacy_seqmix.active.committee import save_model
from spacy_seqmix.active.fit import FitSettings, fit
from spacy_seqmix.annotation.docbins import read_docs, write_docs
from spacy_seqmix.distill.measure import SPEED_TEXTS, score_student, speed
from spacy_seqmix.distill.run import distill
from spacy_seqmix.distill.student import Student
from spacy_seqmix.distill.targets import Targets
from spacy_seqmix.distill.teachers import load_teachers
from spacy_seqmix.files import file_digest

CONFIGS = Path(__file__).parents[1] / "configs"
ROUNDS = 3
ARMS = ("teacher", "alone", "hard", "soft")
NAMES = {
    "teacher": "transformer with CRF (teacher)",
    "alone": "CNN, labelled sentences alone",
    "hard": "CNN, distilled, hard labels",
    "soft": "CNN, distilled, probabilities",
}


@dataclass(frozen=True)
class Corpus:
    """The files of one seed: labelled docs, texts without labels, and gold docs."""

    labelled: Path
    texts: Path
    gold: dict[str, list[Doc]]


def main(
    train: Annotated[Path, typer.Argument(help="Labelled docs (.spacy)")],
    dev: Annotated[Path, typer.Argument(help="Labelled docs (.spacy)")],
    test: Annotated[Path, typer.Argument(help="Labelled docs (.spacy)")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results")],
    encoder: Annotated[str, typer.Option(help="Transformer of the teacher")] = "bert-base-cased",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas")] = "0,1,2",
    n_labelled: Annotated[int, typer.Option(help="Labelled sentences")] = 700,
    n_texts: Annotated[int, typer.Option(help="Sentences without labels")] = 5000,
    teacher_steps: Annotated[int, typer.Option(help="Steps of the teacher")] = 440,
    steps: Annotated[int, typer.Option(help="Steps of the CNN")] = 2000,
    limit: Annotated[int | None, typer.Option(help="So many docs of dev and of test")] = None,
    arms: Annotated[str, typer.Option(help="Some of the rows")] = ",".join(ARMS),
    gpu_id: Annotated[int, typer.Option(help="GPU id, or -1 for the CPU")] = -1,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0 for its own choice")] = 0,
) -> None:
    """Train what lacks, and print the table."""
    if threads:
        torch.set_num_threads(threads)
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)  # type: ignore[attr-defined]
    nlp = spacy.blank("en")
    docs = read_docs(train, nlp)
    gold = {path.stem: read_docs(path, nlp)[:limit] for path in (dev, test)}
    settings = {
        "files": [file_digest(path) for path in (train, dev, test)],
        "encoder": encoder,
        "n_labelled": n_labelled,
        "n_texts": n_texts,
        "teacher_steps": teacher_steps,
        "steps": steps,
        "limit": limit,
    }
    rows = Rows(output / "rows.jsonl", settings)
    chosen = [int(seed) for seed in seeds.split(",")]
    folders = {seed: output / rows.name / f"seed-{seed}" for seed in chosen}
    for seed, folder in folders.items():
        corpus = draw(docs, gold, folder, n_labelled, n_texts, seed)
        for arm in arms.split(","):
            if not rows.has(arm, seed):
                train_arm(arm, corpus, folder, encoder, seed, teacher_steps, steps, gpu_id)
                rows.add(arm, seed, measured(path_of(folder, arm), corpus.gold))
    where = (
        torch.cuda.get_device_name() if gpu_id >= 0 else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"{date.today()}, torch {torch.__version__}, {where}, seeds {seeds}")
    print(f"{n_labelled} labelled sentences, {n_texts} texts, {steps} steps of the CNN")
    texts = [doc.text for doc in gold[test.stem][:SPEED_TEXTS]]
    print(rows.table(list(gold), chosen, speeds(folders[chosen[0]], texts)))
    print(rows.differences(list(gold), chosen))


class Rows:
    """Finished rows in a file, each with the settings that it was made with."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.settings = path, settings
        # Of the folder for what is trained with these settings.
        self.name = sha256(json.dumps(settings).encode()).hexdigest()[:8]
        every = list(srsly.read_jsonl(path)) if path.exists() else []
        self.rows = [row for row in every if row["settings"] == settings]

    def has(self, arm: str, seed: int) -> bool:
        """Whether a row is there already."""
        return any((row["arm"], row["seed"]) == (arm, seed) for row in self.rows)

    def add(self, arm: str, seed: int, values: dict[str, float]) -> None:
        """Append a row."""
        row = {"arm": arm, "seed": seed, **values, "settings": self.settings}
        with self.path.open("a", encoding="utf8") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        print(arm, seed, values, flush=True)

    def table(self, names: Sequence[str], seeds: Sequence[int], speed_of: dict[str, float]) -> str:
        """Mean and standard deviation over these seeds of each arm."""
        lines = []
        for arm in ARMS:
            rows = [row for row in self.rows if row["arm"] == arm and row["seed"] in seeds]
            if rows:
                scores = [spread([row[name] for row in rows]) for name in names]
                per_second = f"{speed_of[arm]:,.0f}" if arm in speed_of else "-"
                lines.append((NAMES[arm], *scores, per_second, str(len(rows))))
        header = ("", *(f"F1 {name}" for name in names), "Texts per second", "Seeds")
        aligns = ("l", *["r"] * (len(names) + 2))
        return str(table(lines, header=header, divider=True, aligns=aligns))

    def differences(self, names: Sequence[str], seeds: Sequence[int]) -> str:
        """What the probabilities gain over each other arm, seed by seed."""
        found = {(row["arm"], row["seed"]): row for row in self.rows}
        lines = []
        for other in ARMS[:-1]:
            both = [s for s in seeds if {("soft", s), (other, s)} <= found.keys()]
            if both:
                pairs = [(found["soft", seed], found[other, seed]) for seed in both]
                gains = [spread([ours[n] - theirs[n] for ours, theirs in pairs]) for n in names]
                lines.append((NAMES[other], *gains))
        header = ("Probabilities gain over", *names)
        return str(table(lines, header=header, divider=True, aligns=("l", *["r"] * len(names))))


def spread(values: Sequence[float]) -> str:
    """A mean with its standard deviation."""
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def draw(
    docs: Sequence[Doc],
    gold: dict[str, list[Doc]],
    folder: Path,
    n_labelled: int,
    n_texts: int,
    seed: int,
) -> Corpus:
    """Draw labelled sentences and texts, the same in each run, none of them in dev or test."""
    known = {doc.text for of_file in gold.values() for doc in of_file}
    docs = [doc for doc in docs if doc.text not in known]
    if len(docs) < n_labelled + n_texts:
        raise typer.BadParameter(f"only {len(docs)} docs of train are not in dev or test")
    order = np.random.default_rng([seed]).permutation(len(docs)).tolist()
    labelled, texts = folder / "labelled.spacy", folder / "texts.spacy"
    write_docs([docs[i] for i in order[:n_labelled]], labelled)
    write_docs([docs[i] for i in order[n_labelled : n_labelled + n_texts]], texts)
    return Corpus(labelled, texts, gold)


def train_arm(
    arm: str,
    corpus: Corpus,
    folder: Path,
    encoder: str,
    seed: int,
    teacher_steps: int,
    steps: int,
    gpu_id: int,
) -> None:
    """Train one pipeline; the teacher is trained once for all arms of a seed."""
    teacher = path_of(folder, "teacher")
    if arm != "alone" and not teacher.exists():
        values = {"paths.encoder": encoder, "training.max_steps": teacher_steps}
        train_labelled(CONFIGS / "transformer_crf.cfg", values, corpus, teacher, seed, gpu_id)
    values = {"training.max_steps": steps, "training.seed": seed}
    config = CONFIGS / "cnn_crf.cfg"
    if arm == "alone":
        train_labelled(config, values, corpus, path_of(folder, arm), seed, gpu_id)
    elif arm != "teacher":
        student = Student.of(config, values)
        teachers = load_teachers([str(teacher)], student, Targets(hard=arm == "hard"))
        out = path_of(folder, arm).parent
        distill(student, teachers, corpus.texts, out, labelled=corpus.labelled, use_gpu=gpu_id)


def path_of(folder: Path, arm: str) -> Path:
    """The pipeline of an arm."""
    return folder / arm / "model-last"


def train_labelled(
    config: Path, values: dict[str, Any], corpus: Corpus, path: Path, seed: int, gpu_id: int
) -> None:
    """Train a pipeline on the labelled docs alone."""
    own = Student.of(config, {**values, "training.seed": seed})
    docs = read_docs(corpus.labelled, own.blank())
    settings = FitSettings(own.component, seed, own.steps(docs), 0.0, use_gpu=gpu_id)
    with TemporaryDirectory() as work:
        nlp, _ = fit(own.config, docs, docs, Path(work), settings, None)
        save_model(nlp, path)


def measured(path: Path, gold: dict[str, list[Doc]]) -> dict[str, float]:
    """F1 in points on each file."""
    nlp = spacy.load(path)
    return {
        name: 100 * score_student(nlp, "seqmix_ner", docs, lambda n: None)[1]
        for name, docs in gold.items()
    }


def speeds(folder: Path, texts: Sequence[str]) -> dict[str, float]:
    """Texts per second of each pipeline, the best of some rounds in which all take turns."""
    paths = {arm: path_of(folder, arm) for arm in ARMS}
    pipelines = {arm: spacy.load(path) for arm, path in paths.items() if path.exists()}
    best = dict.fromkeys(pipelines, 0.0)
    for _ in range(ROUNDS):
        for arm, nlp in pipelines.items():
            best[arm] = max(best[arm], speed([nlp], texts))
    return best


if __name__ == "__main__":
    typer.run(main)
