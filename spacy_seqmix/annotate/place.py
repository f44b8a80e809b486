"""Rows of files become annotation of docs: spans on tokens, without overlap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, TypeAlias

from spacy.tokens import Doc, Span

from ..annotation import relations, soft_labels
from ..annotation.relations import NONE, Relation
from ..errors import Errors, SeqMixError
from .offsets import TextMap, located, token_borders
from .rows import CharSpan, Row

__all__ = ["REJECTED", "Note", "Noted", "Rules", "annotated", "bare", "on_tokens", "says_nothing"]

# The span group of what is known to be no entity: the incorrect_spans_key of spaCy's ner.
REJECTED = "incorrect_spans"
Kind: TypeAlias = Literal["snapped", "dropped", "not placed", "replaced", "refused", "offsets"]


@dataclass(frozen=True)
class Note:
    """Something that a person has to know about an answer: its kind, file and line, and what."""

    kind: Kind
    where: str
    what: str


Noted: TypeAlias = Callable[[Note], object]


@dataclass(frozen=True)
class Rules:
    """What is done with spans that do not fit.

    cut (str): "snap" moves the ends of a span that cuts a token outwards, "refuse" refuses it.
    overlap (str): "longest" keeps the longest of overlapping spans, "refuse" refuses them.
    labels (Collection[str] | None): the labels that there are; None accepts any.
    """

    cut: Literal["snap", "refuse"] = "snap"
    overlap: Literal["longest", "refuse"] = "longest"
    labels: Collection[str] | None = None


def annotated(row: Row, doc: Doc, rules: Rules, noted: Noted, *, related: bool = False) -> Doc:
    """A copy of a doc with the annotation of a labelled row.

    row (Row): of the doc's text, or of one that means the same, see ``TextMap``.
    doc (Doc): the text in tokens; it is not changed.
    noted (Callable): called with a note of each span that was moved or left out.
    related (bool): whether the row says which relations there are.
    RETURNS (Doc): with its entities. Tokens about which nothing is known have missing tags.
    RAISES (SeqMixError): S641 for offsets that do not fit the text; S643 to S645 for what the rules
        refuse.
    """
    doc = bare(doc)
    row = _in_text(row, doc, noted)
    placed = {n: on_tokens(one, doc, row.where, rules, noted) for n, one in enumerate(row.spans)}
    ents = _without_overlap({n: s for n, s in placed.items() if s is not None}, row, rules, noted)
    rejected = [on_tokens(one, doc, row.where, rules, noted) for one in row.rejected]
    known = {i for ent in ents.values() for i in range(ent.start, ent.end)}
    missing = [
        doc[token.i : token.i + 1]
        for token in doc
        if token.i not in known
        and any(start < token.idx + len(token) and token.idx < end for start, end in row.unknown)
    ]
    doc.set_ents(list(ents.values()), missing=missing, default="outside")
    if row.rejected:
        doc.spans[REJECTED] = [span for span in rejected if span is not None]
    if related:
        relations.put(doc, _relations(row, ents, noted))
    return doc


def says_nothing(doc: Doc) -> bool:
    """Whether an answer made nothing known: all tags of its doc are missing."""
    return not doc.has_annotation("ENT_IOB") and not doc.spans.get(REJECTED)


def on_tokens(one: CharSpan, doc: Doc, where: str, rules: Rules, noted: Noted) -> Span | None:
    """A span of characters as a span of tokens, whitespace at its ends left out.

    RETURNS (Span | None): None where it is blank, which is noted.
    """
    _check_label(one, where, rules)
    touched = [t for t in doc if t.idx < one.end and t.idx + len(t) > one.start and not t.is_space]
    shown = _shown(doc, one)
    if not touched:
        noted(Note("dropped", where, f"{shown} is blank"))
        return None
    first, last = touched[0], touched[-1]
    if first.idx < one.start or last.idx + len(last) > one.end:
        words = doc[first.i : last.i + 1].text
        if rules.cut == "refuse":
            message = Errors.E643.format(where=where, span=shown, words=words, text=doc.text[:80])
            raise SeqMixError(message)
        noted(Note("snapped", where, f"{shown} to {words!r}, in {doc.text[:80]!r}"))
    return Span(doc, first.i, last.i + 1, label=one.label)


def bare(doc: Doc) -> Doc:
    """A copy without what an answer replaces."""
    doc = doc.copy()
    soft_labels.clear(doc)
    relations.clear(doc)
    return doc


def _in_text(row: Row, doc: Doc, noted: Noted) -> Row:
    """The row with offsets in the doc's text."""
    text_map = TextMap(row.text, doc.text)
    if not text_map.exists:
        raise SeqMixError(Errors.E642.format(where=row.where, found=row.text, text=doc.text))
    borders = token_borders(doc)
    given = row.spans
    row, unit = located(row, lambda start, end: borders(*text_map(start, end)))
    if row.spans != given:
        noted(Note("offsets", row.where, f"read as {unit}"))

    def moved(spans: Sequence[CharSpan]) -> tuple[CharSpan, ...]:
        return tuple(
            replace(one, start=start, end=end)
            for one in spans
            for start, end in [text_map(one.start, one.end)]
        )

    return replace(
        row,
        text=doc.text,
        spans=moved(row.spans),
        rejected=moved(row.rejected),
        unknown=tuple(text_map(start, end) for start, end in row.unknown),
        shown=None if row.shown is None else moved(row.shown),
    )


def _check_label(one: CharSpan, where: str, rules: Rules) -> None:
    if rules.labels is None or one.label in rules.labels:
        return
    close = get_close_matches(one.label, list(rules.labels), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(map(repr, rules.labels))
    raise SeqMixError(Errors.E645.format(where=where, label=one.label, labels=known, hint=hint))


def _without_overlap(
    spans: dict[int, Span], row: Row, rules: Rules, noted: Noted
) -> dict[int, Span]:
    """The spans that doc.ents can hold, by their numbers in the row: of those that overlap the
    longest, then the first."""
    kept: dict[int, Span] = {}
    taken: dict[int, Span] = {}
    for n, span in sorted(spans.items(), key=lambda pair: (-len(pair[1]), pair[1].start, pair[0])):
        other = next((taken[i] for i in range(span.start, span.end) if i in taken), None)
        if other is None:
            kept[n] = span
            taken.update(dict.fromkeys(range(span.start, span.end), span))
        elif (other.start, other.end, other.label) != (span.start, span.end, span.label):
            one, two = (f"{s.text!r} ({s.label_})" for s in (span, other))
            if rules.overlap == "refuse":
                raise SeqMixError(Errors.E644.format(where=row.where, one=one, other=two))
            noted(Note("dropped", row.where, f"{one} overlaps with {two}"))
    return dict(sorted(kept.items()))


def _relations(row: Row, ents: dict[int, Span], noted: Noted) -> list[Relation]:
    out: dict[tuple[int, int], Relation] = {}
    for head, tail, label in row.relations:
        if label == NONE:
            continue
        if head not in ents or tail not in ents or head == tail:
            why = "is between a span and itself" if head == tail else "has an end that was left out"
            noted(Note("dropped", row.where, f"the relation {label!r} {why}"))
            continue
        one, two = ents[head], ents[tail]
        made = Relation((one.start, one.end), (two.start, two.end), label)
        if out.setdefault((head, tail), made) != made:
            what = f"the relation {label!r} from {one.text!r} to {two.text!r}, which have another"
            noted(Note("dropped", row.where, what))
    return list(out.values())


def _shown(doc: Doc, one: CharSpan) -> str:
    return f"{doc.text[one.start : one.end]!r} ({one.label})"
