"""Spans of characters on tokens: offsets, cuts, overlaps, texts that were changed a little."""

from __future__ import annotations

from dataclasses import replace

import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.annotate.offsets import TextMap
from spacy_seqmix.annotate.place import Note, Rules, annotated
from spacy_seqmix.annotate.rows import CharSpan, Row
from spacy_seqmix.errors import SeqMixError

NLP = spacy.blank("en")


def place(row: Row, text: str | None = None, rules: Rules | None = None) -> tuple[Doc, list[Note]]:
    notes: list[Note] = []
    doc = NLP.make_doc(row.text if text is None else text)
    return annotated(row, doc, rules or Rules(), notes.append), notes


def labelled(text: str, *spans: CharSpan) -> Row:
    return Row("in.json, task 3", text, "labelled", spans=spans)


def found(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


TEXT = "🚀 Ana left Oslo 🚀 Bo came back."


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("unit", ["code points", "UTF-16"])
def test_offsets_count_what_fits(unit: str, recorded: bool) -> None:
    spans = []
    for part in ("Ana", "Oslo", "Bo"):
        start = TEXT.index(part)
        if unit == "UTF-16":
            start = len(TEXT[:start].encode("utf-16-le")) // 2
        spans.append(CharSpan(start, start + len(part), "X", text=part if recorded else None))
    doc, notes = place(labelled(TEXT, *spans))
    assert found(doc) == [("Ana", "X"), ("Oslo", "X"), ("Bo", "X")]
    assert [note.kind for note in notes] == (["offsets"] if unit == "UTF-16" else [])


def test_offsets_count_a_line_end_as_one() -> None:
    doc, _ = place(labelled("Ana\r\nleft\r\nOslo.", CharSpan(9, 13, "LOC", text="Oslo")))
    assert found(doc) == [("Oslo", "LOC")]


@pytest.mark.parametrize(
    "span",
    [
        CharSpan(2, 5, "PER", text="Bob"),
        CharSpan(2, 500, "PER"),
        CharSpan(-3, 5, "PER"),
        CharSpan(5, 2, "PER"),
        CharSpan(2, 2, "PER"),
        CharSpan(10**30, 10**30 + 3, "PER"),
    ],
)
def test_offsets_that_fit_nothing_are_refused(span: CharSpan) -> None:
    with pytest.raises(SeqMixError, match=r"\[S641\] in.json, task 3") as caught:
        place(labelled(TEXT, CharSpan(2, 5, "PER", text="Ana"), span))
    assert f"{span.start} to {span.end} (PER) is " in str(caught.value)
    assert "Ana left Oslo" in str(caught.value)
    in_text = 0 <= span.start < span.end <= len(TEXT)
    assert ("is not in the text of" not in str(caught.value)) == in_text


def test_offsets_of_two_units_are_refused_together() -> None:
    spans = CharSpan(1, 4, "X", text="Ana"), CharSpan(6, 10, "X", text="Oslo")
    with pytest.raises(SeqMixError, match="and the other spans do not fit the text"):
        place(labelled("😀Ana Oslo", *spans))


def test_place_snaps_a_span_that_cuts_a_token() -> None:
    doc, (note,) = place(labelled("Ana Duarte left.", CharSpan(1, 6, "PER")))
    assert found(doc) == [("Ana Duarte", "PER")]
    assert (note.kind, note.where) == ("snapped", "in.json, task 3")
    assert "'na Du' (PER) to 'Ana Duarte'" in note.what
    assert "Ana Duarte left." in note.what


def test_place_refuses_a_span_that_cuts_a_token() -> None:
    with pytest.raises(SeqMixError, match=r"\[S643\] in.json, task 3: 'na Du' \(PER\)"):
        place(labelled("Ana Duarte left.", CharSpan(1, 6, "PER")), rules=Rules(cut="refuse"))


def test_place_leaves_blanks_out_of_spans() -> None:
    doc, notes = place(labelled("A  Ana \n left.", CharSpan(1, 8, "PER"), CharSpan(6, 9, "LOC")))
    assert found(doc) == [("Ana", "PER")]
    assert [note.kind for note in notes] == ["dropped"]
    assert "is blank" in notes[0].what


OVERLAPPING = labelled(
    "Ana Duarte of Oslo", CharSpan(0, 3, "PER"), CharSpan(0, 10, "PER"), CharSpan(4, 18, "ORG")
)


def test_place_keeps_the_longest_of_overlapping_spans() -> None:
    doc, notes = place(OVERLAPPING)
    assert found(doc) == [("Ana", "PER"), ("Duarte of Oslo", "ORG")]
    assert [note.what for note in notes] == [
        "'Ana Duarte' (PER) overlaps with 'Duarte of Oslo' (ORG)"
    ]


def test_place_refuses_overlapping_spans() -> None:
    with pytest.raises(SeqMixError, match=r"\[S644\] in.json, task 3"):
        place(OVERLAPPING, rules=Rules(overlap="refuse"))


def test_place_takes_the_same_span_twice_without_a_word() -> None:
    span = CharSpan(0, 3, "PER")
    doc, notes = place(labelled("Ana left.", span, span))
    assert found(doc) == [("Ana", "PER")]
    assert notes == []


def test_place_refuses_a_label_that_there_is_not() -> None:
    row = labelled("Ana left.", CharSpan(0, 3, "PRE"))
    with pytest.raises(SeqMixError, match=r"\[S645\].*'PRE'.*Did you mean 'PER'"):
        place(row, rules=Rules(labels=["PER", "LOC"]))


def test_place_keeps_missing_tags() -> None:
    row = replace(labelled("Ana left Oslo now", CharSpan(9, 13, "LOC")), unknown=((0, 13),))
    doc, _ = place(row)
    assert [token.ent_iob for token in doc] == [0, 0, 3, 2]


def test_place_changes_nothing_of_the_doc_that_it_is_given() -> None:
    doc = NLP.make_doc("Ana left.")
    annotated(labelled("Ana left.", CharSpan(0, 3, "PER")), doc, Rules(), print)
    assert not doc.has_annotation("ENT_IOB")


CHANGED = {
    "line ends": ("one\r\nAna\r\nleft", "one\nAna\nleft"),
    "carriage returns": ("one\rAna\rleft", "one\nAna\nleft"),
    "byte order mark": ("\ufeffone Ana left", "one Ana left"),
    "decomposed": ("Zoë and Ana", "Zoe\u0308 and Ana"),
    "composed": ("Zoe\u0308 a\u030a and Ana", "Zoë å and Ana"),
    "order of marks": ("q\u0307\u0323 Ana", "q\u0323\u0307 Ana"),
}


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("back", [True, False])
def test_texts_that_mean_the_same_are_joined(name: str, back: bool) -> None:
    own, tool = CHANGED[name][::-1] if back else CHANGED[name]
    start = tool.index("Ana")
    doc, _ = place(labelled(tool, CharSpan(start, start + 3, "PER", text="Ana")), own)
    assert doc.text == own
    assert found(doc) == [("Ana", "PER")]


def test_texts_map_whole_letters() -> None:
    text_map = TextMap("Zoe\u0308 x", "Zoë x")
    assert text_map.exists
    assert text_map(0, 4) == (0, 3)
    assert text_map(2, 4) == (2, 3)
    assert text_map(5, 6) == (4, 5)


@pytest.mark.parametrize("text", ["Ana  left", "ana left", "Ana left.", "\u0041na lefť"])
def test_texts_that_differ_are_refused(text: str) -> None:
    assert not TextMap("Ana left", text).exists
    with pytest.raises(SeqMixError, match=r"\[S642\] in.json, task 3"):
        place(labelled(text), "Ana left")
