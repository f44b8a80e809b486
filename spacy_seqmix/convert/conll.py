"""Column files as CoNLL-2003 came: a sentence a Doc, or the sentences between `-DOCSTART-` lines.

spaCy's own `convert -c conll` knows only the delimiter ``-DOCSTART- -X- O O``. Where the file has
``-DOCSTART- -X- -X- O``, as the copies of CoNLL-2003 with four columns do, each delimiter becomes
a one-token doc: 14,987 docs in place of 14,041.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from ..errors import Errors, SeqMixError
from .files import read_lines, write_docs

__all__ = ["convert_conll", "read_conll"]

_TAG = re.compile(r"O|[BI]-\S+")


def read_conll(path: Path, nlp: Language, *, whole_docs: bool = False) -> Iterator[Doc]:
    """Read a file of columns, a Doc a sentence or a Doc a document.

    The first column is the token, the last one its tag in IOB2, IOB1 or IO; columns are parted by
    blanks or tabs, sentences by blank lines. Other columns are not read.

    path (Path): the file, UTF-8.
    nlp (Language): whose vocabulary the docs get; its tokenizer is not used.
    whole_docs (bool): one Doc for all sentences between two -DOCSTART- lines.
    YIELDS (Doc): the docs, one blank between tokens, with their sentence boundaries.
    """
    words: list[str] = []
    tags: list[str] = []
    starts: list[int] = []
    ended = True
    for number, line in enumerate([*read_lines(path), ""], start=1):
        columns = re.split(r"[ \t]+", line.strip(" \t"))
        delimiter = columns[0] == "-DOCSTART-"
        if columns == [""] or delimiter:
            ended = True
            if words and (delimiter or not whole_docs):
                yield _make_doc(nlp, words, tags, starts)
                words, tags, starts = [], [], []
            continue
        if len(columns) < 2 or not _TAG.fullmatch(columns[-1]):
            raise SeqMixError(Errors.E509.format(where=f"{path}, line {number}", text=line))
        if ended:
            starts.append(len(words))
            ended = False
        words.append(columns[0])
        tags.append(columns[-1])
    if words:
        yield _make_doc(nlp, words, tags, starts)


def _make_doc(nlp: Language, words: list[str], tags: list[str], starts: list[int]) -> Doc:
    spaces = [True] * (len(words) - 1) + [False]
    first_tokens = set(starts)
    sent_starts: list[bool | int | None] = [i in first_tokens for i in range(len(words))]
    doc = Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=sent_starts)
    found = [
        (first + start, first + end, label)
        for first, last in pairwise([*starts, len(words)])
        for start, end, label in _entities(tags[first:last])
    ]
    doc.set_ents([Span(doc, start, end, label) for start, end, label in found])
    return doc


def _entities(tags: list[str]) -> list[tuple[int, int, str]]:
    """Entities of a sentence's tags in any IOB scheme: I- goes on with its own label or begins an
    entity."""
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


def convert_conll(
    in_path: Path, out_path: Path, *, lang: str = "en", whole_docs: bool = False
) -> int:
    """Convert a file of columns to a DocBin.

    in_path (Path): the columns.
    out_path (Path): the DocBin; it appears whole or not at all.
    lang (str): the language of the docs' vocabulary.
    whole_docs (bool): see ``read_conll``.
    RETURNS (int): the number of docs.
    """
    docs = read_conll(in_path, spacy.blank(lang), whole_docs=whole_docs)
    return write_docs(docs, out_path, source=in_path)
