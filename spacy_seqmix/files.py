"""Files and folders that appear whole or not at all, .spacy files, and progress bars."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from tqdm import tqdm

from .errors import Errors, SeqMixError

__all__ = [
    "check_output",
    "progress_bar",
    "read_docs",
    "read_numbered_docs",
    "replacing",
    "replacing_folder",
    "write_docs",
]


@contextmanager
def progress_bar(
    total: int | None, phase: str, *, shown: bool = True, unit: str = "it"
) -> Iterator[tqdm[Any]]:
    """Show the progress of a phase, in terminals only; the bar goes when the phase ends.

    total (int | None): the number of steps; None shows the time alone.
    YIELDS (tqdm): the bar. It ticks every second, so that a long step does not look like a halt.
    """
    layout = "{desc}: {elapsed}" if total is None else None
    disable = None if shown else True  # None: where standard error is no terminal
    ended = Event()

    def tick() -> None:
        while not ended.wait(1.0):
            bar.refresh()

    with tqdm(
        total=total, desc=phase, unit=unit, leave=False, bar_format=layout, disable=disable
    ) as bar:
        ticker = Thread(target=tick, daemon=True)
        if not bar.disable:
            ticker.start()
        try:
            yield bar
        finally:
            ended.set()
            if ticker.is_alive():
                ticker.join()


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


def read_docs(
    path: Path, nlp: Language, *, need_entities: bool = True, progress: bool = False
) -> list[Doc]:
    """Read the docs of a .spacy file, without the empty ones; see ``read_numbered_docs``."""
    docs = read_numbered_docs(path, nlp, need_entities=need_entities, progress=progress)
    return list(docs.values())


def read_numbered_docs(
    path: Path, nlp: Language, *, need_entities: bool = True, progress: bool = False
) -> dict[int, Doc]:
    """Read the docs of a .spacy file by their numbers in it, without the empty ones.

    progress (bool): show a progress bar.
    RAISES (SeqMixError): S403 when the file is missing, unreadable or empty, S405 when no doc has
        an entity.
    """
    path = Path(path)
    try:
        docbin = DocBin().from_disk(path)
        with progress_bar(len(docbin), f"Reading {path.name}", shown=progress) as bar:
            docs = {}
            for number, doc in enumerate(docbin.get_docs(nlp.vocab)):
                docs[number] = doc
                bar.update()
    except FileNotFoundError:
        raise SeqMixError(Errors.E403.format(path=path, reason="there is no such file")) from None
    except Exception as err:  # of zlib, msgpack or numpy, where a DocBin is damaged
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
