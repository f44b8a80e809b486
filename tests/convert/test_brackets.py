"""Inline bracket markup: read, written, and refused with the place named."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.convert import convert_file, parse_markup, read_brackets, to_markup

SAMPLE = """\
# a comment

[PER Ana Duarte] left [ORG Leeds Rovers].
  No names here, #1 said.
\\# 2 in [LOC Oslo]
\\[sic\\] he wrote of the [MISC \\[Old\\] Cup] .
"""


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


def _read(tmp_path: Path, nlp: Language, text: str) -> list[Doc]:
    path = tmp_path / "in.txt"
    path.write_text(text, "utf8")
    return list(read_brackets(path, nlp))


def _ents(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def test_brackets_read_sentences_and_entities(tmp_path: Path, nlp: Language) -> None:
    docs = _read(tmp_path, nlp, SAMPLE)
    assert [doc.text for doc in docs] == [
        "Ana Duarte left Leeds Rovers.",
        "No names here, #1 said.",
        "# 2 in Oslo",
        "[sic] he wrote of the [Old] Cup .",
    ]
    assert [_ents(doc) for doc in docs] == [
        [("Ana Duarte", "PER"), ("Leeds Rovers", "ORG")],
        [],
        [("Oslo", "LOC")],
        [("[Old] Cup", "MISC")],
    ]
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)
    assert all(not doc.user_data for doc in docs)


def test_brackets_windows_line_ends_and_mark(tmp_path: Path, nlp: Language) -> None:
    docs = _read(tmp_path, nlp, "\ufeff# c\r\n[LOC Oslo] won\r\n\r\nYes\r\n")
    assert [doc.text for doc in docs] == ["Oslo won", "Yes"]


@pytest.mark.parametrize(
    ("line", "code", "offending"),
    [
        ("The [PER Ana left.", "S504", "[PER Ana left."),
        ("The PER Ana] left.", "S504", "The PER Ana]"),
        ("[ORG Bank of [LOC Ghana]]", "S503", "[ORG Bank of ["),
        ("[PER ] left.", "S506", "[PER ]"),
        ("[PER] left.", "S506", "[PER]"),
        ("[] left.", "S505", "[]"),
        ("[Ana Duarte] left.", "S505", "[Ana Duarte]"),
        ("[per Ana] left.", "S505", "[per Ana]"),
        ("[PER An]a left.", "S507", "'An'"),
        ("[PER Ana ]left.", "S506", "[PER Ana ]"),
        ("[PER  Ana] left.", "S506", "[PER  Ana]"),
    ],
)
def test_brackets_refuse_and_name_the_place(
    tmp_path: Path, nlp: Language, line: str, code: str, offending: str
) -> None:
    with pytest.raises(ValueError) as caught:
        _read(tmp_path, nlp, f"# first\n\n{line}\n")
    message = str(caught.value)
    assert message.startswith(f"[{code}]")
    assert "in.txt, line 3" in message
    assert offending in message


def test_brackets_accept_only_the_labels_given() -> None:
    line = "[Justice:Arrest-Jail arrested] him"
    assert parse_markup(line, labels=["Justice:Arrest-Jail"])[1] == [(0, 8, "Justice:Arrest-Jail")]
    with pytest.raises(ValueError, match=r"S505.*PER"):
        parse_markup("[LOC Oslo] won", labels=["PER"])


def test_brackets_markup_is_the_inverse(tmp_path: Path, nlp: Language) -> None:
    docs = _read(tmp_path, nlp, SAMPLE)
    again = _read(tmp_path, nlp, "\n".join(map(to_markup, docs)))
    assert [doc.text for doc in again] == [doc.text for doc in docs]
    assert [_ents(doc) for doc in again] == [_ents(doc) for doc in docs]


@given(data=st.data())
def test_brackets_markup_round_trip_of_any_text(data: st.DataObject) -> None:
    words = st.text(alphabet="ab[]\\# é", min_size=1).map(str.strip).filter(bool)
    texts = data.draw(st.lists(words, min_size=1, max_size=6))
    doc = Doc(spacy.blank("en").vocab, words=texts, spaces=[True] * (len(texts) - 1) + [False])
    start = data.draw(st.integers(0, len(doc) - 1))
    doc.set_ents([Span(doc, start, data.draw(st.integers(start + 1, len(doc))), "PER")])
    line = to_markup(doc)
    text, spans = parse_markup(line)
    assert not line.startswith("#")
    assert text == doc.text
    assert spans == [(e.start_char, e.end_char, e.label_) for e in doc.ents]


def test_brackets_markup_refuses_what_a_line_cannot_hold(nlp: Language) -> None:
    with pytest.raises(ValueError, match="S508"):
        to_markup(nlp("One.\nTwo."))
    doc = nlp("Ana left")
    doc.set_ents([Span(doc, 0, 1, "TWO WORDS")])
    with pytest.raises(ValueError, match="S505"):
        to_markup(doc)


def test_convert_brackets_writes_all_or_nothing(tmp_path: Path, nlp: Language) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "new" / "out.spacy"
    source.write_text(SAMPLE, "utf8")
    assert convert_file(source, target, "brackets").docs == 4
    before = target.read_bytes()
    assert [len(d.ents) for d in DocBin().from_disk(target).get_docs(nlp.vocab)] == [2, 0, 1, 1]
    for bad, code in (("[PER", "S504"), ("# nothing\n\n", "S502")):
        source.write_text(bad, "utf8")
        with pytest.raises(ValueError, match=code):
            convert_file(source, target, "brackets")
        assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["out.spacy"]


def test_convert_brackets_unreadable_input(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"S\xe3o Paulo")
    for name in ("latin.txt", "missing.txt"):
        with pytest.raises(ValueError, match="S501"):
            convert_file(tmp_path / name, tmp_path / "out.spacy", "brackets")


def test_convert_command(tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.spacy"
    source.write_text(SAMPLE, "utf8")
    done = CliRunner().invoke(app, ["convert", str(source), str(target), "--labels", "PER, ORG"])
    assert done.exit_code == 1
    assert not target.exists()
    done = CliRunner().invoke(app, ["convert", str(source), str(target)])
    assert done.exit_code == 0, done.output
    assert len(DocBin().from_disk(target)) == 4
    assert CliRunner().invoke(app, ["convert", str(source), str(target), "-l", "xq"]).exit_code == 1


def test_brackets_skip_leaves_out_lines(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("[PER Ana left.\n[PER Bo] left.\n[per Cy] left.\n", "utf8")
    with pytest.warns(UserWarning, match=r"W540.*line [13]") as caught:
        assert len(list(read_brackets(source, spacy.blank("en"), skip=True))) == 1
    assert len(caught) == 2


def test_brackets_other_capitals_name_the_option(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"S505.*ЛИЦО.*--labels"):
        parse_markup("[ЛИЦО Анна] ушла.")
    assert parse_markup("[ЛИЦО Анна] ушла.", labels=["ЛИЦО"]) == ("Анна ушла.", [(0, 4, "ЛИЦО")])
