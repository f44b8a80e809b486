"""The answers of a run: how they are asked for, checked, kept, and read again."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.lazy_docs import LazyDocs
from ..annotation.texts import number_in, task_key
from ..errors import Errors, SeqMixError, Warnings, plural
from ..types import Answer, Oracle, Task
from .annotation import is_annotated
from .answers import AnswerFile, AnswerRecord
from .journal import RoundRecord, first_problem
from .run_folder import RunFolder

__all__ = ["Asking", "Waiting"]


@dataclass(frozen=True)
class Waiting:
    """What a round waits for.

    round (int): its number.
    lacking, asked (int): texts without an answer, and all that the round asks for.
    advice (str): what a person does to answer them.
    """

    round: int
    lacking: int
    asked: int
    advice: str

    def __str__(self) -> str:
        return f"Round {self.round} waits for {self.lacking} of {plural(self.asked, 'text')}"


class Asking:
    """Asks an oracle, and keeps each answer in the run folder as soon as it comes.

    Of the gold oracle nothing is kept: the pool's file has its answers.

    answers (dict[int, Answer]): the last answer of each text, by its number in the pool.
    """

    def __init__(
        self,
        oracle: Oracle,
        folder: RunFolder,
        docs: Mapping[int, Doc],
        nlp: Language,
        layer: str | None = None,
    ) -> None:
        """Ask an oracle.

        docs (Mapping[int, Doc]): the pool.
        nlp (Language): has the vocabulary of its docs.
        layer (str | None): the annotation that answers need; None for any.
        """
        self.oracle, self.docs, self.nlp, self.layer = oracle, docs, nlp, layer
        self.file = None if oracle.needs_gold else AnswerFile(folder.answers)
        self.answers: dict[int, Answer] = {}
        self._said: dict[int, dict[str, Any]] = {}
        self._unknown: set[str] = set()
        self._lost: list[int] = []  # texts of finished rounds without an answer

    def read(self, records: Sequence[RoundRecord]) -> None:
        """Read what the folder has; ``answers`` stays the same object.

        records (Sequence[RoundRecord]): the finished rounds, whose texts need their answers, unless
            the pool has them: those of an older version are there.
        RAISES (SeqMixError): S611 and S617 for damaged answers.
        """
        self.answers.clear()
        self._said.clear()
        self._lost.clear()
        if self.file is None:
            return
        found = self.file.read()
        self.docs_of(i for i in map(number_in, found) if i is not None and i in self.docs)
        for record in found.values():
            number = self._number(record.key)
            if number is not None:
                self._keep(number, record)
        self._lost += [i for one in records for i in one.queried if self._is_lost(i, one)]

    def docs_of(self, numbers: Iterable[int]) -> list[Doc]:
        """The docs of texts that are asked, in their order. They are read together and kept: to
        read a single doc may take as long as to read its whole file."""
        numbers = list(numbers)
        if isinstance(self.docs, LazyDocs):
            self.docs.keep(numbers)
        return [self.docs[i] for i in numbers]

    def doc_of(self, number: int) -> Doc:
        """The doc of a text that is asked."""
        return self.docs_of([number])[0]

    def recover(self, number: int) -> None:
        """Ask for answers of finished rounds that the file has lost, if any.

        number (int): of the round.
        RAISES (SeqMixError): S614 where the oracle does not have them either.
        """
        if not self._lost:
            return
        assert self.file is not None
        self.ask((), number)
        self._lost = [i for i in self._lost if i not in self.answers]
        if self._lost:
            lost = self._lost[:3]
            pairs = zip(lost, self.docs_of(lost), strict=True)
            keys = ", ".join(task_key(i, doc.text) for i, doc in pairs)
            text = Errors.E614.format(
                path=self.file.path, n=plural(len(self._lost), "text"), keys=keys
            )
            raise SeqMixError(text)

    def _is_lost(self, number: int, record: RoundRecord) -> bool:
        """Whether a text of a round has no answer. Only older versions, whose records do not say
        what was skipped, kept no answers: theirs are in the pool's file."""
        if number in self.answers:
            return False
        is_old = "skipped" not in record.model_fields_set
        return not (is_old and is_annotated(self.doc_of(number), self.layer))

    def ask(self, tasks: Sequence[Task], number: int) -> bool:
        """Ask for answers. RETURNS (bool): whether any came that is new.

        number (int): of the round.
        RAISES (SeqMixError): S612, S613 and S615 for answers that can't be used; those before it
            are kept.

        Warns with W611 of answers to texts that the pool has not.
        """
        came = False
        answers: object = self.oracle(tasks)
        if answers is not None and not isinstance(answers, Iterable):
            raise SeqMixError(Errors.E615.format(given=type(answers).__name__))
        for answer in answers or ():
            _check(answer)
            place = self._number(answer.key)
            if place is not None:
                came |= self._take(place, answer, number)
        return came

    def _take(self, place: int, answer: Answer, number: int) -> bool:
        if self.file is None:
            self.answers[place] = answer
            return True
        try:
            record = AnswerRecord.of(answer, self.doc_of(place), number, self.layer)
        except ValidationError as err:
            raise _unusable(answer.key, first_problem(err)) from err
        if self._said.get(place) == record.says():
            return False
        self.file.append(record)
        self._keep(place, record)
        return True

    def _keep(self, place: int, record: AnswerRecord) -> None:
        """Keep an answer as the file has it: a run that goes on trains on the same docs."""
        assert self.file is not None
        self.answers[place] = record.answer(self.doc_of(place), self.nlp, self.file.path)
        self._said[place] = record.says()

    def _number(self, key: str) -> int | None:
        """The number of the text with a key; None where the pool has none."""
        number = number_in(key)
        if number is not None and number in self.docs:
            known = task_key(number, self.doc_of(number).text)
            if key == known:
                return number
        if key not in self._unknown:
            self._unknown.add(key)
            warnings.warn(Warnings.W611.format(key=key), stacklevel=3)
        return None


def _check(answer: object) -> None:
    """RAISES (SeqMixError): S615 for what is no answer."""
    if not isinstance(answer, Answer):
        raise SeqMixError(Errors.E615.format(given=type(answer).__name__))
    key, doc = answer.key, answer.doc
    if not isinstance(key, str):
        raise _unusable(key, "the key is no string")
    if doc is not None and not isinstance(doc, Doc):
        raise _unusable(key, f"the doc is of the type {type(doc).__name__}")
    unnamed = next((t for t in doc or () if t.ent_iob_ in ("B", "I") and not t.ent_type_), None)
    if unnamed is not None:
        raise _unusable(key, f"the entity at {unnamed.text!r} has no label")


def _unusable(key: object, reason: str) -> SeqMixError:
    return SeqMixError(Errors.E615.format(given=f"this answer to {key!r}: {reason}"))
