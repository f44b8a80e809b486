"""The project that a run has, as its folder says."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..stored import read_stored

__all__ = ["State"]


class State(BaseModel):
    """``project.json``: the address and the name in the config, and the project's number."""

    model_config = ConfigDict(frozen=True)

    url: str
    name: str | int
    id: int

    @classmethod
    def read(cls, path: Path) -> State | None:
        """Read it; None where there is none. RAISES (SeqMixFileError): S600 where it is damaged."""
        return read_stored(cls, path) if path.exists() else None
