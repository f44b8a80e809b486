"""Docs that are made when they are taken."""

from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_numbered_docs
from spacy_seqmix.annotation.indexed_files import TO_READ, index_file
from spacy_seqmix.annotation.lazy_docs import DocsInOrder, LazyDocs, all_docs_of, lazy_docs
from spacy_seqmix.annotation.recent import Recent
from spacy_seqmix.annotation.texts import EXTRA_KEY
from spacy_seqmix.errors import SeqMixError


def test_lazy_docs_of_texts_are_made_when_they_are_taken(tmp_path, blank_en):
    path = tmp_path / "texts.jsonl"
    lines = ['{"text": "Ada met Bob", "id": 7}', "", '{"text": " "}', '{"text": "\\tHi \\u00a0"}']
    path.write_text("\n".join(lines), "utf8")
    docs = lazy_docs([path], blank_en)
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


def test_lazy_docs_of_texts_leave_out_what_no_tokenizer_reads(tmp_path, blank_en):
    path = tmp_path / "texts.txt"
    long = "a " * 600_000
    path.write_text("\n".join(["Ada", "(" * 9000, long, "x" * 60_000, "Bob", *["]" * 5000] * 4]))
    with pytest.warns(UserWarning, match=r"W612\] 7 texts of .* lines 2, 3, 4, 6, 7, \.\.\."):
        docs = lazy_docs([path], blank_en)
    assert [doc.text for doc in docs.values()] == ["Ada", "Bob"]


@pytest.mark.parametrize(("name", "reason"), [("none.txt", "no such file"), ("a.txt", "no texts")])
def test_lazy_docs_of_texts_need_texts(tmp_path, blank_en, name, reason):
    (tmp_path / "a.txt").write_text("\n \n\t")
    with pytest.raises(SeqMixError, match=rf"S403.*{reason}"):
        lazy_docs([tmp_path / name], blank_en)


def test_lazy_docs_of_docs_are_those_of_the_file(tmp_path, all_news, blank_en):
    docs = [doc.copy() for doc in all_news]
    docs[1:1] = [Doc(blank_en.vocab), Doc(blank_en.vocab, words=["\n", "\u00a0"])]
    docs[4].spans["sc"] = [Span(docs[4], 0, 2, "X")]
    docs[4].user_data["mine"] = 3
    docs[5] = Doc(blank_en.vocab, words=["a", "b"])
    path = tmp_path / "docs.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    nlp = Language()
    lazy, known = lazy_docs([path], nlp), read_numbered_docs(path, Language())
    assert set(known) - set(lazy) == {2}
    assert list(lazy) == [0, *range(3, 32)]
    for number, doc in lazy.items():
        assert doc.to_bytes() == known[number].to_bytes()
    doc = lazy[4]
    assert [(s.start, s.end, s.label_) for s in doc.spans["sc"]] == [(0, 2, "X")]
    assert doc.user_data["mine"] == 3


def test_docs_in_order_are_read_together(tmp_path, all_news, monkeypatch):
    """Batches grow up to the largest, and go on from there."""
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.FIRST", 2)
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.LAST", 8)
    reads, by_file = [], LazyDocs._by_file
    monkeypatch.setattr(
        LazyDocs, "_by_file", lambda docs, some: reads.append(len(some)) or by_file(docs, some)
    )
    DocBin(docs=all_news).to_disk(tmp_path / "docs.spacy")
    docs = lazy_docs([tmp_path / "docs.spacy"], Language())
    numbers = [*range(29, -1, -1)]
    found = [doc.text for doc in DocsInOrder(docs, numbers)]
    assert found == [all_news[number].text for number in numbers]
    assert reads == [2, 8, 8, 8, 4]


def test_lazy_docs_of_docs_forget_the_words_of_texts(tmp_path, all_news):
    DocBin(docs=all_news).to_disk(tmp_path / "docs.spacy")
    nlp = Language()
    docs = lazy_docs([tmp_path / "docs.spacy"], nlp)
    before = {lexeme.text for lexeme in nlp.vocab}
    assert list(docs.texts(docs)) == [doc.text for doc in all_news]
    assert list(docs.texts([7, 3])) == [all_news[7].text, all_news[3].text]
    assert {lexeme.text for lexeme in nlp.vocab} == before
    assert docs[3].text == all_news[3].text


def test_lazy_docs_of_docs_name_a_damaged_doc(tmp_path, all_news, blank_en):
    docs = [doc.copy() for doc in all_news[:3]]
    docs[1].user_data[soft_labels.KEY] = 5
    path = tmp_path / "docs.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    lazy = lazy_docs([path], blank_en)
    assert lazy[0].text == docs[0].text
    with pytest.raises(SeqMixError, match=r"Doc 1 of .*docs\.spacy") as error:
        lazy[1]
    assert error.value.code == "S582"


