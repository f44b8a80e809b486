"""Offsets: what they count, and where they lie in a text that a tool has changed a little."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

from spacy.tokens import Doc

from ..errors import Errors, SeqMixError, plural
from .rows import CharSpan, Row, Unit

__all__ = ["TextMap", "located", "to_utf16", "token_borders"]


def _utf16_sizes(text: str) -> list[int]:
    return [1 + (ord(letter) > 0xFFFF) for letter in text]


def _line_sizes(text: str) -> list[int]:
    """0 for a carriage return before a line feed, else 1."""
    return [int(text[i : i + 2] != "\r\n") for i in range(len(text))]


# The size of each character in a unit.
_SIZES: dict[Unit, Callable[[str], list[int]]] = {
    "UTF-16": _utf16_sizes,
    "lines": _line_sizes,
}


@lru_cache(maxsize=64)
def _starts(text: str, unit: Unit) -> list[int]:
    """The offset of each character of a text in a unit, and of its end."""
    if unit == "code points":
        return list(range(len(text) + 1))
    return [0, *accumulate(_SIZES[unit](text))]


def to_utf16(text: str, offset: int) -> int:
    """A number of code points as a number of UTF-16 units."""
    return _starts(text, "UTF-16")[offset]


def _in_code_points(span: CharSpan, text: str, unit: Unit) -> CharSpan | None:
    """A span whose offsets count a unit, in code points; None where it does not fit the text."""
    starts = _starts(text, unit)
    places = []
    for offset in (span.start, span.end):
        place = bisect_left(starts, offset)
        if offset < 0 or place == len(starts) or starts[place] != offset:
            return None
        places.append(place)
    start, end = places
    if start >= end:
        return None
    if span.text is not None and _comparable(span.text) != _comparable(text[start:end]):
        return None
    return replace(span, start=start, end=end)


def _comparable(text: str) -> str:
    """A text whose blanks do not count: tools change the ends of lines as they like."""
    return " ".join(text.split())


def located(row: Row, borders: Callable[[int, int], bool]) -> tuple[Row, Unit]:
    """A row whose offsets are code points of its text, and what they counted in the file.

    One unit has to fit all spans of the row. Where several do, those with the text of each span, or
    with all spans on the borders of tokens, come first.

    borders (Callable): whether start and end, in code points, are borders of tokens.
    RAISES (SeqMixError): S641 where no unit fits.
    """
    spans = (*row.spans, *row.rejected)
    # All of a text is unknown whatever its offsets count.
    parts = [CharSpan(*one, "unknown") for one in row.unknown if one != (0, len(row.text))]
    shown = row.shown or ()
    fitting: list[tuple[bool, Unit]] = []
    for unit in row.units:
        found = [_in_code_points(span, row.text, unit) for span in spans]
        if None not in [*found, *(_in_code_points(one, row.text, unit) for one in parts)]:
            aligned = all(borders(span.start, span.end) for span in found if span is not None)
            fitting.append((not aligned, unit))
    if not fitting:
        raise SeqMixError(_misfit(row, (*spans, *parts)))
    unit = min(fitting, key=lambda pair: pair[0])[1]

    def moved(given: Sequence[CharSpan]) -> tuple[CharSpan, ...]:
        places = (_in_code_points(span, row.text, unit) for span in given)
        return tuple(place for place in places if place is not None)

    whole = [one for one in row.unknown if one == (0, len(row.text))]
    unknown = (*whole, *((one.start, one.end) for one in moved(parts)))
    row = replace(
        row,
        spans=moved(row.spans),
        rejected=moved(row.rejected),
        unknown=unknown,
        shown=None if row.shown is None else moved(shown),
    )
    return row, unit


def _misfit(row: Row, spans: Sequence[CharSpan]) -> str:
    """The message about the first span that no unit fits, or else about all."""
    for span in spans:
        if not any(_in_code_points(span, row.text, unit) for unit in row.units):
            problem = _problem(span, row.text)
            break
    else:
        span = spans[0]
        problem = "and the other spans do not fit the text together"
    return Errors.E641.format(
        where=row.where,
        start=span.start,
        end=span.end,
        label=span.label,
        problem=problem,
        text=row.text[:80],
    )


def _problem(span: CharSpan, text: str) -> str:
    """Why no unit fits a span."""
    if not 0 <= span.start < span.end <= len(text):
        return f"is not in the text of {plural(len(text), 'character')}"
    if span.text is None:
        return "cuts a character"
    return f"is {text[span.start : span.end]!r}, and not {span.text!r}"


class TextMap:
    """Where the characters of one text lie in another that means the same.

    Texts mean the same where they differ in a byte order mark at the beginning, in the ends of
    lines, or in composed and decomposed letters.
    """

    def __init__(self, source: str, target: str) -> None:
        self._source: _Plain | None = None
        self._target: _Plain | None = None
        if source != target:
            self._source, self._target = _Plain(source), _Plain(target)

    @property
    def exists(self) -> bool:
        """Whether the texts mean the same."""
        if self._source is None or self._target is None:
            return True
        return self._source.text == self._target.text

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        """Start and end of a part of the source, in the target."""
        if self._source is None or self._target is None:
            return start, end
        places = [p for p, i in enumerate(self._source.origins) if start <= i < end]
        if not places:
            return 0, 0
        letters = [self._target.origins[place] for place in places]
        return min(letters), max(letters) + 1


class _Plain:
    """A text with decomposed letters and line feeds, and the place of each of its characters."""

    def __init__(self, text: str) -> None:
        pairs: list[tuple[str, int]] = []
        for i, letter in enumerate(text):
            if letter == "\ufeff" and i == 0:
                continue
            if letter == "\r":
                if text[i + 1 : i + 2] == "\n":
                    continue
                letter = "\n"
            pairs += [(part, i) for part in unicodedata.normalize("NFD", letter)]
        pairs = _reordered(pairs)
        self.text = "".join(letter for letter, _ in pairs)
        self.origins = [i for _, i in pairs]


def _reordered(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Marks on a letter in Unicode's order, in which equal texts are equal."""
    out: list[tuple[str, int]] = []
    marks: list[tuple[str, int]] = []
    for pair in [*pairs, ("", -1)]:
        if pair[0] and unicodedata.combining(pair[0]):
            marks.append(pair)
            continue
        out += sorted(marks, key=lambda mark: unicodedata.combining(mark[0]))
        marks = []
        out.append(pair)
    return out[:-1]


def token_borders(doc: Doc) -> Callable[[int, int], bool]:
    """A function that says whether a start and an end are those of tokens."""
    starts = {token.idx for token in doc}
    ends = {token.idx + len(token) for token in doc}
    return lambda start, end: start in starts and end in ends
