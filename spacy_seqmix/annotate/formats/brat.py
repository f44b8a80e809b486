"""brat's standoff: a folder with a .txt and an .ann file for each text.

brat has no place for a state. So each text that is written begins with a mark TODO on its first
word: remove it when the text is labelled, or change it to SKIP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...annotation.texts import not_utf8
from ...convert.files import attempt
from ...errors import Errors, SeqMixError, SeqMixFileError
from ...files import replacing_folder
from ...types import Task
from ..rows import CharSpan, Row, State, suggested

__all__ = ["read_brat", "write_brat"]

TODO, SKIP = "TODO", "SKIP"
_SPAN = re.compile(r"(?P<label>\S+) (?P<places>\d+ \d+(?:;\d+ \d+)*)")
_RELATION = re.compile(r"(?P<label>\S+) \w+:(?P<head>T\d+) \w+:(?P<tail>T\d+)\s*")
# Keys of tasks, as names of files.
_KEY = re.compile(r"\d+-[0-9a-f]{10}")
# What brat allows in the name of a label.
_NAME = re.compile(r"[\w-]+")
CONF = "[entities]\n{labels}\n{todo}\n{skip}\n\n[relations]\n\n[events]\n\n[attributes]\n"


def write_brat(tasks: Sequence[Task], path: Path, labels: Sequence[str]) -> None:
    """Write a folder; confidences are notes on the suggestions.

    RAISES (SeqMixError): S650 for a label that brat can't show.
    """
    used = sorted({one.label for task in tasks for one in suggested(task)}.difference(labels))
    names = [*labels, *used]
    for label in names:
        if not _NAME.fullmatch(label) or label in (TODO, SKIP):
            raise SeqMixError(Errors.E650.format(label=label, format="brat"))
    with replacing_folder(path) as folder:
        conf = CONF.format(labels="\n".join(names), todo=TODO, skip=SKIP)
        (folder / "annotation.conf").write_text(conf, encoding="utf8")
        for task in tasks:
            for suffix, text in ((".txt", task.doc.text), (".ann", _standoff(task))):
                (folder / f"{task.key}{suffix}").write_bytes(text.encode("utf8"))


def _standoff(task: Task) -> str:
    first = next((token for token in task.doc if not token.is_space), None)
    lines = []
    if first is not None:
        lines.append(f"T1\t{TODO} {first.idx} {first.idx + len(first)}\t{first.text}")
        if task.note:
            lines.append(f"#1\tAnnotatorNotes T1\t{' '.join(task.note.split())}")
    for n, one in enumerate(suggested(task), start=2):
        text = " ".join((one.text or "").split("\n"))
        lines.append(f"T{n}\t{one.label} {one.start} {one.end}\t{text}")
        if one.confidence is not None:
            lines.append(f"#{n}\tAnnotatorNotes T{n}\tconfidence {one.confidence:.2f}")
    return "".join(f"{line}\n" for line in lines)


def read_brat(path: Path, *, skip: bool = False) -> Iterator[Row]:
    """Read a folder. A text without an .ann file is not labelled yet.

    RAISES (SeqMixError): S501 and S646.
    """
    for text_path in sorted(path.glob("*.txt"), key=_in_order):
        row = attempt(skip, _row, text_path)
        if row is not None:
            yield row


def _in_order(path: Path) -> tuple[int, str]:
    number = path.name.partition("-")[0]
    return (int(number) if number.isdecimal() else -1, path.name)


def _row(text_path: Path) -> Row:
    ann = text_path.with_suffix(".ann")
    key = text_path.stem if _KEY.fullmatch(text_path.stem) else ""
    text = _read(text_path)
    if not ann.exists():
        return Row(str(ann), text, "not yet", key)
    spans: dict[str, CharSpan] = {}
    relations: list[tuple[str, str, str]] = []
    notes: list[str] = []
    state: State = "labelled"
    for number, line in enumerate(_read(ann).split("\n"), start=1):
        where = f"{ann}, line {number}"
        name, _, rest = line.removesuffix("\r").partition("\t")
        if name.startswith("T"):
            span, label, note = _span(rest, text, where)
            notes += [note] if note else []
            if label in (TODO, SKIP):
                state = "not yet" if label == TODO else "skipped"
            elif span is not None:
                spans[name] = span
        elif name.startswith("R"):
            found = _RELATION.fullmatch(rest)
            if found is None:
                what = f"{line!r} is no relation"
                raise SeqMixError(Errors.E646.format(where=where, what=what))
            relations.append((found["head"], found["tail"], found["label"]))
        elif name and name[0] not in "#AM*":  # notes, attributes, groups
            notes.append(f"line {number}: {line!r}")
    numbers = {name: n for n, name in enumerate(spans)}
    kept = [r for r in relations if {r[0], r[1]} <= numbers.keys()]
    notes += [
        f"the relation {r[2]!r}: an end of it was left out" for r in relations if r not in kept
    ]
    return Row(
        str(ann),
        text,
        state,
        key,
        spans=tuple(spans.values()),
        relations=tuple((numbers[head], numbers[tail], label) for head, tail, label in kept),
        notes=tuple(notes),
    )


def _span(rest: str, text: str, where: str) -> tuple[CharSpan | None, str, str]:
    """A text-bound annotation, its label, and a note where it can't be kept."""
    place, _, recorded = rest.partition("\t")
    found = _SPAN.fullmatch(place)
    if found is None:
        raise SeqMixError(Errors.E646.format(where=where, what=f"{rest!r} is no annotation"))
    numbers = [int(n) for part in found["places"].split(";") for n in part.split()]
    gaps = zip(numbers[1::2], numbers[2::2], strict=False)
    start, end, label = numbers[0], numbers[-1], found["label"]
    if any(text[a:b].strip() for a, b in gaps):  # brat also splits spans at line feeds
        return None, label, f"{recorded!r} ({label}), which has a gap"
    return CharSpan(start, end, label, text=recorded), label, ""


def _read(path: Path) -> str:
    """A file as it is: offsets count its characters, also those of the ends of lines."""
    try:
        return path.read_bytes().decode("utf8")
    except UnicodeDecodeError as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=not_utf8(error))) from error
    except OSError as error:
        raise SeqMixFileError(Errors.E501.format(path=path, reason=error.strerror)) from error
