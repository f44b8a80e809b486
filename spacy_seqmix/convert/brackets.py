r"""Inline bracket markup: entities in a text that a person can read and edit.

    # lines that start with "# " are comments; blank lines are skipped
    [PER Ana Duarte] left [ORG Leeds Rovers].
    Literal brackets and backslashes are escaped: \[sic\], C:\\temp. So is a leading \#.

One sentence a line. Blanks around a line are dropped. A label is written in capitals, unless the
labels to expect are given; entities are not nested and lie on the tokenizer's token borders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from .files import attempt, read_lines, tokenise

__all__ = ["has_markup", "parse_markup", "read_brackets", "to_escaped_markup", "to_markup"]

Span = tuple[int, int, str]

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "_": " "}
# With every escape, and with those of files that people write: a lone backslash is one there.
_WHOLE = re.compile(r"\\(?:[\[\]\\#nrt_]|u\{[0-9a-fA-F]{1,6}\})|[\[\]]|[^\[\]\\]+|\\")
_PIECE = re.compile(r"\\[\[\]\\#]|[\[\]]|[^\[\]\\]+|\\")
_LABEL = re.compile(r"[A-Z][A-Z0-9_:-]*")
CAPITALS = "capitals from A to Z; name any other label in --labels"
_NO_LABEL = re.compile(r"[\s\[\]\\]")
# Control characters, and those that some editors take for the end of a line or of a file.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
BLANK = r"\_"  # in a label
_ENTITY = re.compile(r"(?<!\\)\[\w+ ")


def has_markup(line: str) -> bool:
    """Whether a line looks as if it has an entity in brackets."""
    return _ENTITY.search(line) is not None


def parse_markup(
    line: str,
    *,
    where: str = "markup",
    labels: Collection[str] | None = None,
    escaped: bool = False,
) -> tuple[str, list[Span]]:
    """Parse one line of markup.

    line (str): the markup of one sentence.
    where (str): the file and line, for messages.
    labels (Collection[str] | None): the labels to accept; None accepts any in capitals.
    escaped (bool): whether it was written by ``to_markup`` with ``escaped``; any label is accepted.
    RETURNS (tuple[str, list[Span]]): the text, and (start, end, label) of each entity in
        characters of the text, end exclusive.
    """
    text = ""
    spans: list[Span] = []
    inside: list[str] | None = None  # what follows an open bracket: the label, and then the entity
    for piece in (_WHOLE if escaped else _PIECE).findall(line):
        if piece == "[":
            if inside is not None:
                shown = f"[{' '.join(inside)}["
                raise SeqMixError(Errors.E503.format(where=where, text=shown))
            inside = [""]
        elif piece == "]":
            if inside is None:
                raise SeqMixError(Errors.E504.format(where=where, text=f"{text[-40:]}]"))
            label, entity = _checked(inside, where, labels, any_label=escaped)
            spans.append((len(text), len(text) + len(entity), label))
            text += entity
            inside = None
        elif inside is None:
            text += _unescape(piece)
        elif len(inside) == 1 and piece[0] != "\\":
            label, blank, entity = piece.partition(" ")
            inside = [inside[0] + label, *[entity] * bool(blank)]
        else:
            inside[-1] += _unescape(piece)
    if inside is not None:
        shown = f"[{' '.join(inside)[:40]}"
        raise SeqMixError(Errors.E504.format(where=where, text=shown))
    return text, spans


def _unescape(piece: str) -> str:
    """What a piece of markup stands for."""
    if piece[0] != "\\" or len(piece) == 1:
        return piece
    if piece.startswith("\\u{"):
        number = int(piece[3:-1], 16)
        is_letter = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return chr(number) if is_letter else piece
    return _ESCAPES.get(piece[1], piece[1])


def _checked(
    inside: list[str], where: str, labels: Collection[str] | None, *, any_label: bool
) -> tuple[str, str]:
    """The label and the text of an entity, which stand between brackets."""
    label, entity, text = inside[0], "".join(inside[1:]), f"[{' '.join(inside)}]"
    in_capitals = _LABEL.fullmatch(label) is not None
    known = (any_label or in_capitals) if labels is None else label in labels
    if not label or not known:
        expected = CAPITALS if labels is None else ", ".join(sorted(labels))
        raise SeqMixError(
            Errors.E505.format(where=where, text=text, label=label, expected=expected)
        )
    if not entity or entity != entity.strip():
        raise SeqMixError(Errors.E506.format(where=where, text=text))
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
    for ent in doc.ents:
        if not ent.label_ or _NO_LABEL.search(ent.label_):
            raise SeqMixError(
                Errors.E505.format(
                    where="doc", text=ent.text, label=ent.label_, expected="a word without blanks"
                )
            )
    return _marked(doc.text, _places(doc), _escape)


def to_escaped_markup(text: str, spans: Iterable[Span]) -> str:
    """Write any text as one line of markup, which ``parse_markup`` reads with ``escaped``.

    spans (Iterable[Span]): (start, end, label) in characters, in order and without overlap.
    """
    line = _marked(text, spans, _escape_all)
    ends = len(line) - len(line.rstrip()), len(line) - len(line.lstrip())
    if line.isspace():
        return "".join(map(_code, line))
    first, last = ends[1], len(line) - ends[0]
    return "".join([*map(_code, line[:first]), line[first:last], *map(_code, line[last:])])


def _places(doc: Doc) -> list[Span]:
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def _marked(text: str, spans: Iterable[Span], escape: Callable[[str], str]) -> str:
    parts = []
    position = 0
    for start, end, label in spans:
        parts.append(escape(text[position:start]))
        parts.append(f"[{escape(label).replace(' ', BLANK)} {escape(text[start:end])}]")
        position = end
    parts.append(escape(text[position:]))
    line = "".join(parts)
    return f"\\{line}" if line.startswith("#") else line


def _escape(text: str) -> str:
    return re.sub(r"([\[\]\\])", r"\\\1", text)


def _escape_all(text: str) -> str:
    """Escape what ends a line in some editor, too, and what can't be seen."""
    names = {letter: f"\\{name}" for name, letter in _ESCAPES.items() if letter != " "}
    return _UNSEEN.sub(lambda found: names.get(found[0]) or _code(found[0]), _escape(text))


def _code(letter: str) -> str:
    return f"\\u{{{ord(letter):X}}}"
