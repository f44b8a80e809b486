"""Files of texts and of docs, read once: where each text stands, and what tells it from others."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..errors import Errors, SeqMixError
from ..files import file_digest
from .docbins import is_docbin, iter_docs, make_docs, open_docbin
from .parquet_files import ParquetTexts, is_parquet
from .recent import Recent
from .texts import EXTRA_KEY, Text, not_utf8, read_texts, readable, text_of_line
from .vocabulary import temporary_words

__all__ = ["IndexedFile", "index_file"]

Ints: TypeAlias = NDArray[np.int64]
# Of rows that are read together: docs in memory at a time.
ROWS = 1024
# Reading a .spacy file takes some so many times its size, more than what is kept of it.
TO_READ = 30
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class IndexedFile:
    """A file of texts, of which memory holds places alone.

    sha256 (str): of its content, in hexadecimal.
    size (int): its lines, rows or docs; blank ones count too.
    numbers (Ints): shape (n,), the line, row or doc of each text, counted from 0.
    hashes (NDArray[np.uint64]): shape (n,), of each text; copies have the same.
    docs, texts (Callable): the docs or the texts of some rows, in their order. Both raise S761
        where the file is another one by then, S582 for a damaged doc, and S501 for a damaged row.
    """

    path: Path
    sha256: str
    size: int
    numbers: Ints
    hashes: NDArray[np.uint64]
    docs: Callable[[Sequence[int]], Iterator[Doc]]
    texts: Callable[[Sequence[int]], Iterator[str]]


def index_file(path: Path, nlp: Language, kept: Recent, *, check: bool = False) -> IndexedFile:
    """Read a .txt, .jsonl, .parquet or .spacy file.

    nlp (Language): tokenises texts, and its vocabulary gets the words of docs.
    kept (Recent): keeps .spacy files and row groups of .parquet files for a while.
    check (bool): make each doc of a .spacy file once, so that damaged ones are found now.
    RAISES (SeqMixError): S403 where the file is missing or no DocBin, S501 and S610 for lines and
        rows that are no texts, S582 for docs that are damaged, S750 for a .parquet file without
        pyarrow, S761 for one that changes meanwhile.

    Warns with W612 of texts that the tokenizer can't read; they are left out. Warns with W580 of
    docs whose soft labels contradict their annotation, where docs are checked.
    """
    if not path.is_file():
        raise SeqMixError(Errors.E403.format(path=path, reason="there is no such file"))
    if is_docbin(path):
        return _index_docbin(path, nlp, kept, check)
    if is_parquet(path):
        return _index_parquet(path, nlp, kept)
    return _index_lines(path, nlp)


def _index_lines(path: Path, nlp: Language) -> IndexedFile:
    numbers, starts, ends, hashes = array("q"), array("q"), array("q"), array("Q")
    digest, size, place = sha256(), 0, (0, 0)

    def texts() -> Iterator[Text]:
        nonlocal size, place
        for start, raw in _lines(path, digest.update):
            try:
                text = text_of_line(path, size, raw.decode("utf8"))
            except UnicodeDecodeError as err:
                reason = not_utf8(err, start, size)
                raise SeqMixError(Errors.E501.format(path=path, reason=reason)) from err
            size, place = size + 1, (start, start + len(raw))
            if text is not None:
                yield text

    for text in readable(texts(), nlp, path):  # one by one: the place is that of this text
        numbers.append(text.number)
        starts.append(place[0])
        ends.append(place[1])
        hashes.append(_hash_of_text(text.text))
    kept = np.array(numbers, "int64"), np.array(hashes, "uint64")

    def lines(rows: Sequence[int]) -> Iterator[Text]:
        with _opened(path) as file:
            for row in rows:
                file.seek(starts[row])
                raw = file.read(ends[row] - starts[row])
                yield _same_text(path, numbers[row], raw, hashes[row])

    return IndexedFile(
        path,
        digest.hexdigest(),
        size,
        *kept,
        lambda rows: (_doc(nlp, text) for text in lines(rows)),
        lambda rows: (text.text for text in lines(rows)),
    )


def _lines(path: Path, update: Callable[[bytes], object]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, each with its place in bytes; see ``texts.read_lines``."""
    try:
        with path.open("rb") as file:
            start = 0
            for whole in file:
                update(whole)
                line = whole.removeprefix(BOM) if start == 0 else whole
                at, start = start + len(whole) - len(line), start + len(whole)
                if at < len(BOM) + 1 and not line.endswith(b"\n") and b"\r" in line:
                    yield from _by_returns(at, line)  # a file without line feeds
                else:
                    yield at, line.removesuffix(b"\n").removesuffix(b"\r")
    except OSError as err:
        raise SeqMixError(Errors.E501.format(path=path, reason=err.strerror)) from err


def _by_returns(at: int, text: bytes) -> Iterator[tuple[int, bytes]]:
    for line in text.removesuffix(b"\r").split(b"\r"):
        yield at, line
        at += len(line) + 1


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as err:
        raise _changed(path) from err


