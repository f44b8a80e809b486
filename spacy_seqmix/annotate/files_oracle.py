"""The oracle that asks by files: it writes tasks, a person labels them in a tool, it reads them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timezone
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import iter_docs, write_docs
from ..annotation.layers import ENTS, RELATIONS
from ..annotation.texts import KEY
from ..errors import Errors, SeqMixError, Warnings
from ..types import Answer, Oracle, Suggestion, Task
from .annotators import is_joining
from .formats import Format, format_of, read_export
from .formats.prodigy import sortable
from .ingest import read_answers
from .join import PoolText, with_key
from .place import Note, Rules, annotated
from .rows import Row

__all__ = ["FilesOracle", "make_files_oracle"]

# Notes of answers that the run goes without.
WITHOUT = ("not placed", "replaced", "refused")
# What a file was when it was read: unchanged ones are not read again.
Stamp: TypeAlias = tuple[tuple[str, int, int], ...]
# Where the user data of a task's doc has its suggestions.
SHOWN = "seqmix_shown"


@dataclass
class FilesOracle(Oracle):
    """Writes the tasks of each round to a file, and reads what people labelled.

    name (str): the format.
    folder (Path | None): where the files are; None for "tasks" in the run folder.
    rules (Rules): what is done with spans that do not fit.
    who (str | None): whose answers count; None for all.
    confirmed (bool): for doccano, whether exports are of confirmed texts only.
    notes (list[Note]): what was moved or left out in the files that were read last.
    """

    name: str
    folder: Path | None
    rules: Rules
    who: str | None = None
    confirmed: bool = False
    notes: list[Note] = field(default_factory=list)
    # All texts that were asked and what was suggested, by key, and the keys of each file of tasks.
    _docs: dict[str, Doc] = field(default_factory=dict)
    _shown: dict[str, tuple[Suggestion, ...] | None] = field(default_factory=dict)
    _keys: dict[Path, list[str]] = field(default_factory=dict)
    _read: dict[Path, tuple[Stamp, list[Row]]] = field(default_factory=dict)
    _unread: dict[Path, list[Note]] = field(default_factory=dict)
    # The files whose answers were all taken.
    _taken: dict[Path, Stamp] = field(default_factory=dict)
    _warned: set[Note] = field(default_factory=set)

    @property
    def format(self) -> Format:
        """The format of the files."""
        return format_of(self.name)

    @property
    def layers(self) -> tuple[str, ...]:
        """The formats have entities, and some have relations."""
        return (ENTS, RELATIONS)

    @property
    def exports(self) -> Path:
        """The folder for the exports of a tool."""
        assert self.folder is not None
        return self.folder / "answers"

    def begin(self, run_dir: Path, nlp: Language) -> None:
        """Make the folders, and read the texts that were asked before."""
        if self.folder is None:
            self.folder = run_dir / "tasks"
        self.exports.mkdir(parents=True, exist_ok=True)
        for path in self._task_files():
            docs = list(iter_docs(_docs_of(path), nlp.vocab))
            self._keys[path] = [doc.user_data.pop(KEY) for doc in docs]
            self._docs |= zip(self._keys[path], docs, strict=True)
            for key, doc in zip(self._keys[path], docs, strict=True):
                shown = doc.user_data.pop(SHOWN, None)
                self._shown[key] = None if shown is None else tuple(Suggestion(*s) for s in shown)

    def advise(self, tasks: Sequence[Task]) -> str:
        """Say which files to label, and where the export goes."""
        lacking = {task.key for task in tasks}
        paths = [path for path in self._task_files() if lacking & set(self._keys.get(path, ()))]
        shown = " and ".join(map(str, paths)) or str(self.folder)
        kinds = Counter[str](note.kind for note in self.notes)
        left = ", ".join(f"{kinds[kind]} {kind}" for kind in WITHOUT if kinds[kind])
        hint = f"; of the answers so far {left}, see the warnings (W640)" if left else ""
        if self.format.in_place:
            return f"label {shown}{hint}"
        tool = f"import {shown} into the tool ({self.name})"
        return f"{tool}, and put its export into {self.exports}{hint}"

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Write tasks that no file has yet, and yield the answers in the files.

        A file that was written is never changed: a person may have labelled it. Answers to tasks of
        earlier rounds are yielded, too: they may have been corrected.

        Warns with W640 of spans that were moved or left out, and of files and answers that can't be
        used, with W540 of lines that can't be read. They are read again when the file changes.
        """
        written = {key for path in self._task_files() for key in self._keys.get(path, ())}
        if new := [task for task in tasks if task.key not in written]:
            self._write(new)
        files = {path: _stamp(path) for path in self._answer_files()}
        if files == self._taken:
            return
        self.notes.clear()
        by_age = sorted(files.items(), key=lambda pair: _age(pair[1]))
        rows = [row for path, stamp in by_age for row in self._rows(path, stamp)]
        pool = {key: _pool_text(key, doc) for key, doc in self._docs.items()}
        related = any(row.relations for row in rows)
        for one in read_answers(rows, pool, self.who, self.notes.append):
            if one.row.state != "not yet" and (answer := self._answer(one.row, related)):
                yield answer
        self._taken = files
        for note in self.notes:
            if note not in self._warned:
                self._warned.add(note)
                warnings.warn(Warnings.W640.format(**vars(note)), stacklevel=2)

    def _write(self, tasks: Sequence[Task]) -> None:
        """Write a new file of tasks. Their docs stand beside it: answers need the same tokens."""
        path = self._free_path(tasks[0].round)
        docs = {task.key: with_key(task.doc.copy(), task.key, {}) for task in tasks}
        for task in tasks:
            if task.suggestions is not None:
                docs[task.key].user_data[SHOWN] = [astuple(one) for one in task.suggestions]
        write_docs(docs.values(), _docs_of(path))
        self.format.write(tasks, path, list(self.rules.labels or ()))
        self._docs |= {task.key: task.doc for task in tasks}
        self._shown |= {task.key: task.suggestions for task in tasks}
        self._keys[path] = list(docs)
        self._taken.clear()  # there may be answers to them already

    def _answer(self, row: Row, related: bool) -> Answer | None:
        """The answer of a row; None where it can't be used, which is noted."""
        doc = None
        if row.state == "labelled":
            text = self._docs[row.key]
            try:
                doc = annotated(row, text, self.rules, self.notes.append, related=related)
            except SeqMixError as err:
                self.notes.append(_refused(row.where, err))
                return None
            if not doc.has_annotation("ENT_IOB"):
                what = "all tags of the text are unknown"
                self.notes.append(Note("refused", row.where, what))
                return None
        seconds = row.seconds if row.seconds is not None and 0 <= row.seconds < inf else None
        return Answer(row.key, doc, row.who, seconds, self._shown.get(row.key))

    def _task_files(self) -> list[Path]:
        assert self.folder is not None
        pattern = f"round-*{self.format.suffix}"
        found = sorted(self.folder.glob(pattern), key=lambda path: path.stem)
        # Copies that a person made have no docs beside them.
        is_folder = not self.format.suffix
        return [p for p in found if p.is_dir() == is_folder and _docs_of(p).exists()]

    def _answer_files(self) -> list[Path]:
        """The files of tasks, where these are labelled in place, and then all exports."""
        exports = [path for path in sorted(self.exports.iterdir()) if path.name[0] != "."]
        return [*(self._task_files() if self.format.in_place else ()), *exports]

    def _free_path(self, number: int) -> Path:
        """A new file for tasks of a round, which may get more tasks in place of skipped ones."""
        assert self.folder is not None
        name, more = f"round-{number:02d}", 1
        while (path := self.folder / f"{name}{self.format.suffix}").exists():
            more += 1
            name = f"round-{number:02d}-more-{more}"
        return path

    def _rows(self, path: Path, stamp: Stamp) -> list[Row]:
        before, rows = self._read.get(path, (None, []))
        if before != stamp:
            when, rows, self._unread[path] = _time(_age(stamp), self.name), [], []
            try:
                found = read_export(path, self.name, skip=True, confirmed=self.confirmed)[1]
                rows += [row if row.when else replace(row, when=when) for row in found]
            except SeqMixError as err:
                self._unread[path].append(_refused(str(path), err))
            self._read[path] = stamp, rows
        self.notes += self._unread[path]
        return rows


