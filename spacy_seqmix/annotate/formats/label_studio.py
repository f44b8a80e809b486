"""Label Studio: tasks with predictions, and the exports JSON and JSON_MIN.

JSON keeps everything: who skipped, drafts, relations, what was suggested. JSON_MIN has a row for
each annotation and loses skips and relations.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from ...convert.files import attempt, read_lines
from ...convert.rows import Row as Schema
from ...convert.rows import Text, json_value, validated
from ...errors import Errors, SeqMixError
from ...files import replacing
from ...types import Task
from ..rows import CharSpan, Row, note_field, other_keys, packed_keys, suggested

__all__ = [
    "KEY_FIELD",
    "prediction_of",
    "read_label_studio",
    "region",
    "relation",
    "rows_of",
    "task_data",
    "write_label_studio",
]

# The name of the key in the tasks' data, and what a labelling interface calls its tags.
KEY_FIELD, FROM, TO = "seqmix_key", "label", "text"


class _Value(Schema):
    start: int | None = None
    end: int | None = None
    text: str | None = None
    labels: list[Text] = Field(default_factory=list)


class _Result(Schema):
    type: str = "labels"
    id: str | None = None
    to_name: Any = None
    value: Any = None  # of many kinds: comments, choices, parts of HTML
    score: float | int | None = None
    from_id: str | None = None
    to_id: str | None = None
    direction: str | None = None
    labels: list[Text] | None = None


class _Person(Schema):
    email: str | None = None
    id: int | None = None


class _Prediction(Schema):
    result: list[_Result] = Field(default_factory=list)


class _Annotation(Schema):
    result: list[_Result] = Field(default_factory=list)
    was_cancelled: bool = False
    completed_by: int | str | _Person | None = None
    lead_time: float | int | None = None
    updated_at: str | None = None
    prediction: Any = None


class _Task(Schema):
    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[_Annotation] = Field(default_factory=list)
    drafts: list[Any] = Field(default_factory=list)


class _MinSpan(_Value):
    start: int
    end: int
    labels: list[Text] = Field(min_length=1)


class _MinRow(Schema):
    id: int | str | None = None
    annotator: int | str | _Person | None = None
    lead_time: float | int | None = None
    updated_at: str | None = None


# Keys of JSON_MIN that are not those of the task's data.
_MIN_KEYS = ("id", "annotator", "annotation_id", "lead_time", "created_at", "updated_at")


def write_label_studio(tasks: Sequence[Task], path: Path) -> None:
    """Write a file to import: the tasks, with the suggestions as predictions."""
    made = json.dumps([_task(task) for task in tasks], ensure_ascii=False, indent=1)
    with replacing(path) as temporary:
        temporary.write_text(made + "\n", encoding="utf8")


def _task(task: Task) -> dict[str, Any]:
    out: dict[str, Any] = {"data": task_data(task), "meta": {}}
    if task.suggestions is not None:
        out["predictions"] = [prediction_of(task)]
    return out


def task_data(task: Task, field: str = TO) -> dict[str, Any]:
    """The data of a task.

    field (str): the key of the text.
    """
    return {field: task.doc.text, KEY_FIELD: task.key, **note_field(task), **packed_keys(task)}


def prediction_of(
    task: Task,
    place: Callable[[str], tuple[str, str] | None] = lambda label: (FROM, label),
    text_tag: str = TO,
) -> dict[str, Any]:
    """The suggestions of a task as a prediction.

    place (Callable): from a label to the <Labels> tag that has it, and its name there; None for
        one that is not suggested.
    text_tag (str): the name of the <Text> tag.
    """
    results = []
    for n, one in enumerate(suggested(task)):
        if (found := place(one.label)) is not None:
            tag, label = found
            results.append(region(f"s{n}", replace(one, label=label), tag, text_tag))
    out: dict[str, Any] = {"model_version": task.model or "spacy-seqmix", "result": results}
    if task.score is not None:
        # Its order by uncertainty shows the lowest score first.
        out["score"] = -task.score
    return out


def region(name: str, one: CharSpan, from_name: str, to_name: str) -> dict[str, Any]:
    """A labelled span, as predictions and annotations have it.

    name (str): tells it apart from the others of its task.
    from_name, to_name (str): the names of the tags <Labels> and <Text> of the labelling interface.
    """
    value = {"start": one.start, "end": one.end, "text": one.text, "labels": [one.label]}
    out = {"id": name, "from_name": from_name, "to_name": to_name, "type": "labels", "value": value}
    return out if one.confidence is None else {**out, "score": one.confidence}


def relation(head: str, tail: str, label: str, confidence: float | None) -> dict[str, Any]:
    """A relation from one region to another, by their names."""
    ends = {"from_id": head, "to_id": tail, "type": "relation", "direction": "right"}
    out: dict[str, Any] = {**ends, "labels": [label]}
    return out if confidence is None else {**out, "score": confidence}


def read_label_studio(path: Path, *, skip: bool = False) -> Iterator[Row]:
    """Read an export, a row for each annotation, or one for a task that has none.

    RAISES (SeqMixError): S501, S530 and S646.
    """
    for number, item in enumerate(
        json_value("\n".join(read_lines(path)), str(path), list), start=1
    ):
        name = item.get("id") if isinstance(item, dict) else None
        where = f"{path}, task {number}" + (f" (id {name})" if name is not None else "")
        yield from attempt(skip, rows_of, item, where) or ()


def rows_of(item: Any, where: str, field: str = TO, text_tag: str | None = None) -> list[Row]:
    """The rows of a task of an export: one for each annotation, or one that says "not yet".

    field (str): the key of the text in the task's data.
    text_tag (str | None): the name of the <Text> tag; what is marked in others is left out. None
        takes it for granted that there is only one.
    RAISES (SeqMixError): S646.
    """
    if isinstance(item, dict) and "data" not in item:
        return [_of_min(item, where)]
    task = validated(_Task, item, where, Errors.E646)
    text, key, extra = _of_data(task.data, where, field)
    if not task.annotations:
        notes = ("it has a draft, which was not submitted",) if task.drafts else ()
        return [Row(where, text, "not yet", key, extra=extra, notes=notes)]
    row = Row(where, text, "labelled", key, extra=extra)
    return [_of_annotation(one, row, text_tag) for one in task.annotations]


def _of_data(data: dict[str, Any], where: str, field: str = TO) -> tuple[str, str, dict[str, Any]]:
    """The text of a task, its key, and what else it has."""
    extra = dict(data)
    key, text = extra.pop(KEY_FIELD, ""), extra.pop(field, None)
    if not isinstance(text, str):
        what = f"the task's data have no {field!r}"
        raise SeqMixError(Errors.E646.format(where=where, what=what))
    return text, str(key), other_keys(extra, where)


def _of_annotation(one: _Annotation, row: Row, text_tag: str | None) -> Row:
    spans: list[CharSpan] = []
    numbers: dict[str | None, int] = {}
    notes: list[str] = []
    for result in one.result:
        value = _value(result, row.where)
        if value is not None and text_tag is not None and result.to_name != text_tag:
            notes.append(f"a region of {result.to_name!r}")
        elif value is not None and value.start is not None and value.end is not None:
            numbers[result.id] = len(spans)
            place = CharSpan(value.start, value.end, "", text=value.text)
            spans += [replace(place, label=label) for label in value.labels]
            notes += [] if value.labels else ["a region without a label"]
        elif result.type != "relation":
            notes.append(f"a result of type {result.type!r}")
    relations = []
    for result in one.result:
        if result.type == "relation" and {result.from_id, result.to_id} <= numbers.keys():
            head, tail = numbers[result.from_id], numbers[result.to_id]
            right, left = result.direction != "left", result.direction in ("left", "bi")
            ends = [(head, tail)] * right + [(tail, head)] * left
            relations += [(*pair, label) for label in result.labels or () for pair in ends]
            notes += [] if result.labels else ["a relation without a label"]
    return replace(
        row,
        state="skipped" if one.was_cancelled else "labelled",
        spans=tuple(spans),
        relations=tuple(relations),
        who=_name(one.completed_by),
        seconds=one.lead_time,
        when=one.updated_at or "",
        shown=_shown(one.prediction, row.where),
        notes=tuple(notes),
    )


def _value(result: _Result, where: str) -> _Value | None:
    """The place of a labelled region; None for other results."""
    if result.type != "labels":
        return None
    return validated(_Value, result.value or {}, where, Errors.E646)


def _shown(prediction: Any, where: str) -> tuple[CharSpan, ...] | None:
    """The suggestions that a person saw; an annotation from scratch has an empty prediction."""
    if not isinstance(prediction, dict) or not prediction.get("result"):
        return None
    given = validated(_Prediction, prediction, where, Errors.E646)
    return tuple(
        CharSpan(value.start, value.end, label, result.score, value.text)
        for result in given.result
        for value in [_value(result, where)]
        if value is not None and value.start is not None and value.end is not None
        for label in value.labels[:1]
    )


def _of_min(item: dict[str, Any], where: str) -> Row:
    row = validated(_MinRow, item, where, Errors.E646)
    data = {key: value for key, value in item.items() if key not in _MIN_KEYS}
    # Spans stand under the name that the labelling interface gives its tags.
    names = [name for name, value in data.items() if _are_spans(value)]
    given = [one for name in names for one in data.pop(name)]
    found = [validated(_MinSpan, one, where, Errors.E646) for one in given]
    text, key, extra = _of_data(data, where)
    spans = tuple(
        CharSpan(one.start, one.end, label, text=one.text) for one in found for label in one.labels
    )
    who, when = _name(row.annotator), row.updated_at or ""
    return Row(
        where, text, "labelled", key, spans, who=who, seconds=row.lead_time, when=when, extra=extra
    )


def _are_spans(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(v, dict) and "labels" in v for v in value)


def _name(person: int | str | _Person | None) -> str:
    if isinstance(person, _Person):
        person = person.email or person.id
    return "" if person is None else str(person)
