"""Doubts in words: the lines of a table, and tasks for a person."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc

from ...annotation.texts import task_key
from ...files import replacing
from ...query.doubts import DocDoubts, Doubt, Entity
from ...types import Suggestion, Task
from .usage import Usage

__all__ = ["Suspect", "suspects_of", "tasks_of", "write_table"]

NOTHING = "nothing"
# The tokens that are shown on either side of a place.
AROUND = 4
PLACE = ("doc", "key", "start", "end")
HEADER = ("score", *PLACE, "given", "found", "probability", "log_odds", "usage", "context")


@dataclass(frozen=True)
class Suspect:
    """A place whose annotation may be wrong.

    number (int): the doc's, in its file.
    doc (Doc): with the given annotation.
    doubt (Doubt): what a model that has not seen the doc says of it.
    usage (float): what the rest of the corpus says of it, see ``Usage.log_ratio``.
    """

    number: int
    doc: Doc
    doubt: Doubt
    usage: float = 0.0

    @property
    def score(self) -> float:
        """How suspicious it is: asinh(log-odds of the model) + usage.

        asinh is linear near 0 and logarithmic beyond: models are too sure of themselves, and twice
        the nats are not twice the evidence.
        """
        return math.asinh(self.doubt.log_odds) + self.usage

    @property
    def given(self) -> str:
        """The given entities, in words."""
        return self._described(self.doubt.given)

    @property
    def found(self) -> str:
        """The entities that the model finds, in words."""
        return self._described(self.doubt.found)

    @property
    def probability(self) -> float:
        """The model's, of what it finds."""
        return math.exp(self.doubt.found_log_prob)

    @property
    def context(self) -> str:
        """The place, between marks, with some words around it."""
        doc, start, end = self.doc, self.doubt.start, self.doubt.end
        before, after = max(0, start - AROUND), min(len(doc), end + AROUND)
        parts = [doc[before:start].text, f"»{doc[start:end].text}«", doc[end:after].text]
        text = " ".join(" ".join(parts).split())
        return "… " * (before > 0) + text + " …" * (after < len(doc))

    @property
    def note(self) -> str:
        """A line for the person who looks at it."""
        return f"given: {self.given}; found: {self.found} ({self.probability:.2f})"

    def _described(self, entities: Sequence[Entity]) -> str:
        texts = [(label, self.doc[start:end].text.split()) for start, end, label in entities]
        return ", ".join(f"{label} '{' '.join(words)}'" for label, words in texts) or NOTHING


def suspects_of(docs: Mapping[int, Doc], found: Mapping[int, DocDoubts]) -> list[Suspect]:
    """All places in doubt, the worst first.

    docs (Mapping[int, Doc]): docs by their numbers in the file.
    found (Mapping[int, DocDoubts]): what was found in them.
    """
    places = [(i, docs[i], doubt) for i in sorted(found) for doubt in found[i].doubts]
    usage = Usage(docs.values(), ((doc, doubt) for _, doc, doubt in places))
    listed = [Suspect(*place, usage.log_ratio(*place[1:])) for place in places]
    return sorted(listed, key=lambda one: -one.score)  # stable: then by place


def tasks_of(suspects: Iterable[Suspect], found: Mapping[int, DocDoubts]) -> list[Task]:
    """A task for each doc with a suspect, the doc with the worst one first.

    Its suggestions are the given entities, each with the probability that it has for the model; its
    score is that of its worst place.
    """
    by_doc: dict[int, list[Suspect]] = {}
    for one in suspects:
        by_doc.setdefault(one.number, []).append(one)
    tasks = []
    for number, of_doc in by_doc.items():
        doc = of_doc[0].doc
        ents = zip(doc.ents, found[number].confidence, strict=True)
        given = tuple(Suggestion(e.start, e.end, e.label_, p) for e, p in ents)
        tasks.append(
            Task(
                task_key(number, doc.text),
                doc,
                suggestions=given,
                score=of_doc[0].score,
                model="given",
                note=" | ".join(one.note for one in of_doc),
            )
        )
    return tasks


def write_table(suspects: Iterable[Suspect], path: Path) -> None:
    """Write all suspects to a CSV file, a line each; offsets count characters."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for one in suspects:
            span = one.doc[one.doubt.start : one.doubt.end]
            place = (one.number, task_key(one.number, one.doc.text), span.start_char, span.end_char)
            numbers = (one.probability, one.doubt.log_odds, one.usage)
            said = (one.given, one.found, *(f"{number:.4f}" for number in numbers), one.context)
            writer.writerow((f"{one.score:.4f}", *place, *said))
