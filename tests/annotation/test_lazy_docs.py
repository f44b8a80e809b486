"""Docs that are made when they are taken."""

from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_numbered_docs
from spacy_seqmix.annotation.lazy_docs import stored_docs, text_docs
from spacy_seqmix.annotation.texts import EXTRA_KEY
from spacy_seqmix.errors import SeqMixError


def test_text_docs_are_made_when_they_are_taken(tmp_path, blank_en):
    path = tmp_path / "texts.jsonl"
    lines = ['{"text": "Ada met Bob", "id": 7}', "", '{"text": " "}', '{"text": "\\tHi \\u00a0"}']
    path.write_text("\n".join(lines), "utf8")
    docs = text_docs(path, blank_en)
    assert (list(docs), len(docs)) == ([0, 3], 2)
    assert (3 in docs, 2 in docs) == (True, False)
    assert docs[0] is not docs[0]
    assert [t.text for t in docs[0]] == ["Ada", "met", "Bob"]
    assert docs[0].user_data == {EXTRA_KEY: {"id": 7}}
    assert docs[3].text == "\tHi \u00a0"
    assert docs[3].user_data == {}
    assert list(docs.only([3])) == [3]
    with pytest.raises(KeyError):
        docs.only([3])[0]


def test_text_docs_leave_out_what_no_tokenizer_reads(tmp_path, blank_en):
    path = tmp_path / "texts.txt"
    long = "a " * 600_000
    path.write_text("\n".join(["Ada", "(" * 9000, long, "x" * 60_000, "Bob", *["]" * 5000] * 4]))
    with pytest.warns(UserWarning, match=r"W612\] 7 texts of .* lines 2, 3, 4, 6, 7, \.\.\."):
        docs = text_docs(path, blank_en)
    assert [doc.text for doc in docs.values()] == ["Ada", "Bob"]


@pytest.mark.parametrize(("name", "reason"), [("none.txt", "no such file"), ("a.txt", "no texts")])
def test_text_docs_need_texts(tmp_path, blank_en, name, reason):
    (tmp_path / "a.txt").write_text("\n \n\t")
    with pytest.raises(SeqMixError, match=rf"S403.*{reason}"):
        text_docs(tmp_path / name, blank_en)


def test_stored_docs_are_those_of_the_file(tmp_path, all_news, blank_en):
    docs = [doc.copy() for doc in all_news]
    docs[1:1] = [Doc(blank_en.vocab), Doc(blank_en.vocab, words=["\n", "\u00a0"])]
    docs[4].spans["sc"] = [Span(docs[4], 0, 2, "X")]
    docs[4].user_data["mine"] = 3
    docs[5] = Doc(blank_en.vocab, words=["a", "b"])
    path = tmp_path / "docs.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    nlp = Language()
    lazy, known = stored_docs(path, nlp), read_numbered_docs(path, Language())
    assert set(known) - set(lazy) == {2}
    assert list(lazy) == [0, *range(3, 32)]
    for number, doc in lazy.items():
        assert doc.to_bytes() == known[number].to_bytes()
    doc = lazy[4]
    assert [(s.start, s.end, s.label_) for s in doc.spans["sc"]] == [(0, 2, "X")]
    assert doc.user_data["mine"] == 3


def test_stored_docs_name_a_damaged_doc(tmp_path, all_news, blank_en):
    docs = [doc.copy() for doc in all_news[:3]]
    docs[1].user_data[soft_labels.KEY] = 5
    path = tmp_path / "docs.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    lazy = stored_docs(path, blank_en)
    assert lazy[0].text == docs[0].text
    with pytest.raises(SeqMixError, match=r"Doc 1 of .*docs\.spacy") as error:
        lazy[1]
    assert error.value.code == "S582"


def test_stored_docs_need_words(tmp_path: Path, blank_en: Language) -> None:
    path = tmp_path / "docs.spacy"
    for docs in ([], [Doc(blank_en.vocab, words=[" "])]):
        DocBin(docs=docs).to_disk(path)
        with pytest.raises(SeqMixError, match=r"S403.*no docs"):
            stored_docs(path, blank_en)


def test_lazy_docs_of_a_jsonl_file_in_capitals(tmp_path: Path, blank_en: Language) -> None:
    (tmp_path / "A.JSONL").write_text('{"text": "Ana left"}\n')
    docs = text_docs(tmp_path / "A.JSONL", blank_en)
    assert [doc.text for doc in docs.values()] == ["Ana left"]
