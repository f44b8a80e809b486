"""How a corpus labels the same words elsewhere."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import TypeAlias

from spacy.tokens import Doc

from ...query.doubts import Doubt, Entity

__all__ = ["Usage"]

Words: TypeAlias = tuple[str, ...]
# The label of words that are no entity, or only part of one.
NONE = ""


class Usage:
    """The labels that the words of entities in doubt have in a corpus.

    The counts are those of whole entities: in "Leeds United" of type ORG, "Leeds" has no label.
    """

    def __init__(self, docs: Iterable[Doc], places: Iterable[tuple[Doc, Doubt]]) -> None:
        """docs (Iterable[Doc]): the corpus. places (Iterable): docs of it, with doubts."""
        wanted = {
            _words(doc, start, end)
            for doc, doubt in places
            for start, end, _ in chain(doubt.given, doubt.found)
        }
        lengths = sorted({len(words) for words in wanted})
        self.counts: dict[Words, Counter[str]] = defaultdict(Counter)
        for doc in docs:
            texts = [token.text for token in doc]
            labels = {(ent.start, ent.end): ent.label_ for ent in doc.ents}
            unknown = {token.i for token in doc if not token.ent_iob}
            for length in lengths:
                for start in range(len(texts) - length + 1):
                    words, end = tuple(texts[start : start + length]), start + length
                    if words in wanted and unknown.isdisjoint(range(start, end)):
                        self.counts[words][labels.get((start, end), NONE)] += 1

    def log_ratio(self, doc: Doc, doubt: Doubt) -> float:
        """How much more often these words are elsewhere what was found here than what was given.

        RETURNS (float): Σ log (n_found + 1) / (n_given + 1) over the entities of both versions,
            where n are the numbers of other places at which the same words have the label, or the
            absence of one, that the version gives them here.
        """
        given, found = _labels(doubt.given), _labels(doubt.found)
        total = 0.0
        for place in given | found:
            counts = self.counts[_words(doc, *place)]
            n_found = counts[found.get(place, NONE)]
            # Without this place, which is not counted where the entity has blanks at its ends.
            n_given = max(0, counts[given.get(place, NONE)] - 1)
            total += math.log((n_found + 1) / (n_given + 1))
        return total


def _words(doc: Doc, start: int, end: int) -> Words:
    return tuple(token.text for token in doc[start:end])


def _labels(entities: Iterable[Entity]) -> dict[tuple[int, int], str]:
    return {(start, end): label for start, end, label in entities}
