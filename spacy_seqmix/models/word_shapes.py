"""The shapes of words, beside the word pieces of an encoder that ignores case."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc, Span
from thinc.types import Ragged

from ..errors import Warnings
from .input_embeddings import changed

SHAPES = ("lower", "title", "upper", "letter", "mixed", "digits", "number", "code", "sign")
UNUSED = re.compile(r"\[unused\d+\]")
# Adam moves a weight by the learning rate, whatever its gradient. What suits pretrained weights is
# slow for those that begin at zero, so they count this many times.
SCALE = 5.0
# The rows of each tokenizer, which are looked for once.
_known: WeakKeyDictionary[Any, tuple[int, ...]] = WeakKeyDictionary()


def word_shape(text: str) -> int:
    """The number of a word's shape in ``SHAPES``.

    "paris" is lower, "Paris" title, "PARIS" upper, "P" a letter, "McGee" mixed; "1996" digits,
    "19:30" a number, "F1" a code, "--" a sign.
    """
    letters = any(c.isalpha() for c in text)
    if text.isdigit():
        return 5
    if any(c.isdigit() for c in text):
        return 7 if letters else 6
    if not letters:
        return 8
    if text.islower():
        return 0
    if text.isupper():
        return 2 if len(text) > 1 else 3
    return 1 if text[0].isupper() and text[1:].islower() else 4


def shape_rows(tokenizer: Any) -> tuple[int, ...]:
    """The unused rows of an encoder's vocabulary that stand for the shapes, one for each.

    RETURNS (tuple[int, ...]): empty for an encoder that reads case itself, and where too few
        entries of the vocabulary are unused ("[unused7]", as BERT's vocabularies have).
    """
    if tokenizer not in _known:
        rows: list[int] = []
        if ignores_case(tokenizer):
            entries = tokenizer.get_vocab().items()
            rows = sorted(i for entry, i in entries if UNUSED.fullmatch(entry))[: len(SHAPES)]
        _known[tokenizer] = tuple(rows) if len(rows) == len(SHAPES) else ()
    return _known[tokenizer]


def ignores_case(tokenizer: Any) -> bool:
    """Whether a tokenizer reads "London" and "london" alike."""
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    if normalizer is None:
        return bool(getattr(tokenizer, "do_lower_case", False))
    return bool(normalizer.normalize_str("London") == normalizer.normalize_str("london"))


def begin_shapes(encoder: Any, tokenizer: Any) -> None:
    """Set the rows of the shapes to zero: at first, they change nothing.

    Warns with W226 for an encoder that ignores case and has no rows for shapes.
    """
    rows = shape_rows(tokenizer)
    if not rows and ignores_case(tokenizer):
        warnings.warn(Warnings.W226.format(n=len(SHAPES)), stacklevel=2)
    with torch.no_grad():
        encoder.get_input_embeddings().weight[list(rows)] = 0.0


def have_learnt(encoder: Any, tokenizer: Any) -> bool:
    """Whether the rows of the shapes, if there are any, are no longer zero."""
    rows = list(shape_rows(tokenizer))
    return not rows or bool(encoder.get_input_embeddings().weight[rows].any())


def shapes_of_pieces(
    spans: Sequence[Span], align: Ragged, shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """The shape of the word that each piece of a batch belongs to.

    spans (Sequence[Span]): the texts of the batch.
    align (Ragged): for each token of the batch, the flat positions of its pieces.
    shape (tuple): (rows, columns) of the batch.
    RETURNS (Ints): of that shape: numbers in ``SHAPES``; -1 for pieces of no word. A piece of two
        words belongs to the first.
    """
    docs: dict[Doc, None] = dict.fromkeys(span.doc for span in spans)
    shapes = np.array([word_shape(token.text) for doc in docs for token in doc], dtype="int64")
    lengths: Any = align.lengths
    flat: Any = align.dataXd
    out = np.full(shape, -1, dtype="int64")
    out.flat[flat.ravel()[::-1]] = np.repeat(shapes, lengths)[::-1]
    return out


@contextmanager
def shaped(
    encoder: Any, rows: Sequence[int], ids: NDArray[Any], shapes: NDArray[np.int64] | None
) -> Iterator[None]:
    """Make calls of an encoder in this thread add the row of its word's shape to each piece.

    rows (Sequence[int]): the row of each shape.
    ids (Ints): the ids that the encoder will read, (rows, columns).
    shapes (Ints | None): their shapes; None adds nothing.
    """
    if shapes is None:
        yield
        return

    def change(module: torch.nn.Module, output: torch.Tensor, transposed: bool) -> torch.Tensor:
        of_pieces = torch.as_tensor(shapes.T if transposed else shapes, device=output.device)
        table = torch.as_tensor(rows, device=output.device)
        # forward, not a call: that would run the hook again
        added = module.forward(table[of_pieces.clamp(min=0)])
        out = output.clone()  # the encoder may have padded what it reads
        out[: len(added), : added.shape[1]] += SCALE * added * (of_pieces >= 0)[..., None]
        return out

    with changed(encoder, ids, change):
        yield
