"""Whitespace tokens, which take no part in tag sequences: their tags follow from the words.

In spaCy's ``ner`` no entity begins with whitespace; here none ends with it either. A whitespace
token belongs to an entity exactly where the next word continues it, and is O elsewhere. So the
sequences of tags that are trained, decoded and scored are those of the other tokens, the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc
from thinc.api import get_array_module

from ..types import Floats2d
from .packing import Places


def words_of(doc: Doc) -> Places:
    """The numbers of the tokens that are not whitespace."""
    return np.flatnonzero(doc.to_array(IS_SPACE) == 0)


def is_blank(doc: Doc) -> bool:
    """Whether a doc has no words."""
    return all(token.is_space for token in doc)


def tags_of_tokens(path: NDArray[np.int64], words: Places, n_tokens: int) -> NDArray[np.int64]:
    """The tag numbers of all tokens from those of the words; columns as in ``iob.tag_names``."""
    out = np.zeros(n_tokens, dtype="int64")
    out[words] = path
    blank, after = _followed(words, n_tokens)
    out[blank] = np.where(path[after] % 2 == 0, path[after], 0)
    return out


def probs_of_tokens(p: Any, words: Places, n_tokens: int) -> Any:
    """The probabilities of all tokens' tags, (n_tokens, L), from those of the words.

    Whitespace is I-X where the word after it is, and so has its P(I-X); O has the rest.
    """
    if len(p) == n_tokens:
        return p
    xp = get_array_module(p)  # type: ignore[no-untyped-call]
    out = xp.zeros((n_tokens, p.shape[1]), dtype="float32")
    blank, after = _followed(words, n_tokens)
    # Nothing comes before the first word that it could continue.
    out[blank[after > 0], 2::2] = p[after[after > 0], 2::2]
    out[:, 0] = xp.maximum(1.0 - out.sum(axis=1), 0.0)  # rounding may go below
    out[words] = p
    return out


def rows_of_words(rows: Floats2d, words: Places) -> Floats2d:
    """The target rows of the words, from those of all tokens; shapes (n, L).

    An entity that begins with whitespace begins with its first word: there, I-X becomes B-X, in the
    share in which the entity began between the words.
    """
    out: Floats2d = rows[words]
    blank, after = _followed(words, len(rows))
    begun: Any = {}
    for i, k in zip(blank.tolist(), after.tolist(), strict=True):
        begins, goes_on = rows[i, 1::2], rows[i, 2::2]
        new = begins + begun.get(k, 0.0) * goes_on
        begun[k] = new / np.maximum(begins + goes_on, 1e-30)
    for k, share in begun.items():
        moved = share * out[k, 2::2]
        out[k, 1::2] += moved
        out[k, 2::2] -= moved
    return out


def trimmed(tags: Sequence[str | None], doc: Doc) -> list[str | None]:
    """IOB2 tags of a doc whose entities neither begin nor end with whitespace.

    tags (Sequence[str | None]): one a token; None where annotation is missing.
    """
    out = list(tags)
    blank = [i for i, tag in enumerate(out) if tag not in (None, "O") and doc[i].is_space]
    for i in blank:
        if str(out[i]).startswith("B-"):
            after = out[i + 1] if i + 1 < len(out) else None
            if after is not None and after.startswith("I-"):
                out[i + 1] = f"B-{after[2:]}"
            out[i] = "O"
    for i in reversed(blank):
        after = out[i + 1] if i + 1 < len(out) else None
        if after is None or not after.startswith("I-"):
            out[i] = "O"
    return out


def _followed(words: Places, n_tokens: int) -> tuple[Places, Places]:
    """Whitespace tokens before words, and the place in ``words`` of the word after each."""
    blank = np.setdiff1d(np.arange(n_tokens), words, assume_unique=True)
    after = np.searchsorted(words, blank)
    return blank[after < len(words)], after[after < len(words)]
