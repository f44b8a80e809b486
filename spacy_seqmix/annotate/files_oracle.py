"""The oracle that asks by files: it writes tasks, a person labels them in a tool, it reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, TypeAlias

from spacy.language import Language

from ..annotation.layers import ENTS, RELATIONS
from ..errors import Errors, SeqMixError
from ..types import Answer, Oracle, Task
from .annotators import is_joining
from .formats import Format, format_of, read_export
from .formats.prodigy import sortable
from .place import Note, Rules
from .rows import Row
from .sent import Sent, refused

__all__ = ["FilesOracle", "make_files_oracle"]

# What a file was when it was read: unchanged ones are not read again.
Stamp: TypeAlias = tuple[tuple[str, int, int], ...]


@dataclass
class FilesOracle(Oracle):
    """Writes the tasks of each round to a file, and reads what people labelled.

    name (str): the format.
    folder (Path | None): where the files are; None for "tasks" in the run folder.
    sent (Sent): the texts that were asked.
    confirmed (bool): for doccano, whether exports are of confirmed texts only.
    """

    name: str
    folder: Path | None
    sent: Sent
    confirmed: bool = False
    # The keys of each file of tasks.
    _keys: dict[Path, list[str]] = field(default_factory=dict)
    _read: dict[Path, tuple[Stamp, list[Row]]] = field(default_factory=dict)
    _unread: dict[Path, list[Note]] = field(default_factory=dict)
    # The files whose answers were all taken.
    _taken: dict[Path, Stamp] = field(default_factory=dict)

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
            self._keys[path] = self.sent.read(_docs_of(path), nlp)

    def advise(self, tasks: Sequence[Task]) -> str:
        """Say which files to label, and where the export goes."""
        lacking = {task.key for task in tasks}
        paths = [path for path in self._task_files() if lacking & set(self._keys.get(path, ()))]
        shown = " and ".join(map(str, paths)) or str(self.folder)
        hint = self.sent.left_out()
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
        self.sent.notes.clear()
        by_age = sorted(files.items(), key=lambda pair: _age(pair[1]))
        yield from self.sent.answers(
            [row for path, stamp in by_age for row in self._rows(path, stamp)]
        )
        self._taken = files
        self.sent.warn()

    def _write(self, tasks: Sequence[Task]) -> None:
        """Write a new file of tasks. Their docs stand beside it: answers need the same tokens."""
        path = self._free_path(tasks[0].round)
        self.sent.write(tasks, _docs_of(path))
        self.format.write(tasks, path, list(self.sent.rules.labels or ()))
        self._keys[path] = [task.key for task in tasks]
        self._taken.clear()  # there may be answers to them already

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
                self._unread[path].append(refused(str(path), err))
            self._read[path] = stamp, rows
        self.sent.notes += self._unread[path]
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
        format, None if folder is None else Path(folder), Sent(rules, annotators), confirmed
    )


def _docs_of(path: Path) -> Path:
    """The file of the docs of a file of tasks."""
    return path.with_name(f".{path.stem}.spacy")


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
