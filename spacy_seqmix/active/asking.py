"""The answers of a run: how they are asked for, checked, kept, and read again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.texts import task_key
from ..errors import Errors, SeqMixError, Warnings, plural
from ..types import Answer, Oracle, Task
from .answers import AnswerFile, AnswerRecord, is_annotated
from .journal import RoundRecord
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
        self, oracle: Oracle, folder: RunFolder, docs: Mapping[int, Doc], nlp: Language
    ) -> None:
        """docs (Mapping[int, Doc]): the pool. nlp (Language): has the vocabulary of its docs."""
        self.oracle, self.docs, self.nlp = oracle, docs, nlp
        self.file = None if oracle.needs_gold else AnswerFile(folder.answers)
        self.answers: dict[int, Answer] = {}
        self._said: dict[int, dict[str, Any]] = {}
        self._unknown: set[str] = set()

    def read(self, records: Sequence[RoundRecord]) -> None:
        """Read what the folder has; ``answers`` stays the same object.

        records (Sequence[RoundRecord]): the finished rounds, whose texts need their answers, unless
            the pool has them: those of an older version are there.
        RAISES (SeqMixError): S611 and S612 for damaged answers, S614 for lost ones.
        """
        self.answers.clear()
        self._said.clear()
        if self.file is None:
            return
        for record in self.file.read().values():
            number = self._number(record.key)
            if number is not None:
                self._keep(number, record)
        asked = [number for record in records for number in record.queried]
        lost = [i for i in asked if i not in self.answers and not is_annotated(self.docs[i])]
        if lost:
            keys = [task_key(i, self.docs[i].text) for i in lost]
            raise SeqMixError(
                Errors.E614.format(path=self.file.path, n=len(lost), keys=", ".join(keys[:3]))
            )

    def ask(self, tasks: Sequence[Task], number: int) -> bool:
        """Ask for answers. RETURNS (bool): whether any came that is new.

        number (int): of the round.
        RAISES (SeqMixError): S612, S613 and S615 for answers that can't be used; those before it
            are kept.

        Warns with W611 of answers to texts that the pool has not.
        """
        came = False
        for answer in self.oracle(tasks):
            if not isinstance(answer, Answer):
                raise SeqMixError(Errors.E615.format(given=type(answer).__name__))
            place = self._number(answer.key)
            if place is not None:
                came |= self._take(place, answer, number)
        return came

    def _take(self, place: int, answer: Answer, number: int) -> bool:
        if self.file is None:
            self.answers[place] = answer
            return True
        record = AnswerRecord.of(answer, self.docs[place], number)
        if self._said.get(place) == record.says():
            return False
        self.file.append(record)
        self._keep(place, record)
        return True

    def _keep(self, place: int, record: AnswerRecord) -> None:
        """Keep an answer as the file has it: a run that goes on trains on the same docs."""
        assert self.file is not None
        self.answers[place] = record.answer(self.docs[place], self.nlp, self.file.path)
        self._said[place] = record.says()

    def _number(self, key: str) -> int | None:
        """The number of the text with a key; None where the pool has none."""
        digits = key.partition("-")[0]
        number = int(digits) if digits.isascii() and digits.isdigit() else -1
        if number in self.docs and task_key(number, self.docs[number].text) == key:
            return number
        if key not in self._unknown:
            self._unknown.add(key)
            warnings.warn(Warnings.W611.format(key=key), stacklevel=3)
        return None
