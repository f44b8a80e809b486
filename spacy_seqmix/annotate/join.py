"""Which text an answer is of, and which of several answers to a text counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..active.pool_files import files_of
from ..annotation.lazy_docs import LazyDocs, lazy_docs
from ..annotation.texts import EXTRA_KEY, KEY, task_key
from .offsets import TextMap
from .place import Note, Noted
from .rows import CharSpan, Row

__all__ = [
    "Joined",
    "PoolText",
    "by_text",
    "choose",
    "in_order",
    "join",
    "last_of_each",
    "read_ahead",
    "texts_of",
    "with_key",
]


@dataclass(frozen=True)
class PoolText:
    """A text of a pool; its tokens are made when they are wanted.

    number (int): the number of its doc in ``docs``.
    docs (Mapping[int, Doc]): the docs of its pool.
    """

    key: str
    text: str
    number: int
    docs: Mapping[int, Doc] = field(compare=False, repr=False)

    def doc(self) -> Doc:
        """The text in tokens, with its key and its other keys in the user data."""
        return with_key(self.docs[self.number], self.key, {})


def read_ahead(texts: Iterable[PoolText]) -> None:
    """Read the docs of these texts together and keep them, so that ``PoolText.doc`` does not read
    each one alone. Docs that are in memory already are left as they are.

    RAISES (SeqMixError): S501, S582 and S761, as ``LazyDocs.take``.
    """
    for _, some in groupby(texts, key=lambda text: id(text.docs)):
        of_pool = list(some)
        docs = of_pool[0].docs
        if isinstance(docs, LazyDocs):
            docs.keep(text.number for text in of_pool)


def with_key(doc: Doc, key: str, extra: Mapping[str, Any]) -> Doc:
    """The doc, with the key of its text and the other keys of its line in the user data."""
    if key:
        doc.user_data[KEY] = key
    if extra:
        doc.user_data[EXTRA_KEY] = dict(extra)
    return doc


def texts_of(rows: Iterable[Row], pool: Sequence[Path], nlp: Language) -> dict[str, PoolText]:
    """The texts of a pool that answers name by key or by text, by their keys. All others are read,
    but not held.

    pool (Sequence[Path]): .spacy files, whose docs keep their tokens, and files of texts; patterns
        and folders.
    nlp (Language): whose tokenizer and vocabulary the docs get.
    RAISES (SeqMixError): S403, S501, S582, S610, S761.

    Warns with W612 of texts that the tokenizer can't read, and leaves them out.
    """
    names = {name for row in rows for name in (row.key, row.text)}
    docs = lazy_docs(files_of(pool), nlp)
    keyed = ((task_key(n, text), text, n) for n, text in zip(docs, docs.texts(docs), strict=True))
    return {one[0]: PoolText(*one, docs) for one in keyed if not names.isdisjoint(one[:2])}


@dataclass(frozen=True)
class Joined:
    """An answer and its text; without a pool, the answer's own."""

    row: Row
    text: PoolText | None


def join(rows: Iterable[Row], pool: Mapping[str, PoolText], noted: Noted) -> Iterator[Joined]:
    """Find the text of each answer: by its key where that text means the same, else by its text.

    Of equal texts in the pool, those without an answer come first: all that one person says without
    a key is about different ones. An answer whose text is not in the pool is noted and left out.
    """
    places: dict[str, list[str]] = {}
    for key, one in pool.items():
        places.setdefault(one.text, []).append(key)
    listed = [(row, _by_key(row, pool)) for row in rows]
    keyed = {known.key for _, known in listed if known is not None}
    taken: set[tuple[str, str]] = set()
    for row, known in listed:
        if known is None:
            keys = places.get(row.text, ())
            free = [key for key in keys if (key, row.who) not in taken]
            found = next(iter([*(key for key in free if key not in keyed), *free, *keys]), None)
            if found is None:
                noted(Note("not placed", row.where, _why(row, pool.get(row.key))))
                continue
            known = pool[found]
            taken.add((found, row.who))
        yield Joined(replace(row, key=known.key), known)


