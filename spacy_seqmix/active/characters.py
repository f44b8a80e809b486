"""Suggestions and missing tags in characters of a text, and in tokens of its doc."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from pydantic import NonNegativeInt
from spacy.tokens import Doc

from ..types import Suggestion

__all__ = ["Shown", "in_characters", "in_tokens", "unknown_characters"]

# (start, end, label, confidence) of a suggestion in characters of the text
Shown: TypeAlias = tuple[NonNegativeInt, NonNegativeInt, str, float | None]


def in_characters(one: Suggestion, text: Doc) -> Shown:
    """A suggestion, which counts tokens, in characters."""
    span = text[one.start : one.end]
    return span.start_char, span.end_char, one.label, one.confidence


def in_tokens(shown: Iterable[Shown], text: Doc) -> Iterator[Suggestion]:
    """Suggestions in characters, in tokens; not those that cut tokens."""
    for start, end, label, confidence in shown:
        span = text.char_span(start, end)
        if span is not None:
            yield Suggestion(span.start, span.end, label, confidence)


def unknown_characters(doc: Doc) -> tuple[tuple[int, int], ...]:
    """(start, end) of each stretch of tokens with missing tags, in characters."""
    out: list[tuple[int, int]] = []
    for token in doc:
        if token.ent_iob == 0 and len(token):
            end = token.idx + len(token)
            if out and token.i and doc[token.i - 1].ent_iob == 0:
                out[-1] = out[-1][0], end
            else:
                out.append((token.idx, end))
    return tuple(out)
