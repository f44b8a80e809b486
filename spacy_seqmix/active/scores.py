"""The scores of a round: spaCy's own, seqeval's beside them, and confused entity types."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example

from ..annotation import layers
from ..query.probabilities import takes_entities
from ..relation_extraction.candidates import aligned_ents
from ..training.augmenter import make_example
from .annotation import main_score
from .journal import MainScore, Scores
from .remarks import without_remarks

SCORES = ("ents_p", "ents_r", "ents_f", "ents_per_type")
# In place of a type: the prediction, or the gold annotation, has no entity there.
NOTHING = ""

# (label, start, end) in the tokens of the reference
Entity: TypeAlias = tuple[str, int, int]


def evaluate(
    nlp: Language,
    docs: Sequence[Doc],
    component: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> Scores:
    """Precision, recall and F1 of entities in 0..1, overall and by type, by spaCy's own scorer.

    component (str | None): the trained component; where it is no entity recogniser, ``main`` has
        the name and the value of its own score. One that needs entities which the pipeline does
        not set is scored on the gold ones.
    progress (Callable | None): called with the number of docs done.
    RETURNS (Scores): those of entities are None where nothing in the pipeline sets any. Otherwise
        ``seqeval_f`` is seqeval's strict F1 over IOB2 tags, and ``confusion`` has (gold type,
        predicted type, count) of entities, with "" for none.
    """
    examples = [make_example(nlp, doc) for doc in docs]
    if component is not None and takes_entities(nlp, component):
        for eg in examples:
            for ent in eg.reference.ents:  # the pipeline may not know this type yet
                nlp.vocab.strings.add(ent.label_)
            eg.predicted.set_ents(aligned_ents(eg))
    # Docs of like length together: transformers pad each batch to its longest.
    by_length = sorted(examples, key=lambda eg: len(eg.predicted))
    with without_remarks():
        # ``Language.evaluate`` would annotate copies.
        annotated = nlp.pipe(eg.predicted for eg in by_length)
        for eg, doc in zip(by_length, annotated, strict=True):
            eg.predicted = doc
            if progress is not None:
                progress(1)
        scores = Scorer(nlp).score(examples)
    values: dict[str, Any] = {name: scores.get(name) for name in SCORES}
    by_type = values["ents_per_type"] or {}
    values["ents_per_type"] = {label: by_type[label] for label in sorted(by_type)}
    if values["ents_f"] is not None:
        values |= {"seqeval_f": seqeval_f1(examples), "confusion": confusion(examples)}
    main = "ents_f" if component is None else main_score(nlp, component, examples[:1])
    if main is not None and main != "ents_f":
        values["main"] = MainScore(name=main, value=scores.get(main))
    return Scores(**values)


def confusion(examples: Iterable[Example]) -> list[tuple[str, str, int]]:
    """Count the entities of each gold type and each predicted type that have the same borders.

    RETURNS (list): (gold type, predicted type, count) in alphabetical order; "" stands for none.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for eg in examples:
        if not eg.reference.has_annotation("ENT_IOB"):
            continue
        gold = {(ent.start, ent.end): ent.label_ for ent in eg.reference.ents}
        predicted = {(start, end): label for label, start, end in aligned_entities(eg)}
        for span in sorted({*gold, *predicted}):
            counts[gold.get(span, NOTHING), predicted.get(span, NOTHING)] += 1
    return [(wanted, given, n) for (wanted, given), n in sorted(counts.items())]


def aligned_entities(eg: Example) -> Iterator[Entity]:
    """Predicted entities in the reference's tokens; not those where annotation is missing."""
    for ent in eg.predicted.ents:
        places = eg.alignment.x2y[ent.start : ent.end]
        if len(places):
            start, end = int(places[0]), int(places[-1]) + 1
            if all(token.ent_iob != 0 for token in eg.reference[start:end]):
                yield ent.label_, start, end


def seqeval_f1(examples: Iterable[Example]) -> float | None:
    """seqeval's strict F1 over IOB2 tags, in 0..1; None where no doc is annotated in full."""
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    gold, predicted = [], []
    for eg in examples:
        wanted = layers.read(eg.reference)
        if not wanted or None in wanted:
            continue
        gold.append(wanted)
        tags = ["O"] * len(eg.reference)
        for label, start, end in aligned_entities(eg):
            tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
        predicted.append(tags)
    if not gold:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, and of scores without any entity
        return float(f1_score(gold, predicted, mode="strict", scheme=IOB2, zero_division=0))
