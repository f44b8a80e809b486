"""The part of a doc that is scored, its text or a sentence, and the mixed window in it."""

from __future__ import annotations

from typing import NamedTuple

from spacy.tokens import Doc, Span

from ..annotation.provenance import get_origin
from ..errors import Errors, SeqMixError

UNITS = ("doc", "sentence")
START_TOKENS = 4  # windows that overlap the first tokens of a text count as its beginning


class Window(NamedTuple):
    """Characters ``start`` to ``end`` of a text, the number of words in them, and whether they are
    at the beginning of the text."""

    start: int
    end: int
    n_words: int
    first: bool


class Passage(NamedTuple):
    """A text to be scored, and the mixed window in it, if there is one."""

    text: str
    window: Window | None


def passage_of(doc: Doc, unit: str = "doc") -> Passage:
    """The part of a doc that a discriminator scores.

    doc (Doc): the doc, mixed or not.
    unit (str): "doc", or "sentence" for the sentence of the mixed window alone (from the first to
        the last where the window spans several). Docs that are not mixed are scored whole.
    RETURNS (Passage): the text and, of a mixed doc, the window.
    RAISES (SeqMixError): S309 if the window does not fit the doc, S314 if its sentence is unknown.
    """
    origin = get_origin(doc)
    if origin is None:
        return Passage(text_of(doc), None)
    start, end = origin.start, origin.end
    if not 0 <= start < end <= len(doc):
        values = {"start": start, "end": end, "tokens": len(doc), "text": doc.text[:80]}
        raise SeqMixError(Errors.E309.format(**values))
    around = doc[:]
    if unit == "sentence":
        if not doc.has_annotation("SENT_START"):
            raise SeqMixError(Errors.E314.format(text=doc.text[:80]))
        around = doc[doc[start].sent.start : doc[end - 1].sent.end]
    return Passage(text_of(around), window_in(around, start, end))


def text_of(doc: Doc | Span) -> str:
    """The text without the space at the end that pre-tokenised docs have."""
    return doc.text.rstrip()


def window_in(span: Span, start: int, end: int) -> Window:
    """Tokens ``start`` to ``end`` (exclusive) of the doc as a window in the text of a span."""
    last = span.doc[end - 1]
    first_char = span.doc[start].idx - span.start_char
    last_char = last.idx + len(last) - span.start_char
    return Window(first_char, last_char, end - start, start - span.start < START_TOKENS)
