r"""Sentences with two marked nominals and their relation, as SemEval-2010 Task 8 has them.

    1<tab>"The <e1>rain</e1> caused a <e2>flood</e2>."
    Cause-Effect(e1,e2)
    Comment:
    (a blank line)

or, a sentence a line, ``Cause-Effect(e1,e2)<tab>The <e1> rain </e1> caused a <e2> flood </e2>.``

The first argument in the label's brackets is the head. "Other" stands for no relation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..annotation import relations
from ..annotation.relations import NONE, Relation
from ..errors import Errors, SeqMixError
from .files import attempt, read_lines, tokenise

__all__ = ["read_semeval"]

ENTITY = "NOMINAL"
OTHER = ("Other",)

_QUOTED = re.compile(r'\d+\t"(.*)"\s*')
_LABELLED = re.compile(r"([^\t\"<]+)\t(.*)")
_DIRECTED = re.compile(r"(\S+)\((e1,e2|e2,e1)\)")
_MARK = re.compile(r"</?e[12]>")


def read_semeval(
    path: Path, nlp: Language, *, no_relation: Collection[str] = OTHER, skip: bool = False
) -> Iterator[Doc]:
    """Read a file of sentences with marks, in one form or the other, a Doc a sentence.

    path (Path): the file, UTF-8.
    nlp (Language): whose tokenizer makes the docs. A nominal that is part of a token (the "book" of
        "book-lover", say) is taken as the whole token.
    no_relation (Collection[str]): labels that stand for no relation.
    skip (bool): leave out sentences that can't be read, with a warning each.
    YIELDS (Doc): the docs, with two entities "NOMINAL" and one relation or none.
    """
    none = {NONE, *no_relation}
    lines = iter(enumerate(read_lines(path), start=1))
    for number, line in lines:
        if not line.strip() or line.startswith("Comment"):
            continue
        where = f"{path}, line {number}"
        parts: tuple[str, str, str | None, str]
        quoted, labelled = _QUOTED.fullmatch(line), _LABELLED.fullmatch(line)
        if quoted:
            number, label = next(lines, (number, ""))
            parts = quoted[1], where, label, f"{path}, line {number}"
        elif labelled:
            parts = labelled[2], where, labelled[1], where
        else:
            parts = line, where, None, where
        doc = attempt(skip, _make_doc, nlp, *parts, none)
        if doc is not None:
            yield doc


def _make_doc(
    nlp: Language,
    marked: str,
    where: str,
    label: str | None,
    where_label: str,
    none: Collection[str],
) -> Doc:
    if label is None:
        raise SeqMixError(Errors.E537.format(where=where, text=marked))
    text, ranges = _unmark(marked, where)
    doc = tokenise(nlp, text, where)
    first, second = (
        doc.char_span(*ranges[name], label=ENTITY, alignment_mode="expand") for name in ("e1", "e2")
    )
    if first is None or second is None:
        raise SeqMixError(Errors.E535.format(where=where, text=marked))
    if first.start < second.end and second.start < first.end:
        raise SeqMixError(Errors.E539.format(where=where, text=first.text))
    doc.set_ents([first, second])
    relations.put(doc, _relations(label.strip(), first, second, where_label, none))
    return doc


def _unmark(marked: str, where: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """The text without marks, and the place of the two nominals in it; blanks beside marks go."""
    marked = marked.strip()
    marks = list(_MARK.finditer(marked))
    names = [mark[0].strip("</>") for mark in marks]
    closing = [mark[0].startswith("</") for mark in marks]
    pairs = names[::2] == names[1::2] and sorted(names[::2]) == ["e1", "e2"]
    if not pairs or closing != [False, True] * 2:
        raise SeqMixError(Errors.E535.format(where=where, text=marked))
    text, position = "", 0
    ranges: dict[str, tuple[int, int]] = {}
    for first, last in zip(marks[::2], marks[1::2], strict=True):
        text += marked[position : first.start()]
        inside = marked[first.end() : last.start()].strip()
        if not inside:
            raise SeqMixError(Errors.E535.format(where=where, text=marked))
        ranges[first[0].strip("<>")] = (len(text), len(text) + len(inside))
        text += inside
        position = last.end()
    return text + marked[position:], ranges


def _relations(
    label: str, first: Span, second: Span, where: str, none: Collection[str]
) -> list[Relation]:
    directed = _DIRECTED.fullmatch(label)
    name = directed[1] if directed else label
    if name in none:
        return []
    if not directed:
        raise SeqMixError(Errors.E536.format(where=where, text=label))
    head, tail = (first, second) if directed[2] == "e1,e2" else (second, first)
    return [Relation((head.start, head.end), (tail.start, tail.end), name)]
