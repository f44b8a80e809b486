"""Calibrate a discriminator: score docs, mixed or not, and propose ranges."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..annotation.docbins import read_docs
from ..annotation.provenance import get_origin
from ..errors import Errors, SeqMixError, Warnings
from ..files import progress_bar
from .discriminator import PerplexityDiscriminator
from .scores import perplexity, window_nats
from .settings import Range
from .spans import Window, passage_of, text_of, window_in

__all__ = ["Calibration", "Floats", "Scores", "calibrate", "propose"]

Floats: TypeAlias = NDArray[np.float64]

WRITTEN, MIXED = "not mixed", "mixed"
CHUNK = 1024  # texts whose scores, token by token, are in memory at a time
LARGEST = 1e300  # what exceeds a float must still have a place in a histogram
FEW = 5  # with fewer values than this beyond a quantile, its estimate is poor


class Bounds(Protocol):
    """Where a window starts and ends, in tokens of a doc."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Windows(Protocol):
    """A function that chooses the windows of a doc that could be mixed, as strategies do."""

    def __call__(self, doc: Doc) -> Sequence[Bounds]:
        """The windows."""

    def describe(self) -> str:
        """Describe these windows, for messages."""


class Scores(NamedTuple):
    """The scores of docs under a language model.

    perplexities (Floats): shape (n_texts,), of each text with tokens.
    nats (Floats): shape (n_windows,), nats per word of each window in its context; a mixed doc has
        one window.
    """

    perplexities: Floats
    nats: Floats


@dataclass(frozen=True, eq=False)
class Calibration:
    """The distributions of scores, and the ranges that the first of them suggests.

    discriminator (PerplexityDiscriminator): scored the texts; its own ranges are not used.
    scores (dict[str, Scores]): the scores of docs that are "not mixed", and of "mixed" docs.
    perplexity (Range): the proposed range of the perplexity.
    window_nats (Range | None): the proposed range of windows, from 0; None without windows.
    """

    discriminator: PerplexityDiscriminator
    scores: dict[str, Scores]
    perplexity: Range
    window_nats: Range | None


def calibrate(
    discriminator: PerplexityDiscriminator,
    paths: Sequence[Path],
    *,
    windows: Windows,
    quantiles: tuple[float, float] = (0.05, 0.95),
    limit: int = 0,
    lang: str = "en",
) -> Calibration:
    """Propose the ranges between two quantiles of the scores of texts.

    The quantiles are those of docs that are not mixed, or of all docs if all are mixed.

    discriminator (PerplexityDiscriminator): its language model and its unit are used, its ranges
        are not.
    paths (Sequence[Path]): .spacy files of docs, mixed or not.
    windows (Windows): chooses windows of unmixed docs that resemble those that will be mixed, which
        are full of names, and names are more surprising than other words.
    quantiles (tuple[float, float]): in [0, 1]. Windows have no lower limit.
    limit (int): the most docs of each kind, always the same ones; 0 for all.
    lang (str): the language of the docs.
    RETURNS (Calibration): distributions and proposed ranges. Warns if there are few values (W312)
        or no windows (W313).
    RAISES (SeqMixError): S403 for unusable files, S516 for bad quantiles, S517 if no doc has a
        text, S518 or S314 for docs without sentence boundaries; and as ``CausalLM.load``.
    """
    if not 0 <= quantiles[0] < quantiles[1] <= 1:
        raise SeqMixError(Errors.E516.format(quantiles="{:g},{:g}".format(*quantiles)))
    nlp = spacy.blank(lang)
    docs = [
        doc for path in paths for doc in read_docs(path, nlp, need_entities=False, progress=True)
    ]
    written = _drawn([doc for doc in docs if get_origin(doc) is None], limit)
    mixed = _drawn([doc for doc in docs if get_origin(doc) is not None], limit)
    # Whatever is wrong with the docs shows before the model is loaded.
    passages = {
        WRITTEN: [one for doc in written for one in _passages(doc, discriminator.unit, windows)],
        MIXED: [
            (text, [window]) for text, window in (passage_of(d, discriminator.unit) for d in mixed)
        ],
    }
    scores = {kind: _score(kind, of_kind, discriminator) for kind, of_kind in passages.items()}
    scores = {kind: of_kind for kind, of_kind in scores.items() if len(of_kind.perplexities)}
    if not scores:
        raise SeqMixError(Errors.E517.format(paths=", ".join(map(str, paths))))
    measure, nats = next(iter(scores.values()))
    _warn_if_few(len(measure), "texts", quantiles)
    inside = None
    if len(nats):
        _warn_if_few(len(nats), "windows", (0.0, quantiles[1]))
        inside = Range(0.0, propose(nats, quantiles).high)
    else:
        warnings.warn(Warnings.W313.format(what=windows.describe()), stacklevel=2)
    return Calibration(discriminator, scores, propose(measure, quantiles), inside)


