"""Where one pass over a corpus ends and the next begins, told by the docs alone."""

from __future__ import annotations

# The first docs of a corpus, in their order, are seen again only in a new pass: a single doc may
# have twins anywhere.
HEAD = 4


class PassDetector:
    """Compares what comes with the first docs of the corpus.

    A pass seems to begin when the first doc comes again; if the next ones are not those that came
    after it, the doc was a twin.

    n_certain (int): passes that have begun for certain, after the first.
    """

    def __init__(self) -> None:
        self.n_certain = 0
        self._head: list[str] = []
        self._matched = 0  # of the head, since a pass seemed to begin

    def see(self, key: str) -> tuple[bool, bool]:
        """Take note of the next doc.

        key (str): its name, the same for the same doc.
        RETURNS (tuple): whether the pass that seemed to have begun has not; whether one seems to
            begin with this doc.
        """
        if len(self._head) < HEAD:
            self._head.append(key)
            return False, False
        wrong = bool(self._matched) and key != self._head[self._matched]
        if wrong:
            self._matched = 0
        begins = not self._matched and key == self._head[0]
        if begins or self._matched:
            self._matched = (self._matched + 1) % HEAD
            self.n_certain += not self._matched
        return wrong, begins
