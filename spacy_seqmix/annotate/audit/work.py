"""The folder of an audit: what each fold's pipeline found, so that no fold is trained twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from ...active.kept_settings import keep_settings
from ...config import problems_of
from ...errors import Errors, SeqMixError
from ...files import replacing
from ...query.doubts import DocDoubts

__all__ = ["AuditFolder"]


class _Line(BaseModel):
    """A line of a fold's file: the number of a doc, and what was found in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    doc: NonNegativeInt
    doubts: DocDoubts


class AuditFolder:
    """The paths of an audit. Each file appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.json"
        self.table = path / "spans.csv"
        self.training = path / "training"

    def fold(self, number: int) -> Path:
        """What the pipeline of a fold found; folds are counted from 1."""
        return self.path / f"fold-{number}.jsonl"

    def open(self, settings: Mapping[str, Any]) -> None:
        """Begin an audit, or go on with the same one.

        settings (Mapping[str, Any]): all that decides what comes out.
        RAISES (SeqMixError): S722 where the folder belongs to an audit with other settings, S723
            where it holds other files, or is damaged.
        """
        keep_settings(self.settings, settings, Errors.E722, Errors.E723)

    def read(self, number: int, docs: Collection[int]) -> dict[int, DocDoubts] | None:
        """What was found in the docs of a fold, by their numbers; None for a fold to be trained.

        RAISES (SeqMixError): S723 where the file is damaged.
        """
        path = self.fold(number)
        if not path.exists():
            return None
        try:
            text = path.read_text(encoding="utf8")
            lines = [_Line.model_validate_json(line) for line in text.splitlines()]
        except ValueError as err:
            reason = problems_of(err) if isinstance(err, ValidationError) else err
            raise self._unusable(f"{path.name} is damaged ({reason})") from err
        if sorted(line.doc for line in lines) != sorted(docs):
            raise self._unusable(f"{path.name} is damaged (it has other docs)")
        return {line.doc: line.doubts for line in lines}

    def write(self, number: int, found: Mapping[int, DocDoubts]) -> None:
        """Keep what was found in a fold."""
        with replacing(self.fold(number)) as temporary:
            lines = [_Line(doc=i, doubts=one).model_dump_json() for i, one in found.items()]
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")

    def _unusable(self, reason: str) -> SeqMixError:
        return SeqMixError(Errors.E723.format(path=self.path, reason=reason))
