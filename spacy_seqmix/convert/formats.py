"""The formats that can be read, how to detect one, and ``convert_file``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..annotation.docbins import is_docbin
from ..errors import Errors, SeqMixError, Warnings, plural
from ..files import check_output, parse_json, replacing
from .ace import read_ace
from .brackets import has_markup, read_brackets
from .conll import TAG, read_conll, split_columns
from .events import read_dygiepp, read_jmee, read_oneie
from .files import read_lines
from .relations import read_relations
from .semeval import read_semeval
from .skweak import read_skweak
from .texts import read_plain
from .tools import tool_of
from .triggers import Counts, Sentence, to_docs

__all__ = ["FORMATS", "Converted", "Format", "convert_file", "detect", "first_row"]

# Lines that are looked at to detect a format, and the share of rows that make a file of columns.
N_LINES, MOST = 200, 0.8
_JSON = "{["


@dataclass(frozen=True)
class Format:
    """A format of annotated text.

    read (Callable): (path, nlp, counts, **options) -> docs.
    options (frozenset[str]): the names of the options that it takes, beside ``skip``.
    user_data (bool): whether its docs have relations, or other keys, which live in user data.
    annotated (bool): whether it has labels.
    """

    read: Callable[..., Iterable[Doc]]
    options: frozenset[str] = frozenset()
    user_data: bool = False
    annotated: bool = True


@dataclass(frozen=True)
class Converted:
    """What was written: docs, their tokens and entities; of event corpora also the triggers.

    annotated (bool): whether the docs say what is in them; those of plain texts don't.
    """

    format: str
    path: Path
    docs: int
    tokens: int
    entities: int
    triggers: Counts | None
    annotated: bool = True


def _plain(read: Callable[..., Iterator[Doc]]) -> Callable[..., Iterator[Doc]]:
    """A reader of docs, which counts no triggers."""
    return lambda path, nlp, counts, **options: read(path, nlp, **options)


def _events(
    read: Callable[[Path], Iterator[Sentence]],
    path: Path,
    nlp: Language,
    counts: Counts,
    *,
    types: bool = False,
    skip: bool = False,
) -> Iterator[Doc]:
    return to_docs(read(path), nlp, counts, types=types, skip=skip)


def _ace(
    path: Path,
    nlp: Language,
    counts: Counts,
    *,
    types: bool = False,
    skip: bool = False,
    only: Path | None = None,
) -> Iterator[Doc]:
    sentences = read_ace(path, nlp, counts, skip=skip, only=only)
    return to_docs(sentences, nlp, counts, types=types, skip=skip)


_RELATIONS, _EVENTS = frozenset(["no_relation"]), frozenset(["types"])
FORMATS: dict[str, Format] = {
    "text": Format(_plain(read_plain), user_data=True, annotated=False),
    "brackets": Format(_plain(read_brackets), frozenset(["labels"])),
    "conll": Format(_plain(read_conll), frozenset(["whole_docs", "column"])),
    "relations": Format(_plain(read_relations), _RELATIONS, user_data=True),
    "semeval": Format(_plain(read_semeval), _RELATIONS, user_data=True),
    "skweak": Format(_plain(read_skweak), frozenset(["group", "outside"]), user_data=True),
    "ace05": Format(_ace, _EVENTS | {"only"}),
    "jmee": Format(partial(_events, read_jmee), _EVENTS),
    "dygiepp": Format(partial(_events, read_dygiepp), _EVENTS),
    "oneie": Format(partial(_events, read_oneie), _EVENTS),
}
EVENTS = tuple(name for name, one in FORMATS.items() if "types" in one.options)


def convert_file(
    in_path: Path,
    out_path: Path,
    format: str | None = None,
    *,
    lang: str = "en",
    skip: bool = False,
    **options: Any,
) -> Converted:
    """Convert annotated text to a DocBin, which appears whole or not at all.

    in_path (Path): the file; for "ace05" a folder.
    out_path (Path): the DocBin, or a folder for IN.spacy.
    format (str | None): one of ``FORMATS``; None to detect it.
    lang (str): the language whose tokenizer is used.
    skip (bool): leave out what can't be read, with a warning each.
    options: of the format's reader.
    RETURNS (Converted): what was written, and from which format.
    RAISES (SeqMixError): S501, S502 for a file without a doc, S538 for an option of another format,
        S548 where no format is detected, S549 where the output is an input, and the reader's.

    Warns with W540 for what is left out, and with W541 where no doc has an entity.
    """
    if out_path.is_dir():
        out_path = out_path / f"{in_path.stem}.spacy"
    check_output(out_path, [in_path, *filter(None, [options.get("only")])])
    name = format or detect(in_path)
    chosen, nlp, counts = FORMATS[name], spacy.blank(lang), Counts()
    for option in options:
        if option not in chosen.options:
            others = ", ".join(key for key, one in FORMATS.items() if option in one.options)
            shown = "--docs" if option == "only" else f"--{option.replace('_', '-')}"
            raise SeqMixError(Errors.E538.format(option=shown, formats=others, format=name))
    docs = list(chosen.read(in_path, nlp, counts, skip=skip, **options))
    if not docs:
        raise SeqMixError(Errors.E502.format(path=in_path))
    n_entities = sum(len(doc.ents) for doc in docs)
    if chosen.annotated and not n_entities:
        warnings.warn(
            Warnings.W541.format(path=in_path, docs=plural(len(docs), "doc")), stacklevel=2
        )
    with replacing(out_path) as temporary:
        DocBin(docs=docs, store_user_data=chosen.user_data).to_disk(temporary)
    triggers = counts if name in EVENTS else None
    n_tokens = sum(map(len, docs))
    return Converted(name, out_path, len(docs), n_tokens, n_entities, triggers, chosen.annotated)


def detect(path: Path) -> str:
    """The format of a file, by its first lines. RAISES (SeqMixError): S501, S548."""
    if path.is_dir():
        return "ace05"
    if is_docbin(path):
        return "skweak"
    lines = [line for line in read_lines(path) if line.strip()]
    row = first_row(lines)
    if isinstance(row, dict | list):
        return _json_format(row, path)
    first = lines[:N_LINES]
    if any("<e1>" in line for line in first):
        return "semeval"
    columns = [split_columns(line) for line in first if not line.startswith(("#", "-DOCSTART-"))]
    n_tags = sum(len(row) > 1 and any(map(TAG.fullmatch, row[1:])) for row in columns)
    if columns and n_tags >= MOST * len(columns) and not any(map(has_markup, first)):
        return "conll"
    if any(map(has_markup, lines)):
        return "brackets"
    if first and first[0].lstrip()[0] in _JSON:
        raise SeqMixError(Errors.E548.format(path=path, keys="no value that can be read"))
    return "text"


def first_row(lines: list[str]) -> Any:
    """The first of JSON lines, or all of a JSON file; None where it is not JSON."""
    if not lines or lines[0].lstrip()[0] not in _JSON:
        return None
    for end in (1, None):
        try:
            return parse_json("\n".join(lines[:end]))
        except ValueError:
            continue
    return None


def _json_format(row: dict[str, Any] | list[Any], path: Path) -> str:
    if (tool := tool_of(row)) is not None:
        raise SeqMixError(Errors.E647.format(path=path, format=tool))
    if isinstance(row, list):
        return "jmee"
    for key, name in {"sentences": "dygiepp", "event_mentions": "oneie"}.items():
        if key in row:
            return name
    if "text" in row and not {"tokens", "entities", "relations"} & row.keys():
        return "text"
    if {"tokens", "text"} & row.keys():
        return "relations"
    raise SeqMixError(Errors.E548.format(path=path, keys=", ".join(map(repr, row)) or "no keys"))
