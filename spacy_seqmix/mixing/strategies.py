"""Strategies choose which segments to pair and draw λ. They know nothing of tokens or vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc

from ..errors import Errors
from ..types import MixPlan
from .segments import all_windows, dense_windows


@dataclass(frozen=True)
class SubSequence:
    """Sub-sequence mixup: two dense windows of equal length from different sequences.

    SeqMix (EMNLP 2020), section 3.2; λ ~ Beta(α, α), Eq. 6. See ``make_sub_sequence``.
    """

    window: int = 5
    density: float = 0.6
    alpha: float = 8.0

    def eligible(self, doc: Doc) -> bool:
        """Whether the doc has a window that could be paired."""
        return bool(dense_windows(doc, 0, self.window, self.density))

    def describe(self) -> str:
        """What makes a doc eligible, for messages."""
        return f"a window of {self.window} tokens with at least {self.density:.0%} valid labels"

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans without repeating a pair, until the pairs run out.

        One linear pass finds the windows; each pair is then drawn in constant time.
        """
        windows = all_windows(docs, self.window, self.density)
        texts = [doc.text for doc in docs]
        n = len(windows) if len({texts[window.doc] for window in windows}) > 1 else 0
        for k in _shuffled(n * (n - 1) // 2, rng):
            i, j = _pair(k)
            left, right = windows[i], windows[j]
            if rng.random() < 0.5:
                left, right = right, left
            # The same sentence twice is not two sequences.
            if texts[left.doc] != texts[right.doc]:
                yield MixPlan(left, right, float(rng.beta(self.alpha, self.alpha)))


def make_sub_sequence(window: int = 5, density: float = 0.6, alpha: float = 8.0) -> SubSequence:
    """Create the sub-sequence strategy.

    window (int): s, the length of a window in tokens.
    density (float): η0, the least share of valid labels in a window.
    alpha (float): of λ ~ Beta(α, α); large values keep λ near one half.
    RETURNS (SubSequence): a Strategy.
    RAISES (ValueError): S210 for values out of range.
    """
    if window < 1 or not 0.0 <= density <= 1.0 or alpha <= 0.0:
        raise ValueError(Errors.E210.format(window=window, density=density, alpha=alpha))
    return SubSequence(window, density, alpha)


def _shuffled(n: int, rng: np.random.Generator) -> Iterator[int]:
    """range(n) in random order, drawn lazily: a Fisher-Yates shuffle of a sparse array."""
    moved: dict[int, int] = {}
    for k in range(n):
        j = int(rng.integers(k, n))
        yield moved.get(j, j)
        moved[j] = moved.pop(k, k)


def _pair(k: int) -> tuple[int, int]:
    """Pair number k of (1,0), (2,0), (2,1), (3,0), ...: all have numbers, none is stored."""
    i = int((1 + (1 + 8 * k) ** 0.5) / 2)
    while i * (i - 1) // 2 > k:  # the square root of large numbers may round up
        i -= 1
    while (i + 1) * i // 2 <= k:
        i += 1
    return i, k - i * (i - 1) // 2
