"""Texts that nobody has labelled yet: docs without annotation, for pools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.texts import EXTRA_KEY, read_lines, text_of_line, tokenise
from .files import attempt

__all__ = ["read_plain"]


def read_plain(path: Path, nlp: Language, *, skip: bool = False) -> Iterator[Doc]:
    """Read a file with a text a line, or JSON lines with the key "text", a Doc a text.

    path (Path): the file, UTF-8; JSON lines where its name ends in .jsonl.
    nlp (Language): whose tokenizer makes the docs.
    skip (bool): leave out texts that can't be read, with a warning each.
    YIELDS (Doc): docs whose entities are unknown; the other keys of a line are in their user data.
    """
    for number, line in enumerate(read_lines(path)):
        doc = attempt(skip, _make_doc, path, number, line, nlp)
        if doc is not None:
            yield doc


def _make_doc(path: Path, number: int, line: str, nlp: Language) -> Doc | None:
    text = text_of_line(path, number, line)
    if text is None:
        return None
    doc = tokenise(nlp, text.text, f"{path}, line {number + 1}")
    if text.extra:
        doc.user_data[EXTRA_KEY] = text.extra
    return doc
