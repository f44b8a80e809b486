"""A file of tasks in a text editor, and what goes wrong there."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from spacy_seqmix.annotate.formats.brackets import read_brackets, write_brackets
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.convert.brackets import parse_markup, to_escaped_markup
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Suggestion, Task

NLP = spacy.blank("en")
TEXTS = ["Ana [sic] left\nOslo.", "Bo came."]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tasks = [
        Task(task_key(n, text), NLP.make_doc(text), 0, (Suggestion(0, 1, "PER", 0.875),))
        for n, text in enumerate(TEXTS)
    ]
    write_brackets(tasks, tmp_path / "tasks.txt", ["PER", "big place"])
    return tmp_path / "tasks.txt"


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf8")


def test_brackets_tasks_can_be_read_by_a_person(path: Path) -> None:
    key = task_key(0, TEXTS[0])
    entry = f"\n# todo {key}  suggested with confidence 0.88\n[PER Ana] \\[sic\\] left\\nOslo.\n"
    text = path.read_text("utf8")
    assert entry in text
    assert "# Labels: PER, big\\_place\n" in text


def test_brackets_tasks_are_corrected_in_place(path: Path) -> None:
    edit(path, "# todo 0", "# DONE 0")
    edit(path, "[PER Ana] \\[sic\\] left\\nOslo.", "Ana \\[sic\\] left\\n[big\\_place Oslo].  ")
    first, second = read_brackets(path)
    assert (first.state, first.text) == ("labelled", TEXTS[0])
    assert [(s.start, s.end, s.label, s.text) for s in first.spans] == [
        (15, 19, "big place", "Oslo")
    ]
    assert (second.state, second.key) == ("not yet", task_key(1, TEXTS[1]))


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("# todo 1", "# finished 1", "S646"),
        ("Oslo.", "Oslo.\nand more", "S646"),  # an editor breaks a line
        ("[PER Bo]", "[PER Bo", "S504"),
        ("[PER Bo]", "[Bo]", "S506"),
        ("[PER Bo]", "[PER [LOC Bo]]", "S503"),
    ],
)
def test_brackets_tasks_that_are_damaged_name_the_line(
    path: Path, before: str, after: str, code: str
) -> None:
    edit(path, before, after)
    with pytest.raises(SeqMixError, match=rf"\[{code}\] .*tasks\.txt, line \d+") as caught:
        list(read_brackets(path))
    assert "\n" not in str(caught.value)
    with pytest.warns(UserWarning, match="W540"):
        assert len(list(read_brackets(path, skip=True))) == (2 if "more" in after else 1)


def test_brackets_tasks_survive_other_line_ends(path: Path) -> None:
    text = path.read_text("utf8")
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode("utf8"))
    assert [row.text for row in read_brackets(path)] == TEXTS


@pytest.mark.parametrize("number", ["D800", "DFFF", "110000", "FFFFFF"])
def test_brackets_take_no_escape_for_what_is_no_character(number: str) -> None:
    assert parse_markup(f"a\\u{{{number}}}b", escaped=True)[0] == f"a\\u{{{number}}}b"


@pytest.mark.parametrize(
    "text",
    [" ", "\n", "\t\u2028", "a\u2028b\x0cc\x85d\x1ee", "", "\\", "\\n", "\\u{41}", "#", "]["],
)
def test_brackets_escape_any_text(text: str) -> None:
    line = to_escaped_markup(text, [])
    assert line == line.strip()
    assert len(line.splitlines()) <= 1
    assert parse_markup(line, escaped=True) == (text, [])
