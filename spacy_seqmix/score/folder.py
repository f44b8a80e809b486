"""The folder of scores: a file for each shard, which appears whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ..active.kept_settings import keep_settings
from ..active.run_folder import disk_errors
from ..errors import Errors, SeqMixError
from ..files import replacing
from .row_files import FORMATS, read_rows, write_rows
from .scorer import Row

__all__ = ["ScoreFolder", "Share", "read_share", "release"]


class Share(NamedTuple):
    """Which shards a call does: the ``number``-th of ``of`` alone, counted from 1."""

    number: int
    of: int


def read_share(text: str) -> Share:
    """Read "3/64". RAISES (SeqMixError): S764."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    share = Share(int(found[1]), int(found[2])) if found else Share(0, 0)
    if not 1 <= share.number <= share.of:
        raise SeqMixError(Errors.E764.format(given=text))
    return share


class ScoreFolder:
    """The paths of scores. Several processes may write into it, each other shards."""

    def __init__(self, path: Path, n_shards: int = 0, format: str = "jsonl") -> None:
        """format (str): of the rows, one of ``FORMATS``."""
        self.path, self.n_shards, self.format = path, n_shards, format
        self.settings = path / "score.json"
        self.top = path / f"top.{format}"

    def shard(self, number: int) -> Path:
        """The rows of a shard, counted from 0; names count from 1. It is there once it is done."""
        return self.path / "shards" / f"{self._name(number)}.{self.format}"

    def docs(self, number: int) -> Path:
        """The docs of a shard, with soft labels."""
        return self.path / "docs" / f"{self._name(number)}.spacy"

    def _name(self, number: int) -> str:
        return f"{number + 1:05d}-of-{self.n_shards:05d}"

    def open(self, settings: Mapping[str, Any]) -> None:
        """Begin, or go on with the same pool and settings. RAISES (SeqMixError): S765, S766."""
        with disk_errors():
            self.path.mkdir(parents=True, exist_ok=True)
        keep_settings(self.settings, settings, Errors.E765, Errors.E766)

    def claim(self, number: int) -> FileLock | None:
        """Keep other processes from a shard while it is computed; None where another one computes
        it, or it is done."""
        path = self.shard(number)
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock.tmp"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        if path.exists():
            release(lock)
            return None
        return lock

    def write(self, number: int, rows: Sequence[Row], docs: bytes | None) -> None:
        """Write a shard: the docs first, since the rows say that it is done."""
        with disk_errors():
            if docs is not None:
                with replacing(self.docs(number)) as temporary:
                    temporary.write_bytes(docs)
            write_rows(self.shard(number), rows)

    def rows(self, number: int) -> list[Row]:
        """The rows of a shard that is done. RAISES (SeqMixError): S767 where they are damaged."""
        return read_rows(self.shard(number))

    def files(self) -> list[Path]:
        """The files of all shards that are done, however many there are to be."""
        every = (self.path / "shards").glob("*")
        return sorted(path for path in every if path.suffix[1:] in FORMATS)

    def done(self) -> list[int]:
        """The shards that are done."""
        return [number for number in range(self.n_shards) if self.shard(number).exists()]

    def write_top(self, rows: Sequence[Row]) -> None:
        """Write the rows with the highest scores."""
        with disk_errors():
            write_rows(self.top, rows, texts=True)


def release(lock: FileLock) -> None:
    """Let other processes have a shard."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
