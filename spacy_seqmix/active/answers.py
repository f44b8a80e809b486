"""Answers on disk: a file with a line each, which a kill or a full disk can't damage."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Generic, Literal, TypeVar, cast, overload

from pydantic import Field, NonNegativeFloat, NonNegativeInt, ValidationError, model_validator
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from ..annotation.docbins import iter_docs
from ..annotation.layers import ENTS
from ..annotation.texts import EXTRA_KEY
from ..errors import Errors, SeqMixError, SeqMixFileError
from ..query.probabilities import copy_tokens
from ..types import Answer
from .annotation import HOW, has_more, is_annotated
from .characters import Shown, in_characters, in_tokens, unknown_characters
from .journal import Record, first_problem
from .run_folder import disk_errors

__all__ = ["AnswerFile", "AnswerRecord", "Labelled"]


class Labelled(Record):
    """An entity that a person labelled: characters ``start`` to ``end`` (exclusive)."""

    start: NonNegativeInt
    end: NonNegativeInt
    label: str = Field(min_length=1)


class AnswerRecord(Record):
    """A line of a file of answers. Characters are Unicode code points, as in Python.

    key (str): that of the task.
    state (str): "labelled", also where there is nothing in the text, or "skipped".
    text (str): the whole text.
    spans (tuple[Labelled, ...]): the entities, none of which overlap.
    unknown (tuple): (start, end) of the characters whose labels are not known.
    who, seconds (str, float | None): who answered, and the time that it took.
    shown (tuple | None): the suggestions that the person saw.
    at (str): when, in ISO form, UTC.
    round (int): the round that was going on.
    doc (str | None): the annotated doc, a DocBin in base64, where it has more than entities.
    """

    key: str = Field(min_length=1)
    state: Literal["labelled", "skipped"]
    text: str
    spans: tuple[Labelled, ...] = ()
    unknown: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] = ()
    who: str = ""
    seconds: NonNegativeFloat | None = Field(None, allow_inf_nan=False)
    shown: tuple[Shown, ...] | None = None
    at: str = ""
    round: NonNegativeInt = 0
    doc: str | None = None

    @model_validator(mode="after")
    def _check(self) -> AnswerRecord:
        places = sorted((span.start, span.end) for span in self.spans)
        for start, end in [*places, *self.unknown]:
            if not start < end <= len(self.text):
                raise ValueError(f"({start}, {end}) is no stretch of the text")
        for (_, end), (start, _) in pairwise(places):
            if start < end:
                raise ValueError(f"two spans overlap at character {start}")
        return self

    @property
    def skipped(self) -> bool:
        """Whether the person refused to label the text."""
        return self.state == "skipped"

    def says(self) -> dict[str, object]:
        """What it says of the text, without when and by whom."""
        return self.model_dump(exclude={"who", "seconds", "shown", "at", "round"})

    def line(self) -> str:
        """The record as a line of JSON."""
        absent = {name for name in ("unknown", "doc") if not getattr(self, name)}
        return self.model_dump_json(exclude=absent)

    @classmethod
    def of(cls, answer: Answer, text: Doc, round_: int, layer: str | None = None) -> AnswerRecord:
        """The record of an answer, given now.

        text (Doc): the task's doc.
        layer (str | None): the annotation that the doc needs; None for any.
        RAISES (SeqMixError): S612 for a doc with another text or other tokens, S613 for one
            without annotation. (ValidationError): for other wrong values.
        """
        doc = answer.doc
        if doc is not None:
            _check_tokens(answer.key, doc, text)
        more = doc is not None and has_more(doc)
        if doc is not None and not is_annotated(doc, layer):
            how = HOW.get(layer or ENTS, f"doc.{layer}")
            raise SeqMixError(Errors.E613.format(key=answer.key, how=how, text=doc.text[:80]))
        ents = [] if doc is None else doc.ents
        shown = answer.shown
        return cls(
            key=answer.key,
            state="skipped" if doc is None else "labelled",
            text=text.text,
            spans=tuple(Labelled(start=e.start_char, end=e.end_char, label=e.label_) for e in ents),
            unknown=() if doc is None or more else unknown_characters(doc),
            who=answer.who,
            seconds=answer.seconds,
            shown=None if shown is None else tuple(in_characters(one, text) for one in shown),
            at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            round=round_,
            doc=_packed(doc) if doc is not None and more else None,
        )

    def answer(self, text: Doc, nlp: Language, where: Path) -> Answer:
        """The answer that the record stands for.

        text (Doc): the task's doc.
        nlp (Language): the answer's doc gets its vocabulary.
        where (Path): the file, for messages.
        RAISES (SeqMixFileError): S617 where text or tokens are others by now, or the doc
            is damaged.
        """
        try:
            doc = None if self.skipped else self._doc(text, nlp, where)
        except SeqMixError as err:
            raise SeqMixFileError(Errors.E617.format(path=where, key=self.key, reason=err)) from err
        shown = None if self.shown is None else tuple(in_tokens(self.shown, text))
        return Answer(self.key, doc, self.who, self.seconds, shown)

    def _doc(self, text: Doc, nlp: Language, where: Path) -> Doc:
        if self.doc is not None:
            doc = _unpacked(self.doc, nlp, where)
            _check_tokens(self.key, doc, text)
            return _with_extra(doc, text)
        if self.text != text.text:
            raise SeqMixError(Errors.E612.format(key=self.key, what="text", given=self.text[:80]))
        doc = copy_tokens(text, nlp)
        spans = [self._span(doc, s.start, s.end, s.label) for s in self.spans]
        doc.set_ents(
            spans, missing=[self._span(doc, *one) for one in self.unknown], default="outside"
        )
        return _with_extra(doc, text)

    def _span(self, doc: Doc, start: int, end: int, label: str = "") -> Span:
        span = doc.char_span(start, end, label=label)
        if span is None:
            given = self.text[start:end]
            raise SeqMixError(Errors.E612.format(key=self.key, what="tokens", given=given))
        return span


RecordT = TypeVar("RecordT", bound=AnswerRecord)


class AnswerFile(Generic[RecordT]):
    """A file of answers, to which one process appends.

    An answer is safe once ``append`` has returned. What a kill left of a line is not read, and
    goes when the next answer is appended. A later answer of a text replaces an earlier one.
    """

    @overload
    def __init__(self: AnswerFile[AnswerRecord], path: Path) -> None: ...
    @overload
    def __init__(self, path: Path, kind: type[RecordT]) -> None: ...
    def __init__(self, path: Path, kind: type[AnswerRecord] = AnswerRecord) -> None:
        """kind (type): of the records that are read; others have more fields than plain ones."""
        self.path, self.kind = Path(path), kind
        self._size = -1  # of the file, after the last line that this object wrote

    def append(self, *records: RecordT) -> None:
        """Write answers, all or none of them. RAISES (SeqMixFileError): S411."""
        if not records:
            return
        data = "".join(f"{record.line()}\n" for record in records).encode("utf8")
        with disk_errors():
            is_new = not self.path.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self._write(handle, data)
            finally:
                os.close(handle)
            if is_new:
                _sync_folder(self.path.parent)

    def _write(self, handle: int, data: bytes) -> None:
        whole = os.fstat(handle).st_size
        if whole != self._size:  # another object wrote it, and perhaps was killed
            before = self.path.read_bytes()
            whole = before.rfind(b"\n") + 1
            if self._parsed(before[whole:]) is not None:  # all of a line but its end
                whole, data = len(before), b"\n" + data
        try:
            os.ftruncate(handle, whole)
            os.lseek(handle, whole, os.SEEK_SET)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
            self._size = whole + len(data)
        except OSError:
            os.ftruncate(handle, whole)
            raise

    def lines(self) -> list[RecordT]:
        """Every answer, in the order in which they came; none where there is no file.

        RAISES (SeqMixError): S611 for a damaged line. (SeqMixFileError): S411.
        """
        with disk_errors():
            data = self.path.read_bytes() if self.path.exists() else b""
        *lines, torn = data.split(b"\n")
        records: list[RecordT] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                records.append(self._validated(line))
            except ValidationError as err:
                reason = first_problem(err)
                text = Errors.E611.format(path=self.path, line=number, reason=reason)
                raise SeqMixFileError(text) from err
        last = self._parsed(torn)
        return records if last is None else [*records, last]

    def read(self) -> dict[str, RecordT]:
        """The last answer of each text, by key, in the order of the first answers."""
        return {record.key: record for record in self.lines()}

    def _validated(self, line: bytes) -> RecordT:
        return cast("RecordT", self.kind.model_validate_json(line))

    def _parsed(self, line: bytes) -> RecordT | None:
        """The record of a line, None where it is cut off."""
        try:
            return self._validated(line)
        except ValidationError:
            return None


def _sync_folder(folder: Path) -> None:
    """See to it that a new file is in its folder after a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_tokens(key: str, doc: Doc, text: Doc) -> None:
    what = "text" if doc.text != text.text else "tokens"
    if what == "text" or [t.text for t in doc] != [t.text for t in text]:
        raise SeqMixError(Errors.E612.format(key=key, what=what, given=doc.text[:80]))


def _with_extra(doc: Doc, text: Doc) -> Doc:
    """The doc with the other keys of the text's JSON line."""
    if EXTRA_KEY in text.user_data:
        doc.user_data[EXTRA_KEY] = text.user_data[EXTRA_KEY]
    return doc


def _unpacked(data: str, nlp: Language, where: Path) -> Doc:
    try:
        docbin = DocBin().from_bytes(b64decode(data))
        (doc,) = iter_docs(where, nlp.vocab, docbin)
    except Exception as err:  # msgpack, zlib and spaCy have many of their own
        reason = f"its doc is damaged ({type(err).__name__})"
        raise SeqMixError(Errors.E582.format(number=0, path=where, reason=reason)) from err
    return doc


def _packed(doc: Doc) -> str:
    return b64encode(DocBin(docs=[doc], store_user_data=True).to_bytes()).decode("ascii")
