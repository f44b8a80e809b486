"""The texts that teachers label."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy

from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.distill.texts import read_raw
from spacy_seqmix.errors import SeqMixError


@pytest.fixture
def folder(tmp_path, blank_en):
    path = tmp_path / "texts"
    (path / "more").mkdir(parents=True)
    (path / "b.txt").write_text("One.\n\nTwo  three.\n", "utf8")
    (path / "a.jsonl").write_text(json.dumps({"text": "Four.", "id": 4}), "utf8")
    write_docs([blank_en("Five six."), blank_en("")], path / "more" / "c.spacy")
    (path / "README.md").write_text("Not a text.", "utf8")
    return path


def read(path, known=(), outside=None):
    nlp = spacy.blank("en")
    raw = read_raw(path, nlp, known, outside or path / "none")
    return raw, [doc.text for doc in raw.take(0, len(raw))]


def test_texts_of_a_folder_come_in_the_order_of_its_files(folder):
    raw, texts = read(folder)
    assert texts == ["Four.", "One.", "Two  three.", "Five six."]
    assert [doc.text for doc in raw.take(1, 3)] == texts[1:3]
    assert read(folder / "b.txt")[1] == ["One.", "Two  three."]


def test_texts_of_parquet_are_those_of_lines(folder):
    rows = [{"text": text, "id": i} for i, text in enumerate(["One.", "", "Two  three."])]
    pq.write_table(pa.Table.from_pylist(rows), folder / "more" / "b.parquet", row_group_size=1)
    (parquet, texts), (lines, same) = read(folder / "more" / "b.parquet"), read(folder / "b.txt")
    assert texts == same
    assert parquet.digest == lines.digest
    assert read(folder)[1] == ["Four.", "One.", "Two  three.", *texts, "Five six."]


def test_texts_that_are_known_are_left_out(folder):
    whole = read(folder)[0]
    raw, texts = read(folder, ["Two three.", "Five  six.", "Seven."])
    assert texts == ["Four.", "One."]
    assert raw.left_out == 2
    assert raw.digest != whole.digest
    # What is left out does not matter where there is nothing of it.
    assert read(folder, ["Seven."])[0].digest == whole.digest
    with pytest.raises(SeqMixError, match=r"\[S403\].*2 texts, all of them in --dev or --labelled"):
        read(folder / "b.txt", ["One.", "Two three."])


def test_texts_do_not_come_from_the_output(folder):
    assert read(folder, outside=folder / "more")[1] == ["Four.", "One.", "Two  three."]
    assert len(read(folder, outside=folder.parent / "out")[1]) == 4
    with pytest.raises(SeqMixError, match=r"\[S403\].*has no .* files outside of "):
        read(folder / "more", outside=folder)


def test_texts_of_a_pattern(folder):
    assert read(folder.parent / "**" / "*.[jt]*")[1] == ["Four.", "One.", "Two  three."]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.txt", None, "no such file"),
        ("blank.txt", "\n \n", "no texts"),
        ("texts.csv", "a,b", "no .txt, .jsonl, .parquet or .spacy file"),
        ("broken.spacy", "x", "not a DocBin"),
        ("empty", "folder", "has no .txt"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(tmp_path, name, content, reason):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content, "utf8")
    with pytest.raises(SeqMixError, match=rf"\[S403\] .*{name}.*{reason}"):
        read(path)
