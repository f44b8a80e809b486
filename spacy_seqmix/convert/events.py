"""Event triggers from the JSON that public pre-processors make of ACE 2005.

JMEE: a list of sentences, ends exclusive (some forks have them inclusive; the trigger's text
tells). DyGIE++: a document a line, tokens numbered through the document, ends inclusive. OneIE,
also of DEGREE, TextEE and GENEVA: a sentence a line, ends exclusive. Types become "Type:Subtype".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field

from ..errors import Errors, SeqMixError
from .files import read_lines
from .rows import Row, Text, Word, json_lines, json_value, validated
from .triggers import Sentence, Trigger, same_text

__all__ = ["read_dygiepp", "read_jmee", "read_oneie"]


class _Mention(Row):
    start: int
    end: int
    text: Text


class _Event(Row):
    event_type: Text
    trigger: _Mention


class _Jmee(Row):
    words: list[Word] = Field(validation_alias=AliasChoices("words", "tokens"))
    events: list[_Event] = Field(
        [], validation_alias=AliasChoices("golden-event-mentions", "golden_event_mentions")
    )


class _OneIE(Row):
    tokens: list[Word]
    event_mentions: list[_Event] = Field(default_factory=list)


class _DyGIE(Row):
    sentences: list[list[Word]]
    events: list[list[Any]] | None = None
    sentence_start: int | list[int] = Field(
        0, validation_alias=AliasChoices("_sentence_start", "sentence_start")
    )


def read_jmee(path: Path) -> Iterator[Sentence]:
    """Read a JSON list of sentences. RAISES (SeqMixError): S501, S530, S540."""
    rows = json_value("\n".join(read_lines(path)), str(path), list)
    for number, value in enumerate(rows, start=1):
        where = f"{path}, sentence {number}"
        row = validated(_Jmee, value, where, Errors.E540)
        triggers = []
        for event in row.events:
            start, end, text = event.trigger.start, event.trigger.end, event.trigger.text
            given, longer = row.words[start:end], row.words[start : end + 1]
            if not same_text(given, text) and same_text(longer, text):
                end += 1  # a fork's inclusive end
            triggers.append(Trigger(start, end, event.event_type, text))
        yield Sentence(row.words, triggers, where)


def read_oneie(path: Path) -> Iterator[Sentence]:
    """Read JSON lines, a sentence each. RAISES (SeqMixError): S501, S530, S540."""
    for where, row in json_lines(path, _OneIE, Errors.E540):
        mentions = [(event.trigger, event.event_type) for event in row.event_mentions]
        triggers = [Trigger(m.start, m.end, label, m.text) for m, label in mentions]
        yield Sentence(row.tokens, triggers, where)


def read_dygiepp(path: Path) -> Iterator[Sentence]:
    """Read JSON lines, a document each. RAISES (SeqMixError): S501, S530, S540."""
    for where, row in json_lines(path, _DyGIE, Errors.E540):
        events = row.events if row.events is not None else [[] for _ in row.sentences]
        if len(events) != len(row.sentences):
            what = f"events: {len(events)} lists for {len(row.sentences)} sentences"
            raise SeqMixError(Errors.E540.format(where=where, what=what))
        starts = row.sentence_start
        begin = next(iter(starts), 0) if isinstance(starts, list) else starts
        for number, (words, given) in enumerate(zip(row.sentences, events, strict=True), start=1):
            place = f"{where}, sentence {number}"
            triggers = [_of_dygiepp(event, begin, place) for event in given]
            yield Sentence(words, triggers, place)
            begin += len(words)


def _of_dygiepp(event: Any, begin: int, where: str) -> Trigger:
    """[[token, type], arguments...], in some versions [[start, end, type], ...], end inclusive."""
    match event:
        case [[int(first), *_, str(label)], *_] if all(type(n) is int for n in event[0][:-1]):
            last = event[0][-2]
            return Trigger(first - begin, last - begin + 1, label.replace(".", ":"))
    what = f"not an event that begins with [token, type]: {event!r}"
    raise SeqMixError(Errors.E540.format(where=where, what=what))
