"""Files that the loop replaces while the page shows them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Watched"]


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
