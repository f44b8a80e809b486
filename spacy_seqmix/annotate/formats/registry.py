"""The formats of annotation tools, and how to detect one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ...annotation.texts import read_lines
from ...convert import first_row, has_markup, tool_of
from ...errors import Errors, SeqMixError
from ...types import Task
from ..rows import Row
from .brackets import HEADER, read_brackets, write_brackets
from .brat import read_brat, write_brat
from .doccano import read_doccano, write_doccano
from .jsonl import read_jsonl, write_jsonl
from .label_studio import read_label_studio, write_label_studio
from .prodigy import read_prodigy, write_prodigy

__all__ = ["FORMATS", "Format", "detect", "format_of", "read_export"]


Writer: TypeAlias = Callable[[Sequence[Task], Path, Sequence[str]], None]


@dataclass(frozen=True)
class Format:
    """A format of tasks and of answers.

    write (Callable): (tasks, path, labels that there are); the file appears whole or not at all.
    read (Callable): (path, skip) -> rows.
    suffix (str): of the file of tasks; empty where it is a folder.
    in_place (bool): whether the file of tasks itself can be labelled, without an export.
    """

    write: Writer
    read: Callable[..., Iterator[Row]]
    suffix: str
    in_place: bool = False


def _plain(write: Callable[[Sequence[Task], Path], None]) -> Writer:
    """A writer for a tool that has the labels in its own settings."""
    return lambda tasks, path, labels: write(tasks, path)


FORMATS: dict[str, Format] = {
    "brackets": Format(write_brackets, read_brackets, ".txt", in_place=True),
    "label-studio": Format(_plain(write_label_studio), read_label_studio, ".json"),
    "prodigy": Format(_plain(write_prodigy), read_prodigy, ".jsonl"),
    "doccano": Format(_plain(write_doccano), read_doccano, ".jsonl"),
    "brat": Format(write_brat, read_brat, "", in_place=True),
    "jsonl": Format(_plain(write_jsonl), read_jsonl, ".jsonl", in_place=True),
}


def format_of(name: str) -> Format:
    """A format by its name. RAISES (SeqMixError): S640."""
    if name not in FORMATS:
        raise SeqMixError(
            Errors.E640.format(what=f"There is no format {name!r}", formats=", ".join(FORMATS))
        )
    return FORMATS[name]


def detect(path: Path) -> str:
    """The format of an export, by its content. RAISES (SeqMixError): S501, S640."""
    if path.is_dir():
        if any(path.glob("*.txt")):
            return "brat"
    else:
        lines = [line for line in read_lines(path) if line.strip()]
        row = first_row(lines)
        if isinstance(row, dict | list):
            if (name := tool_of(row)) is not None:
                return name
            if row == [] or (isinstance(row, dict) and isinstance(row.get("text"), str)):
                return "label-studio" if row == [] else "jsonl"
        elif any(map(_is_markup, lines)):
            return "brackets"
    raise SeqMixError(
        Errors.E640.format(what=f"The format of {path} is not known", formats=", ".join(FORMATS))
    )


def _is_markup(line: str) -> bool:
    return HEADER.fullmatch(line.strip()) is not None or has_markup(line)


def read_export(
    path: Path, name: str | None = None, *, skip: bool = False, confirmed: bool = False
) -> tuple[str, Iterator[Row]]:
    """Read an export.

    name (str | None): its format; None to detect it.
    skip (bool): leave out what can't be read, with a warning each.
    confirmed (bool): for doccano, whether the export is of confirmed texts only.
    RETURNS (tuple): the format, and its rows.
    RAISES (SeqMixError): S640, and those of the reader.
    """
    name = name or detect(path)
    read = format_of(name).read
    if name == "doccano":
        read = partial(read, confirmed=confirmed)
    return name, read(path, skip=skip)
