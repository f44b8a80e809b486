"""The part of a doc that is scored, its text or a sentence, and the mixed window in it."""

from __future__ import annotations

import re
from typing import NamedTuple

from spacy.tokens import Doc, Span

from ..annotation.provenance import get_origin
from ..errors import Errors, SeqMixError

UNITS = ("doc", "sentence")
BLANKS = re.compile(r"[\s\u200b\u2060\ufeff]+")  # white space, and marks without width
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
    """The text without blanks around it, such as those of pre-tokenised docs, and without
    byte-order marks. They are no words, and change perplexities more than a word does."""
    start, end = _edges(doc.text)
    return doc.text[start:end]


def window_in(span: Span, start: int, end: int) -> Window:
    """Tokens ``start`` to ``end`` (exclusive) of the doc as a window in ``text_of`` a span."""
    first, last = _edges(span.text)
    zero = span.start_char + first
    chars = (span.doc[start].idx - zero, span.doc[end - 1].idx + len(span.doc[end - 1]) - zero)
    first_char, last_char = (min(max(char, 0), last - first) for char in chars)
    words = (token.i for token in span if token.idx + len(token) > zero)
    is_first = start - next(words, span.start) < START_TOKENS
    return Window(first_char, last_char, end - start, is_first)


def _edges(text: str) -> tuple[int, int]:
    """Where a text begins and ends without the blanks around it."""
    before, after = (BLANKS.match(one) for one in (text, text[::-1]))
    start = before.end() if before else 0
    return start, max(start, len(text) - (after.end() if after else 0))
