"""Division of texts into overlapping chunks, and of chunks into batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..errors import Errors, SeqMixError

MAX_BATCH_ITEMS = 4096  # tokens of a padded batch, as in spacy-transformers


class Chunk(NamedTuple):
    """Input tokens ``start`` to ``end`` of a text, whose targets count from ``first`` on."""

    text: int
    start: int
    end: int
    first: int


def cut(text: int, size: int, window: int) -> Iterator[Chunk]:
    """Yield chunks of the ``size`` inputs of text number ``text``, which overlap by at least half.

    window (int): the most inputs of a chunk: the context of the model.
    """
    done = 0
    while done < size:
        # All chunks are full, so that the last one has as much context as possible. Only the first
        # begins with the start token: in a measurement, that was slightly better.
        start = 0 if done == 0 else min(done - window // 2, size - window)
        end = min(start + window, size)
        yield Chunk(text, start, end, done)
        done = end


def gather(
    chunks: Iterable[Chunk],
    most_rows: int,
    most_tokens: int,
    width_of: Callable[[int], int] = int,
) -> Iterator[list[Chunk]]:
    """Yield batches of chunks of similar length, the longest first: memory runs out early.

    chunks (Iterable[Chunk]): chunks of any texts.
    most_rows (int): the most chunks of a batch.
    most_tokens (int): the most tokens of a batch, padding included; a longer chunk is a batch by
        itself.
    width_of (Callable): the tokens to which a chunk of some tokens is padded, by itself.
    YIELDS (list[Chunk]): batches; the first chunk of each is its longest.
    """
    batch: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda p: (p.start - p.end, p.text, p.start)):
        width = width_of(batch[0].end - batch[0].start) if batch else 0
        if batch and (len(batch) == most_rows or (len(batch) + 1) * width > most_tokens):
            yield batch
            batch = []
        batch.append(chunk)
    if batch:
        yield batch


def few_shapes(batches: Iterable[list[Chunk]]) -> Iterator[list[Chunk]]:
    """Divide batches into ones of 1, 2, 4, ... chunks."""
    for batch in batches:
        while batch:
            size = 1 << (len(batch).bit_length() - 1)
            yield batch[:size]
            batch = batch[size:]


def few_widths(size: int, window: int) -> int:
    """Round a number of tokens up to 16, 32, 48, 64, 96, 128, 192, ..., at most ``window``."""
    return round_up(size, max(16, 1 << max(0, (size - 1).bit_length() - 2)), window)


def round_up(size: int, step: int, most: int) -> int:
    """Round a number of tokens up to a multiple of ``step``, but not beyond ``most``; one above
    ``most`` stays as it is."""
    return max(size, min(-(-size // step) * step, most))


def check_sizes(**sizes: int) -> None:
    """Check the limits of a batch, by name. RAISES (SeqMixError): S311 for a limit below 1."""
    for what, value in sizes.items():
        if value < 1:
            raise SeqMixError(Errors.E311.format(what=what, value=value))


def position_limit(config: Any, most: int) -> int:
    """The most tokens that a model reads at a time, at most ``most``.

    config (PretrainedConfig): the model's config. Without a limit, XLNet has -1 there; others have
        0, None, or no field.
    """
    limit = getattr(config, "max_position_embeddings", None)
    return min(int(limit), most) if limit and limit > 0 else most
