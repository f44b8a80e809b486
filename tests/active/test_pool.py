"""Pools and the files behind them."""

import hashlib
from pathlib import Path

import pytest
from spacy.tokens import Doc

from spacy_seqmix.active.pool import Pool, make_pool
from spacy_seqmix.annotation.lazy_docs import LazyDocs, lazy_docs
from spacy_seqmix.files import file_digest
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


def test_make_pool_of_lazy_docs_makes_none(news, tmp_path, blank_en, monkeypatch):
    path = tmp_path / "pool.txt"
    path.write_text("\n".join(doc.text for doc in news))
    docs, made, make = lazy_docs([path], blank_en), [], blank_en.tokenizer
    monkeypatch.setattr(blank_en, "tokenizer", lambda text: made.append(text) or make(text))
    part = make_pool(docs, 12, 5, 0, PATH)
    assert isinstance(part.docs, LazyDocs)
    assert list(part.docs) == list(make_pool(dict(enumerate(news)), 12, 5, 0, PATH).docs)
    assert made == []
    number = part.unlabelled[3]
    assert [doc.text for doc in part.take([number])] == [news[number].text] == made


def test_pool_generations(news):
    pool = Pool(dict(enumerate(news[:8])), grown=(3, 5))
    assert pool.generations == [[0, 1, 2], [3, 4], [5, 6, 7]]
    assert Pool(dict(enumerate(news[:2]))).generations == [[0, 1]]
