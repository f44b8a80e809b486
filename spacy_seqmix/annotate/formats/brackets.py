r"""Brackets in a text editor: a file of tasks that is labelled in place.

    # todo 12-5f2a7c91d0
    [PER Ana Duarte] left Leeds.

A person writes the brackets, and changes the word `todo` to `done`, or to `skip`. What can't be
seen is escaped: \n, \r, \t, \u{FEFF}, a blank in a label as \_. In a file without such lines, as
`spacy seqmix convert` reads it, all lines are labelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...convert.brackets import BLANK, parse_markup, to_escaped_markup
from ...convert.files import attempt, read_lines
from ...errors import Errors, SeqMixError
from ...files import replacing
from ...types import Task
from ..rows import CharSpan, Row, State, suggested

__all__ = ["HEADER", "read_brackets", "write_brackets"]

HEADER = re.compile(r"#\s*(?P<state>\w+)\s+(?P<key>\d+-[0-9a-f]{10})\b.*")
STATES: dict[str, State] = {"todo": "not yet", "done": "labelled", "skip": "skipped"}
HELP = """\
# Put what is to be labelled into brackets, after its label: [PER Ana Duarte] left Leeds.
# Then write done in place of todo above the text, or skip for a text that you leave out.
# A bracket or a backslash of the text itself has a backslash in front: \\[sic\\].
"""


def write_brackets(tasks: Sequence[Task], path: Path, labels: Sequence[str]) -> None:
    """Write tasks, with the suggestions in brackets and their confidence in the line above."""
    names = ", ".join(to_escaped_markup(label, ()).replace(" ", BLANK) for label in labels)
    with replacing(path) as temporary:
        text = (
            HELP
            + f"# Labels: {names}\n" * bool(labels)
            + "".join(f"\n{_entry(task)}" for task in tasks)
        )
        temporary.write_bytes(text.encode("utf8"))


def _entry(task: Task) -> str:
    spans = suggested(task)
    sure = [f"{one.confidence:.2f}" for one in spans if one.confidence is not None]
    note = f"  suggested with confidence {', '.join(sure)}" if sure else ""
    text = to_escaped_markup(task.doc.text, [(one.start, one.end, one.label) for one in spans])
    remark = f"# {' '.join(task.note.split())}\n" if task.note else ""
    return f"{remark}# todo {task.key}{note}\n{text}\n"


def read_brackets(path: Path, *, skip: bool = False) -> Iterator[Row]:
    """Read a file of tasks, or one of bracket markup.

    RAISES (SeqMixError): S501, S503 to S506, and S646 for a word that is no state.
    """
    lines = read_lines(path)
    is_task_file = any(HEADER.fullmatch(line.strip()) for line in lines)
    key = word = ""
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if header := HEADER.fullmatch(line):
            key, word = header["key"], header["state"].lower()
        elif line and line != "#" and not line.startswith("# "):
            where = f"{path}, line {number}"
            row = attempt(skip, _row, line, where, key, word, escaped=is_task_file)
            key = word = ""
            if row is not None:
                yield row


def _row(line: str, where: str, key: str, word: str, *, escaped: bool) -> Row:
    what = ""
    if escaped and not key:
        what = "the line above has no key; a text is one line, and may not be broken"
    elif word and word not in STATES:
        what = f"{word!r} is none of {', '.join(STATES)}"
    if what:
        raise SeqMixError(Errors.E646.format(where=where, what=what))
    text, spans = parse_markup(line, where=where, escaped=escaped)
    marked = tuple(CharSpan(*span, text=text[span[0] : span[1]]) for span in spans)
    return Row(where, text, STATES[word or "done"], key, spans=marked)
