"""A bounded sample of the docs that a stream has shown."""

from collections.abc import Callable

import numpy as np
from spacy.tokens import Doc

from .origin import doc_key


class Reservoir:
    """At most ``size`` docs, each once, drawn uniformly from all that were added (algorithm R)."""

    def __init__(self, size: int, eligible: Callable[[Doc], bool], seed: int) -> None:
        """size (int): how many docs to hold; eligible (Callable): which of them can be mixed."""
        self.size = size
        self.n_seen = 0
        self.n_changed = 0  # eligible docs that came since ``docs`` was last called
        self._eligible = eligible
        self._docs: dict[str, Doc] = {}
        self._keys: list[str] = []
        self._rng = np.random.default_rng([seed, 1])

    @property
    def full(self) -> bool:
        """Whether each further doc would take the place of another."""
        return len(self._docs) >= self.size

    def add(self, doc: Doc) -> str:
        """Take a doc in, unless it is here already or another draw would have it.

        RETURNS (str): its ``doc_key``.
        """
        key = doc_key(doc)
        if key in self._docs:
            return key
        self.n_seen += 1
        if not self.full:
            self._keys.append(key)
        else:
            slot = int(self._rng.integers(self.n_seen))
            if slot >= self.size:
                return key
            del self._docs[self._keys[slot]]
            self._keys[slot] = key
        self._docs[key] = doc
        self.n_changed += self._eligible(doc)
        return key

    def docs(self) -> list[Doc]:
        """The docs, in the order of their coming."""
        self.n_changed = 0
        return list(self._docs.values())
