"""The texts that a run sets aside: who follows suggestions there would flatter the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from ...active.asked import Asked
from ...active.run_folder import RunFolder
from ...annotation.texts import number_in
from ...errors import SeqMixError
from ..page.watched import Watched

__all__ = ["Keys", "SetAside"]


@dataclass(frozen=True)
class Keys:
    """Keys of texts: those of the round that asks, and all with the numbers of earlier ones."""

    asked: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()

    def __contains__(self, key: object) -> bool:
        return key in self.asked or number_in(str(key)) in self.numbers


@dataclass
class SetAside:
    """What a run has set aside by now."""

    run: RunFolder
    _keys: Keys = Keys()
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._watched = Watched(self.run.asked), Watched(self.run.journal)

    def now(self) -> Keys:
        """Their keys."""
        asked, journal = self._watched
        with self._lock:
            if asked.changed():
                read = Asked.read(asked.path)
                keys = frozenset(one.key for one in read.texts if one.dev) if read else frozenset()
                self._keys = Keys(keys, self._keys.numbers)
            if journal.changed():
                try:
                    records = self.run.read()
                except SeqMixError:  # a damaged one, of which the loop tells
                    records = []
                held = frozenset(number for one in records for number in one.held_out)
                self._keys = Keys(self._keys.asked, held)
            return self._keys
