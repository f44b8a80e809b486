"""What the oracle and the backend keep in the folder of a run."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...config import problems_of
from ...errors import Errors, SeqMixFileError
from ...files import parse_json

__all__ = ["FOLDER", "NUDGED", "STATE", "State"]

# The folder, the file in it whose time changes when people have done something, and the file that
# names the project.
FOLDER, NUDGED, STATE = "label-studio", "nudged", "project.json"


class State(BaseModel):
    """``project.json``: the project that a run has."""

    model_config = ConfigDict(frozen=True)

    url: str
    name: str | int
    id: int = 0

    @classmethod
    def read(cls, path: Path) -> State | None:
        """Read it; None where there is none. RAISES (SeqMixFileError): S600 where it is damaged."""
        try:
            return cls.model_validate(parse_json(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as err:
            reason = problems_of(err) if isinstance(err, ValidationError) else err
            raise SeqMixFileError(Errors.E600.format(path=path, reason=reason)) from None
