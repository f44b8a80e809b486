"""The docs that a run labelled, of which its mixed docs were made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..active.answers import AnswerFile, AnswerRecord
from ..active.pool_files import files_of
from ..active.run_folder import RunFolder
from ..annotation.lazy_docs import LazyDocs, all_docs_of, lazy_docs
from ..annotation.texts import task_key
from ..errors import SeqMixError

__all__ = ["labelled_docs"]

# Pools that were opened, by their files.
Pools = dict[tuple[Path, ...], LazyDocs]


def labelled_docs(
    folder: RunFolder, queried: Sequence[int], pool: Sequence[Path], nlp: Language, opened: Pools
) -> list[Doc]:
    """The docs that a run asked for: as the pool has them, and as each answer labelled them, also
    one that was corrected since. No other docs of the pool are made.

    queried (Sequence[int]): their numbers.
    pool (Sequence[Path]): the files of the pool, patterns and folders.
    nlp (Language): docs have its vocabulary.
    opened (Pools): pools that were read already; this one is added.
    RETURNS (list[Doc]): none where the pool can't be read, without those of files that are missing.
    """
    try:
        docs = _opened(folder, pool, nlp, opened)
        numbers = [number for number in queried if number in docs]
        made = all_docs_of(docs, numbers)
        answers = AnswerFile(folder.answers).lines()
    except ValueError:
        return []
    keyed = {task_key(n, doc.text): doc for n, doc in zip(numbers, made, strict=True)}
    given = ((record, keyed.get(record.key)) for record in answers)
    labelled = (_labelled(record, doc, nlp, folder) for record, doc in given if doc is not None)
    return [*made, *(doc for doc in labelled if doc is not None)]


def _labelled(record: AnswerRecord, text: Doc, nlp: Language, folder: RunFolder) -> Doc | None:
    with suppress(SeqMixError):  # S617: the pool has other tokens by now
        return record.answer(text, nlp, folder.answers).doc
    return None


def _opened(folder: RunFolder, pool: Sequence[Path], nlp: Language, opened: Pools) -> LazyDocs:
    """The files that the run began with, and those that were added since, up to the first that is
    missing: from there on, numbers would be those of other docs."""
    known = [file.path for generation in folder.pool_files() for file in generation]
    paths = list(map(Path, known)) if all(known) and known else files_of(pool, folder.path)
    there = tuple(takewhile(Path.is_file, paths)) or tuple(paths[:1])
    if there not in opened:
        opened[there] = lazy_docs(there, nlp)
    return opened[there]
