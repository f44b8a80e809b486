"""Read and write .spacy files: what they store is checked here, with the number of the doc."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.attrs import DEP, ENT_ID, ENT_KB_ID, ENT_TYPE, LEMMA, ORTH, TAG
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..errors import Errors, SeqMixError, Warnings
from ..files import progress_bar, replacing
from . import recipes, relations, soft_labels
from .provenance import get_origin

__all__ = [
    "is_docbin",
    "iter_docs",
    "make_docs",
    "open_docbin",
    "read_docs",
    "read_numbered_docs",
    "write_docs",
]

# A DocBin may be this many times larger than its file, beyond the first bytes. Docs shrink to a
# tenth, their soft labels to a hundredth; zlib could make a thousandth of zeros.
MAX_RATIO, ALWAYS_ALLOWED = 100, 2**28
CHUNK = 2**20
# What a doc without user data has. It is neither packed nor unpacked for each doc: srsly looks
# through the entry points of all installed packages each time.
NO_USER_DATA = srsly.msgpack_dumps({})
# The attributes that are names, each by its hash.
NAMES = (ORTH, LEMMA, TAG, DEP, ENT_TYPE, ENT_KB_ID, ENT_ID)


def is_docbin(path: Path) -> bool:
    """Whether a file has docs, by its name; else it has texts."""
    return path.suffix.lower() == ".spacy"


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
        an entity, S582 for a doc whose stored annotation is damaged.
    """
    path = Path(path)
    docbin = open_docbin(path)
    with progress_bar(len(docbin), f"Reading {path.name}", shown=progress) as bar:
        docs = {}
        for number, doc in enumerate(iter_docs(path, nlp.vocab, docbin)):
            if len(doc):
                docs[number] = doc
            bar.update()
    if not docs:
        raise SeqMixError(Errors.E403.format(path=path, reason="it holds no docs"))
    if need_entities and not any(doc.ents for doc in docs.values()):
        raise SeqMixError(Errors.E405.format(path=path))
    return docs


def open_docbin(path: Path) -> DocBin:
    """Read a .spacy file whose size is bounded; its docs are not made yet.

    RAISES (SeqMixError): S403 when the file is missing or unreadable.
    """
    try:
        data = Path(path).read_bytes()
        if _is_too_large(data):
            reason = f"its content is more than {MAX_RATIO} times as large as the file"
            raise SeqMixError(Errors.E403.format(path=path, reason=reason))
        docbin: Any = DocBin().from_bytes(data)
        docbin.user_data = [None if one == NO_USER_DATA else one for one in docbin.user_data]
        return docbin  # type: ignore[no-any-return]
    except SeqMixError:
        raise
    except FileNotFoundError:
        raise SeqMixError(Errors.E403.format(path=path, reason="there is no such file")) from None
    except OSError as err:
        raise SeqMixError(Errors.E403.format(path=path, reason=err.strerror)) from None
    except Exception as err:  # of zlib, msgpack or numpy, where a DocBin is damaged
        reason = f"it is not a DocBin ({type(err).__name__})"
        raise SeqMixError(Errors.E403.format(path=path, reason=reason)) from err


def iter_docs(path: Path, vocab: Vocab, docbin: DocBin | None = None) -> Iterator[Doc]:
    """Make the docs of a .spacy file, the empty ones too, and check what is stored on them.

    docbin (DocBin | None): the file, where it has been read already.
    RAISES (SeqMixError): as ``open_docbin``, and S582 for a doc that is damaged.

    Warns with W580 of docs whose annotation was corrected after their soft labels were set: they
    come without these.
    """
    docs = (open_docbin(path) if docbin is None else docbin).get_docs(vocab)
    number = n_corrected = 0
    try:
        while (doc := _next_doc(docs, number, path)) is not None:
            n_corrected += soft_labels.drop_corrected(doc)
            number += 1
            yield doc
    finally:  # also where not all docs are wanted
        if n_corrected:
            which = f"{n_corrected} of the {number} docs of '{path}'"
            warnings.warn(Warnings.W580.format(which=which), stacklevel=2)


def make_docs(docbin: DocBin, numbers: Sequence[int], vocab: Vocab, path: Path) -> Iterator[Doc]:
    """Make some of the docs of a file, without soft labels that a correction contradicts.

    RAISES (SeqMixError): S582 for a doc that is damaged.
    """
    some = DocBin()  # copying one serialises all docs
    some.attrs = docbin.attrs
    for name in ("tokens", "spaces", "cats", "span_groups", "user_data", "flags"):
        column = getattr(docbin, name)
        setattr(some, name, [column[i] for i in numbers if i < len(column)])
    docs = some.get_docs(vocab)
    for number in numbers:
        doc = _next_doc(docs, number, path)
        assert doc is not None
        soft_labels.drop_corrected(doc)
        yield doc


def _next_doc(docs: Iterator[Doc], number: int, path: Path) -> Doc | None:
    """The next doc, checked; None at the end. RAISES (SeqMixError): S582."""
    try:
        doc = next(docs, None)
        if doc is not None:
            _check(doc)
        return doc
    except Exception as err:  # also of msgpack or spaCy
        known = isinstance(err, SeqMixError)
        damaged = f"its stored form is damaged ({type(err).__name__}). Write the file again."
        reason = err if known else damaged
        text = Errors.E582.format(number=number, path=path, reason=reason)
        raise SeqMixError(text) from err


def docbin_of(docs: Iterable[Doc]) -> DocBin:
    """Docs with their user data (soft labels, origins), as a .spacy file has them."""
    docbin = DocBin(store_user_data=True)
    for doc in docs:
        docbin.store_user_data = bool(doc.user_data)
        docbin.add(doc)
        if not doc.user_data:
            docbin.user_data.append(NO_USER_DATA)
    docbin.store_user_data = True
    return docbin


def write_docs(docs: Iterable[Doc], path: Path) -> None:
    """Write a .spacy file with user data (soft labels, origins), whole or not at all."""
    docbin = docbin_of(docs)
    with replacing(path) as temporary:
        docbin.to_disk(temporary)


def _is_too_large(data: bytes) -> bool:
    """Whether compressed data would take up so much memory that it can't be docs."""
    allowed = ALWAYS_ALLOWED + MAX_RATIO * len(data)
    if 1100 * len(data) <= allowed:  # more zlib can't make of it
        return False
    stream, size = zlib.decompressobj(), 0
    for at in range(0, len(data), CHUNK):
        part = data[at : at + CHUNK]
        while part and not stream.eof:
            size += len(stream.decompress(part, MAX_RATIO * CHUNK))
            if size > allowed:
                return True
            part = stream.unconsumed_tail
    return False


def _check(doc: Doc) -> None:
    """Check all that this package reads of a doc from a file.

    RAISES (SeqMixError): S583 for a name that the file lacks, and the codes of each part.
    """
    hashes = set(np.unique(doc.to_array(list(NAMES))).tolist())
    hashes |= {span.label for group in doc.spans.values() for span in group}
    strings: Any = doc.vocab.strings  # which has hashes too, whatever its type says
    unknown = sorted(one for one in hashes if one not in strings)
    if unknown:
        raise SeqMixError(Errors.E583.format(hashes=unknown[:3]))
    soft_labels.check_stored(doc)
    for part in (recipes, relations):
        part.get(doc)
    relations.get_labels(doc)
    relations.get_probs(doc)
    get_origin(doc)
