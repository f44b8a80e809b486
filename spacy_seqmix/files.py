"""Files and folders that appear whole or not at all, and .spacy files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from .errors import Errors, SeqMixError

__all__ = [
    "check_output",
    "read_docs",
    "read_numbered_docs",
    "replacing",
    "replacing_folder",
    "write_docs",
]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name and rename it once the block has ended well.

    Where the block raises, the temporary file is removed and `path` is as it was before.

    path (Path): the file to write; its folder is made if need be.
    YIELDS (Path): the name to write to, in the same folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder under a temporary name and rename it once the block has ended well.

    YIELDS (Path): the folder to write to, new and empty; what a killed run left there is removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    for left_over in path.parent.glob(f".{path.name}.*.tmp"):  # of a killed run
        shutil.rmtree(left_over)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_docs(path: Path, nlp: Language, *, need_entities: bool = True) -> list[Doc]:
    """Read the docs of a .spacy file, without the empty ones.

    RAISES (SeqMixError): see ``read_numbered_docs``.
    """
    return list(read_numbered_docs(path, nlp, need_entities=need_entities).values())


def read_numbered_docs(path: Path, nlp: Language, *, need_entities: bool = True) -> dict[int, Doc]:
    """Read the docs of a .spacy file by their numbers in it, without the empty ones.

    RAISES (SeqMixError): S403 when the file is missing, unreadable or empty, S405 when no doc has
        an entity.
    """
    try:
        docs = dict(enumerate(DocBin().from_disk(path).get_docs(nlp.vocab)))
    except FileNotFoundError:
        raise SeqMixError(Errors.E403.format(path=path, reason="there is no such file")) from None
    except Exception as err:  # a damaged DocBin fails in zlib, msgpack or numpy, as it likes
        reason = f"it is not a DocBin ({type(err).__name__})"
        raise SeqMixError(Errors.E403.format(path=path, reason=reason)) from err
    docs = {number: doc for number, doc in docs.items() if len(doc)}
    if not docs:
        raise SeqMixError(Errors.E403.format(path=path, reason="it holds no docs"))
    if need_entities and not any(doc.ents for doc in docs.values()):
        raise SeqMixError(Errors.E405.format(path=path))
    return docs


def write_docs(docs: Iterable[Doc], path: Path) -> None:
    """Write a .spacy file with user data (soft labels, origins), whole or not at all."""
    with replacing(path) as temporary:
        DocBin(docs=docs, store_user_data=True).to_disk(temporary)


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over an input, also through links. RAISES (SeqMixError): S549."""
    if any(path.exists() and other.exists() and path.samefile(other) for other in inputs):
        raise SeqMixError(Errors.E549.format(path=path))