def test_lazy_docs_of_docs_need_words(tmp_path: Path, blank_en: Language) -> None:
    path = tmp_path / "docs.spacy"
    for docs in ([], [Doc(blank_en.vocab, words=[" "])]):
        DocBin(docs=docs).to_disk(path)
        with pytest.raises(SeqMixError, match=r"S403.*no texts"):
            lazy_docs([path], blank_en)


def test_lazy_docs_of_a_jsonl_file_in_capitals(tmp_path: Path, blank_en: Language) -> None:
    (tmp_path / "A.JSONL").write_text('{"text": "Ana left"}\n')
    docs = lazy_docs([tmp_path / "A.JSONL"], blank_en)
    assert [doc.text for doc in docs.values()] == ["Ana left"]


def write(folder: Path, **files: str) -> list[Path]:
    """Write files of texts, each by its name before the dot."""
    paths = [folder / f"{name}.txt" for name in files]
    for path in paths:
        path.write_text(files[path.stem], "utf8", newline="")
    return paths


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8])
def test_lazy_docs_have_the_same_numbers_however_texts_are_cut(tmp_path, blank_en, cut):
    lines = ["one", "", "two\r", " ", "three", "two\r", "", "four"]
    whole = write(tmp_path, whole="\n".join(lines))
    parts = ["\n".join([*lines[at : at + cut], ""]) for at in range(0, len(lines), cut)]
    files = write(tmp_path, **{f"part{i}": part for i, part in enumerate(parts)})
    expected, docs = lazy_docs(whole, blank_en), lazy_docs(files, blank_en)
    assert list(docs) == list(expected) == [0, 2, 4, 5, 7]
    assert [doc.text for doc in docs.values()] == ["one", "two", "three", "two", "four"]
    assert list(map(docs.identity, docs)) == list(map(expected.identity, expected))
    assert docs.identity(2) == docs.identity(5) != docs.identity(4)
    assert sum(file.size for file in docs.files) == len(lines)


def test_lazy_docs_of_docs_and_of_texts_together(tmp_path, blank_en, all_news):
    DocBin(docs=[Doc(blank_en.vocab), *all_news[:4]]).to_disk(tmp_path / "a.spacy")
    DocBin(docs=all_news[4:7]).to_disk(tmp_path / "b.spacy")
    (texts,) = write(tmp_path, texts="one\ntwo\n")
    docs = lazy_docs([tmp_path / "a.spacy", texts, tmp_path / "b.spacy"], Language())
    assert list(docs) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    wanted = [9, 1, 6, 5, 2, 8]
    assert [docs.first_of(k) for k in range(3)] == [0, 5, 7]
    found = [doc.text for doc in docs.take(wanted)]
    every = ["", *(d.text for d in all_news[:4]), "one", "two", *(d.text for d in all_news[4:7])]
    assert found == [every[i] for i in wanted] == list(docs.texts(wanted))
    assert [doc.text for doc in DocsInOrder(docs, wanted)] == found
    assert [doc.text for doc in DocsInOrder(docs, wanted)[2:4]] == found[2:4]
    assert DocsInOrder(docs, wanted)[-1].text == found[-1]
    part = docs.only([9, 2])
    assert (list(part), 5 in part, "2" in part) == ([2, 9], False, False)
    assert list(part.only([9])) == [9]
    with pytest.raises(KeyError):
        list(part.take([2, 5]))


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("\ufeffone\ntwo", ["one", "two"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("\ufeffone\rtwo\r\r", ["one", "two"]),
        ("one\u2028two\x85x\nthree", ["one\u2028two\x85x", "three"]),
        ("one", ["one"]),
        ("a\rb\nc", ["a\rb", "c"]),
    ],
)
def test_lazy_docs_find_lines_again(tmp_path, blank_en, text, texts):
    docs = lazy_docs(write(tmp_path, a=text), blank_en)
    assert list(docs.texts(docs)) == texts
    assert [docs[number].text for number in reversed(list(docs))] == texts[::-1]


def test_lazy_docs_name_the_byte_that_is_not_utf8(tmp_path, blank_en):
    (tmp_path / "a.txt").write_bytes("é\nabc\nd\xffe\n".encode("latin-1").replace(b"\xe9", b"ab"))
    with pytest.raises(SeqMixError, match=r"S501.*byte 9 of the file, in line 3, is not"):
        lazy_docs([tmp_path / "a.txt"], blank_en)


@pytest.mark.parametrize("after", [None, "one\ntwX\n", "{\xff", "two\n", "", "one\n\n  "])
def test_lazy_docs_notice_texts_that_changed(tmp_path, blank_en, after):
    (path,) = write(tmp_path, a="one\ntwo\n")
    docs = lazy_docs([path], blank_en)
    path.unlink() if after is None else path.write_text(after, "latin-1")
    for read in (docs.take, docs.texts):
        with pytest.raises(SeqMixError, match=r"S761.*a\.txt"):
            list(read([1]))


