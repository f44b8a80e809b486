"""Precision, recall and F1 of relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from spacy.scorer import PRFScore
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..annotation import relations
from ..annotation.relations import Offsets

# The places of head and tail, their entity types, and the label.
Fact = tuple[object, object, str, str, str]


def make_relations_scorer() -> Callable[..., dict[str, Any]]:
    """Create the scorer of ``seqmix_relations``. See ``score_relations``."""
    return score_relations


def score_relations(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Score ``doc._.relations`` against the reference; docs without annotation do not count.

    A relation is correct if both spans, both entity types, the label and the direction are. The
    scores called "untyped" ignore the entity types.

    RETURNS (dict): ``rel_micro_p``, ``_r`` and ``_f`` over all relations, the same as
        ``rel_untyped_micro_...``, ``rel_macro_f`` (the mean F of the labels that the reference
        has), and ``rel_per_type``: p, r and f of each label. None where nothing is annotated.
    """
    typed, untyped = PRFScore(), PRFScore()
    per_label: dict[str, PRFScore] = {}
    gold_labels: set[str] = set()
    annotated = False
    for example in examples:
        if relations.get(example.reference) is None:
            continue
        annotated = True
        gold = _facts(example.reference, lambda offsets: offsets)
        predicted = _facts(example.predicted, _place_in_reference(example))
        gold_labels |= {fact[-1] for fact in gold}
        typed.score_set(predicted, gold)
        untyped.score_set(_without_types(predicted), _without_types(gold))
        for label in {fact[-1] for fact in gold | predicted}:
            score = per_label.setdefault(label, PRFScore())
            score.score_set(_of_label(predicted, label), _of_label(gold, label))
    fscores = [per_label[label].fscore for label in sorted(gold_labels)]
    return {
        **_named("rel_micro", typed, annotated),
        **_named("rel_untyped_micro", untyped, annotated),
        "rel_macro_f": sum(fscores) / len(fscores) if fscores else None,
        "rel_per_type": {label: per_label[label].to_dict() for label in sorted(per_label)}
        if annotated
        else None,
    }


def _facts(doc: Doc, place: Callable[[Offsets], object]) -> set[Fact]:
    kinds = {(ent.start, ent.end): ent.label_ for ent in doc.ents}
    return {
        (place(r.head), place(r.tail), kinds.get(r.head, ""), kinds.get(r.tail, ""), r.label)
        for r in relations.get(doc) or ()
    }


def _place_in_reference(example: Example) -> Callable[[Offsets], object]:
    """A function from a span of the predicted doc to that of the reference.

    Where the reference's tokens do not fit, the result is a span that is never correct; spaCy's own
    scorers leave these spans out.
    """
    doc = example.predicted

    def place(offsets: Offsets) -> object:
        start, end = offsets
        spans: list[Span] = example.get_aligned_spans_x2y([doc[start:end]], allow_overlap=True)
        return (spans[0].start, spans[0].end) if spans else ("nowhere", *offsets)

    return place


def _without_types(facts: set[Fact]) -> set[Fact]:
    return {(head, tail, "", "", label) for head, tail, _, _, label in facts}


def _of_label(facts: set[Fact], label: str) -> set[Fact]:
    return {fact for fact in facts if fact[-1] == label}


def _named(name: str, score: PRFScore, annotated: bool) -> dict[str, float | None]:
    values = {"p": score.precision, "r": score.recall, "f": score.fscore}
    return {f"{name}_{key}": value if annotated else None for key, value in values.items()}
