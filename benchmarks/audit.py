"""How many planted label errors an audit puts first, beside cleanlab's ranking.

    python benchmarks/audit.py TRAIN.spacy [--fast] [--limit N] [--folds N] [--seed N]

Spoils a share of the entities: a third gets another type, a third other borders, a third is lost.
Then pipelines judge the docs that they were not trained on, as ``spacy seqmix audit`` does, and the
program prints how many of the first places of each ranking are planted errors: among single spans,
and among docs. Real errors of the corpus count as misses. cleanlab ranks the same probabilities by
its defaults (``token_classification.rank``, least self-confidence); its tokens that belong to one
given entity, or lie side by side, count as one place. Without cleanlab (`pip install cleanlab`)
only our own ranking is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
import spacy
import torch
import typer
from spacy.tokens import Doc, Span

from spacy_seqmix.active.pool import sample
from spacy_seqmix.annotate.audit.folds import Trainer, folds_of
from spacy_seqmix.annotate.audit.run import f1_of
from spacy_seqmix.annotate.audit.tasks import suspects_of
from spacy_seqmix.annotate.page.start import NewRun
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.iob import tag_names
from spacy_seqmix.query.doubts import DocDoubts, Entity, find_doubts
from spacy_seqmix.query.probabilities import token_probs

KINDS = ("type", "borders", "lost")
FIRST = (50, 100, 200)


class Place(NamedTuple):
    """Tokens ``start`` to ``end`` of a doc."""

    doc: int
    start: int
    end: int
    kind: str = ""

    def meets(self, other: Place) -> bool:
        """Whether two places share a token."""
        return self.doc == other.doc and self.start < other.end and other.start < self.end


def main(
    corpus: Annotated[Path, typer.Argument(help="Labelled docs (.spacy)")],
    share: Annotated[float, typer.Option(help="Of the entities that are spoilt")] = 0.05,
    folds: Annotated[int, typer.Option(help="Number of folds")] = 5,
    limit: Annotated[int | None, typer.Option(help="Random sample of so many docs")] = None,
    fast: Annotated[bool, typer.Option(help="Train CNNs")] = False,
    encoder: Annotated[str | None, typer.Option(help="Transformer to train")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes; by default the config's")] = None,
    seed: Annotated[int, typer.Option(help="Of the errors, the folds and the training")] = 0,
    gpu_id: Annotated[int, typer.Option(help="GPU id, or -1 for the CPU")] = -1,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0 for its own choice")] = 0,
) -> None:
    """Plant errors, audit, and print how many come first."""
    if threads:
        torch.set_num_threads(threads)
    docs = read_docs(corpus, spacy.blank("en"))
    docs = [docs[i] for i in sample(len(docs), limit, [seed])]
    planted = plant(docs, share, np.random.default_rng([seed, 1]))
    overrides = {} if epochs is None else {"active.epochs": epochs}
    new = NewRun(fast=fast, encoder=encoder)
    trainer = Trainer.of(new, overrides, seed=seed, use_gpu=gpu_id)
    found, probs, labels = judged(docs, trainer, folds, seed)
    counts = ", ".join(f"{sum(p.kind == kind for p in planted)} {kind}" for kind in KINDS)
    print(f"{date.today()}, torch {torch.__version__}, seed {seed}, {folds} folds, ", end="")
    print(f"{len(docs)} docs, {sum(len(doc.ents) for doc in docs)} entities")
    print(f"{len(planted)} planted errors: {counts}")
    print(
        f"F1 of the pipelines against the spoilt labels: {f1_of(dict(enumerate(docs)), found):.3f}"
    )
    suspects = suspects_of(dict(enumerate(docs)), found)
    rankings = {"audit": [Place(s.number, s.doubt.start, s.doubt.end) for s in suspects]}
    of_docs = {"audit": list(dict.fromkeys(s.number for s in suspects))}
    ranked = of_cleanlab(docs, probs, labels)
    if ranked is not None:
        rankings["cleanlab"] = list(ranked[0])
        of_docs["cleanlab"] = ranked[1]
    # Any given entity, or any lost one, could be a place.
    chance = len(planted) / (sum(len(doc.ents) for doc in docs) + count(planted, "lost"))
    spoilt = {place.doc for place in planted}
    show("spans", {n: list(hits(r, planted)) for n, r in rankings.items()}, chance)
    docs_hit = {name: [i in spoilt for i in numbers] for name, numbers in of_docs.items()}
    show("docs", docs_hit, len(spoilt) / len(docs))
    for name, places in rankings.items():
        early = [p for p in planted if any(map(p.meets, places[: len(planted)]))]
        shares = (
            f"{kind} {count(early, kind) / max(1, count(planted, kind)):.2f}" for kind in KINDS
        )
        print(f"Among the first {len(planted)} spans of {name}: {', '.join(shares)}")


def count(places: Iterable[Place], kind: str) -> int:
    """The number of places of a kind."""
    return sum(place.kind == kind for place in places)


def show(what: str, rankings: dict[str, list[bool]], chance: float) -> None:
    """Print the precision among the first of each ranking."""
    for name, found in rankings.items():
        shares = (f"{np.mean(found[:n]):.2f} of the first {n}" for n in FIRST if len(found) >= n)
        print(f"{what}, {name + ':':9} {', '.join(shares)} (chance: {chance:.2f})")


def plant(docs: Sequence[Doc], share: float, rng: np.random.Generator) -> list[Place]:
    """Spoil a share of the entities of docs, and say where."""
    labels = sorted({ent.label_ for doc in docs for ent in doc.ents})
    slots = [(i, n) for i, doc in enumerate(docs) for n in range(len(doc.ents))]
    chosen: dict[int, set[int]] = {}
    for at in rng.permutation(len(slots))[: round(share * len(slots))].tolist():
        chosen.setdefault(slots[at][0], set()).add(slots[at][1])
    planted = []
    for i, numbers in sorted(chosen.items()):
        doc, ents = docs[i], []
        for n, ent in enumerate(doc.ents):
            old = (ent.start, ent.end, ent.label_)
            new: Entity | None = old
            if n in numbers:
                kind, new = spoilt(doc, old, labels, rng)
                start, end, _ = old if new is None else new
                planted.append(Place(i, min(old[0], start), max(old[1], end), kind))
            ents += [] if new is None else [Span(doc, new[0], new[1], label=new[2])]
        doc.set_ents(ents)
    return planted


def spoilt(
    doc: Doc, entity: Entity, labels: Sequence[str], rng: np.random.Generator
) -> tuple[str, Entity | None]:
    """A kind of error, and what is left of an entity."""
    start, end, label = entity
    kind = KINDS[rng.integers(len(KINDS))]
    if kind == "type":
        others = [one for one in labels if one != label]
        return kind, (start, end, others[rng.integers(len(others))])
    if kind == "borders" and end - start > 1:
        return kind, ((start + 1, end, label) if rng.integers(2) else (start, end - 1, label))
    if kind == "borders":
        free = [i for i in (start - 1, end) if 0 <= i < len(doc) and not doc[i].ent_type_]
        if free:
            more = free[rng.integers(len(free))]
            return kind, (min(start, more), max(end, more + 1), label)
    return "lost", None


def judged(
    docs: Sequence[Doc], trainer: Trainer, folds: int, seed: int
) -> tuple[dict[int, DocDoubts], dict[int, Any], tuple[str, ...]]:
    """What pipelines that have not seen the docs say of them, and the probabilities of all tags."""
    fold_of = folds_of([doc.text for doc in docs], folds, seed)
    found: dict[int, DocDoubts] = {}
    probs: dict[int, Any] = {}
    labels: tuple[str, ...] = ()
    for fold in range(folds):
        held = [i for i, other in enumerate(fold_of) if other == fold]
        own = [docs[i] for i in held]
        with TemporaryDirectory() as work:
            others = [doc for doc, other in zip(docs, fold_of, strict=True) if other != fold]
            nlp = trainer.fit(others, Path(work))
        proc: Any = nlp.get_pipe(trainer.component)
        if labels and tuple(proc.labels) != labels:
            raise typer.BadParameter("a label is not in all folds: give more docs")
        labels = tuple(proc.labels)
        rows = token_probs(nlp, trainer.component, own, whitespace=True)
        found |= zip(held, find_doubts(nlp, trainer.component, own), strict=True)
        probs |= zip(held, rows, strict=True)
    return found, probs, labels


def of_cleanlab(
    docs: Sequence[Doc], probs: dict[int, Any], labels: tuple[str, ...]
) -> tuple[Iterator[Place], list[int]] | None:
    """cleanlab's rankings of tokens, as places, and of docs; None where it is not installed."""
    try:
        from cleanlab.token_classification.rank import get_label_quality_scores
    except ImportError:
        return None
    column = {tag: i for i, tag in enumerate(tag_names(labels))}
    given = [
        [column[f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O"] for t in doc] for doc in docs
    ]
    rows = [np.asarray(probs[i], dtype="float64") for i in range(len(docs))]
    rows = [row / row.sum(axis=1, keepdims=True) for row in rows]
    of_doc, of_token = get_label_quality_scores(given, rows)
    tokens = [(s, i, t) for i, scores in enumerate(of_token) for t, s in enumerate(scores)]
    ranked = (Place(i, t, t + 1) for _, i, t in sorted(tokens))
    return joined(ranked, docs), np.argsort(of_doc, kind="stable").tolist()


def joined(tokens: Iterable[Place], docs: Sequence[Doc]) -> Iterator[Place]:
    """Tokens as places: those of one entity, and those beside others that were listed, are one."""
    listed: set[tuple[int, int]] = set()
    for place in tokens:
        doc, at, _, _ = place
        of_entity = next((e for e in docs[doc].ents if e.start <= at < e.end), None)
        start, end = (at, at + 1) if of_entity is None else (of_entity.start, of_entity.end)
        if not any((doc, i) in listed for i in range(start - 1, end + 1)):
            yield Place(doc, start, end)
        listed |= {(doc, i) for i in range(start, end)}


def hits(places: Iterable[Place], planted: Sequence[Place]) -> Iterator[bool]:
    """Whether each place is an error that no place before has found."""
    left: dict[int, list[Place]] = {}
    for one in planted:
        left.setdefault(one.doc, []).append(one)
    for place in places:
        found = next(filter(place.meets, left.get(place.doc, ())), None)
        if found is not None:
            left[place.doc].remove(found)
        yield found is not None


if __name__ == "__main__":
    typer.run(main)
