"""doccano: JSON lines to import, and its JSONL exports, with and without relations.

An export does not say which texts a person has looked at. So a text counts as labelled where its
labels are no longer those that were suggested; with ``confirmed``, which is for exports of
confirmed texts only, all texts do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from ...annotation.texts import EXTRA_KEY
from ...convert.rows import Row as Schema
from ...convert.rows import Text, json_lines
from ...errors import Errors
from ...types import Task
from ..offsets import to_utf16
from ..rows import NOTE_FIELD, CharSpan, Row, other_keys, packed_keys, suggested
from .jsonl import write_lines

__all__ = ["read_doccano", "write_doccano"]

KEY_FIELD, SUGGESTED = "seqmix_key", "seqmix_suggested"


class _Entity(Schema):
    id: int
    label: Text
    start_offset: int
    end_offset: int


class _Relation(Schema):
    from_id: int
    to_id: int
    type: Text


# Start, end, label.
_Label = tuple[int, int, Text]


class _Line(Schema):
    model_config = ConfigDict(strict=False, extra="allow", frozen=True)

    text: str
    id: int | None = None
    label: list[_Label] = Field([], validation_alias=AliasChoices("label", "labels"))
    entities: list[_Entity] | None = None
    relations: list[_Relation] = Field(default_factory=list)
    comments: list[Any] = Field([], validation_alias=AliasChoices("Comments", "comments"))
    username: str = ""
    seqmix_key: str = ""
    seqmix_suggested: str = ""

    @model_validator(mode="after")
    def _has_ends(self) -> _Line:
        ids = {one.id for one in self.entities or ()}
        if any(not {one.from_id, one.to_id} <= ids for one in self.relations):
            raise ValueError("from_id and to_id of a relation are the ids of two entities")
        return self


def write_doccano(tasks: Sequence[Task], path: Path) -> None:
    """Write a file to import. All rows have the same keys, and offsets count UTF-16 units."""
    write_lines(path, map(_task, tasks), ascii=True)


def _task(task: Task) -> dict[str, Any]:
    text, spans = task.doc.text, suggested(task)
    places = [(to_utf16(text, one.start), to_utf16(text, one.end)) for one in spans]
    label = [[start, end, one.label] for (start, end), one in zip(places, spans, strict=True)]
    shown = [[*row, one.confidence] for row, one in zip(label, spans, strict=True)]
    own = {KEY_FIELD: task.key, SUGGESTED: json.dumps(shown), EXTRA_KEY: "", NOTE_FIELD: task.note}
    return {"text": text, "label": label, **own, **packed_keys(task)}


def read_doccano(path: Path, *, skip: bool = False, confirmed: bool = False) -> Iterator[Row]:
    """Read an export.

    confirmed (bool): whether it is one of confirmed texts only.
    RAISES (SeqMixError): S501, S530 and S646.
    """
    for where, line in json_lines(path, _Line, Errors.E646, skip=skip):
        entities = line.entities
        if entities is None:
            spans = tuple(CharSpan(*one) for one in line.label)
        else:
            spans = tuple(CharSpan(e.start_offset, e.end_offset, e.label) for e in entities)
        numbers = {one.id: n for n, one in enumerate(entities or ())}
        shown = _shown(line.seqmix_suggested)
        plain = {(one.start, one.end, one.label) for one in shown}
        touched = plain != {(one.start, one.end, one.label) for one in spans} or line.relations
        yield Row(
            where,
            line.text,
            "labelled" if touched or confirmed else "not yet",
            key=line.seqmix_key,
            spans=spans,
            relations=tuple((numbers[r.from_id], numbers[r.to_id], r.type) for r in line.relations),
            who=line.username,
            shown=shown or None,
            extra=other_keys(line.model_extra or {}, where),
            units=("UTF-16", "code points", "lines"),
        )


def _shown(text: str) -> tuple[CharSpan, ...]:
    """The suggestions that the task had; none where the file was made by hand."""
    try:
        return tuple(CharSpan(*one) for one in json.loads(text or "[]"))
    except (TypeError, ValueError):
        return ()