@pytest.mark.parametrize("how", ["gone", "other"])
def test_lazy_docs_notice_docs_that_changed(tmp_path, all_news, monkeypatch, how):
    monkeypatch.setattr("spacy_seqmix.annotation.recent.MAX_BYTES", 1)
    paths = [tmp_path / "a.spacy", tmp_path / "b.spacy"]
    for path in paths:
        DocBin(docs=all_news[:3]).to_disk(path)
    docs = lazy_docs(paths, Language())
    paths[0].unlink() if how == "gone" else DocBin(docs=all_news[:4]).to_disk(paths[0])
    assert docs[4].text == all_news[1].text  # the file that is in memory
    with pytest.raises(SeqMixError, match=r"S761.*a\.spacy"):
        docs[1]


def test_lazy_docs_keep_few_files_in_memory(tmp_path, all_news, monkeypatch):
    paths = [tmp_path / f"{i}.spacy" for i in range(6)]
    for i, path in enumerate(paths):
        DocBin(docs=all_news[i * 5 : i * 5 + 5]).to_disk(path)
    docs = lazy_docs(paths, Language())
    opened = []
    name = "spacy_seqmix.annotation.indexed_files.open_docbin"
    monkeypatch.setattr(name, lambda path: opened.append(path.stem) or DocBin().from_disk(path))
    assert [doc.text for doc in docs.values()] == [doc.text for doc in all_news[:30]]
    assert opened == []  # all of them fit
    monkeypatch.setattr("spacy_seqmix.annotation.recent.MAX_BYTES", 1)
    docs = lazy_docs(paths, Language())
    opened.clear()
    list(docs.values())
    assert opened == ["0", "1", "2", "3", "4", "5"]


def test_lazy_docs_in_any_order_read_each_file_once(tmp_path, all_news, monkeypatch, opened):
    paths = [tmp_path / f"{i}.spacy" for i in range(3)]
    for i, path in enumerate(paths):
        DocBin(docs=all_news[i * 10 : i * 10 + 10]).to_disk(path)
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.FIRST", 12)
    docs = lazy_docs(paths, Language())

    def read(found):
        opened.clear()
        return list(found()), list(opened)

    order = [i for k in range(10) for i in (20 + k, k, 10 + k)]
    texts = [all_news[i].text for i in order]
    in_two = ["0", "1", "2", "0", "1", "2"]  # first twelve, then the others
    assert read(lambda: (doc.text for doc in docs.take(order))) == (texts, in_two)
    assert read(lambda: docs.texts(iter(order))) == (texts, in_two)
    assert read(lambda: docs.texts(order[:12])) == (texts[:12], ["0", "1", "2"])
    found = read(lambda: (doc.text for doc in all_docs_of(docs, iter(order))))
    assert found == (texts, ["0", "1", "2"])
    shown = DocsInOrder(docs, order).all_at([7, 0, 7])
    assert [doc.text for doc in shown] == [texts[7], texts[0], texts[7]]
    found = read(lambda: docs.texts([5, 25, 5]))
    assert found == ([all_news[i].text for i in (5, 25, 5)], ["0", "2"])
    opened.clear()
    first = next(docs.take(order))  # whoever wants few waits for few
    assert (first.text, opened) == (texts[0], ["0", "1", "2"])
    docs.keep([4, 21])
    assert docs[4] is docs[4] is not next(docs.take([4]))
    assert (docs[21].text, docs[5].text) == (all_news[21].text, all_news[5].text)
    assert all_docs_of(dict(enumerate(all_news)), [3, 1]) == [all_news[3], all_news[1]]


def test_files_are_read_where_others_leave_room(tmp_path, all_news, monkeypatch):
    path = tmp_path / "docs.spacy"
    DocBin(docs=all_news[:3]).to_disk(path)
    needed = TO_READ * path.stat().st_size
    for room, is_kept in ((needed + 9, True), (needed + 8, False)):
        monkeypatch.setattr("spacy_seqmix.annotation.recent.MAX_BYTES", room)
        kept = Recent()
        kept.keep("other", "part", 9)
        kept.make_room(needed)
        assert (kept.get("other") is not None) == is_kept
    kept.keep("other", "part", 9)
    index_file(path, Language(), kept)
    assert kept.get("other") is None


def test_lazy_docs_checked_at_first(tmp_path, all_news):
    docs = [doc.copy() for doc in all_news[:3]]
    docs[2].user_data[soft_labels.KEY] = 5
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "docs.spacy")
    with pytest.raises(SeqMixError, match=r"S582\] Doc 2 of"):
        lazy_docs([tmp_path / "docs.spacy"], Language(), check=True)
