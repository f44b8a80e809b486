"""Pools and the files behind them."""

import hashlib
from pathlib import Path

import pytest
from spacy.tokens import Doc

from spacy_seqmix.active.pool import Pool, TextDocs, file_digest, make_pool, read_text_docs
from spacy_seqmix.annotation.texts import EXTRA_KEY
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Answer

PATH = Path("pool.spacy")


def test_pool_unlabelled_in_the_order_of_the_file(news):
    pool = Pool(dict(enumerate(news[:5])), (3, 0))
    assert pool.unlabelled == [1, 2, 4]
    assert pool.take([4, 1]) == [news[4], news[1]]


def test_make_pool_samples_the_same_docs_for_a_seed(news):
    whole = make_pool(dict(enumerate(news)), None, 5, 0, PATH)
    assert list(whole.docs) == list(range(30))
    part = make_pool(dict(enumerate(news)), 12, 5, 0, PATH)
    assert list(part.docs) == sorted(part.docs)
    assert len(part.docs) == 12
    assert list(make_pool(dict(enumerate(news)), 12, 5, 0, PATH).docs) == list(part.docs)
    assert list(make_pool(dict(enumerate(news)), 12, 5, 1, PATH).docs) != list(part.docs)
    assert all(part.docs[i] is news[i] for i in part.docs)


@pytest.mark.parametrize(
    ("size", "n_seed", "field"), [(None, 31, "n_seed"), (31, 5, "pool_size"), (4, 5, "n_seed")]
)
def test_make_pool_too_small(news, size, n_seed, field):
    with pytest.raises(ValueError, match=rf"S404.*active\.{field}"):
        make_pool(dict(enumerate(news)), size, n_seed, 0, PATH)


def test_make_pool_leaves_out_blank_docs(news):
    blank = Doc(news[0].vocab, words=["\n", " "])
    docs = {3: news[0], 4: blank, 7: news[1]}
    assert list(make_pool(docs, None, 1, 0, PATH).docs) == [3, 7]
    with pytest.raises(ValueError, match=r"S404.* 2 docs.*active\.n_seed"):
        make_pool(docs, None, 3, 0, PATH)


def test_text_docs_are_made_when_they_are_taken(tmp_path, blank_en):
    path = tmp_path / "texts.jsonl"
    lines = ['{"text": "Ada met Bob", "id": 7}', "", '{"text": " "}', '{"text": "\\tHi \\u00a0"}']
    path.write_text("\n".join(lines), "utf8")
    docs = read_text_docs(path, blank_en)
    assert (list(docs), len(docs)) == ([0, 3], 2)
    assert (3 in docs, 2 in docs) == (True, False)
    assert docs[0] is not docs[0]
    assert [t.text for t in docs[0]] == ["Ada", "met", "Bob"]
    assert docs[0].user_data == {EXTRA_KEY: {"id": 7}}
    assert docs[3].text == "\tHi \u00a0"
    assert docs[3].user_data == {}
    pool = make_pool(docs, 1, 1, 0, path)
    assert isinstance(pool.docs, TextDocs)
    assert len(pool.docs) == 1


def test_text_docs_leave_out_what_no_tokenizer_reads(tmp_path, blank_en):
    path = tmp_path / "texts.txt"
    long = "a " * 600_000
    path.write_text("\n".join(["Ada", "(" * 9000, long, "x" * 60_000, "Bob", *["]" * 5000] * 4]))
    with pytest.warns(UserWarning, match=r"W612\] 7 texts of .* lines 2, 3, 4, 6, 7, \.\.\."):
        docs = read_text_docs(path, blank_en)
    assert [doc.text for doc in docs.values()] == ["Ada", "Bob"]


@pytest.mark.parametrize(("name", "reason"), [("none.txt", "no such file"), ("a.txt", "no texts")])
def test_text_docs_need_texts(tmp_path, blank_en, name, reason):
    (tmp_path / "a.txt").write_text("\n \n\t")
    with pytest.raises(SeqMixError, match=rf"S403.*{reason}"):
        read_text_docs(tmp_path / name, blank_en)


def test_pool_with_answers(news):
    skipped, labelled = Answer("1-a", None), Answer("2-b", news[9])
    pool = Pool(dict(enumerate(news[:6])), (3, 1, 2, 5), frozenset({5}), {1: skipped, 2: labelled})
    assert pool.labelled == (3, 2)  # 1 was labelled, then skipped
    assert pool.held_out == (5,)
    assert pool.skipped == [1]
    assert pool.unlabelled == [0, 4]
    assert pool.take([3, 2, 1]) == [news[3], news[9], news[1]]
    more = pool.with_batch([0], [0])
    assert (more.labelled, more.held_out, more.unlabelled) == ((3, 2), (5, 0), [4])
    assert pool.queried == (3, 1, 2, 5)


def test_file_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
