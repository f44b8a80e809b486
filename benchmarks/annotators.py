"""What several people's answers are worth when joined: soft labels, votes, the best person.

    python benchmarks/annotators.py TRAIN.spacy DEV.spacy [--n 500] [--seeds 3] [--write FOLDER]

Three simulated people label random docs of TRAIN, a corpus with gold labels such as CoNLL-2003, at
known rates of errors. Printed are the F1 of the labels against gold, and the F1 on DEV of a CNN
(configs/cnn_seqmix.cfg without mixing) that learns from them. The arms:

    gold            the corpus' own labels
    ann, bea, cem   those of one person
    vote            ingest --annotators vote
    path            the best valid path under the posteriors, as hard labels
    soft            ingest --annotators soft
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, TypeAlias

import numpy as np
import spacy
import torch
import typer
from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Config
from wasabi import msg

from spacy_seqmix.active.fit import FitSettings, fit
from spacy_seqmix.annotate.annotators import Answered, join_answers
from spacy_seqmix.annotate.formats.jsonl import write_lines
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.query.probabilities import copy_tokens
from spacy_seqmix.report.statistics import summarise

ROOT = Path(__file__).parents[1]
Mention: TypeAlias = tuple[int, int, str]
ARMS = ("gold", "ann", "bea", "cem", "vote", "path", "soft")


@dataclass(frozen=True)
class Errors:
    """The shares of mentions that a person overlooks, gives a wrong type, or cuts wrongly."""

    missed: float
    flipped: float
    cut: float


PEOPLE = {
    "ann": Errors(0.05, 0.05, 0.05),
    "bea": Errors(0.25, 0.05, 0.10),
    "cem": Errors(0.10, 0.25, 0.10),
}


def main(
    train: Annotated[Path, typer.Argument(help="Labelled docs, of which people label some")],
    dev: Annotated[Path, typer.Argument(help="Labelled docs to score pipelines on")],
    n: Annotated[int, typer.Option(help="Docs that people label")] = 500,
    n_dev: Annotated[int, typer.Option(help="Docs of DEV; 0 for all")] = 1000,
    alone: Annotated[float, typer.Option(help="Share of docs that one person labels alone")] = 0.0,
    steps: Annotated[int, typer.Option(help="Optimiser steps; 0 scores the labels only")] = 600,
    seeds: Annotated[
        int, typer.Option(help="Samples, each with people and a model of its own")
    ] = 3,
    arms: Annotated[str, typer.Option(help="What is trained on")] = ",".join(ARMS),
    write: Annotated[
        Path | None, typer.Option(help="Only write the people's answers of seed 0 to this folder")
    ] = None,
) -> None:
    """Simulate people, join their answers, train, and print F1."""
    torch.set_num_threads(1)
    nlp = spacy.blank("en")
    pool, held_out = read_docs(train, nlp), read_docs(dev, nlp)
    held_out = held_out[:n_dev] if n_dev else held_out
    if write is not None:
        write_answers(label(pool, n, alone, 0, nlp), write)
        return
    found: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
    for seed in range(seeds):
        texts = label(pool, n, alone, seed, nlp)
        for arm, docs in make_arms(texts, nlp).items():
            gold = [text.gold for text in texts if arm not in PEOPLE or arm in text.by]
            trained = arm in arms.split(",") and steps
            score = score_trained(docs, held_out, steps, seed) if trained else float("nan")
            found[arm].append([agreement(docs, gold), score])
            print(
                f"seed {seed}, {arm}: labels {found[arm][-1][0]:.3f}, dev {score:.3f}", flush=True
            )
    print(f"\n{date.today()}, {platform.processor() or platform.machine()}, one thread, ", end="")
    print(f"{n} docs, {alone:.0%} by one person, {steps} steps, seeds 0 to {seeds - 1}")
    rows = [(arm, *map(shown, np.transpose(scores))) for arm, scores in found.items()]
    msg.table(rows, header=("Arm", "F1 of the labels", "F1 on dev"), divider=True)
    scores = {arm: np.array(values)[:, 1] for arm, values in found.items()}
    for other in ("vote", "path", "ann"):
        print(f"soft - {other}, on dev, seed by seed: {shown(scores['soft'] - scores[other])}")


def shown(values: Sequence[float] | np.ndarray) -> str:
    """Mean and standard deviation in points, or "-"."""
    one = summarise(100 * np.asarray(values))
    if np.isnan(one.mean):
        return "-"
    return f"{one.mean:.1f}" + f" ± {one.deviation:.1f}" * (one.n > 1)


@dataclass(frozen=True)
class Labelled:
    """A doc of the corpus, and what people say of it."""

    gold: Doc
    by: dict[str, Doc]


def label(pool: Sequence[Doc], n: int, alone: float, seed: int, nlp: Language) -> list[Labelled]:
    """Draw docs, and label them as each person would."""
    rng = np.random.default_rng(seed)
    labels = sorted({ent.label_ for doc in pool for ent in doc.ents})
    out = []
    for number in rng.permutation(len(pool))[:n].tolist():
        doc = pool[number]
        people = [str(rng.choice(list(PEOPLE)))] if rng.random() < alone else list(PEOPLE)
        out.append(Labelled(doc, {who: said(doc, PEOPLE[who], labels, rng, nlp) for who in people}))
    return out


def said(
    doc: Doc, errors: Errors, labels: Sequence[str], rng: np.random.Generator, nlp: Language
) -> Doc:
    """A copy of a doc with the labels of a person."""
    gold = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    taken = np.zeros(len(doc), dtype=bool)
    for start, end, _ in gold:
        taken[start:end] = True
    mentions: list[Mention] = []
    for start, end, name in gold:
        if rng.random() < errors.missed:
            continue
        if rng.random() < errors.flipped:
            name = str(rng.choice([other for other in labels if other != name]))
        if rng.random() < errors.cut:
            start, end = cut(start, end, taken, rng)
        mentions.append((start, end, name))
    new = copy_tokens(doc, nlp)
    new.set_ents([Span(new, start, end, label=name) for start, end, name in mentions])
    return new


def cut(start: int, end: int, taken: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """A mention without its first or its last token; one of a token grows where it can."""
    if end - start > 1:
        return (start + 1, end) if rng.random() < 0.5 else (start, end - 1)
    if end < len(taken) and not taken[end]:
        taken[end] = True
        return start, end + 1
    return start, end


def make_arms(texts: Sequence[Labelled], nlp: Language) -> dict[str, list[Doc]]:
    """The docs of each arm."""

    def joined(how: Callable[[list[Answered]], list[Doc]]) -> list[Doc]:
        return how([Answered(copy_tokens(text.gold, nlp), text.by) for text in texts])

    soft = joined(lambda answered: join_answers(answered, "soft")[0])
    path = [doc.copy() for doc in soft]
    for doc in path:
        soft_labels.clear(doc)
    return {
        "gold": [text.gold for text in texts],
        **{who: [text.by[who] for text in texts if who in text.by] for who in PEOPLE},
        "vote": joined(lambda answered: join_answers(answered, "vote")[0]),
        "path": path,
        "soft": soft,
    }


def agreement(docs: Sequence[Doc], gold: Sequence[Doc]) -> float:
    """F1 of entities against gold."""
    score = PRFScore()
    for doc, other in zip(docs, gold, strict=True):
        score.score_set(places(doc), places(other))
    return float(score.fscore)


def places(doc: Doc) -> set[Mention]:
    """The entities of a doc."""
    return {(ent.start, ent.end, ent.label_) for ent in doc.ents}


def score_trained(docs: Sequence[Doc], dev: Sequence[Doc], steps: int, seed: int) -> float:
    """F1 on dev of a CNN that learns from docs."""
    config = Config().from_disk(ROOT / "configs" / "cnn_seqmix.cfg", interpolate=False)
    del config["corpora"]["train"]["augmenter"]
    settings = FitSettings("seqmix_ner", seed, steps, 0.0, progress=False)
    with TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nlp, _ = fit(config, docs, dev, Path(name), settings, None)
    return float(nlp.evaluate(examples(nlp, dev))["ents_f"])


def examples(nlp: Language, docs: Sequence[Doc]) -> list[Example]:
    """Docs to be predicted, beside their gold labels."""
    return [Example(copy_tokens(doc, nlp), doc) for doc in docs]


def write_answers(texts: Sequence[Labelled], folder: Path) -> None:
    """Write JSON lines of each person, as a tool would export them."""
    for who in PEOPLE:
        rows = (
            {
                "text": doc.text,
                "spans": [
                    {"start": ent.start_char, "end": ent.end_char, "label": ent.label_}
                    for ent in doc.ents
                ],
            }
            for doc in (text.by[who] for text in texts if who in text.by)
        )
        write_lines(folder / f"{who}.jsonl", rows)
        print(f"Wrote {folder / f'{who}.jsonl'}")


if __name__ == "__main__":
    typer.run(main)
