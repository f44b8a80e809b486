"""Rows of JSON files, checked by pydantic before anything reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from .. import files
from ..config import problems_of
from ..errors import Errors, SeqMixError
from .files import attempt, read_lines

__all__ = ["Row", "Text", "Word", "json_lines", "json_value", "validated"]

Word = Annotated[str, StringConstraints(min_length=1)]
Text = Annotated[str, StringConstraints(pattern=r"\S")]


class Row(BaseModel):
    """What a row, or a part of one, holds; other keys are not read, and no value is converted."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


RowT = TypeVar("RowT", bound=Row)


def json_lines(
    path: Path, model: type[RowT], message: str, *, skip: bool = False
) -> Iterator[tuple[str, RowT]]:
    """Read a file of JSON lines; blank lines are skipped.

    model (type[Row]): what a line holds.
    message (str): of ``Errors``, with {where} and {what}, for rows that do not hold it.
    skip (bool): leave out wrong rows, with a warning each.
    YIELDS (tuple[str, Row]): the file and line, for messages, and the row.
    RAISES (SeqMixError): S501, S530, and the code of the message.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            row = attempt(skip, _row, line, model, where, message)
            if row is not None:
                yield where, row


def _row(line: str, model: type[RowT], where: str, message: str) -> RowT:
    return validated(model, json_value(line, where, dict), where, message)


def json_value(text: str, where: str, kind: type) -> Any:
    """The list or the object that a text holds. RAISES (SeqMixError): S530."""
    try:
        value = files.parse_json(text)
    except ValueError as error:
        raise SeqMixError(Errors.E530.format(where=where, reason=error)) from error
    if not isinstance(value, kind):
        reason = f"a {kind.__name__} is needed, not a {type(value).__name__}"
        raise SeqMixError(Errors.E530.format(where=where, reason=reason))
    return value


def validated(model: type[RowT], value: Any, where: str, message: str) -> RowT:
    """A value as a row. RAISES (SeqMixError): the code of the message, with each wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise SeqMixError(message.format(where=where, what=problems_of(error))) from None
