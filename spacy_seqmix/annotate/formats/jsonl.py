"""Plain JSON lines: the format of the package itself, for scripts and for tools of one's own.

    {"key": "3-5f2a...", "text": "Ana left Oslo", "state": "labelled",
     "spans": [{"start": 0, "end": 3, "label": "PER"}]}

Offsets are code points, ends are exclusive. The state of a task is "not yet"; whoever labels it
writes "labelled" or "skipped". Further keys of a line are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from ...convert.rows import Row as Schema
from ...convert.rows import Text, json_lines
from ...errors import Errors
from ...files import replacing
from ...types import Task
from ..rows import CharSpan, Row, State, note_field, other_keys, packed_keys, suggested

__all__ = ["read_jsonl", "write_jsonl", "write_lines"]


class _Span(Schema):
    start: int
    end: int
    label: Text


class _Relation(Schema):
    head: int
    tail: int
    label: Text


# Start, end, label and confidence.
_Shown = tuple[int, int, Text, float | None]


class _Line(Schema):
    model_config = ConfigDict(strict=False, extra="allow", frozen=True)

    text: str
    key: str = ""
    state: State | None = None
    spans: list[_Span] | None = None
    relations: list[_Relation] = Field(default_factory=list)
    unknown: list[tuple[int, int]] = Field(default_factory=list)
    who: str = ""
    seconds: float | None = None
    shown: list[_Shown] | None = None
    at: str = ""

    @model_validator(mode="after")
    def _has_ends(self) -> _Line:
        n = len(self.spans or ())
        if any(not 0 <= start < end for start, end in self.unknown):
            raise ValueError("parts of unknown are [start, end], where 0 <= start < end")
        if any(not (0 <= i < n) for r in self.relations for i in (r.head, r.tail)):
            raise ValueError("head and tail of a relation are numbers of spans, counted from 0")
        return self


# Keys of answers that say how they came about.
_OURS = ("round", "score", "model", "doc")


def write_jsonl(tasks: Sequence[Task], path: Path) -> None:
    """Write tasks, one a line; the suggestions are the spans to correct."""
    write_lines(path, (_line(task) for task in tasks))


def _line(task: Task) -> dict[str, Any]:
    spans = suggested(task)
    line = {
        "key": task.key,
        "text": task.doc.text,
        "state": "not yet",
        "spans": [{"start": one.start, "end": one.end, "label": one.label} for one in spans],
        "shown": [[one.start, one.end, one.label, one.confidence] for one in spans],
        "round": task.round,
        "score": task.score,
        "model": task.model,
        **note_field(task),
        **packed_keys(task),
    }
    if task.suggestions is None:
        del line["shown"]
    return line


def write_lines(path: Path, rows: Iterator[dict[str, Any]], *, ascii: bool = False) -> None:
    """Write JSON lines, whole or not at all.

    ascii (bool): escape all other characters, for tools that read files in the wrong encoding.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=ascii) + "\n")


def read_jsonl(path: Path, *, skip: bool = False) -> Iterator[Row]:
    """Read answers. A line without "state" is labelled where it has "spans".

    RAISES (SeqMixError): S501, S530 and S646.
    """
    for where, line in json_lines(path, _Line, Errors.E646, skip=skip):
        labelled: State = "not yet" if line.spans is None else "labelled"
        extra = {k: v for k, v in (line.model_extra or {}).items() if k not in _OURS}
        yield Row(
            where,
            line.text,
            line.state or labelled,
            key=line.key,
            spans=tuple(CharSpan(one.start, one.end, one.label) for one in line.spans or ()),
            relations=tuple((one.head, one.tail, one.label) for one in line.relations),
            unknown=tuple(line.unknown),
            who=line.who,
            seconds=line.seconds,
            when=line.at,
            shown=None if line.shown is None else tuple(CharSpan(*one) for one in line.shown),
            extra=other_keys(extra, where),
        )
