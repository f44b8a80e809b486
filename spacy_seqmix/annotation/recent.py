"""What was read last of files, as much of it as memory should hold."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

__all__ = ["MAX_BYTES", "Recent"]

# What is kept has so many bytes together. The part that was read last is always kept.
MAX_BYTES = 2**28


class Recent:
    """Parts of files that were read last; those for which there is no room are forgotten."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def keep(self, key: Hashable, part: Any, size: int) -> None:
        """Keep a part of a file.

        key (Hashable): names the file and the part.
        size (int): its bytes.
        """
        self._parts[key] = part, size
        self._parts.move_to_end(key)
        while len(self._parts) > 1 and sum(n for _, n in self._parts.values()) > MAX_BYTES:
            self._parts.popitem(last=False)

    def make_room(self, size: int) -> None:
        """Forget parts until so many bytes have room, or nothing is kept."""
        while self._parts and sum(n for _, n in self._parts.values()) + size > MAX_BYTES:
            self._parts.popitem(last=False)

    def get(self, key: Hashable) -> Any:
        """A part of a file; None where it is not kept."""
        if key not in self._parts:
            return None
        self._parts.move_to_end(key)
        return self._parts[key][0]
