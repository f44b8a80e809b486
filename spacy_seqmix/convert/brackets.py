r"""Inline bracket markup: entities in a text that a person can read and edit.

    # lines that start with "# " are comments; blank lines are skipped
    [PER Ana Duarte] left [ORG Leeds Rovers].
    Literal brackets and backslashes are escaped: \[sic\], C:\\temp. So is a leading \#.

One sentence a line. Blanks around a line are dropped. A label is written in capitals, unless the
labels to expect are given; entities are not nested and lie on the tokenizer's token borders.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from .files import attempt, read_lines, tokenise

__all__ = ["parse_markup", "read_brackets", "to_markup"]

Span = tuple[int, int, str]

_PIECE = re.compile(r"\\[\[\]\\#]|[\[\]]|[^\[\]\\]+|\\")
_LABEL = re.compile(r"[A-Z][A-Z0-9_:-]*")
CAPITALS = "capitals from A to Z; name any other label in --labels"
_NO_LABEL = re.compile(r"[\s\[\]\\]")


def parse_markup(
    line: str, *, where: str = "markup", labels: Collection[str] | None = None
) -> tuple[str, list[Span]]:
    """Parse one line of markup.

    line (str): the markup of one sentence.
    where (str): the file and line, for messages.
    labels (Collection[str] | None): the labels to accept; None accepts any in capitals.
    RETURNS (tuple[str, list[Span]]): the text, and (start, end, label) of each entity in
        characters of the text, end exclusive.
    """
    text = ""
    spans: list[Span] = []
    inside: str | None = None  # what follows an open bracket
    for piece in _PIECE.findall(line):
        if piece == "[":
            if inside is not None:
                raise SeqMixError(Errors.E503.format(where=where, text=f"[{inside}["))
            inside = ""
        elif piece == "]":
            if inside is None:
                raise SeqMixError(Errors.E504.format(where=where, text=f"{text[-40:]}]"))
            label, entity = _split_entity(inside, where, labels)
            spans.append((len(text), len(text) + len(entity), label))
            text += entity
            inside = None
        else:
            literal = piece[1] if len(piece) == 2 and piece[0] == "\\" else piece
            if inside is None:
                text += literal
            else:
                inside += literal
    if inside is not None:
        raise SeqMixError(Errors.E504.format(where=where, text=f"[{inside[:40]}"))
    return text, spans


def _split_entity(inside: str, where: str, labels: Collection[str] | None) -> tuple[str, str]:
    """Split what stands between brackets into its label and its text."""
    label, _, entity = inside.partition(" ")
    known = _LABEL.fullmatch(label) is not None if labels is None else label in labels
    if not known:
        expected = CAPITALS if labels is None else ", ".join(sorted(labels))
        raise SeqMixError(
            Errors.E505.format(where=where, text=f"[{inside}]", label=label, expected=expected)
        )
    if not entity or entity != entity.strip():
        raise SeqMixError(Errors.E506.format(where=where, text=f"[{inside}]"))
    return label, entity


def read_brackets(
    path: Path, nlp: Language, *, labels: Collection[str] | None = None, skip: bool = False
) -> Iterator[Doc]:
    """Read a file of bracket markup, a Doc a sentence.

    path (Path): the file, UTF-8.
    nlp (Language): whose tokenizer makes the docs.
    labels (Collection[str] | None): the labels to accept; None accepts any in capitals.
    skip (bool): leave out lines that can't be read, with a warning each.
    YIELDS (Doc): the docs with their entities; all other tokens are outside of any.
    """
    for number, raw in enumerate(read_lines(path), start=1):
        line = raw.strip()
        if not line or line == "#" or line.startswith("# "):
            continue
        doc = attempt(skip, _make_doc, nlp, line, f"{path}, line {number}", labels)
        if doc is not None:
            yield doc


def _make_doc(nlp: Language, line: str, where: str, labels: Collection[str] | None) -> Doc:
    text, spans = parse_markup(line, where=where, labels=labels)
    doc = tokenise(nlp, text, where)
    ents = []
    for start, end, label in spans:
        span = doc.char_span(start, end, label=label)
        if span is None:
            tokens = [t.text for t in doc if t.idx < end and t.idx + len(t) > start]
            raise SeqMixError(Errors.E507.format(where=where, text=text[start:end], tokens=tokens))
        ents.append(span)
    doc.set_ents(ents)
    return doc


def to_markup(doc: Doc) -> str:
    """Write a doc as one line of bracket markup, the inverse of `parse_markup`.

    doc (Doc): the doc; its text holds no line feed.
    RETURNS (str): the markup.
    """
    if "\n" in doc.text:
        raise SeqMixError(Errors.E508.format(text=doc.text))
    parts = []
    position = 0
    for ent in doc.ents:
        if not ent.label_ or _NO_LABEL.search(ent.label_):
            raise SeqMixError(
                Errors.E505.format(
                    where="doc", text=ent.text, label=ent.label_, expected="a word without blanks"
                )
            )
        parts.append(_escape(doc.text[position : ent.start_char]))
        parts.append(f"[{ent.label_} {_escape(ent.text)}]")
        position = ent.end_char
    parts.append(_escape(doc.text[position:]))
    line = "".join(parts)
    return f"\\{line}" if line.startswith("#") else line


def _escape(text: str) -> str:
    return re.sub(r"([\[\]\\])", r"\\\1", text)
