"""Where a model doubts the entities that a doc has been given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.iob import LOG_FLOOR, entity_tags
from ..annotation.whitespace import words_of
from ..errors import Errors, SeqMixError
from ..models.tagger_head import head_of, tag_probs
from ..types import Floats1d
from .beam import beam_parses
from .probabilities import Progress, annotate, annotated_batches, check_numbers

# Start, end (exclusive) and label.
Entity: TypeAlias = tuple[int, int, str]


class Version(NamedTuple):
    """One reading of the words ``start`` to ``end`` of a doc: these entities, and no others."""

    start: int
    end: int
    entities: tuple[Entity, ...]


@dataclass(frozen=True)
class Doubt:
    """A place where the entities of a doc differ from those that a model finds.

    start, end (int): its tokens; entities of both that overlap belong to one place.
    given, found (tuple[Entity, ...]): the entities in it, in tokens; one of the two may be empty.
    given_log_prob, found_log_prob (float): the log-probability of the tags of either in this place,
        summed over the tags of all other tokens.
    """

    start: int
    end: int
    given: tuple[Entity, ...]
    found: tuple[Entity, ...]
    given_log_prob: float
    found_log_prob: float

    @property
    def log_odds(self) -> float:
        """How many nats more probable the model's version is than the given one."""
        return self.found_log_prob - self.given_log_prob


@dataclass(frozen=True)
class DocDoubts:
    """What a model says of the entities of a doc.

    confidence (tuple[float | None, ...]): the probability of each of ``doc.ents``; None where the
        model does not know the label.
    found, agreed (int): the number of entities that the model finds, and that of those among them
        which the doc has too.
    doubts (tuple[Doubt, ...]): where they differ, in the order of the text.
    """

    confidence: tuple[float | None, ...]
    found: int
    agreed: int
    doubts: tuple[Doubt, ...]


def find_doubts(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    batch_size: int = 128,
    progress: Progress | None = None,
) -> list[DocDoubts]:
    """Compare the entities of docs with those that a component finds in them.

    Nothing is in doubt where tags are missing, or where a label is none of the component's.

    nlp (Language): a pipeline that was not trained on these docs.
    component (str): the name of one that recognises entities, see ``LOG_PROBS``.
    docs (Sequence[Doc]): docs with entities; they are not changed.
    progress (Callable | None): called with the number of docs done.
    RETURNS (list[DocDoubts]): in the order of ``docs``.
    RAISES (SeqMixError): S720 for another component, S425 where probabilities are not numbers.
    """
    factory = nlp.get_pipe_meta(component).factory
    check_can_judge(component, {component: factory})
    proc: Any = nlp.get_pipe(component)
    out: dict[int, DocDoubts] = {}
    for numbers, batch in annotated_batches(nlp, component, docs, batch_size):
        copies = annotate(proc, batch)
        cases = [_Case(docs[i], copy, proc.labels) for i, copy in zip(numbers, copies, strict=True)]
        logs = LOG_PROBS[factory](proc, copies, [list(case.versions()) for case in cases])
        for i, case, values in zip(numbers, cases, logs, strict=True):
            checked = check_numbers(np.maximum(values, LOG_FLOOR), component)
            out[i] = case.result(checked.tolist())
        if progress is not None:
            progress(len(numbers))
    return [out[i] for i in range(len(docs))]


def differences(
    given: Iterable[Entity], found: Iterable[Entity]
) -> Iterator[tuple[Version, Version]]:
    """Yield both versions of each place where two readings of a doc differ.

    given, found (Iterable[Entity]): entities that do not overlap among themselves. Those of the two
        that overlap share a place.
    """
    one, other = set(given), set(found)
    places: list[list[Entity]] = []
    end = 0
    for entity in sorted(one ^ other):
        if entity[0] >= end:
            places.append([])
        places[-1].append(entity)
        end = max(end, entity[1])
    for place in places:
        start, end = place[0][0], max(entity[1] for entity in place)
        of_one, of_other = (tuple(e for e in place if e in side) for side in (one, other))
        yield Version(start, end, of_one), Version(start, end, of_other)


