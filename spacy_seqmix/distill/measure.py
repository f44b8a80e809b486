"""How good and how fast teacher and student are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..active.annotation import main_score
from ..active.remarks import without_remarks
from ..training.augmenter import make_example
from .teachers import Teachers

__all__ = ["SPEED_TEXTS", "score_student", "score_teachers", "speed"]

# The texts for which speeds are measured; and those before, since the first texts take longer.
SPEED_TEXTS, WARM_UP = 200, 8
BATCH = 128


def score_student(
    nlp: Language, component: str, docs: Sequence[Doc], progress: Callable[[int], object]
) -> tuple[str, float]:
    """The name and the value of the component's own score on labelled docs."""
    examples = [make_example(nlp, doc) for doc in docs]
    with without_remarks():
        for eg, doc in zip(examples, nlp.pipe(eg.predicted for eg in examples), strict=True):
            eg.predicted = doc
            progress(1)
    return _score(nlp, component, examples)


def score_teachers(
    teachers: Teachers,
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    progress: Callable[[int], object],
) -> tuple[str, float]:
    """The score of what the teachers teach, by the scorer of the student's component.

    That is the decision of their mean probabilities, over the student's labels: what the student
    would find if it learnt all that it is taught.

    nlp (Language): the student, whose tokenizer reads the texts.
    """
    examples = [make_example(nlp, doc) for doc in docs]
    for at in range(0, len(examples), BATCH):
        batch = examples[at : at + BATCH]
        taught = teachers.teach([eg.predicted for eg in batch], nlp, progress)
        for eg, doc in zip(batch, taught, strict=True):
            eg.predicted = doc
    return _score(nlp, component, examples)


def _score(nlp: Language, component: str, examples: Sequence[Example]) -> tuple[str, float]:
    proc: Any = nlp.get_pipe(component)
    name = main_score(nlp, component, examples[:1])
    assert name is not None  # the components that learn from teachers have one
    return name, float(proc.score(examples)[name] or 0.0)


def speed(pipelines: Sequence[Language], texts: Sequence[str]) -> float:
    """Texts per second: of whole pipelines, from text to annotation, one after the other."""
    seconds = 0.0
    with without_remarks():
        for nlp in pipelines:
            for _ in nlp.pipe(texts[:WARM_UP]):
                pass
            start = time.perf_counter()
            for _ in nlp.pipe(texts):
                pass
            seconds += time.perf_counter() - start
    return len(texts) / seconds
