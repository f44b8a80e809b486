"""The files that the loop writes for the page."""

from __future__ import annotations

from pathlib import Path

from ...errors import Errors, SeqMixFileError
from ...files import parse_json
from .rows import AskedHead, AskedTask

__all__ = ["Watched", "read_asked"]


class Watched:
    """A file that another process replaces: whether it has changed since it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether the file has changed since the last call; one that is missing has not."""
        try:
            stat = self.path.stat()
        except OSError:
            return False
        now = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        changed, self._seen = now != self._seen, now
        return changed


def read_asked(path: Path) -> tuple[AskedHead, list[AskedTask]]:
    """Read what the loop asks for, best first. RAISES (SeqMixFileError): S600."""
    try:
        head, *tasks = (parse_json(line) for line in path.read_bytes().splitlines() if line.strip())
        return AskedHead.model_validate(head), [AskedTask.model_validate(row) for row in tasks]
    except (OSError, ValueError) as err:
        raise SeqMixFileError(Errors.E600.format(path=path, reason=err)) from err