def _by_key(row: Row, pool: Mapping[str, PoolText]) -> PoolText | None:
    """The text of the pool with the row's key, unless it means something else."""
    known = pool.get(row.key)
    return known if known is not None and TextMap(row.text, known.text).exists else None


def _why(row: Row, known: PoolText | None) -> str:
    if known is not None:
        return f"the text was changed: {row.text[:80]!r} in place of {known.text[:80]!r}"
    key = f"nor the key {row.key!r}" if row.key else "and it has no key"
    return f"the pool has no such text, {key}: {row.text[:80]!r}"


def by_text(answers: Iterable[Joined]) -> list[list[Joined]]:
    """The answers to each text."""
    texts: dict[str, list[Joined]] = {}
    for one in answers:
        texts.setdefault(one.row.key or one.row.text, []).append(one)
    return list(texts.values())


def in_order(given: Sequence[Joined]) -> list[Joined]:
    """The answers to a text, the newest last; those of a person about single spans are one.

    Of answers at the same time, or without one, the last in the file counts as the newest.
    """
    return sorted(_merged(given), key=lambda one: one.row.when)


def last_of_each(given: Sequence[Joined]) -> list[Joined]:
    """Of answers in order the last of each person."""
    last = {one.row.who: one for one in given if one.row.state != "not yet"}
    return [one for one in given if one is last.get(one.row.who)]


def choose(answers: Iterable[Joined], who: str | None, noted: Noted) -> list[Joined]:
    """Keep one answer to each text: the last of each person, and of these the last that is
    labelled, else the last that is skipped.

    who (str | None): whose answers count; None for all.
    """
    return [_chosen(given, who, noted) for given in by_text(answers)]


def _chosen(given: Sequence[Joined], who: str | None, noted: Noted) -> Joined:
    """The answer that counts, of all that there are to a text."""
    if who is not None and (own := [one for one in given if one.row.who == who]):
        given = own
    elif who is not None:  # others have labelled it: for this person it is not labelled yet
        first = given[0]
        for row in (one.row for one in given if one.row.state != "not yet"):
            noted(
                Note("replaced", row.where, f"{row.state} by {row.who or 'nobody'}, not by {who}")
            )
        return replace(first, row=replace(first.row, state="not yet", spans=(), notes=()))
    given = in_order(given)
    kept = last_of_each(given)
    labelled = [one for one in kept if one.row.state == "labelled"]
    chosen = (labelled or kept or given)[-1]
    for other in given:
        if other.row.state != "not yet" and _says(other.row) != _says(chosen.row):
            by = f" by {other.row.who}" if other.row.who else ""
            counting = f" by {chosen.row.who}" if chosen.row.who else ""
            what = f"{other.row.state}{by}; that{counting} in {chosen.row.where} counts"
            noted(Note("replaced", other.row.where, what))
    return chosen


def _says(row: Row) -> tuple[object, ...]:
    """What a row says of its text, and who: exports repeat the answers of earlier ones."""
    return row.state, row.who, row.spans, row.relations, row.rejected, row.unknown


def _merged(given: Sequence[Joined]) -> list[Joined]:
    """Answers, with all of a person's about single spans of a text made one."""
    whole: list[Joined] = []
    parts: dict[str, Joined] = {}
    for one in given:
        row = one.row
        if row.state == "not yet" or row.unknown != ((0, len(row.text)),):
            whole.append(one)
        elif (before := parts.get(row.who)) is None:
            parts[row.who] = one
        else:
            parts[row.who] = replace(one, row=_union(before.row, row))
    return [*whole, *parts.values()]


def _union(one: Row, other: Row) -> Row:
    """Two answers about spans of a text; the later one decides about a span of both, and a span
    that was skipped says nothing about the others."""
    decided = {(s.start, s.end, s.label) for s in (*other.spans, *other.rejected)}

    def kept(spans: Sequence[CharSpan]) -> tuple[CharSpan, ...]:
        return tuple(s for s in spans if (s.start, s.end, s.label) not in decided)

    return replace(
        other,
        state="labelled" if "labelled" in (one.state, other.state) else other.state,
        spans=(*kept(one.spans), *other.spans),
        rejected=(*kept(one.rejected), *other.rejected),
        notes=(*one.notes, *other.notes),
    )
