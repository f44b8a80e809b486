"""The docs that a run labelled, of which its mixed docs were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..active.answers import AnswerFile
from ..active.pool_files import files_of, in_order
from ..active.run_folder import RunFolder
from ..annotation.lazy_docs import LazyDocs, all_docs_of, lazy_docs
from ..annotation.texts import number_in

__all__ = ["labelled_docs"]

# Pools that were opened, by their files.
Pools = dict[tuple[Path, ...], LazyDocs]


def labelled_docs(
    folder: RunFolder, queried: Sequence[int], pool: Sequence[Path], nlp: Language, opened: Pools
) -> list[Doc]:
    """The docs that a run asked for, with the labels that it learnt, if its pool is still where it
    was; else none. No other docs of the pool are made.

    queried (Sequence[int]): their numbers.
    pool (Sequence[Path]): the files of the pool, patterns and folders.
    nlp (Language): docs have its vocabulary.
    opened (Pools): pools that were read already; this one is added.
    """
    try:
        docs = _opened(folder, pool, nlp, opened)
        numbers = [number for number in queried if number in docs]
        made = dict(zip(numbers, all_docs_of(docs, numbers), strict=True))
        for key, record in AnswerFile(folder.answers).read().items():
            number = number_in(key)
            if number in made and not record.skipped:
                answered = record.answer(made[number], nlp, folder.answers).doc
                made[number] = made[number] if answered is None else answered
    except ValueError:  # files that are missing, damaged, or not those of the run
        return []
    return list(made.values())


def _opened(folder: RunFolder, pool: Sequence[Path], nlp: Language, opened: Pools) -> LazyDocs:
    # Files that were added to the pool later stand behind the others.
    generations = in_order(files_of(pool, folder.path), folder.pool_files(), folder.path)
    paths = tuple(path for generation in generations for path in generation)
    if paths not in opened:
        opened[paths] = lazy_docs(paths, nlp)
    return opened[paths]
