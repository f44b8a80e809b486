"""Many docs by their numbers, each made when it is taken: memory holds their texts alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from spacy.attrs import ORTH
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..errors import Errors, SeqMixError
from .docbins import make_doc, open_docbin
from .texts import EXTRA_KEY, read_texts, readable

__all__ = ["LazyDocs", "stored_docs", "text_docs"]


class LazyDocs(Mapping[int, Doc]):
    """Docs by their numbers, none of them blank."""

    def __init__(
        self,
        numbers: Iterable[int],
        make: Callable[[int], Doc],
        identity: Callable[[int], Hashable],
    ) -> None:
        """Take docs by their numbers.

        make (Callable): makes the doc with a number.
        identity (Callable): a value of its text, without making it; copies have the same.
        """
        self.numbers, self.make, self.identity = dict.fromkeys(numbers), make, identity

    def __getitem__(self, number: int) -> Doc:
        if number not in self.numbers:
            raise KeyError(number)
        return self.make(number)

    def __contains__(self, number: object) -> bool:
        return number in self.numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, numbers: Iterable[int]) -> LazyDocs:
        """Some of these docs."""
        return LazyDocs(numbers, self.make, self.identity)


def text_docs(path: Path, nlp: Language) -> LazyDocs:
    """Read a file of texts, and leave out those that the tokenizer can't read.

    RAISES (SeqMixError): S403 where the file is missing or has no texts, S501 and S610.

    Warns with W612 of what is left out.
    """
    if not path.is_file():
        raise SeqMixError(Errors.E403.format(path=path, reason="there is no such file"))
    texts = {text.number: text for text in readable(read_texts(path), nlp, path)}
    if not texts:
        raise SeqMixError(Errors.E403.format(path=path, reason="it holds no texts"))

    def make(number: int) -> Doc:
        doc = nlp.make_doc(texts[number].text)
        if texts[number].extra:
            doc.user_data[EXTRA_KEY] = texts[number].extra
        return doc

    return LazyDocs(texts, make, lambda number: texts[number].text)


def stored_docs(path: Path, nlp: Language) -> LazyDocs:
    """Read a .spacy file; a doc is checked when it is taken.

    RAISES (SeqMixError): S403 where the file can't be used or has no docs with words; S582 where a
        doc is taken that is damaged.
    """
    docbin = open_docbin(path)
    for string in docbin.strings:
        nlp.vocab.strings.add(string)
    docbin.strings = set()
    numbers = _with_words(docbin, nlp)
    if not numbers:
        raise SeqMixError(Errors.E403.format(path=path, reason="it holds no docs"))
    column = docbin.attrs.index(ORTH)

    def words(number: int) -> Hashable:
        tokens, spaces = np.asarray(docbin.tokens[number]), np.asarray(docbin.spaces[number])
        return tokens[:, column].tobytes(), spaces.tobytes()

    return LazyDocs(numbers, lambda number: make_doc(docbin, number, nlp.vocab, path), words)


def _with_words(docbin: DocBin, nlp: Language) -> list[int]:
    """The numbers of the docs that have a token which is not whitespace."""
    strings: Any = nlp.vocab.strings  # which has hashes too, whatever its type says
    column = docbin.attrs.index(ORTH)
    words = [np.asarray(tokens)[:, column] for tokens in docbin.tokens]
    known: list[int] = np.unique(np.concatenate(words)).tolist() if words else []
    blank = np.array([h for h in known if h in strings and strings[h].isspace()], "uint64")
    return [i for i, orths in enumerate(words) if not np.isin(orths, blank).all()]
