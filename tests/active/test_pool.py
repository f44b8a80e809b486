"""Pools and the files behind them."""

import hashlib
from pathlib import Path

import pytest
from spacy.tokens import Doc, DocBin

from spacy_seqmix.active.pool import Pool, file_digest, make_pool, read_docs, write_docs

PATH = Path("pool.spacy")


def test_pool_unlabelled_in_the_order_of_the_file(news):
    pool = Pool(dict(enumerate(news[:5])))
    pool.labelled += [3, 0]
    assert pool.unlabelled == [1, 2, 4]
    assert pool.take([4, 1]) == [news[4], news[1]]


def test_make_pool_samples_the_same_docs_for_a_seed(news):
    whole = make_pool(news, None, 5, 0, PATH)
    assert list(whole.docs) == list(range(30))
    part = make_pool(news, 12, 5, 0, PATH)
    assert list(part.docs) == sorted(part.docs)
    assert len(part.docs) == 12
    assert list(make_pool(news, 12, 5, 0, PATH).docs) == list(part.docs)
    assert list(make_pool(news, 12, 5, 1, PATH).docs) != list(part.docs)
    assert all(part.docs[i] is news[i] for i in part.docs)


@pytest.mark.parametrize(
    ("size", "n_seed", "field"), [(None, 31, "n_seed"), (31, 5, "pool_size"), (4, 5, "n_seed")]
)
def test_make_pool_too_small(news, size, n_seed, field):
    with pytest.raises(ValueError, match=rf"S404.*active\.{field}"):
        make_pool(news, size, n_seed, 0, PATH)


def test_docs_round_trip_without_empty_ones(news, blank_en, tmp_path):
    path = tmp_path / "new" / "docs.spacy"
    write_docs([news[0], Doc(blank_en.vocab), news[1]], path)
    back = read_docs(path, blank_en)
    assert [doc.text for doc in back] == [news[0].text, news[1].text]
    assert [str(doc.ents) for doc in back] == [str(doc.ents) for doc in news[:2]]
    assert [file.name for file in path.parent.iterdir()] == ["docs.spacy"]
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_read_docs_says_what_is_wrong(news, blank_en, tmp_path):
    with pytest.raises(ValueError, match=r"S403.*no such file"):
        read_docs(tmp_path / "none.spacy", blank_en)
    (tmp_path / "text.spacy").write_text("not a DocBin")
    (tmp_path / "zero.spacy").write_bytes(b"")
    whole = DocBin(docs=news).to_bytes()
    (tmp_path / "half.spacy").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "zero", "half"):
        with pytest.raises(ValueError, match=r"S403.*not a DocBin"):
            read_docs(tmp_path / f"{name}.spacy", blank_en)
    with pytest.raises(ValueError, match="S403"):
        read_docs(tmp_path, blank_en)
    DocBin(docs=[Doc(blank_en.vocab)]).to_disk(tmp_path / "empty.spacy")
    with pytest.raises(ValueError, match=r"S403.*holds no docs"):
        read_docs(tmp_path / "empty.spacy", blank_en)
    DocBin(docs=[blank_en.make_doc("no names")]).to_disk(tmp_path / "bare.spacy")
    with pytest.raises(ValueError, match="S405"):
        read_docs(tmp_path / "bare.spacy", blank_en)
    assert len(read_docs(tmp_path / "bare.spacy", blank_en, need_entities=False)) == 1
