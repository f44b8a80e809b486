"""The texts that an oracle has sent to a tool, and the answers that come back from it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from math import inf
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import iter_docs, write_docs
from ..annotation.texts import KEY
from ..errors import SeqMixError, Warnings
from ..types import Answer, Suggestion, Task
from .ingest import read_answers
from .join import PoolText, with_key
from .place import Note, Rules, annotated
from .rows import Row

__all__ = ["Sent", "refused"]

# Notes of answers that the run goes without.
WITHOUT = ("not placed", "replaced", "refused")
# Where the user data of a task's doc has its suggestions.
SHOWN = "seqmix_shown"


@dataclass
class Sent:
    """Texts that were sent, in the tokens that their answers need.

    rules (Rules): what is done with spans that do not fit.
    who (str | None): whose answers count; None for all.
    docs (dict[str, Doc]): the texts, by key.
    notes (list[Note]): what was moved or left out in the answers that were read last.
    """

    rules: Rules
    who: str | None = None
    docs: dict[str, Doc] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    _shown: dict[str, tuple[Suggestion, ...] | None] = field(default_factory=dict)
    _warned: set[Note] = field(default_factory=set)

    def read(self, path: Path, nlp: Language) -> list[str]:
        """Read texts that were sent before. RETURNS (list[str]): their keys."""
        docs = list(iter_docs(path, nlp.vocab))
        keys = [doc.user_data.pop(KEY) for doc in docs]
        for key, doc in zip(keys, docs, strict=True):
            shown = doc.user_data.pop(SHOWN, None)
            self._shown[key] = None if shown is None else tuple(Suggestion(*s) for s in shown)
        self.docs |= zip(keys, docs, strict=True)
        return keys

    def has(self, task: Task) -> bool:
        """Whether a task was sent with these suggestions."""
        return task.key in self.docs and self._shown.get(task.key) == task.suggestions

    def write(self, tasks: Sequence[Task], path: Path) -> None:
        """Keep the texts of tasks, and what is suggested, in a .spacy file."""
        docs = {task.key: with_key(task.doc.copy(), task.key, {}) for task in tasks}
        for task in tasks:
            if task.suggestions is not None:
                docs[task.key].user_data[SHOWN] = [astuple(one) for one in task.suggestions]
        write_docs(docs.values(), path)
        self.docs |= {task.key: task.doc for task in tasks}
        self._shown |= {task.key: task.suggestions for task in tasks}

    def answers(self, rows: Sequence[Row]) -> Iterator[Answer]:
        """Yield the answer to each text that has one. What was moved or left out is noted.

        rows (Sequence[Row]): all that was said of these texts so far.
        """
        pool = {key: _pool_text(key, doc) for key, doc in self.docs.items()}
        related = any(row.relations for row in rows)
        for one in read_answers(rows, pool, self.who, self.notes.append):
            if one.row.state != "not yet" and (answer := self._answer(one.row, related)):
                yield answer

    def _answer(self, row: Row, related: bool) -> Answer | None:
        """The answer of a row; None where it can't be used, which is noted."""
        doc = None
        if row.state == "labelled":
            text = self.docs[row.key]
            try:
                doc = annotated(row, text, self.rules, self.notes.append, related=related)
            except SeqMixError as err:
                self.notes.append(refused(row.where, err))
                return None
            if not doc.has_annotation("ENT_IOB"):
                what = "all tags of the text are unknown"
                self.notes.append(Note("refused", row.where, what))
                return None
        seconds = row.seconds if row.seconds is not None and 0 <= row.seconds < inf else None
        return Answer(row.key, doc, row.who, seconds, self._shown.get(row.key))

    def warn(self) -> None:
        """Warn with W640 of each note, once."""
        for note in self.notes:
            if note not in self._warned:
                self._warned.add(note)
                warnings.warn(Warnings.W640.format(**vars(note)), stacklevel=3)

    def left_out(self) -> str:
        """What the run goes without, as the end of a sentence; empty where that is nothing."""
        kinds = Counter[str](note.kind for note in self.notes)
        left = ", ".join(f"{kinds[kind]} {kind}" for kind in WITHOUT if kinds[kind])
        return f"; of the answers so far {left}, see the warnings (W640)" if left else ""


def refused(where: str, err: SeqMixError) -> Note:
    """The note of an answer that can't be used."""
    return Note("refused", where, str(err).removesuffix("."))


def _pool_text(key: str, doc: Doc) -> PoolText:
    return PoolText(key, doc.text, 0, {0: doc})