def propose(values: Floats, quantiles: tuple[float, float]) -> Range:
    """The range between two quantiles, its limits rounded outwards to three digits.

    values (Floats): perplexities or nats, at least one.
    quantiles (tuple[float, float]): the quantiles, in [0, 1].
    RETURNS (Range): contains at least the share high - low of the values.
    """
    low, high = np.quantile(values, quantiles).tolist()
    # Through the shortest decimal, so that 12.3 does not become 12.4.
    low, high = (
        float(Context(prec=3, rounding=rounding).create_decimal(repr(value)))
        for value, rounding in ((low, ROUND_FLOOR), (high, ROUND_CEILING))
    )
    return Range(low, high)


def _passages(doc: Doc, unit: str, windows: Windows) -> Iterator[tuple[str, list[Window | None]]]:
    """Yield the texts of a doc that is not mixed, each with the windows that could be mixed."""
    spans = [doc[:]]
    if unit == "sentence":
        if not doc.has_annotation("SENT_START"):
            raise SeqMixError(Errors.E518.format(text=doc.text[:80]))
        spans = list(doc.sents)
    dense = windows(doc)
    for span in spans:
        inside = [s for s in dense if span.start <= s.start and s.end <= span.end]
        yield text_of(span), [window_in(span, s.start, s.end) for s in inside]


def _drawn(docs: list[Doc], limit: int) -> list[Doc]:
    if not 0 < limit < len(docs):
        return docs
    numbers = np.random.default_rng(0).choice(len(docs), limit, replace=False)
    return [docs[i] for i in sorted(numbers)]


def _score(
    kind: str,
    passages: Sequence[tuple[str, Sequence[Window | None]]],
    discriminator: PerplexityDiscriminator,
) -> Scores:
    perplexities: list[float] = []
    nats: list[float] = []
    with progress_bar(len(passages), f"Scoring docs that are {kind}") as bar:
        for at in range(0, len(passages), CHUNK):
            chunk = passages[at : at + CHUNK]
            scores = discriminator.score([text for text, _ in chunk], progress=bar.update)
            for nlls, (_, windows) in zip(scores, chunk, strict=True):
                if len(nlls):
                    perplexities.append(min(perplexity(nlls), LARGEST))
                    nats += [window_nats(nlls, *w[:3]) for w in windows if w is not None]
    return Scores(np.array(perplexities, dtype="float64"), np.array(nats, dtype="float64"))


def _warn_if_few(n: int, what: str, quantiles: tuple[float, float]) -> None:
    low, high = quantiles
    # 1 - 0.9 is a little less than 0.1; nothing lies beyond the quantiles 0 and 1.
    if any(0 < round(n * beyond, 6) < FEW for beyond in (low, 1 - high)):
        text = Warnings.W312.format(low=f"{low:g}", high=f"{high:g}", n=n, what=what)
        warnings.warn(text, stacklevel=3)
