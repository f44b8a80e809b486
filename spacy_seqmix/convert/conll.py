"""Column files as CoNLL-2003 came: a sentence a Doc, or the sentences between `-DOCSTART-` lines.

spaCy's own `convert -c conll` knows only the delimiter ``-DOCSTART- -X- O O``. Where the file has
``-DOCSTART- -X- -X- O``, as the copies of CoNLL-2003 with four columns do, each delimiter becomes
a one-token doc: 14,987 docs in place of 14,041.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..errors import Errors, SeqMixError, Warnings
from .files import attempt, read_lines

__all__ = ["TAG", "read_conll", "split_columns"]

# How the tag of a token stands to an entity, in IOB1, IOB2, IO, BIOES, BILOU and BMEWO.
_BEGINS, _ENDS = "BSUW", "ESULW"
TAG = re.compile(r"O|[BIMESULW]-\S+")
BARE_TAG = re.compile(r"\S+")
# Tags such as B_PER, PER-B and b-per, which are no labels of their own.
_OTHER_SCHEME = re.compile(r"[BIMESULW][-_:.].+|.+[-_:.][BIMESULW]", re.IGNORECASE)
MAX_SHOWN = 10
_COLUMNS = "# global.columns ="


def read_conll(
    path: Path,
    nlp: Language,
    *,
    whole_docs: bool = False,
    column: int | str = -1,
    skip: bool = False,
) -> Iterator[Doc]:
    """Read a file of columns, a Doc a sentence or a Doc a document.

    The first column is the token; a token that contains blanks becomes several words. Tags may be
    in IOB1, IOB2, IO (with "I-" or without any prefix), BIOES, BILOU or BMEWO. Columns are
    separated by tabs or blanks, sentences by blank lines. Lines before a sentence that begin with
    "#" and have no tag are comments.

    path (Path): the file, UTF-8.
    nlp (Language): whose vocabulary the docs get; its tokenizer is not used.
    whole_docs (bool): one Doc for all sentences between two -DOCSTART- lines.
    column (int | str): which column has the tags: its number, counted from 1 (from the end, if it
        is negative), or its name in a line "# global.columns = ...". The last one by default.
    skip (bool): leave out sentences with a line that can't be read, with a warning each.
    YIELDS (Doc): the docs, one blank between words, with their sentence boundaries.
    RAISES (SeqMixError): S501, S509 for a line without a tag, S547 for an unknown column.

    Warns with W542 where no tag has a prefix.
    """
    names: list[str] = []
    sentences: list[_Sentence] = []
    blocks = list(_blocks(path))
    pattern = TAG
    if labels := _labels_without_prefix(blocks, column, path):
        shown = ", ".join(sorted(labels)[:MAX_SHOWN]) + ", ..." * (len(labels) > MAX_SHOWN)
        warnings.warn(Warnings.W542.format(path=path, labels=shown), stacklevel=2)
        pattern = BARE_TAG
    for block in blocks:
        if isinstance(block, str):
            names = block.split() or names
            if whole_docs and not block and sentences:
                yield _make_doc(nlp, sentences)
                sentences = []
            continue
        sentence = attempt(skip, _parse, block, _index(column, names, path), pattern, path)
        if sentence is None or not sentence.words:
            continue
        sentences.append(sentence)
        if not whole_docs:
            yield _make_doc(nlp, sentences)
            sentences = []
    if sentences:
        yield _make_doc(nlp, sentences)


@dataclass(frozen=True)
class _Sentence:
    words: list[str]
    ents: list[tuple[int, int, str]]


# Numbered lines of a sentence.
_Block: TypeAlias = list[tuple[int, str]]


def _blocks(path: Path) -> Iterator[_Block | str]:
    """The sentences of a file; "" for each -DOCSTART- line, and the names of columns."""
    block: _Block = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        delimiter = line.startswith("-DOCSTART-")
        # A line with a tab is a row, though its token be a blank.
        if (not line.strip() and "\t" not in line) or delimiter:
            if block:
                yield block
                block = []
            if delimiter:
                yield ""
        elif not block and line.startswith(_COLUMNS):
            yield line.removeprefix(_COLUMNS)
        elif block or not line.startswith("#") or TAG.fullmatch(split_columns(line)[-1]):
            block.append((number, line))
    if block:
        yield block


def split_columns(line: str, pattern: re.Pattern[str] = TAG) -> list[str]:
    """The columns of a line: at tabs, where a tag stands behind the last one, else at blanks."""
    if "\t" in line:
        columns = [part.strip(" ") for part in line.rstrip(" \t").split("\t")]
        if pattern.fullmatch(columns[-1]) or " " not in line:
            return columns
    return line.split()


def _labels_without_prefix(
    blocks: Sequence[_Block | str], column: int | str, path: Path
) -> set[str]:
    """The labels of a column in IO whose tags have no prefix; none in other schemes. Such a column
    has "O", which parts of speech have not."""
    names: list[str] = []
    tags = set()
    for block in blocks:
        if isinstance(block, str):
            names = block.split() or names
            continue
        index = _index(column, names, path)
        rows = (split_columns(line, BARE_TAG) for _, line in block)
        tags |= {row[index] for row in rows if -len(row) <= index < len(row) and len(row) > 1}
    labels = {tag for tag in tags if not TAG.fullmatch(tag)}
    is_bare = labels | {"O"} == tags and not any(map(_OTHER_SCHEME.fullmatch, labels))
    return labels if is_bare else set()


def _index(column: int | str, names: list[str], path: Path) -> int:
    """The place of a column in a row. RAISES (SeqMixError): S547."""
    if isinstance(column, str):
        if column not in names:
            shown = ", ".join(names) or "none: give a number"
            raise SeqMixError(Errors.E547.format(path=path, column=column, names=shown))
        return names.index(column)
    return column - 1 if column > 0 else column


def _parse(block: _Block, index: int, pattern: re.Pattern[str], path: Path) -> _Sentence:
    words: list[str] = []
    ents: list[tuple[int, int, str]] = []
    open_label: str | None = None  # of an entity that the next token may go on with
    for number, line in block:
        columns = split_columns(line, pattern)
        inside = -len(columns) <= index < len(columns) and len(columns) > 1
        tag = columns[index] if inside else ""
        if not pattern.fullmatch(tag):
            raise SeqMixError(Errors.E509.format(where=f"{path}, line {number}", text=line))
        start = len(words)
        words += columns[0].split()
        prefix, _, label = tag.partition("-") if TAG.fullmatch(tag) else ("I", "-", tag)
        if len(words) == start:  # a blank, which stands between all words anyway
            continue
        if prefix != "O":
            if label == open_label and prefix not in _BEGINS:
                start = ents.pop()[0]
            ents.append((start, len(words), label))
        open_label = None if prefix == "O" or prefix in _ENDS else label
    return _Sentence(words, ents)


def _make_doc(nlp: Language, sentences: Sequence[_Sentence]) -> Doc:
    words = [word for sentence in sentences for word in sentence.words]
    spaces = [True] * (len(words) - 1) + [False]
    starts: list[int] = [0, *accumulate(len(sentence.words) for sentence in sentences)]
    first_words = set(starts)
    sent_starts: list[bool | int | None] = [i in first_words for i in range(len(words))]
    doc = Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=sent_starts)
    doc.set_ents(
        [
            Span(doc, first + start, first + end, label)
            for first, sentence in zip(starts, sentences, strict=False)
            for start, end, label in sentence.ents
        ]
    )
    return doc
