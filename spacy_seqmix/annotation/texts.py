"""Texts without annotation: files of them, their keys, and their tokens."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError, Warnings, plural
from ..files import parse_json
from .parquet_files import ParquetTexts, is_parquet

__all__ = [
    "EXTRA_KEY",
    "KEY",
    "TEXT_SUFFIXES",
    "Text",
    "can_tokenise",
    "not_utf8",
    "number_in",
    "parts_of_key",
    "read_lines",
    "read_texts",
    "readable",
    "task_key",
    "text_of_line",
    "tokenise",
]

# spaCy's rules look at the rest of such a stretch again for each mark: 8,000 brackets in a row take
# 20 seconds. Tokenizers of languages without blanks have no such rules.
_STRETCH = re.compile(r"(?<![^\w\s])[^\w\s]{4000}|(?<!\S)\S{50000}")
# Where a doc's user data has the key of its text, and the other keys of its line.
KEY, EXTRA_KEY = "seqmix_key", "seqmix_extra"
# Files of texts; .spacy files have docs, whose tokens are kept.
TEXT_SUFFIXES = (".txt", ".jsonl", ".parquet")
# The lines that a warning names.
SHOWN = 5
JSON_SUFFIXES = (".jsonl", ".json")


@dataclass(frozen=True)
class Text:
    """A text of a file.

    number (int): its place among the lines or rows of the file, counted from 0; blank ones count
        too.
    text (str): the text, as it stands in the file.
    extra (dict): the other keys of its JSON line, or the other columns of its row.
    """

    number: int
    text: str
    extra: dict[str, Any] = field(default_factory=dict)


def read_texts(path: Path) -> Iterator[Text]:
    """Read a .txt file, a text a line, a .jsonl file, whose lines have the key "text", or a
    .parquet file, which has a column of that name; of this one without the other columns.

    Blank lines and blank texts are left out. No text is changed.

    RAISES (SeqMixError): S501 for a file that can't be read, S610 for a line that is no JSON object
        with a text, or a row without one, S750 for a .parquet file without pyarrow.
    """
    path = Path(path)
    if is_parquet(path):
        rows = enumerate(ParquetTexts(path).texts())
        yield from (Text(number, text) for number, text in rows if text.strip())
        return
    for number, line in enumerate(read_lines(path)):
        text = text_of_line(path, number, line)
        if text is not None:
            yield text


def text_of_line(path: Path, number: int, line: str) -> Text | None:
    """The text of a line of a file; None where it is blank. RAISES (SeqMixError): S610."""
    text: Text | None = None
    if line.strip():
        as_json = path.suffix.lower() in JSON_SUFFIXES
        text = (
            _of_json(number, line, f"{path}, line {number + 1}") if as_json else Text(number, line)
        )
    return text if text is not None and text.text.strip() else None


def _of_json(number: int, line: str, where: str) -> Text:
    try:
        row = parse_json(line)
    except ValueError as err:
        raise SeqMixError(Errors.E610.format(where=where, reason=err)) from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise SeqMixError(Errors.E610.format(where=where, reason='the key "text" has no text'))
    return Text(number, row.pop("text"), row)


def task_key(number: int, text: str) -> str:
    """The key of a text: its number in the file, and the beginning of its SHA-256.

    Tools keep it as it is; it tells apart equal texts, and finds out those that were edited.
    """
    return f"{number}-{sha256(text.encode('utf8', 'surrogatepass')).hexdigest()[:10]}"


def parts_of_key(key: str) -> tuple[int, int] | None:
    """The number and the SHA-256 in a key of ``task_key``; None for another key."""
    found = re.fullmatch("([0-9]{1,18})-([0-9a-f]{10})", key)
    return None if found is None else (int(found[1]), int(found[2], 16))


def number_in(key: str) -> int | None:
    """The number that a key of ``task_key`` begins with; None for another key."""
    digits = key.partition("-")[0]
    # Python refuses to read numbers of thousands of digits.
    return int(digits) if re.fullmatch("[0-9]{1,18}", digits) else None


def read_lines(path: Path) -> list[str]:
    """Read a UTF-8 file, split at line feeds: other separators may be inside a token. A file
    without line feeds is split at carriage returns.

    path (Path): the file.
    RETURNS (list[str]): its lines, without the line ends.
    """
    try:
        text = path.read_bytes().decode("utf8")
    except UnicodeDecodeError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=not_utf8(error))) from error
    except OSError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=error.strerror)) from error
    text = text.removeprefix("\ufeff")
    if "\n" not in text:
        return text.split("\r")
    return [line.removesuffix("\r") for line in text.split("\n")]


def not_utf8(error: UnicodeDecodeError, before: int = 0, lines: int = 0) -> str:
    """What is wrong with a file, for somebody who knows no codecs.

    before, lines (int): the bytes, and the whole lines, before what was decoded.
    """
    line = lines + error.object.count(b"\n", 0, error.start) + 1
    byte = before + error.start + 1
    return f"byte {byte} of the file, in line {line}, is not UTF-8; save the file as UTF-8"


def can_tokenise(nlp: Language, text: str) -> bool:
    """Whether a tokenizer makes a Doc of a text in little time."""
    return len(text) <= nlp.max_length and _stretch(nlp, text) is None


def readable(texts: Iterable[Text], nlp: Language, path: Path) -> Iterator[Text]:
    """The texts of a file but for those that the tokenizer can't read.

    Warns with W612 of what is left out.
    """
    wrong: list[int] = []
    for text in texts:
        if can_tokenise(nlp, text.text):
            yield text
        else:
            wrong.append(text.number)
    if wrong:
        lines = ", ".join(str(number + 1) for number in wrong[:SHOWN])
        message = Warnings.W612.format(
            n=plural(len(wrong), "text"),
            path=path,
            limit=nlp.max_length,
            lines=lines + ", ..." * (len(wrong) > SHOWN),
        )
        warnings.warn(message, stacklevel=3)


def tokenise(nlp: Language, text: str, where: str) -> Doc:
    """Make a Doc of a text. RAISES (SeqMixError): S601 for what a tokenizer takes minutes for."""
    if found := _stretch(nlp, text):
        raise SeqMixError(Errors.E601.format(where=where, text=found[0][:20]))
    return nlp.make_doc(text)


def _stretch(nlp: Language, text: str) -> re.Match[str] | None:
    return _STRETCH.search(text) if isinstance(nlp.tokenizer, Tokenizer) else None
