"""Files as the tools write them, with the traps of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_seqmix.annotate.formats import detect, read_export
from spacy_seqmix.annotate.ingest import Ingested, ingest
from spacy_seqmix.annotate.place import REJECTED, Rules
from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.texts import EXTRA_KEY, KEY

FILES = Path(__file__).parent / "exports"


@pytest.fixture
def nlp() -> Language:
    return spacy.blank("en")


def taken(nlp: Language, name: str, who: str | None = None, *, confirmed: bool = False) -> Ingested:
    found, rows = read_export(FILES / name, confirmed=confirmed)
    return ingest(found, rows, nlp, None, Rules(), annotators=who)


def ents(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def missing(doc: Doc) -> list[str]:
    return [token.text for token in doc if not token.ent_iob]


def noted(made: Ingested, kind: str) -> list[str]:
    return [f"{note.where}: {note.what}" for note in made.notes if note.kind == kind]


@pytest.mark.parametrize(
    ("name", "format", "counts"),
    [
        ("brackets.txt", "brackets", "2 labelled (1 of them empty), 1 skipped, 1 not yet"),
        ("label-studio.json", "label-studio", "4 labelled (1 of them empty), 1 skipped, 2 not yet"),
        ("label-studio-min.json", "label-studio", "2 labelled (1 of them empty), 0 skipped, 0"),
        ("prodigy.jsonl", "prodigy", "3 labelled (1 of them empty, 1 in part), 2 skipped, 0"),
        ("doccano.jsonl", "doccano", "2 labelled, 0 skipped, 2 not yet"),
        ("doccano-relations.jsonl", "doccano", "1 labelled, 0 skipped, 0 not yet"),
        ("brat", "brat", "2 labelled (1 of them empty), 1 skipped, 2 not yet"),
        ("answers.jsonl", "jsonl", "3 labelled (1 of them empty, 1 in part), 1 skipped, 1 not"),
    ],
)
def test_exports_are_detected_and_counted(nlp, name: str, format: str, counts: str) -> None:
    assert detect(FILES / name) == format
    assert taken(nlp, name).counts().startswith(counts)


def test_label_studio_takes_the_last_answer_that_was_not_cancelled(nlp) -> None:
    made = taken(nlp, "label-studio.json")
    doc = made.docs[0]
    assert ents(doc) == [("Mara Quill", "PER"), ("Blue Kite", "ORG"), ("Port Elder", "LOC")]
    assert doc.user_data[EXTRA_KEY] == {"source": "page 0"}
    assert doc.user_data[KEY].startswith("0-")
    replaced = noted(made, "replaced")
    assert len(replaced) == 3
    assert all("task 1 (id 100)" in text for text in replaced)
    assert any("skipped by bo@example.org" in text for text in replaced)


def test_label_studio_takes_one_person(nlp) -> None:
    made = taken(nlp, "label-studio.json", "bo@example.org")
    assert made.counts() == "0 labelled, 1 skipped, 6 not yet"
    assert taken(nlp, "label-studio.json", "ana@example.org").counts().startswith("4 labelled")


def test_label_studio_keeps_relations_time_and_what_was_shown(nlp) -> None:
    found = relations.get(taken(nlp, "label-studio.json").docs[0])
    assert found is not None
    assert [(r.head, r.tail, r.label) for r in found] == [((1, 3), (5, 7), "works_for")]
    rows = list(read_export(FILES / "label-studio.json")[1])
    assert (rows[1].who, rows[1].seconds) == ("ana@example.org", 3.25)
    assert rows[1].shown is not None
    assert [(s.text, s.label, s.confidence) for s in rows[1].shown] == [("Mara", "PER", 0.71)]
    assert rows[0].shown is None


def test_label_studio_of_utf16_offsets_is_read_and_noted(nlp) -> None:
    made = taken(nlp, "label-studio.json")
    assert ents(made.docs[2]) == [("Ida", "PER"), ("Oslo", "LOC")]
    (note,) = noted(made, "offsets")
    assert "task 5 (id 104): read as UTF-16" in note


def test_label_studio_lists_what_was_snapped_and_dropped(nlp) -> None:
    made = taken(nlp, "label-studio.json")
    assert ents(made.docs[3]) == [("Harbour Trust", "ORG"), ("Ana Lunt", "PER")]
    (snapped,) = noted(made, "snapped")
    assert "label-studio.json, task 6 (id 105): 'na Lun' (PER) to 'Ana Lunt'" in snapped
    dropped = "\n".join(noted(made, "dropped"))
    assert "'Trust' (PER) overlaps with 'Harbour Trust' (ORG)" in dropped
    assert "a result of type 'choices'" in dropped
    assert "task 3 (id 102): it has a draft" in dropped


def test_label_studio_min_has_the_same_spans(nlp) -> None:
    whole, short = taken(nlp, "label-studio.json"), taken(nlp, "label-studio-min.json")
    assert [ents(doc) for doc in short.docs] == [ents(doc) for doc in whole.docs[:2]]
    assert short.docs[0].user_data[EXTRA_KEY] == {"source": "page 0"}
    assert relations.get(short.docs[0]) is None


def test_prodigy_of_whole_texts(nlp) -> None:
    made = taken(nlp, "prodigy.jsonl")
    assert ents(made.docs[0]) == [("Mara Quill", "PER"), ("Oslo", "LOC")]  # the later answer
    assert missing(made.docs[0]) == []
    assert ents(made.docs[1]) == []
    assert missing(made.docs[1]) == []
    assert "prodigy.jsonl, line 1" in noted(made, "replaced")[0]


def test_prodigy_of_single_spans_leaves_the_rest_unknown(nlp) -> None:
    doc = taken(nlp, "prodigy.jsonl").docs[2]
    assert ents(doc) == [("Tom Reed", "PER")]
    assert missing(doc) == ["met", "Ana", "in", "Oslo", "."]
    assert [(s.text, s.label_) for s in doc.spans[REJECTED]] == [("Ana", "LOC")]


def test_doccano_counts_utf16_and_leaves_out_what_nobody_changed(nlp) -> None:
    made = taken(nlp, "doccano.jsonl")
    wanted = [("Mara Quill", "PER"), ("Oslo", "LOC"), ("Blue Kite", "ORG")]
    assert [ents(doc) for doc in made.docs] == [wanted, [("Ana Lunt", "PER")]]
    assert noted(made, "snapped") == []
    confirmed = taken(nlp, "doccano.jsonl", confirmed=True)
    assert [len(doc.ents) for doc in confirmed.docs] == [3, 0, 1, 1]


def test_doccano_relations(nlp) -> None:
    (doc,) = taken(nlp, "doccano-relations.jsonl").docs
    assert ents(doc) == [("Mara Quill", "PER"), ("Blue Kite", "ORG")]
    found = relations.get(doc)
    assert found is not None
    assert [(r.head, r.tail, r.label) for r in found] == [((1, 3), (7, 9), "joins")]


def test_brat_joins_lines_and_notes_what_it_cannot_keep(nlp) -> None:
    made = taken(nlp, "brat")
    doc = next(doc for doc in made.docs if len(doc) > 5)
    assert ents(doc) == [("Mara Quill", "PER"), ("Blue\nKite".replace("\n", " "), "ORG")]
    found = relations.get(doc)
    assert found is not None
    assert [r.label for r in found] == ["works_for"]
    dropped = "\n".join(noted(made, "dropped"))
    assert "'North Fenn' (LOC), which has a gap" in dropped
    assert "the relation 'in'" in dropped
    assert "line 8: 'E1\\tMove:T1 Who:T2'" in dropped
    assert "AnnotatorNotes" not in dropped


def test_jsonl_keeps_missing_tags_relations_and_other_keys(nlp) -> None:
    whole, _, half = taken(nlp, "answers.jsonl").docs
    assert ents(whole) == [("Mara Quill", "PER"), ("Oslo", "LOC")]
    assert whole.user_data[EXTRA_KEY] == {"source": "page 3"}
    assert [r.label for r in relations.get(whole) or ()] == ["left"]
    assert ents(half) == [("Tom Reed", "PER")]
    assert missing(half) == ["Half", "of", "is", "labelled", "."]
    row = next(iter(read_export(FILES / "answers.jsonl")[1]))
    assert (row.who, row.seconds, row.when) == ("ana", 4.5, "2026-01-02T10:00:00Z")


def test_brackets_read_the_words_of_people(nlp) -> None:
    made = taken(nlp, "brackets.txt")
    assert [ents(doc) for doc in made.docs] == [[("Mara Quill", "PER"), ("Oslo", "LOC")], []]
    assert made.docs[0].text == "Mara Quill left Oslo [sic]."
