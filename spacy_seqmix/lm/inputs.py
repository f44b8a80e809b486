"""The inputs of a causal language model: several chunks side by side, or packed into one row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile
from operator import eq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .batches import Chunk, few_shapes, few_widths, gather, round_up

# Of 256, 384 and 512 tokens the best by a little: matrix products gain nothing from more, and
# attention between the chunks of a row is computed, then masked.
MAX_PACKED = 384
PACKED_STEP = 16  # where a few shapes are wanted, packed rows have a multiple of so many tokens
MAX_PACKED_CHUNK = 128  # tokens of a chunk; a longer one keeps a CPU busy by itself


class Inputs(NamedTuple):
    """One batch.

    chunks (list[Chunk]): the chunks in it.
    tokens (NDArray): shape (rows, width).
    mask (NDArray): shape (rows, width), which tokens are no padding; or, of a packed row, shape
        (1, 1, width, width), which tokens each token sees.
    positions (NDArray | None): shape (rows, width), or None where they count from 0 in each row.
    places (list[NDArray]): for each chunk, the place of each of its tokens among all tokens.
    """

    chunks: list[Chunk]
    tokens: NDArray[np.int64]
    mask: NDArray[np.bool_]
    positions: NDArray[np.int64] | None
    places: list[NDArray[np.int64]]


def make_batches(
    chunks: list[Chunk],
    ids: Sequence[Sequence[int]],
    padding: int,
    most_rows: int,
    most_tokens: int,
    window: int,
    *,
    pack: bool,
    few: bool,
) -> Iterator[Inputs]:
    """Divide chunks into batches.

    chunks (list[Chunk]): chunks of any texts.
    ids (Sequence[Sequence[int]]): the tokens of all texts.
    padding (int): the token for places without one.
    most_rows, most_tokens (int): the most chunks and tokens of a batch.
    window (int): the most tokens of a chunk.
    pack (bool): pack short chunks, and take the long ones one by one, since a CPU gains nothing
        from their padding. Otherwise chunks of similar length are padded.
    few (bool): use a few shapes only.
    YIELDS (Inputs): batches; each chunk is in one of them.
    """
    if pack:
        short = [chunk for chunk in chunks if _is_short(chunk)]
        chunks = [chunk for chunk in chunks if not _is_short(chunk)]
        size, most_together, most_rows = min(most_tokens, MAX_PACKED), most_rows, 1
        row_width = partial(round_up, step=PACKED_STEP, most=size) if few else int
        for some in gather_packed(short, ids, most_together, size):
            yield packed(some, ids, row_width, padding)
    width_of = partial(few_widths, window=window) if few else int
    batches = gather(chunks, most_rows, most_tokens, width_of)
    for some in few_shapes(batches) if few else batches:
        yield padded(some, ids, width_of(some[0].end - some[0].start), padding)


def has_several_short(chunks: Iterable[Chunk]) -> bool:
    """Whether some chunks can be packed together."""
    return sum(map(_is_short, chunks)) > 1


def padded(chunks: list[Chunk], ids: Sequence[Sequence[int]], width: int, padding: int) -> Inputs:
    """Put each chunk into a row of ``width`` tokens.

    chunks (list[Chunk]): the chunks.
    ids (Sequence[Sequence[int]]): the tokens of all texts.
    width (int): at least the size of the longest chunk.
    padding (int): the token after the end of shorter ones.
    RETURNS (Inputs): one row for each chunk.
    """
    tokens = np.full((len(chunks), width), padding, dtype=np.int64)
    mask = np.zeros(tokens.shape, dtype=np.bool_)
    places = []
    for row, (text, start, end, _) in enumerate(chunks):
        tokens[row, : end - start] = ids[text][start:end]
        mask[row, : end - start] = True
        places.append(row * width + np.arange(end - start))
    return Inputs(chunks, tokens, mask, None, places)


def packed(
    chunks: list[Chunk],
    ids: Sequence[Sequence[int]],
    width_of: Callable[[int], int],
    padding: int,
) -> Inputs:
    """Put all chunks into one row, where each token sees only those before it in its own chunk.

    Tokens with which a chunk and the one before it begin alike are in the row once: the row is a
    tree, and a token sees its ancestors. Candidates of one parent are alike up to the window.

    chunks (list[Chunk]): the chunks, sorted by their tokens.
    width_of (Callable): the width of a row of some tokens.
    Other arguments and result as in ``padded``.
    """
    tokens: list[int] = []
    places: list[NDArray[np.int64]] = []
    before: Sequence[int] = ()
    for chunk in chunks:
        row = ids[chunk.text][chunk.start : chunk.end]
        shared = _alike(before, row)
        new = np.arange(len(tokens), len(tokens) + len(row) - shared)
        places.append(np.concatenate([places[-1][:shared], new]) if shared else new)
        tokens += row[shared:]
        before = row
    width = width_of(len(tokens))
    inputs = np.full((1, width), padding, dtype=np.int64)
    inputs[0, : len(tokens)] = tokens
    positions = np.zeros_like(inputs)
    # Padding sees itself: attention to nothing would not be a number.
    mask = np.eye(width, dtype=np.bool_)
    for place in places:
        positions[0, place] = np.arange(len(place))
        mask[np.ix_(place, place)] = np.tri(len(place), dtype=np.bool_)
    return Inputs(chunks, inputs, mask[None, None], positions, places)


def gather_packed(
    chunks: Iterable[Chunk], ids: Sequence[Sequence[int]], most_rows: int, most_tokens: int
) -> Iterator[list[Chunk]]:
    """Yield chunks to be packed together, sorted by their tokens.

    chunks (Iterable[Chunk]): chunks of any texts.
    ids (Sequence[Sequence[int]]): the tokens of all texts.
    most_rows (int): the most chunks of a batch.
    most_tokens (int): the most tokens of a batch; those that chunks share count once.
    YIELDS (list[Chunk]): batches.
    """
    batch: list[Chunk] = []
    before: Sequence[int] = ()
    size = 0
    for chunk in sorted(chunks, key=lambda one: (ids[one.text][one.start : one.end], one)):
        row = ids[chunk.text][chunk.start : chunk.end]
        new = len(row) - _alike(before, row)
        if batch and (len(batch) == most_rows or size + new > most_tokens):
            yield batch
            batch, size, new = [], 0, len(row)
        batch.append(chunk)
        before = row
        size += new
    if batch:
        yield batch


def _is_short(chunk: Chunk) -> bool:
    return chunk.end - chunk.start <= MAX_PACKED_CHUNK


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """The number of tokens with which two chunks begin alike."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))
