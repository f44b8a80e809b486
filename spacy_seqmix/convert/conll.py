"""Column files as CoNLL-2003 came: a sentence a Doc, `-DOCSTART-` lines dropped.

spaCy's own `convert -c conll` knows only the delimiter ``-DOCSTART- -X- O O``. Where the file has
``-DOCSTART- -X- -X- O``, as the copies of CoNLL-2003 with four columns do, each delimiter becomes
a one-token doc: 14,987 docs in place of 14,041.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from ..errors import Errors
from .files import read_lines, write_docs

__all__ = ["convert_conll", "read_conll"]

_TAG = re.compile(r"O|[BI]-\S+")


def read_conll(path: Path, nlp: Language) -> Iterator[Doc]:
    """Read a file of columns, a Doc a sentence.

    The first column is the token, the last one its tag in IOB2, IOB1 or IO; columns are parted by
    blanks or tabs, sentences by blank lines. Other columns are not read.

    path (Path): the file, UTF-8.
    nlp (Language): whose vocabulary the docs get; its tokenizer is not used.
    YIELDS (Doc): the docs, one blank between tokens, marked as one sentence each.
    """
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        columns = re.split(r"[ \t]+", line.strip(" \t"))
        if columns == [""] or columns[0] == "-DOCSTART-":
            if words:
                yield _make_doc(nlp, words, tags)
            words, tags = [], []
            continue
        if len(columns) < 2 or not _TAG.fullmatch(columns[-1]):
            raise ValueError(Errors.E509.format(where=f"{path}, line {number}", text=line))
        words.append(columns[0])
        tags.append(columns[-1])


def _make_doc(nlp: Language, words: list[str], tags: list[str]) -> Doc:
    spaces = [True] * (len(words) - 1) + [False]
    sent_starts: list[bool | int | None] = [i == 0 for i in range(len(words))]
    doc = Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=sent_starts)
    doc.set_ents([Span(doc, start, end, label) for start, end, label in _entities(tags)])
    return doc


def _entities(tags: list[str]) -> list[tuple[int, int, str]]:
    """Entities of tags in any IOB scheme: I- goes on with its own label or begins an entity."""
    found: list[tuple[int, int, str]] = []
    for i, tag in enumerate(tags):
        prefix, _, label = tag.partition("-")
        if prefix == "O":
            continue
        if prefix == "I" and found and found[-1][1:] == (i, label):
            found[-1] = (found[-1][0], i + 1, label)
        else:
            found.append((i, i + 1, label))
    return found


def convert_conll(in_path: Path, out_path: Path, *, lang: str = "en") -> int:
    """Convert a file of columns to a DocBin.

    in_path (Path): the columns.
    out_path (Path): the DocBin; it appears whole or not at all.
    lang (str): the language of the docs' vocabulary.
    RETURNS (int): the number of docs.
    """
    return write_docs(read_conll(in_path, spacy.blank(lang)), out_path, source=in_path)