class _Case:
    """A doc and what a model finds in it. Places count words: whitespace has no tags of its own."""

    def __init__(self, doc: Doc, found: Doc, labels: Sequence[str]) -> None:
        self.words = words_of(doc)
        self.given, self.found = _entities(doc), set(_entities(found))
        self.known = [one for one in self.given if one[0] < one[1] and one[2] in labels]
        missing = {n for n, i in enumerate(self.words.tolist()) if not doc[i].ent_iob}
        self.doubtful = [
            pair
            for pair in differences((one for one in self.given if one[0] < one[1]), self.found)
            if missing.isdisjoint(range(*pair[0][:2]))
            and all(label in labels for version in pair for _, _, label in version.entities)
        ]

    def versions(self) -> Iterator[Version]:
        """The versions whose probabilities are wanted: each given entity, then all pairs."""
        for one in self.known:
            yield Version(one[0], one[1], (one,))
        for pair in self.doubtful:
            yield from pair

    def result(self, logs: Sequence[float]) -> DocDoubts:
        """The result, from the log-probability of each version."""
        n = len(self.known)
        confidence = dict(zip(self.known, np.exp(logs[:n]).tolist(), strict=True))
        pairs = zip(logs[n::2], logs[n + 1 :: 2], strict=True)
        return DocDoubts(
            tuple(confidence.get(one) for one in self.given),
            len(self.found),
            len(self.found.intersection(self.given)),
            tuple(
                Doubt(
                    *self._tokens(given.start, given.end),
                    self._in_tokens(given),
                    self._in_tokens(found),
                    *of_pair,
                )
                for (given, found), of_pair in zip(self.doubtful, pairs, strict=True)
            ),
        )

    def _in_tokens(self, version: Version) -> tuple[Entity, ...]:
        return tuple((*self._tokens(start, end), label) for start, end, label in version.entities)

    def _tokens(self, start: int, end: int) -> tuple[int, int]:
        return int(self.words[start]), int(self.words[end - 1]) + 1


def _entities(doc: Doc) -> list[Entity]:
    """The entities of a doc, counted in words; start and end of a blank one are equal."""
    before = _words_before(doc)
    return [(before[e.start], before[e.end], e.label_) for e in doc.ents]


def _words_before(doc: Doc) -> list[int]:
    """The number of words before each token, and before the end of the doc."""
    return list(accumulate((int(not token.is_space) for token in doc), initial=0))


def check_can_judge(component: str, factories: Mapping[str, str]) -> None:
    """RAISES (SeqMixError): S720 for a component that can't judge the entities of a doc.

    factories (Mapping[str, str]): the factories of a pipeline's components, by their names.
    """
    if factories.get(component) not in LOG_PROBS:
        able = [name for name, factory in factories.items() if factory in LOG_PROBS]
        raise SeqMixError(Errors.E720.format(name=component, able=able or "none"))


def _of_head(proc: Any, docs: Sequence[Doc], wanted: Sequence[Sequence[Version]]) -> list[Floats1d]:
    """``seqmix_ner``: for a softmax a product, for a CRF a sum over all valid paths."""
    number = {label: i for i, label in enumerate(proc.labels)}

    def tags(version: Version) -> list[int]:
        out = [0] * (version.end - version.start)
        for start, end, label in version.entities:
            columns = entity_tags(number[label], end - start)
            out[start - version.start : end - version.start] = columns
        return out

    pieces = [[(one.start, tags(one)) for one in of_doc] for of_doc in wanted]
    scores = tag_probs(proc.model, proc.predict(docs), docs).scores
    return head_of(proc.model).log_probs(scores, pieces)


def _of_beam(proc: Any, docs: Sequence[Doc], wanted: Sequence[Sequence[Version]]) -> list[Floats1d]:
    """spaCy's recognisers: the summed probability of the parses with these entities there."""
    out = []
    for doc, parses, of_doc in zip(docs, beam_parses(proc, docs), wanted, strict=True):
        before = _words_before(doc)
        known = [
            (p, [(before[a], before[b], label) for a, b, label in entities])
            for p, entities in parses
        ]
        sums = [sum(p for p, entities in known if _agrees(entities, one)) for one in of_doc]
        with np.errstate(divide="ignore"):
            out.append(np.log(np.array(sums, dtype="float32")))
    return out


def _agrees(entities: Iterable[Entity], version: Version) -> bool:
    """Whether just the entities of a version overlap with its words."""
    start, end, wanted = version
    return {one for one in entities if one[0] < end and start < one[1]} == set(wanted)


LogProbs: TypeAlias = Callable[[Any, Sequence[Doc], Sequence[Sequence[Version]]], list[Floats1d]]
# By the name of a component's factory.
LOG_PROBS: dict[str, LogProbs] = {"seqmix_ner": _of_head, "ner": _of_beam, "beam_ner": _of_beam}
