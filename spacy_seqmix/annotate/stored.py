"""Small JSON files that are kept in the folder of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..config import problems_of
from ..errors import Errors, SeqMixFileError
from ..files import parse_json

__all__ = ["read_stored"]

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_stored(kind: type[ModelT], path: Path) -> ModelT:
    """Read a file. RAISES (SeqMixFileError): S600 where it is missing or damaged."""
    try:
        return kind.model_validate(parse_json(path.read_bytes()))
    except (OSError, ValueError) as err:
        reason = problems_of(err) if isinstance(err, ValidationError) else err
        # Without the cause: it shows the values, which may be secrets.
        raise SeqMixFileError(Errors.E600.format(path=path, reason=reason)) from None
