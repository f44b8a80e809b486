"""Sentences with two marked nominals, in both forms."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.cli import app
from spacy_seqmix.convert import read_semeval

SAMPLE = (
    '1\t"The <e1>frost</e1> split the old <e2>pipe</e2>."\r\n'
    "Cause-Effect(e1,e2)\r\n"
    "Comment: made up\r\n"
    "\r\n"
    '2\t"A "<e1>shelf</e1>" of <e2>oak boards</e2> fell."\r\n'
    "Component-Whole(e2,e1)\r\n"
    "Comment:\r\n"
    "\r\n"
    '3\t"The <e2>tea</e2> is for the <e1>guests</e1>."\r\n'
    "Other\r\n"
    "Comment:\r\n"
)
TABBED = (
    "Cause-Effect(e1,e2)\tThe <e1> frost </e1> split the old <e2> pipe </e2>.\n"
    'Component-Whole(e2,e1)\tA "<e1> shelf </e1>" of <e2> oak boards </e2> fell.\n'
    "Other\tThe <e2> tea </e2> is for the <e1> guests </e1>.\n"
)


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


def _read(tmp_path: Path, nlp: Language, text: str) -> list[Doc]:
    path = tmp_path / "in.txt"
    path.write_bytes(text.encode("utf8"))
    return list(read_semeval(path, nlp))


@pytest.mark.parametrize("text", [SAMPLE, TABBED], ids=["original", "tabbed"])
def test_semeval_both_forms(tmp_path: Path, nlp: Language, text: str) -> None:
    docs = _read(tmp_path, nlp, text)
    assert [doc.text for doc in docs] == [
        "The frost split the old pipe.",
        'A "shelf" of oak boards fell.',
        "The tea is for the guests.",
    ]
    assert [[e.text for e in doc.ents] for doc in docs] == [
        ["frost", "pipe"],
        ["shelf", "oak boards"],
        ["tea", "guests"],
    ]
    assert {e.label_ for doc in docs for e in doc.ents} == {"NOMINAL"}
    assert [doc._.relations for doc in docs] == [
        (Relation((1, 2), (5, 6), "Cause-Effect"),),
        (Relation((5, 7), (2, 3), "Component-Whole"),),
        (),
    ]


def test_semeval_part_of_a_token_stands_for_it(tmp_path: Path, nlp: Language) -> None:
    (doc,) = _read(tmp_path, nlp, "Is-Of(e1,e2)\t<e1>ice</e1>2cream is a <e2>sweet</e2>")
    assert [e.text for e in doc.ents] == ["ice2cream", "sweet"]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('1\t"A <e1>b</e1> c."\nOther\n', "S535", 1),
        ('\n1\t"A <e1>b</e1> <e1>c</e1>."\nOther\n', "S535", 2),
        ("Other\tA <e1>b</e1> <e2> </e2> c", "S535", 1),
        ("Other\tA <e1>b</e2> <e2>c</e2>", "S535", 1),
        ("Other\tA <e1>b</e1> <e2>c</e2> <e1>d</e1>", "S535", 1),
        ('1\t"<e1>b</e1> <e2>c</e2>."\nCause(e1,e1)\n', "S536", 2),
        ('1\t"<e1>b</e1> <e2>c</e2>."\nCause\n', "S536", 2),
        ('1\t"<e1>b</e1> <e2>c</e2>."', "S536", 1),
        ("<e1>b</e1> <e2>c</e2>", "S537", 1),
        ("Other\tA <e1>b</e1>x<e2>c</e2>", "S539", 1),
    ],
)
def test_semeval_refuse_and_name_the_place(
    tmp_path: Path, nlp: Language, text: str, code: str, line: int
) -> None:
    with pytest.raises(ValueError) as caught:
        _read(tmp_path, nlp, text)
    assert str(caught.value).startswith(f"[{code}]")
    assert f"in.txt, line {line}" in str(caught.value)


def test_semeval_command(tmp_path: Path, nlp: Language) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.spacy"
    source.write_text(SAMPLE, "utf8")
    command = ["convert", str(source), str(target), "-f", "semeval"]
    assert CliRunner().invoke(app, command).exit_code == 0
    docs = list(DocBin().from_disk(target).get_docs(nlp.vocab))
    assert [len(doc._.relations) for doc in docs] == [1, 1, 0]
    done = CliRunner().invoke(app, [*command, "--no-relation", "Other,Cause-Effect"])
    assert done.exit_code == 0
    docs = list(DocBin().from_disk(target).get_docs(nlp.vocab))
    assert [len(doc._.relations) for doc in docs] == [0, 1, 0]


def test_semeval_reads_long_lines_in_linear_time(nlp: Language, tmp_path: Path) -> None:
    """A quadratic reader would take minutes."""
    source = tmp_path / "in.txt"
    source.write_text("Other\t" + "<e1>" * 100_000, "utf8")
    with pytest.raises(ValueError, match="S535"):
        list(read_semeval(source, nlp))


def test_semeval_skip_leaves_out_sentences(nlp: Language, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("nothing\nOther\tA <e1>b</e1> c.\nOther\tA <e1>b</e1> <e2>c</e2>.\n", "utf8")
    with pytest.warns(UserWarning, match="W540") as caught:
        assert len(list(read_semeval(source, nlp, skip=True))) == 1
    assert len(caught) == 2
