r"""Entities and relations in JSON, a doc a line.

    {"tokens": ["Ana", "left", "Oslo"],
     "entities": [{"start": 0, "end": 1, "label": "PER"}, {"start": 2, "end": 3, "label": "LOC"}],
     "relations": [{"head": 0, "tail": 1, "label": "Left"}]}

Offsets count tokens, and ends are exclusive; head and tail are numbers of entities. With "text"
instead of "tokens", offsets count characters and the tokenizer makes the tokens. Other keys are not
read. A row without "relations" is not annotated: it says nothing about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import get_words_and_spaces

from ..annotation import relations
from ..annotation.relations import NONE, Relation
from ..errors import Errors, SeqMixError
from .files import attempt, tokenise
from .rows import Row, Text, Word, json_lines

__all__ = ["read_relations"]


class _Entity(Row):
    start: int
    end: int
    label: Text


class _Relation(Row):
    head: int
    tail: int
    label: Text


class _Line(Row):
    tokens: list[Word] | None = None
    text: str | None = None
    entities: list[_Entity] = Field(default_factory=list)
    relations: list[_Relation] | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_no_spans(cls, row: Any) -> Any:
        if isinstance(row, dict) and "spans" in row and "entities" not in row:
            raise ValueError("entities stand under 'entities', not under 'spans'")
        return row

    @model_validator(mode="after")
    def _has_words(self) -> _Line:
        if self.tokens is None and self.text is None:
            raise ValueError("give 'tokens' or 'text'")
        return self


def read_relations(
    path: Path, nlp: Language, *, no_relation: Collection[str] = (), skip: bool = False
) -> Iterator[Doc]:
    """Read a file of JSON lines, a Doc a line.

    path (Path): the file, UTF-8.
    nlp (Language): whose vocabulary the docs get, and whose tokenizer splits rows without tokens.
    no_relation (Collection[str]): labels that mean "no relation", as "no_relation" always does.
    skip (bool): leave out lines that can't be read, with a warning each.
    YIELDS (Doc): the docs with entities and relations.
    RAISES (SeqMixError): S501, S530 to S534.
    """
    none = {NONE, *no_relation}
    for where, row in json_lines(path, _Line, Errors.E531, skip=skip):
        doc = attempt(skip, _make_doc, nlp, row, none, where)
        if doc is not None:
            yield doc


def _make_doc(nlp: Language, row: _Line, none: Collection[str], where: str) -> Doc:
    doc = _tokens(nlp, row, where)
    ents = _entities(doc, row, where)
    doc.set_ents(ents)
    if row.relations is not None:
        relations.put(doc, _relations(row.relations, ents, none, where))
    return doc


def _tokens(nlp: Language, row: _Line, where: str) -> Doc:
    if row.tokens is None:
        return tokenise(nlp, row.text or "", where)
    words = row.tokens
    spaces = [True] * (len(words) - 1) + [False] * bool(words)
    if row.text is not None:
        try:
            split, given = get_words_and_spaces(words, row.text)
        except ValueError:
            what = "the tokens are not those of the text"
            raise SeqMixError(Errors.E531.format(where=where, what=what)) from None
        if len(split) == len(words):  # otherwise blanks would become tokens, which none count
            spaces = given
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _entities(doc: Doc, row: _Line, where: str) -> list[Span]:
    by_token = row.tokens is not None
    unit = "tokens" if by_token else "characters of the text"
    spans: list[Span] = []
    taken: set[int] = set()
    for entity in row.entities:
        start, end = entity.start, entity.end
        length = len(doc) if by_token else len(doc.text)
        inside = 0 <= start < end <= length
        span = None
        if inside:
            span = doc[start:end] if by_token else doc.char_span(start, end)
        if not inside:
            problem = f"does not lie within the row's {length} {unit}"
        elif span is None:
            problem = f"does not lie on token borders: {doc.text[start:end]!r}"
        elif not taken.isdisjoint(range(span.start, span.end)):
            problem = "overlaps with another one, which doc.ents can't hold"
        elif not span.text.strip():
            problem = "is blank"
        else:
            words = [token.i for token in span if not token.is_space]
            spans.append(Span(doc, words[0], words[-1] + 1, label=entity.label))
            taken.update(range(span.start, span.end))
            continue
        raise SeqMixError(
            Errors.E532.format(where=where, start=start, end=end, problem=problem, unit=unit)
        )
    return spans


def _relations(
    rows: list[_Relation], ents: list[Span], none: Collection[str], where: str
) -> list[Relation]:
    out: dict[tuple[int, int], Relation] = {}
    for row in rows:
        head, tail = row.head, row.tail
        if not (0 <= head < len(ents) and 0 <= tail < len(ents)) or head == tail:
            raise SeqMixError(Errors.E533.format(where=where, head=head, tail=tail, n=len(ents)))
        if row.label in none:
            continue
        first, second = ents[head], ents[tail]
        made = Relation((first.start, first.end), (second.start, second.end), row.label)
        if out.setdefault((head, tail), made) != made:
            raise SeqMixError(Errors.E534.format(where=where, head=first.text, tail=second.text))
    return list(out.values())
