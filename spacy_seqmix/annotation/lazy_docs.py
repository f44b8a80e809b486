"""Many docs by their numbers, each made when it is taken: memory holds where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..errors import Errors, SeqMixError
from ..files import progress_bar
from .docbins import is_docbin
from .indexed_files import IndexedFile, Ints, index_file
from .recent import Recent
from .vocabulary import temporary_words

__all__ = [
    "DocsInOrder",
    "LazyDocs",
    "all_docs_of",
    "docs_of",
    "lazy_docs",
    "unpacked",
]

T = TypeVar("T")
# Docs are made in batches: FIRST docs, then four times as many each time, up to LAST. So a caller
# that takes few docs waits little, and one that takes many reads each file rarely.
FIRST, LAST = 64, 8192


class LazyDocs(Mapping[int, Doc]):
    """Docs by their numbers, none of them blank. Several are made in less time together than one by
    one.

    A number counts the lines, rows and docs of all files in their order, blank ones too. So it does
    not depend on how texts are divided into files.

    files (tuple[IndexedFile, ...]): the files.
    """

    def __init__(
        self, files: Sequence[IndexedFile], nlp: Language, kept: NDArray[np.bool_] | None = None
    ) -> None:
        """Join files.

        nlp (Language): docs have its vocabulary.
        kept (NDArray): whether each text of the files counts; None: all of them.
        """
        self.files, self._nlp = tuple(files), nlp
        firsts = np.cumsum([0, *(file.size for file in files)])[:-1]
        pairs = list(zip(files, firsts, strict=True))
        numbers = np.concatenate([[], *(f.numbers + first for f, first in pairs)])
        self._kept = np.ones(len(numbers), bool) if kept is None else kept
        self._numbers: Ints = numbers.astype("int64")[self._kept]
        sizes = [len(file.numbers) for file in files]
        self._file = np.repeat(np.arange(len(files)), sizes)[self._kept]
        self._row = np.concatenate([[], *map(np.arange, sizes)]).astype("int64")[self._kept]
        hashes = np.concatenate([np.zeros(0, "uint64"), *(file.hashes for file in files)])
        self._hashes = hashes[self._kept]
        self._made: dict[int, Doc] = {}

    def __getitem__(self, number: int) -> Doc:
        return self._made[number] if number in self._made else next(self.take([number]))

    def keep(self, numbers: Iterable[int]) -> None:
        """Make docs together and keep them: from then on, ``docs[number]`` returns the kept doc. Do
        not call it inside ``temporary_words``: kept docs would become invalid."""
        assert not self._nlp.vocab.in_memory_zone  # type: ignore[attr-defined]
        new = [number for number in numbers if number not in self._made]
        self._made.update(zip(new, all_docs_of(self, new), strict=True))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int | np.integer) and self._place(int(number)) is not None

    def __iter__(self) -> Iterator[int]:
        return map(int, self._numbers)  # no list of all: each number would take 36 bytes

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, numbers: Iterable[int]) -> Iterator[Doc]:
        """Yield docs in this order; those that ``keep`` holds are made again. They are made in
        batches: a number that comes twice may give the same doc twice.

        RAISES (SeqMixError): S501, S582 and S761, see ``IndexedFile``. (KeyError): for a number
            that no doc has.
        """
        return self._each(numbers, lambda file, rows: file.docs(rows))

    def texts(self, numbers: Iterable[int]) -> Iterator[str]:
        """The texts of docs, which are not made of lines or rows for that."""
        return self._each(numbers, self._texts)

    def packed(self, numbers: Iterable[int]) -> list[list[str] | bytes]:
        """Docs for another process: texts of lines and rows, DocBins of docs. See ``unpacked``."""
        out: list[list[str] | bytes] = []
        for file, rows in self._by_file(numbers):
            if is_docbin(file.path):
                with temporary_words(self._nlp):
                    out.append(DocBin(docs=file.docs(rows), store_user_data=True).to_bytes())
            else:
                out.append(list(file.texts(rows)))
        return out

    def only(self, numbers: Iterable[int]) -> LazyDocs:
        """Some of these docs, in the order of their numbers. RAISES (KeyError): for a number that
        no doc has."""
        kept = np.zeros(len(self._kept), bool)
        kept[np.flatnonzero(self._kept)[self._places(numbers)]] = True
        return LazyDocs(self.files, self._nlp, kept)

    def identity(self, number: int) -> int:
        """A value of a text, without making its doc; copies have the same."""
        return int(self._hashes[self._known(number)])

    def first_of(self, file: int) -> int:
        """The number that the first line or doc of a file has."""
        return sum(one.size for one in self.files[:file])

    def _texts(self, file: IndexedFile, rows: list[int]) -> Iterator[str]:
        if not is_docbin(file.path):
            return file.texts(rows)
        with temporary_words(self._nlp):
            return iter(list(file.texts(rows)))

    def _each(
        self, numbers: Iterable[int], read: Callable[[IndexedFile, list[int]], Iterator[T]]
    ) -> Iterator[T]:
        """What ``read`` gives for each text, in the order of the numbers. To read one doc of a
        .spacy file may take as long as to read all of it: texts of a file are read together."""
        left, size = iter(numbers), FIRST
        while some := list(islice(left, size)):
            size = min(4 * size, LAST)
            yield from _sorted_reads(
                some,
                lambda numbers: (one for pair in self._by_file(numbers) for one in read(*pair)),
            )

    def _by_file(self, numbers: Iterable[int]) -> Iterator[tuple[IndexedFile, list[int]]]:
        """The rows of texts that follow one another in the same file."""
        places = self._places(numbers)
        pairs = zip(self._file[places].tolist(), self._row[places].tolist(), strict=True)
        for file, group in groupby(pairs, key=itemgetter(0)):
            yield self.files[file], [row for _, row in group]

    def _places(self, numbers: Iterable[int]) -> Ints:
        """Where the docs with these numbers stand among all."""
        wanted = np.fromiter(numbers, "int64")
        places = np.searchsorted(self._numbers, wanted)
        known = places < len(self._numbers)
        known[known] = self._numbers[places[known]] == wanted[known]
        if not known.all():
            raise KeyError(int(wanted[~known][0]))
        return places

    def _known(self, number: int) -> int:
        place = self._place(number)
        if place is None:
            raise KeyError(number)
        return place

    def _place(self, number: int) -> int | None:
        place = int(np.searchsorted(self._numbers, number))
        found = place < len(self._numbers) and self._numbers[place] == number
        return place if found else None


class DocsInOrder(Sequence[Doc]):
    """Docs of a mapping in a given order, each made when it is taken."""

    def __init__(
        self,
        docs: Mapping[int, Doc],
        numbers: Sequence[int],
        block: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        """block (Callable | None): makes the context of some docs while all are iterated over, such
        as ``temporary_words``; slices do not have it."""
        self.docs, self.numbers, self.block = docs, numbers, block

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> Doc: ...

    @overload
    def __getitem__(self, at: slice) -> DocsInOrder: ...

    def __getitem__(self, at: int | slice) -> Doc | DocsInOrder:
        if isinstance(at, slice):
            return DocsInOrder(self.docs, self.numbers[at])
        return self.docs[self.numbers[at]]

    def __iter__(self) -> Iterator[Doc]:
        if self.block is None:
            yield from docs_of(self.docs, self.numbers)
            return
        for low in range(0, len(self), LAST):
            with self.block():
                yield from docs_of(self.docs, self.numbers[low : low + LAST])

    def all_at(self, places: Iterable[int]) -> list[Doc]:
        """The docs at some places, see ``all_docs_of``."""
        return all_docs_of(self.docs, (self.numbers[place] for place in places))

    def packed(self, low: int, high: int) -> list[list[str] | bytes]:
        """Some of them for another process; see ``LazyDocs.packed``."""
        numbers = self.numbers[low:high]
        if isinstance(self.docs, LazyDocs):
            return self.docs.packed(numbers)
        return [DocBin(docs=[self.docs[i] for i in numbers], store_user_data=True).to_bytes()]


def docs_of(docs: Mapping[int, Doc], numbers: Iterable[int]) -> Iterator[Doc]:
    """The docs of some numbers, in their order."""
    return docs.take(numbers) if isinstance(docs, LazyDocs) else (docs[i] for i in numbers)


def all_docs_of(docs: Mapping[int, Doc], numbers: Iterable[int]) -> list[Doc]:
    """The docs of some numbers, in their order, all in memory: each file is read once."""
    return list(_sorted_reads(list(numbers), lambda in_order: docs_of(docs, in_order)))


def _sorted_reads(numbers: list[int], read: Callable[[list[int]], Iterable[T]]) -> Iterator[T]:
    """What ``read`` gives for sorted numbers, in the order of ``numbers``."""
    in_order = sorted(set(numbers))
    found = read(in_order)
    if in_order == numbers:  # it need not be held
        yield from found
    else:
        by_number = dict(zip(in_order, found, strict=True))
        yield from (by_number[number] for number in numbers)


def unpacked(packed: Iterable[list[str] | bytes], nlp: Language) -> list[Doc]:
    """The docs that ``LazyDocs.packed`` packed; texts get the tokens of a pipeline."""
    docs: list[Doc] = []
    for part in packed:
        if isinstance(part, bytes):
            docs += DocBin().from_bytes(part).get_docs(nlp.vocab)
        else:
            docs += map(nlp.make_doc, part)
    return docs


def lazy_docs(
    paths: Sequence[Path], nlp: Language, *, check: bool = False, progress: bool = False
) -> LazyDocs:
    """Read files of texts and of docs. Arguments and errors as of ``index_file``; and S403 where
    they hold no text."""
    kept, files = Recent(), []
    with progress_bar(len(paths), "Reading", shown=progress, unit="file") as bar:
        for path in paths:
            files.append(index_file(path, nlp, kept, check=check))
            bar.update()
    docs = LazyDocs(files, nlp)
    if not docs:
        name: Any = paths[0] if len(paths) == 1 else f"{paths[0]}' to '{paths[-1]}"
        raise SeqMixError(Errors.E403.format(path=name, reason="it holds no texts"))
    return docs
