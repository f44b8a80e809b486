"""What the readers share: lines, tokens, and rows that may be left out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError, Warnings

__all__ = ["attempt", "read_lines", "tokenise"]

# spaCy's rules look at the rest of such a stretch again for each mark: 8,000 brackets in a row take
# 20 seconds. Tokenizers of languages without blanks have no such rules.
_STRETCH = re.compile(r"(?<![^\w\s])[^\w\s]{4000}|(?<!\S)\S{50000}")

P = ParamSpec("P")
T = TypeVar("T")


def read_lines(path: Path) -> list[str]:
    """Read a UTF-8 file, split at line feeds: other separators may be inside a token. A file
    without line feeds is split at carriage returns.

    path (Path): the file.
    RETURNS (list[str]): its lines, without the line ends.
    """
    try:
        text = path.read_bytes().decode("utf8")
    except UnicodeDecodeError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=error)) from error
    except OSError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=error.strerror)) from error
    text = text.removeprefix("\ufeff")
    if "\n" not in text:
        return text.split("\r")
    return [line.removesuffix("\r") for line in text.split("\n")]


def tokenise(nlp: Language, text: str, where: str) -> Doc:
    """Make a Doc of a text. RAISES (SeqMixError): S601 for what a tokenizer takes minutes for."""
    if isinstance(nlp.tokenizer, Tokenizer) and (found := _STRETCH.search(text)):
        raise SeqMixError(Errors.E601.format(where=where, text=found[0][:20]))
    return nlp.make_doc(text)


def attempt(skip: bool, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Call a function; with ``skip``, turn its error into a warning.

    RETURNS (T | None): what it returns; None where it was skipped.
    RAISES (SeqMixError): the function's own error, where it is not to be skipped.

    Warns with W540 for each error.
    """
    try:
        return make(*args, **kwargs)
    except SeqMixError as err:
        if not skip:
            raise
        warnings.warn(Warnings.W540.format(reason=err), stacklevel=2)
        return None