def make_files_oracle(
    format: str = "jsonl",
    folder: Path | None = None,
    labels: list[str] | None = None,
    annotators: str | None = None,
    cut: Literal["snap", "refuse"] = "snap",
    overlap: Literal["longest", "refuse"] = "longest",
    confirmed: bool = False,
) -> FilesOracle:
    """Create the oracle that writes tasks to files and reads what people labelled in a tool.

    format (str): brackets, label-studio, prodigy, doccano, brat or jsonl.
    folder (Path | None): where the files are; None for "tasks" in the run folder.
    labels (list[str] | None): refuse other labels than these, and name them in files of tasks; None
        accepts any.
    annotators (str | None): count the answers of this person only.
    cut (str): "snap" moves the ends of spans that cut a token outwards, "refuse" refuses them.
    overlap (str): "longest" keeps the longest of overlapping spans, "refuse" refuses them.
    confirmed (bool): for doccano, whether exports are of confirmed texts only.
    RAISES (SeqMixError): S640 for a format that there is not, S731 for "soft" or "vote", which
        ``ingest`` knows.
    """
    format_of(format)
    if is_joining(annotators):
        raise SeqMixError(Errors.E731.format(how=annotators))
    rules = Rules(cut, overlap, labels)
    return FilesOracle(
        format, None if folder is None else Path(folder), rules, annotators, confirmed
    )


def _refused(where: str, err: SeqMixError) -> Note:
    return Note("refused", where, str(err).removesuffix("."))


def _docs_of(path: Path) -> Path:
    """The file of the docs of a file of tasks."""
    return path.with_name(f".{path.stem}.spacy")


def _pool_text(key: str, doc: Doc) -> PoolText:
    return PoolText(key, doc.text, 0, lambda: doc)


def _age(stamp: Stamp) -> int:
    """When a file, or the newest file of a folder, was changed last, in nanoseconds."""
    return max((changed for _, changed, _ in stamp), default=0)


def _time(nanoseconds: int, name: str) -> str:
    """A time as the answers of a format have it, in a form that sorts."""
    seconds = nanoseconds / 1e9
    if name == "prodigy":
        return sortable(seconds)
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def _stamp(path: Path) -> Stamp:
    """What tells a changed file, or a folder with a changed file, from the same one."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    try:
        stats = [(file.name, file.stat()) for file in files]
    except FileNotFoundError:  # it was just removed or renamed
        return ()
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