def _same_text(path: Path, number: int, raw: bytes, known: int) -> Text:
    """The text of a line that was indexed. RAISES (SeqMixError): S761 where it is another one."""
    try:
        text = text_of_line(path, number, raw.decode("utf8"))
    except (UnicodeDecodeError, SeqMixError) as err:
        raise _changed(path) from err
    if text is None or _hash_of_text(text.text) != known:
        raise _changed(path)
    return text


def _doc(nlp: Language, text: Text) -> Doc:
    doc = nlp.make_doc(text.text)
    if text.extra:
        doc.user_data[EXTRA_KEY] = text.extra
    return doc


def _index_parquet(path: Path, nlp: Language, recent: Recent) -> IndexedFile:
    numbers, hashes, before = array("q"), array("Q"), _state(path)
    try:
        digest, rows = file_digest(path), ParquetTexts(path)
        for text in readable(read_texts(path), nlp, path):
            numbers.append(text.number)
            hashes.append(_hash_of_text(text.text))
    except SeqMixError as err:
        raise _changed(path) if _state(path) != before else err from None
    except OSError as err:
        raise SeqMixError(Errors.E501.format(path=path, reason=err.strerror)) from err
    if _state(path) != before:
        raise _changed(path)

    def texts(wanted: Sequence[int], extra: bool) -> Iterator[Text]:
        taken = rows.take([numbers[row] for row in wanted], recent, extra=extra)
        try:
            for row, one in zip(wanted, taken, strict=True):
                if _hash_of_text(one.text) != hashes[row]:
                    raise _changed(path)
                yield Text(numbers[row], one.text, one.extra)
        except SeqMixError as err:  # a file that has changed may look damaged
            raise _changed(path) if _digest(path) != digest else err from None

    return IndexedFile(
        path,
        digest,
        rows.size,
        np.array(numbers, "int64"),
        np.array(hashes, "uint64"),
        lambda wanted: (_doc(nlp, text) for text in texts(wanted, True)),
        lambda wanted: (text.text for text in texts(wanted, False)),
    )


def _state(path: Path) -> tuple[int, ...] | None:
    """What tells whether a file was written meanwhile; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digest(path: Path) -> str | None:
    try:
        return file_digest(path)
    except OSError:
        return None


def _index_docbin(path: Path, nlp: Language, recent: Recent, check: bool) -> IndexedFile:
    digest, docbin = file_digest(path), _read_docbin(path, recent)
    for string in docbin.strings:
        nlp.vocab.strings.add(string)
    if check:
        with temporary_words(nlp):
            for _ in iter_docs(path, nlp.vocab, docbin):
                pass
    column = docbin.attrs.index(ORTH)
    numbers = _with_words(docbin, column, nlp)
    hashes = [_hash_of_words(docbin, number, column) for number in numbers]
    kept = np.array(numbers, "int64"), np.array(hashes, "uint64")
    _keep(recent, path, docbin)
    docs = partial(_docs, path, digest, kept[0], nlp, recent)
    return IndexedFile(
        path, digest, len(docbin), *kept, docs, lambda rows: (doc.text for doc in docs(rows))
    )


def _read_docbin(path: Path, recent: Recent) -> DocBin:
    """Read a file, once what is kept of others leaves room for it."""
    recent.make_room(TO_READ * path.stat().st_size)
    return open_docbin(path)


def _keep(recent: Recent, path: Path, docbin: DocBin) -> DocBin:
    docbin.strings = set()  # the vocabulary has them
    recent.keep(path, docbin, sum(tokens.nbytes for tokens in docbin.tokens))
    return docbin


def _docs(
    path: Path,
    digest: str,
    numbers: Ints,
    nlp: Language,
    recent: Recent,
    rows: Sequence[int],
) -> Iterator[Doc]:
    for low in range(0, len(rows), ROWS):
        some = numbers[rows[low : low + ROWS]].tolist()
        docbin = recent.get(path) or _docbin_again(path, digest, recent)
        yield from make_docs(docbin, some, nlp.vocab, path)


def _docbin_again(path: Path, digest: str, recent: Recent) -> DocBin:
    """RAISES (SeqMixError): S761 where the file is another one by now."""
    try:
        if file_digest(path) != digest:
            raise _changed(path)
        return _keep(recent, path, _read_docbin(path, recent))
    except OSError as err:
        raise _changed(path) from err


def _with_words(docbin: DocBin, column: int, nlp: Language) -> list[int]:
    """The numbers of the docs that have a token which is not whitespace."""
    strings: Any = nlp.vocab.strings  # which has hashes too, whatever its type says
    words = [np.asarray(tokens)[:, column] for tokens in docbin.tokens]
    known: list[int] = np.unique(np.concatenate(words)).tolist() if words else []
    blank = np.array([h for h in known if h in strings and strings[h].isspace()], "uint64")
    return [i for i, orths in enumerate(words) if not np.isin(orths, blank).all()]


def _hash_of_words(docbin: DocBin, number: int, column: int) -> int:
    words = np.ascontiguousarray(np.asarray(docbin.tokens[number])[:, column])
    return _hash(words.tobytes() + np.asarray(docbin.spaces[number]).tobytes())


def _hash_of_text(text: str) -> int:
    return _hash(text.encode("utf8", "surrogatepass"))


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def _changed(path: Path) -> SeqMixError:
    return SeqMixError(Errors.E761.format(path=path))
