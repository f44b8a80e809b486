"""The texts that a teacher labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import is_docbin
from ..annotation.lazy_docs import LazyDocs, stored_docs, text_docs
from ..annotation.texts import TEXT_SUFFIXES
from ..errors import Errors, SeqMixError, plural

__all__ = ["RawTexts", "normal", "read_raw", "text_files"]


@dataclass(frozen=True)
class RawTexts:
    """Texts of files, each made a doc when it is taken.

    files (tuple[LazyDocs, ...]): the docs of each file.
    places (tuple): the file and the number of each text.
    left_out (int): the texts that are left out since they are known.
    digest (str): SHA-256 of the texts, in their order.
    """

    files: tuple[LazyDocs, ...]
    places: tuple[tuple[int, int], ...]
    left_out: int
    digest: str

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.places)

    def take(self, start: int, stop: int) -> Iterator[Doc]:
        """The docs of some texts. Their annotation is of no use."""
        return (self.files[file][number] for file, number in self.places[start:stop])


def read_raw(path: Path, nlp: Language, known: Iterable[str], outside: Path) -> RawTexts:
    """Read a .txt, .jsonl or .spacy file, or the files of a folder, as docs without labels.

    nlp (Language): tokenises texts, and has the vocabulary of docs.
    known (Iterable[str]): texts that are left out; blanks do not tell texts apart.
    outside (Path): a folder whose files are not read, though it may lie in the other one.
    RAISES (SeqMixError): S403 where there are no files or no texts, S501, S582 and S610 for files
        that can't be read.

    Warns with W612 of texts that the tokenizer can't read.
    """
    same = {normal(text) for text in known}
    files: list[LazyDocs] = []
    places: list[tuple[int, int]] = []
    left_out, digest = 0, sha256()
    for file in text_files(path, outside):
        docs = stored_docs(file, nlp) if is_docbin(file) else text_docs(file, nlp)
        for number in docs:
            identity = docs.identity(number)
            if same:  # for nothing else are stored docs made here
                text = identity if isinstance(identity, str) else docs[number].text
                if normal(text) in same:
                    left_out += 1
                    continue
            places.append((len(files), number))
            digest.update(repr(identity).encode("utf8", "surrogatepass"))
        files.append(docs)
    if not places:
        reason = f"{plural(left_out, 'text')}, all of them in --dev or --labelled"
        raise SeqMixError(Errors.E403.format(path=path, reason=reason))
    return RawTexts(tuple(files), tuple(places), left_out, digest.hexdigest())


def text_files(path: Path, outside: Path) -> list[Path]:
    """The files of texts in a folder and its folders, in the order of their names; or the file.

    RAISES (SeqMixError): S403 where there are none.
    """
    suffixes = (*TEXT_SUFFIXES, ".spacy")
    if not path.is_dir():
        if path.exists() and path.suffix.lower() not in suffixes:
            raise _unusable(path, "it is no .txt, .jsonl or .spacy file")
        return [path]
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in suffixes)
    inside = [
        one for one in found if one.is_file() and outside.resolve() not in one.resolve().parents
    ]
    if not inside:
        raise _unusable(path, "the folder has no .txt, .jsonl or .spacy files")
    return inside


def normal(text: str) -> str:
    """A text without differences of blanks."""
    return " ".join(text.split())


def _unusable(path: Path, reason: str) -> SeqMixError:
    return SeqMixError(Errors.E403.format(path=path, reason=reason))
