"""Event triggers from the JSON that public pre-processors make of ACE 2005.

JMEE: a list of sentences, ends exclusive (some forks have them inclusive; the trigger's text
tells). DyGIE++: a document a line, tokens numbered through the document, ends inclusive. OneIE,
also of DEGREE, TextEE and GENEVA: a sentence a line, ends exclusive. Types become "Type:Subtype".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import spacy

from ..errors import Errors, SeqMixError
from .files import read_lines, write_docs
from .triggers import Counts, Sentence, Trigger, same_text, to_docs

__all__ = ["LAYOUTS", "convert_events", "read_dygiepp", "read_jmee", "read_oneie"]


def read_jmee(path: Path) -> Iterator[Sentence]:
    """Read a JSON list of sentences. RAISES (SeqMixError): S501, S540."""
    for number, row in enumerate(_list(path), start=1):
        where = f"{path}, sentence {number}"
        words = _words(row.get("words", row.get("tokens")), where)
        events = row.get("golden-event-mentions", row.get("golden_event_mentions", []))
        triggers = []
        for event in _objects(events, where):
            found = _object(event.get("trigger"), where)
            start, end = _number(found, "start", where), _number(found, "end", where)
            text = _text(found, "text", where)
            if not same_text(words[start:end], text) and same_text(words[start : end + 1], text):
                end += 1  # a fork's inclusive end
            triggers.append(Trigger(start, end, _label(event, where), text))
        yield Sentence(words, triggers, where)


def read_oneie(path: Path) -> Iterator[Sentence]:
    """Read JSON lines, a sentence each. RAISES (SeqMixError): S501, S540."""
    for where, row in _rows(path):
        words = _words(row.get("tokens"), where)
        triggers = []
        for event in _objects(row.get("event_mentions", []), where):
            found = _object(event.get("trigger"), where)
            start, end = _number(found, "start", where), _number(found, "end", where)
            triggers.append(Trigger(start, end, _label(event, where), _text(found, "text", where)))
        yield Sentence(words, triggers, where)


def read_dygiepp(path: Path) -> Iterator[Sentence]:
    """Read JSON lines, a document each. RAISES (SeqMixError): S501, S540."""
    for where, row in _rows(path):
        sentences, events = row.get("sentences"), row.get("events")
        if not isinstance(sentences, list):
            raise _wrong(where, "no list 'sentences'")
        if events is None:
            events = [[] for _ in sentences]
        if not isinstance(events, list) or len(events) != len(sentences):
            raise _wrong(where, f"'events' is no list for each of {len(sentences)} sentences")
        offset = row.get("_sentence_start", row.get("sentence_start", 0))
        offset = offset[:1] if isinstance(offset, list) else [offset]
        begin = next((_place(number, where) for number in offset), 0)
        for number, (tokens, found) in enumerate(zip(sentences, events, strict=True), start=1):
            place = f"{where}, sentence {number}"
            words = _words(tokens, place)
            if not isinstance(found, list):
                raise _wrong(place, f"a list of events is wanted, not {found!r}")
            triggers = [_of_dygiepp(event, begin, place) for event in found]
            yield Sentence(words, triggers, place)
            begin += len(words)


def _of_dygiepp(event: Any, begin: int, where: str) -> Trigger:
    """[[token, type], arguments...], in some versions [[start, end, type], ...], end inclusive."""
    try:
        *places, label = event[0]
        first, last = places[0], places[-1]
        if not isinstance(label, str):
            raise TypeError(label)
    except (TypeError, ValueError, IndexError, KeyError):
        raise _wrong(where, f"not an event that begins with [token, type]: {event!r}") from None
    start, end = _place(first, where) - begin, _place(last, where) - begin + 1
    return Trigger(start, end, label.replace(".", ":"))


LAYOUTS: dict[str, Callable[[Path], Iterator[Sentence]]] = {
    "jmee": read_jmee,
    "dygiepp": read_dygiepp,
    "oneie": read_oneie,
}


def convert_events(
    in_path: Path,
    out_path: Path,
    *,
    layout: str,
    lang: str = "en",
    types: bool = False,
    skip: bool = False,
) -> Counts:
    """Convert a file of one of the layouts to a DocBin, a Doc a sentence, triggers as entities.

    layout (str): "jmee", "dygiepp" or "oneie".
    types (bool): take "Conflict" of "Conflict:Attack" alone.
    skip (bool): leave out triggers that are not what the file says, with a warning each.
    RETURNS (Counts): of sentences and triggers.
    RAISES (SeqMixError): S501, S502, S540, S541.
    """
    counts = Counts()
    sentences = LAYOUTS[layout](in_path)
    docs = to_docs(sentences, spacy.blank(lang), counts, types=types, skip=skip)
    write_docs(docs, out_path, source=in_path)
    return counts


def _list(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON file."""
    try:
        content = json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise _wrong(str(path), f"not JSON: {error}") from error
    if not isinstance(content, list):
        raise _wrong(str(path), "not a list of sentences")
    return _objects(content, str(path))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a file of JSON lines, each with where it stands."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            yield where, _object(json.loads(line), where)
        except json.JSONDecodeError as error:
            raise _wrong(where, f"not JSON: {error}") from error


def _wrong(where: str, what: str) -> SeqMixError:
    return SeqMixError(Errors.E540.format(where=where, what=what))


def _objects(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong(where, "a list of objects is wanted")
    return value


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, f"an object is wanted, not {value!r}")
    return value


def _words(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(w, str) and w for w in value):
        raise _wrong(where, "no list of tokens")
    return value


def _place(value: Any, where: str) -> int:
    """The number of a token."""
    if not _is_whole(value):
        raise _wrong(where, f"no number of a token: {value!r}")
    return int(value)


def _number(row: dict[str, Any], key: str, where: str) -> int:
    if not _is_whole(row.get(key)):
        raise _wrong(where, f"no whole number {key!r} in {row}")
    return int(row[key])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(where, f"no {key!r} in {row}")
    return value


def _label(event: dict[str, Any], where: str) -> str:
    return _text(event, "event_type", where)
