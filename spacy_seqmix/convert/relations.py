r"""Entities and relations in JSON, a doc a line.

    {"tokens": ["Ana", "left", "Oslo"],
     "entities": [{"start": 0, "end": 1, "label": "PER"}, {"start": 2, "end": 3, "label": "LOC"}],
     "relations": [{"head": 0, "tail": 1, "label": "Left"}]}

Offsets count tokens, the end exclusive; head and tail are numbers of entities. With "text" in the
place of "tokens" they count characters, and the tokenizer makes the tokens. Other keys are not
read. A row without "relations" is not annotated with any: it says nothing about them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import get_words_and_spaces

from .. import relations
from ..errors import Errors, SeqMixError
from ..relations import NONE, Relation
from .files import read_lines, write_docs

__all__ = ["convert_relations", "read_relations"]


def read_relations(
    path: Path, nlp: Language, *, no_relation: Collection[str] = ()
) -> Iterator[Doc]:
    """Read a file of JSON lines, a Doc a line.

    path (Path): the file, UTF-8.
    nlp (Language): whose vocabulary the docs get, and whose tokenizer splits rows without tokens.
    no_relation (Collection[str]): labels that stand for no relation, as "no_relation" always does.
    YIELDS (Doc): the docs with entities and relations.
    """
    none = {NONE, *no_relation}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = _object(line, where)
        doc = _make_doc(nlp, row, where)
        ents = _entities(doc, row, where)
        doc.set_ents(ents)
        if row.get("relations") is not None:
            relations.put(doc, _relations(row, ents, none, where))
        yield doc


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise SeqMixError(Errors.E530.format(where=where, reason=error)) from error
    if not isinstance(row, dict):
        raise SeqMixError(Errors.E530.format(where=where, reason=f"it is a {type(row).__name__}"))
    return row


def _make_doc(nlp: Language, row: dict[str, Any], where: str) -> Doc:
    words, text = row.get("tokens"), row.get("text")
    if words is None and isinstance(text, str):
        return nlp.make_doc(text)
    if not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
        raise SeqMixError(Errors.E531.format(where=where, what="no list of tokens, nor a text"))
    spaces = [True] * (len(words) - 1) + [False] * bool(words)
    if isinstance(text, str):
        try:
            split, found = get_words_and_spaces(words, text)
        except ValueError:
            what = "the tokens are not those of the text"
            raise SeqMixError(Errors.E531.format(where=where, what=what)) from None
        if len(split) == len(words):  # otherwise blanks would become tokens, which none count
            spaces = found
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _entities(doc: Doc, row: dict[str, Any], where: str) -> list[Span]:
    by_token = row.get("tokens") is not None
    unit = "tokens" if by_token else "characters of the text"
    spans: list[Span] = []
    for entity in _list(row, "entities", where):
        start, end = _number(entity, "start", where), _number(entity, "end", where)
        label = _label(entity, where)
        told = {"where": where, "start": start, "end": end, "unit": unit}
        if not 0 <= start < end <= (len(doc) if by_token else len(doc.text)):
            problem = f"is not one of {len(doc) if by_token else len(doc.text)} {unit}"
            raise SeqMixError(Errors.E532.format(problem=problem, **told))
        span = doc[start:end] if by_token else doc.char_span(start, end)
        if span is None:
            problem = f"does not lie on token borders: {doc.text[start:end]!r}"
            raise SeqMixError(Errors.E532.format(problem=problem, **told))
        if any(span.start < other.end and other.start < span.end for other in spans):
            problem = "overlaps with another one, which doc.ents can't hold"
            raise SeqMixError(Errors.E532.format(problem=problem, **told))
        spans.append(Span(doc, span.start, span.end, label=label))
    return spans


def _relations(
    row: dict[str, Any], ents: list[Span], none: Collection[str], where: str
) -> list[Relation]:
    out: dict[tuple[int, int], Relation] = {}
    for relation in _list(row, "relations", where):
        head, tail = _number(relation, "head", where), _number(relation, "tail", where)
        label = _label(relation, where)
        if not (0 <= head < len(ents) and 0 <= tail < len(ents)) or head == tail:
            raise SeqMixError(Errors.E533.format(where=where, head=head, tail=tail, n=len(ents)))
        if label in none:
            continue
        first, second = ents[head], ents[tail]
        made = Relation((first.start, first.end), (second.start, second.end), label)
        if out.setdefault((head, tail), made) != made:
            raise SeqMixError(Errors.E534.format(where=where, head=first.text, tail=second.text))
    return list(out.values())


def _list(row: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    found = row.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise SeqMixError(Errors.E531.format(where=where, what=f"{key!r} is no list of objects"))
    return found


def _number(item: dict[str, Any], key: str, where: str) -> int:
    value = item.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SeqMixError(
            Errors.E531.format(where=where, what=f"no whole number {key!r} in {item}")
        )
    return value


def _label(item: dict[str, Any], where: str) -> str:
    value = item.get("label")
    if not isinstance(value, str) or not value.strip():
        raise SeqMixError(Errors.E531.format(where=where, what=f"no 'label' in {item}"))
    return value


def convert_relations(
    in_path: Path, out_path: Path, *, lang: str = "en", no_relation: Collection[str] = ()
) -> int:
    """Convert a file of JSON lines to a DocBin with user data.

    in_path (Path): the rows.
    out_path (Path): the DocBin; it appears whole or not at all.
    lang (str): the language whose tokenizer is used.
    no_relation (Collection[str]): see ``read_relations``.
    RETURNS (int): the number of docs.
    """
    docs = read_relations(in_path, spacy.blank(lang), no_relation=no_relation)
    return write_docs(docs, out_path, source=in_path, user_data=True)
