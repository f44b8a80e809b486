"""The scores of a text by token, and measures computed from them. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors, SeqMixError
from ..types import Floats1d


@dataclass(frozen=True, eq=False)
class TokenNlls:
    """The surprise of each language-model token of a text, given the text before it.

    nlls (Floats1d): shape (n,), −log p(w_i | start, w_1..w_i−1) in nats (the terms of Eq. 9).
    offsets (NDArray[np.int64]): shape (n, 2), start and end (exclusive) of each token in
        characters of the text, without the white space at the start of a token, unless the token
        is only white space.
    """

    nlls: Floats1d
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.nlls)


def perplexity(scores: TokenNlls) -> float:
    """SeqMix Eq. 9: exp of the mean negative log-likelihood of the language model's tokens.

    scores (TokenNlls): the scored text.
    RETURNS (float): at least 1, inf where it exceeds a float, nan for a text without tokens.
    """
    if not len(scores):
        return math.nan
    mean = float(np.mean(scores.nlls, dtype=np.float64))
    return math.exp(mean) if mean < 709 else math.inf


def window_nats(scores: TokenNlls, start_char: int, end_char: int, n_words: int) -> float:
    """The surprise of a window in its context: Eq. 9 restricted to the mixed part of a text.

    scores (TokenNlls): the scored text.
    start_char, end_char (int): the window, in characters of the text, end exclusive.
    n_words (int): the number of words in it, at least 1.
    RETURNS (float): the summed nats of all tokens that overlap the window, over ``n_words``.
    RAISES (ValueError): if ``n_words`` is below 1.
    """
    if n_words < 1:
        raise SeqMixError(Errors.E311.format(what="n_words", value=n_words))
    inside = (scores.offsets[:, 0] < end_char) & (scores.offsets[:, 1] > start_char)
    return float(np.sum(scores.nlls[inside], dtype=np.float64)) / n_words


def trim_offsets(text: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Move each token's start past its leading white space (GPT-2's tokens include it)."""
    out = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    for row, (start, end) in enumerate(offsets):
        size = len(text[start:end].lstrip())
        if size:
            out[row, 0] = end - size
    return out
