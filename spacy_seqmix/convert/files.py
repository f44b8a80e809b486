"""Lines in, DocBin out: what the converters share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spacy.tokens import Doc, DocBin

from ..atomic import replacing
from ..errors import Errors, SeqMixError

__all__ = ["read_lines", "write_docs"]


def read_lines(path: Path) -> list[str]:
    """Read a UTF-8 file, split at line feeds only: other separators may be inside a token.

    path (Path): the file.
    RETURNS (list[str]): its lines, without the line ends.
    """
    try:
        text = path.read_bytes().decode("utf8")
    except UnicodeDecodeError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=error)) from error
    except OSError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=error.strerror)) from error
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]


def write_docs(docs: Iterable[Doc], path: Path, *, source: Path, user_data: bool = False) -> int:
    """Write docs to a DocBin that appears whole or not at all.

    docs (Iterable[Doc]): the docs; none at all is an error.
    path (Path): the DocBin.
    source (Path): the file that they come from, for the message.
    user_data (bool): whether to write it too; relations live there.
    RETURNS (int): the number of docs.
    """
    docbin = DocBin(docs=docs, store_user_data=user_data)
    if not len(docbin):
        raise SeqMixError(Errors.E502.format(path=source))
    with replacing(path) as temporary:
        docbin.to_disk(temporary)
    return len(docbin)
