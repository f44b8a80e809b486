"""How texts are cut into windows, and windows gathered into batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """Windows over the ``size`` inputs of text number ``text``, each but the last a half from the
    one before."""
    done = 0
    while done < size:
        # All windows are full ones, so that the last has the most context it can have. None but
        # the first begins with the start token: measured, that is (slightly) better without.
        start = 0 if done == 0 else min(done - window // 2, size - window)
        end = min(start + window, size)
        yield Chunk(text, start, end, done)
        done = end


def gather(pieces: Iterable[Chunk], most_rows: int, most_tokens: int) -> Iterator[list[Chunk]]:
    """Batches of similar length, the longest first: if memory runs out, it does so early.

    pieces (Iterable[Chunk]): windows of any texts.
    most_rows (int): the most windows of a batch.
    most_tokens (int): the most tokens of a batch, padding included; a window that has more than
        that is a batch of its own.
    YIELDS (list[Chunk]): batches; the first window of each is its longest.
    """
    batch: list[Chunk] = []
    for piece in sorted(pieces, key=lambda p: (p.start - p.end, p.text, p.start)):
        width = batch[0].end - batch[0].start if batch else 0
        if batch and (len(batch) == most_rows or (len(batch) + 1) * width > most_tokens):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def check_sizes(batch_size: int, max_batch_items: int) -> None:
    """Raise S311 if a batch would have no room for anything."""
    for what, value in (("batch_size", batch_size), ("max_batch_items", max_batch_items)):
        if value < 1:
            raise SeqMixError(Errors.E311.format(what=what, value=value))


def position_limit(config: Any, most: int) -> int:
    """The most tokens that a model reads at a time, and no more than ``most``.

    config (PretrainedConfig): the model's config. XLNet's says -1 where there is no limit; others
        say 0 or None, or have no such field.
    """
    limit = getattr(config, "max_position_embeddings", None)
    return min(int(limit), most) if limit and limit > 0 else most
