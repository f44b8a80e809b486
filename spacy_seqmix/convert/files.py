"""Lines in, DocBin out: what the converters share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from spacy.tokens import Doc, DocBin

from ..errors import Errors, SeqMixError, Warnings
from ..files import replacing

__all__ = ["attempt", "read_lines", "write_docs"]

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


def write_docs(docs: Iterable[Doc], path: Path, *, source: Path, user_data: bool = False) -> int:
    """Write docs to a DocBin that appears whole or not at all.

    docs (Iterable[Doc]): the docs; none at all is an error.
    path (Path): the DocBin.
    source (Path): the file that they come from, for the message.
    user_data (bool): whether to write it too; relations live there.
    RETURNS (int): the number of docs.
    RAISES (SeqMixError): S502 for a file without a doc.

    Warns with W541 where no doc has an entity.
    """
    n_entities = 0

    def counted() -> Iterator[Doc]:
        nonlocal n_entities
        for doc in docs:
            n_entities += len(doc.ents)
            yield doc

    docbin = DocBin(docs=counted(), store_user_data=user_data)
    if not len(docbin):
        raise SeqMixError(Errors.E502.format(path=source))
    if not n_entities:
        warnings.warn(Warnings.W541.format(path=source, docs=len(docbin)), stacklevel=2)
    with replacing(path) as temporary:
        docbin.to_disk(temporary)
    return len(docbin)
