"""What the loop tells those who label, by two files of the run folder: its tasks and its phase."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import FiniteFloat, NonNegativeFloat, NonNegativeInt, ValidationError
from spacy.tokens import Doc

from ..files import replacing
from ..types import Task
from .characters import Shown, in_characters, in_tokens
from .journal import Record

__all__ = ["Asked", "AskedHeader", "AskedText", "Status"]


class AskedHeader(Record):
    """The first line of asked.jsonl.

    round (int): the round that asks.
    n (int): how many texts are asked; those that follow are the reserve.
    policy (str): the registered name of the policy, or how the first round's texts were drawn.
    model (str | None): the model that suggests, such as "round-01".
    wanted (int | None): how many were wanted; n may be more, as some were answered already.
    drawn (dict | None): the settings that decide which texts are asked.
    pool, scored (int): the texts that were unlabelled, and those of them that were scored.
    """

    round: NonNegativeInt
    n: NonNegativeInt
    policy: str
    model: str | None = None
    wanted: NonNegativeInt | None = None
    drawn: dict[str, Any] | None = None
    pool: NonNegativeInt = 0
    scored: NonNegativeInt = 0


class AskedText(Record):
    """A further line of asked.jsonl: a task. All offsets are characters (code points).

    key, number (str, int): of the text, and its number in the pool's file.
    tokens (tuple): (start, end) of each token.
    suggestions (tuple | None): what the model predicts; None where there is none yet.
    score (float | None): the policy's.
    dev (bool): whether the text is set aside for evaluation.
    reserve (bool): whether it is asked only where another one is skipped, or in the next round.
    """

    key: str
    number: NonNegativeInt
    text: str
    tokens: tuple[tuple[NonNegativeInt, NonNegativeInt], ...]
    suggestions: tuple[Shown, ...] | None = None
    score: FiniteFloat | None = None
    dev: bool = False
    reserve: bool = False

    def task(self, doc: Doc, header: AskedHeader) -> Task:
        """The task that the line describes; ``doc`` is its text."""
        suggestions = None
        if self.suggestions is not None:
            suggestions = tuple(in_tokens(self.suggestions, doc))
        return Task(self.key, doc, header.round, suggestions, self.score, header.model)

    @classmethod
    def of(cls, task: Task, number: int, *, dev: bool, reserve: bool) -> AskedText:
        """The line of a task."""
        doc, suggestions = task.doc, task.suggestions
        return cls(
            key=task.key,
            number=number,
            text=doc.text,
            tokens=tuple((token.idx, token.idx + len(token)) for token in doc),
            suggestions=(
                None
                if suggestions is None
                else tuple(in_characters(one, doc) for one in suggestions)
            ),
            score=task.score if task.score is not None and math.isfinite(task.score) else None,
            dev=dev,
            reserve=reserve,
        )


class Asked(NamedTuple):
    """The tasks of a round, best first."""

    header: AskedHeader
    texts: tuple[AskedText, ...]

    def write(self, path: Path) -> None:
        """Write asked.jsonl, whole or not at all."""
        with replacing(path) as temporary:
            lines = [one.model_dump_json() for one in (self.header, *self.texts)]
            temporary.write_text("\n".join([*lines, ""]), encoding="utf8", newline="\n")

    @classmethod
    def read(cls, path: Path) -> Asked | None:
        """Read asked.jsonl; None where there is none, or a damaged one: the loop makes it anew."""
        try:
            first, *others = path.read_bytes().splitlines()
            texts = tuple(AskedText.model_validate_json(line) for line in others)
            return cls(AskedHeader.model_validate_json(first), texts)
        except (FileNotFoundError, ValidationError, ValueError):
            return None


class Status(Record):
    """What a run does, as status.json says it.

    round (int): the round that goes on.
    phase (str): "query", "wait" (for answers), or another phase of ``journal.Seconds``; "ended".
    since (float): when the phase began, in seconds since 1970.
    """

    round: NonNegativeInt
    phase: str
    since: NonNegativeFloat

    @classmethod
    def write(cls, path: Path, number: int, phase: str) -> None:
        """Write status.json, whole or not at all."""
        with replacing(path) as temporary:
            status = cls(round=number, phase=phase, since=time.time())
            temporary.write_text(status.model_dump_json() + "\n", "utf8")

    @classmethod
    def read(cls, path: Path) -> Status | None:
        """Read status.json; None where there is none."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
