"""The texts that a teacher labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..active.pool_files import files_of
from ..annotation.lazy_docs import LazyDocs, lazy_docs
from ..errors import Errors, SeqMixError, plural

__all__ = ["RawTexts", "normal", "read_raw"]


@dataclass(frozen=True)
class RawTexts:
    """Texts of files, each made a doc when it is taken.

    docs (LazyDocs): the docs of the files.
    numbers (tuple[int, ...]): those of the texts, in their order.
    left_out (int): the texts that are left out since they are known.
    digest (str): SHA-256 of the texts, in their order.
    """

    docs: LazyDocs
    numbers: tuple[int, ...]
    left_out: int
    digest: str

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.numbers)

    def take(self, start: int, stop: int) -> Iterator[Doc]:
        """The docs of some texts. Their annotation is of no use."""
        return self.docs.take(self.numbers[start:stop])


def read_raw(path: Path, nlp: Language, known: Iterable[str], outside: Path) -> RawTexts:
    """Read files of texts and of docs, as docs without labels.

    path (Path): a .txt, .jsonl, .parquet or .spacy file, a pattern, or a folder.
    nlp (Language): tokenises texts, and has the vocabulary of docs.
    known (Iterable[str]): texts that are left out; blanks do not tell texts apart.
    outside (Path): see ``files_of``.
    RAISES (SeqMixError): S403 where there are no files or no texts, S501, S582 and S610 for files
        that can't be read.

    Warns with W612 of texts that the tokenizer can't read.
    """
    docs = lazy_docs(files_of([path], outside), nlp)
    same = {normal(text) for text in known}
    numbers = list(docs)
    if same:
        pairs = zip(numbers, docs.texts(numbers), strict=True)
        numbers = [number for number, text in pairs if normal(text) not in same]
    left_out = len(docs) - len(numbers)
    if not numbers:
        reason = f"{plural(left_out, 'text')}, all of them in --dev or --labelled"
        raise SeqMixError(Errors.E403.format(path=path, reason=reason))
    digest = sha256()
    for number in numbers:
        digest.update(docs.identity(number).to_bytes(8, "little"))
    return RawTexts(docs, tuple(numbers), left_out, digest.hexdigest())


def normal(text: str) -> str:
    """A text without differences of blanks."""
    return " ".join(text.split())
