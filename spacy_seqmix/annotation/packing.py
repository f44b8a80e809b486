"""Arrays of many docs side by side without padding, so that long docs cost no more than tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


class Packing:
    """The places of the tokens of docs in one array: first the first token of every doc, then the
    second, and so on.

    Docs stand in the order of their length, longest first, so that the docs which have a token
    number t are the first ``sizes[t]`` of them. Empty docs have no place.

    lengths (Sequence[int]): the number of tokens of each doc.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        sizes = np.asarray(lengths, dtype="int64")
        by_length = np.argsort(-sizes, kind="stable")
        # The numbers of the docs that have tokens, longest first.
        self.order: Places = by_length[sizes[by_length] > 0]
        shorter = np.cumsum(np.bincount(sizes[self.order])) if len(self.order) else np.zeros(1, int)
        self.sizes: list[int] = (len(self.order) - shorter[:-1]).tolist()
        self._starts = np.cumsum([0, *self.sizes])
        rank = np.empty(len(sizes), dtype="int64")
        rank[by_length] = np.arange(len(sizes))
        self.places: list[Places] = [
            self._starts[:n] + r for n, r in zip(sizes.tolist(), rank.tolist(), strict=True)
        ]

    def __len__(self) -> int:
        """The number of tokens."""
        return int(self._starts[-1])

    def at(self, t: int) -> slice:
        """The places of every token number t."""
        return slice(int(self._starts[t]), int(self._starts[t + 1]))

    @cached_property
    def flat(self) -> Places:
        """The places of all tokens, doc by doc."""
        return np.concatenate([*self.places, np.zeros(0, dtype="int64")])

    @cached_property
    def last(self) -> Places:
        """The place of the last token of each doc, in ``order``; the first one's is its rank."""
        return np.array([self.places[i][-1] for i in self.order.tolist()], dtype="int64")

    @cached_property
    def previous(self) -> Places:
        """The place of the token before each token, from the second tokens of docs on."""
        return np.concatenate(
            [self._starts[t] + np.arange(n) for t, n in enumerate(self.sizes[1:])]
            or [np.zeros(0, dtype="int64")]
        )

    @cached_property
    def ranks(self) -> Places:
        """The rank in ``order`` of the doc of each token, tokens in their places."""
        return np.concatenate([*(np.arange(n) for n in self.sizes), np.zeros(0, dtype="int64")])
