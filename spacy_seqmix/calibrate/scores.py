"""Perplexities and window nats of docs, unmixed and mixed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Span

from ..errors import Errors
from ..mixing.segments import dense_windows
from ..models.judge import PerplexityDiscriminator
from ..models.nlls import perplexity, window_nats
from ..models.windows import Window, passage_of, text_of, window_in

CHUNK = 1024  # texts whose scores, token by token, are in memory at a time
LARGEST = 1e300
Floats: TypeAlias = NDArray[np.float64]


class Item(NamedTuple):
    """A text to be scored, and the windows in it."""

    text: str
    windows: list[Window]


@dataclass(frozen=True, eq=False)
class Scores:
    """What a language model says of a file.

    name (str): of the file.
    perplexities (Floats): of each text, nan where it is empty.
    nats (Floats): per word, of each window in its context.
    """

    name: str
    perplexities: Floats
    nats: Floats

    @property
    def known(self) -> Floats:
        """The perplexities that are numbers."""
        known: Floats = self.perplexities[~np.isnan(self.perplexities)]
        return known


def corpus_items(
    docs: Sequence[Doc], unit: str, sizes: Collection[int], density: float
) -> Iterator[Item]:
    """Docs as they are, with the windows that the strategy ``SubSequence`` would pair.

    docs (Sequence[Doc]): docs that are not mixed.
    unit (str): "doc", or "sentence" for each sentence by itself.
    sizes (Collection[int]): the lengths of windows, in tokens.
    density (float): η0, the least share of valid labels in a window.
    YIELDS (Item): texts and windows.
    RAISES (ValueError): S519 for a doc without sentence boundaries, where they are needed.
    """
    for doc in docs:
        dense = [seg for size in sizes for seg in dense_windows(doc, 0, size, density)]
        for span in _units(doc, unit):
            inside = [s for s in dense if span.start <= s.start and s.end <= span.end]
            yield Item(text_of(span), [window_in(span, s.start, s.end) for s in inside])


def mixed_items(docs: Sequence[Doc], unit: str) -> Iterator[Item]:
    """Mixed docs, as a discriminator of this unit judges them, each with its window.

    RAISES (ValueError): as ``passage_of``.
    """
    for doc in docs:
        text, window = passage_of(doc, unit)
        yield Item(text, [] if window is None else [window])


def score(
    name: str,
    items: Sequence[Item],
    judge: PerplexityDiscriminator,
    progress: Callable[[int], object] | None = None,
) -> Scores:
    """Score texts and the windows in them.

    name (str): what the scores are called.
    items (Sequence[Item]): the texts.
    judge (PerplexityDiscriminator): holds the language model.
    progress (Callable | None): told the number of texts after each batch.
    RETURNS (Scores): in the order of the items.
    """
    perplexities: list[float] = []
    nats: list[float] = []
    for at in range(0, len(items), CHUNK):
        chunk = items[at : at + CHUNK]
        found = judge.score([item.text for item in chunk], progress=progress)
        perplexities += map(perplexity, found)
        for item, nlls in zip(chunk, found, strict=True):
            nats += [window_nats(nlls, *window[:3]) for window in item.windows]
    # What exceeds a float must still have a place in a histogram.
    values = np.minimum(np.array(perplexities, dtype="float64"), LARGEST)
    return Scores(name, values, np.array(nats, dtype="float64"))


def _units(doc: Doc, unit: str) -> list[Span]:
    if unit == "doc":
        return [doc[:]]
    if not doc.has_annotation("SENT_START"):
        raise ValueError(Errors.E519.format(text=doc.text[:80]))
    return list(doc.sents)
