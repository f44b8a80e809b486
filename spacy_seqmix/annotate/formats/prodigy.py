"""Prodigy: tasks as JSON lines, and what `prodigy db-out` writes.

The view "ner" asks yes or no about one span: the rest of the text stays unknown, and a rejected
span is known not to be an entity. All other views show a whole text to correct.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from ...convert.rows import Row as Schema
from ...convert.rows import Text, json_lines
from ...errors import Errors
from ...types import Task
from ..rows import CharSpan, Row, State, other_keys, packed_keys, suggested
from .jsonl import write_lines

__all__ = ["read_prodigy", "sortable", "write_prodigy"]

KEY_FIELD = "seqmix_key"
# Views with a yes or no about each span of the task.
BINARY = ("ner", "spans")
STATES: dict[str | None, State] = {"accept": "labelled", "ignore": "skipped", "reject": "skipped"}


class _Token(Schema):
    text: str
    start: int
    end: int
    id: int
    ws: bool = True


class _Span(Schema):
    start: int
    end: int
    label: Text
    token_start: int | None = None
    token_end: int | None = None


class _Relation(Schema):
    head_span: _Span
    child_span: _Span
    label: Text


class _Line(Schema):
    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    text: str
    spans: list[_Span] = Field(default_factory=list)
    tokens: list[_Token] | None = None
    relations: list[_Relation] = Field(default_factory=list)
    answer: Literal["accept", "reject", "ignore"] | None = None
    seqmix_key: str = ""

    @model_validator(mode="after")
    def _has_tokens_of_spans(self) -> _Line:
        n = len(self.tokens or ())
        for one in self.spans if self.tokens is not None else ():
            if not all(0 <= i < n for i in (one.token_start, one.token_end) if i is not None):
                raise ValueError(f"token_start and token_end are numbers of its {n} tokens")
        return self


def write_prodigy(tasks: Sequence[Task], path: Path) -> None:
    """Write tasks for `prodigy ner.manual` and other recipes."""
    write_lines(path, map(_task, tasks))


def _task(task: Task) -> dict[str, Any]:
    tokens = [
        {
            "text": token.text,
            "start": token.idx,
            "end": token.idx + len(token),
            "id": token.i,
            "ws": bool(token.whitespace_),
        }
        for token in task.doc
    ]
    spans = []
    for chars, one in zip(suggested(task), task.suggestions or (), strict=True):
        span = {"start": chars.start, "end": chars.end, "label": one.label}
        span |= {"token_start": one.start, "token_end": one.end - 1}
        spans.append(span if one.confidence is None else {**span, "score": one.confidence})
    meta: dict[str, Any] = {} if task.score is None else {"score": round(task.score, 4)}
    if task.note:
        meta["note"] = task.note
    given = {KEY_FIELD: task.key, "tokens": tokens, "spans": spans, "meta": meta}
    return {"text": task.doc.text, **given, **packed_keys(task)}


def read_prodigy(path: Path, *, skip: bool = False) -> Iterator[Row]:
    """Read what db-out writes. RAISES (SeqMixError): S501, S530 and S646."""
    for where, line in json_lines(path, _Line, Errors.E646, skip=skip):
        extra = dict(line.model_extra or {})
        view = extra.get("_view_id") or ("ner_manual" if line.tokens is not None else "ner")
        yield _row(where, line, extra, is_binary=view in BINARY)


def _row(where: str, line: _Line, extra: dict[str, Any], *, is_binary: bool) -> Row:
    state: State = "not yet" if line.answer is None else STATES[line.answer]
    accepted = tuple(_recorded(one, line) for one in line.spans)
    rejected: tuple[CharSpan, ...] = ()
    if is_binary and line.answer == "reject":
        state, accepted, rejected = "labelled", (), accepted
    elif state == "skipped":
        accepted = ()
    who = extra.get("_annotator_id") or extra.get("_session_id") or ""
    relations, lost = _relations(line)
    return Row(
        where,
        line.text,
        state,
        key=line.seqmix_key,
        spans=accepted,
        relations=tuple(relations),
        rejected=rejected,
        unknown=((0, len(line.text)),) if is_binary else (),
        who=str(who),
        when=sortable(extra.get("_timestamp")),
        extra=other_keys(
            {k: v for k, v in extra.items() if not k.startswith("_") and k != "meta"}, where
        ),
        notes=tuple(lost),
    )


def _relations(line: _Line) -> tuple[list[tuple[int, int, str]], list[str]]:
    """The relations by the numbers of their spans, and notes of those whose ends are no spans."""
    numbers = {(one.start, one.end): n for n, one in enumerate(line.spans)}
    found, lost = [], []
    for one in line.relations:
        head, child = (numbers.get((s.start, s.end)) for s in (one.head_span, one.child_span))
        if head is None or child is None:
            lost.append(f"the relation {one.label!r}: its ends are no spans")
        else:
            found.append((head, child, one.label))
    return found, lost


def _recorded(one: _Span, line: _Line) -> CharSpan:
    """A span with the text that its tokens have."""
    text = None
    if line.tokens is not None and one.token_start is not None and one.token_end is not None:
        tokens = line.tokens[one.token_start : one.token_end + 1]
        text = "".join(token.text + " " * token.ws for token in tokens).strip()
    return CharSpan(one.start, one.end, one.label, text=text)


def sortable(seconds: Any) -> str:
    """A number of seconds, in a form that sorts."""
    return f"{seconds:020.3f}" if isinstance(seconds, int | float) else ""
