"""Where a server's messages go, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

__all__ = ["Log"]

# Beyond this many different messages, repetitions are no longer noticed.
MOST = 10_000


class Log:
    """Passes on messages, from any thread."""

    def __init__(self, show: Callable[[str], object]) -> None:
        """show (Callable): shows a message to those who run the server."""
        self._show, self._shown, self._lock = show, set[str](), Lock()

    def __call__(self, message: str) -> None:
        """Show a message."""
        with self._lock:
            self._show(message)

    def once(self, message: str) -> None:
        """Show a message that was not shown yet."""
        with self._lock:
            if message in self._shown:
                return
            if len(self._shown) < MOST:
                self._shown.add(message)
            self._show(message)
