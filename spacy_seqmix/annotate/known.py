"""The texts that files have, whatever their format: they are not asked again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.language import Language

from ..annotation.docbins import is_docbin, iter_docs
from ..annotation.parquet_files import is_parquet
from ..annotation.texts import KEY, read_texts
from ..errors import SeqMixError
from .formats import detect, read_export

__all__ = ["known_texts"]


def known_texts(paths: Iterable[Path]) -> tuple[set[str], set[str]]:
    """The keys and the texts of files in any format, whatever their state.

    RAISES (SeqMixError): those of the readers.
    """
    keys: set[str] = set()
    texts: set[str] = set()
    for path in paths:
        for key, text in _keyed(path):
            keys.add(key)
            texts.add(text)
    return keys - {""}, texts


def _keyed(path: Path) -> Iterator[tuple[str, str]]:
    if is_docbin(path):
        vocab = Language().vocab
        return ((doc.user_data.get(KEY, ""), doc.text) for doc in iter_docs(path, vocab))
    texts = (("", one.text) for one in read_texts(path))
    if is_parquet(path):
        return texts
    try:
        name = detect(path)
    except SeqMixError as err:
        if err.code != "S640" or path.is_dir():
            raise
        return texts
    return ((row.key, row.text) for row in read_export(path, name)[1])
