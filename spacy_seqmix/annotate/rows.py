"""What a file of an annotation tool says of a text, before it is joined with tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from spacy.tokens import Doc

from ..annotation.texts import EXTRA_KEY
from ..errors import Errors, SeqMixError
from ..files import parse_json
from ..types import Suggestion, Task

__all__ = [
    "NOTE_FIELD",
    "CharSpan",
    "Row",
    "State",
    "Unit",
    "note_field",
    "other_keys",
    "packed_keys",
    "placed",
    "suggested",
]

# A person looked, and there may be nothing; a person refused; nobody looked.
State: TypeAlias = Literal["labelled", "skipped", "not yet"]
# What offsets may count. "lines" are code points in which a CR and LF count as one.
Unit: TypeAlias = Literal["code points", "UTF-16", "lines"]
# Where tools get the note of a task; it says nothing about an answer.
NOTE_FIELD = "seqmix_note"


@dataclass(frozen=True)
class CharSpan:
    """A labelled part of a text, in characters; the end is exclusive.

    text (str | None): the part's own text, where the file has it: offsets are checked with it.
    """

    start: int
    end: int
    label: str
    confidence: float | None = None
    text: str | None = None


@dataclass(frozen=True)
class Row:
    """What one person says of one text in a file.

    where (str): the file and the line or number, for messages.
    text (str): the text as the file has it.
    state (State): labelled (possibly with no span), skipped, or not yet.
    key (str): the key that the task had; empty where the file has none.
    spans (tuple[CharSpan, ...]): what is labelled.
    relations (tuple[tuple[int, int, str], ...]): head and tail, by the numbers of their spans, and
        label.
    rejected (tuple[CharSpan, ...]): what is known to be no entity of that label.
    unknown (tuple[tuple[int, int], ...]): parts of the text about which nothing is known, but for
        the spans in them.
    who (str): who labelled it; may be empty.
    seconds (float | None): the time that the person spent.
    when (str): the time of the answer, in a form that sorts; may be empty.
    shown (tuple[CharSpan, ...] | None): the suggestions that the person saw.
    extra (dict): the other keys of the text.
    notes (tuple[str, ...]): what the reader had to leave out.
    units (tuple[Unit, ...]): what the offsets may count, the most likely first.
    """

    where: str
    text: str
    state: State
    key: str = ""
    spans: tuple[CharSpan, ...] = ()
    relations: tuple[tuple[int, int, str], ...] = ()
    rejected: tuple[CharSpan, ...] = ()
    unknown: tuple[tuple[int, int], ...] = ()
    who: str = ""
    seconds: float | None = None
    when: str = ""
    shown: tuple[CharSpan, ...] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ("code points", "UTF-16", "lines")


def suggested(task: Task) -> tuple[CharSpan, ...]:
    """The suggestions of a task, in characters of its text."""
    return placed(task.doc, task.suggestions or ())


def placed(doc: Doc, suggestions: Sequence[Suggestion]) -> tuple[CharSpan, ...]:
    """Suggestions in characters of a doc's text."""
    out = []
    for one in suggestions:
        span = doc[one.start : one.end]
        start, end = span.start_char, span.end_char
        out.append(CharSpan(start, end, one.label, one.confidence, doc.text[start:end]))
    return tuple(out)


def packed_keys(task: Task) -> dict[str, str]:
    """The other keys of a task's text, as one field of text: no tool takes them for its own."""
    data: dict[Any, Any] = task.doc.user_data
    extra = data.get(EXTRA_KEY)
    return {EXTRA_KEY: json.dumps(extra, ensure_ascii=False)} if extra else {}


def note_field(task: Task) -> dict[str, str]:
    """The note of a task, as a field that no tool takes for its own."""
    return {NOTE_FIELD: task.note} if task.note else {}


def other_keys(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The other keys of a text: those that ``packed_keys`` wrote, and those of files that were not
    written here. The note of a task is none of them.

    RAISES (SeqMixError): S646 where what was written is damaged.
    """
    found = dict(fields)
    found.pop(NOTE_FIELD, None)
    packed = found.pop(EXTRA_KEY, None) or "{}"
    try:
        own = parse_json(packed) if isinstance(packed, str) else packed
    except ValueError:
        own = None
    if not isinstance(own, dict):
        what = f"{EXTRA_KEY} is no JSON object: {packed!r}"
        raise SeqMixError(Errors.E646.format(where=where, what=what))
    return {**found, **own}
