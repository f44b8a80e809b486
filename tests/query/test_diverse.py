"""Diverse samples, and the vectors that they are chosen by."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.query import diverse
from spacy_seqmix.query.diverse import diverse_sample, encoder_vectors, text_vectors

from .conftest import PIPES

VOCAB = spacy.blank("xx").vocab


def docs_of(*texts):
    return [Doc(VOCAB, words=text.split(" ")) for text in texts]


def rng(seed=0):
    return np.random.default_rng(seed)


TOPICS = (
    "the old ship left the port of the town before the storm came over the sea",
    "عاد المسافر إلى مدينته القديمة بعد رحلة طويلة عبر الصحراء",
    "他昨天去了北京大学见他的老师然后回到了上海",
    "3 : 41 . 7 - 2 ; 17 : 05 . 3 - 12 ; 9 : 55 . 1",
)


def many(n):
    """Texts of four kinds, the first of which is by far the most frequent."""
    kinds = [0] * (n - 12) + [1, 2, 3] * 4
    return docs_of(*(f"{TOPICS[kind]} x{i % 7}" for i, kind in enumerate(kinds)))


def kind_of(doc):
    return next(i for i, topic in enumerate(TOPICS) if doc.text.startswith(topic))


def test_diverse_sample_takes_a_text_of_each_kind():
    docs = many(120)
    found = diverse_sample(docs, 4, rng())
    assert sorted(kind_of(docs[i]) for i in found) == [0, 1, 2, 3]
    assert found == diverse_sample(docs, 4, rng())
    assert found != diverse_sample(docs, 4, rng(1))


def test_diverse_sample_takes_what_is_nearest_to_each_centre():
    rows = np.array([[1, 0.0], [1, 0.3], [1, 0.6], [0.0, 1], [0.1, 1], [0.2, 1]], dtype="float32")
    found = diverse_sample(docs_of(*"abcdef"), 2, rng(), lambda docs: at(rows, docs, "abcdef"))
    assert sorted(found) == [1, 4]


def at(rows, docs, words):
    return rows[[words.index(doc[0].text) for doc in docs]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [0, 1, 3, 5, 9])
def test_diverse_sample_has_as_many_docs_as_wanted(n):
    docs = docs_of("a b", "a b", "a b", "c", "c")
    found = diverse_sample(docs, n, rng())
    assert len(found) == len(set(found)) == min(n, 5)
    if n >= 2:
        assert {docs[i][0].text for i in found} == {"a", "c"}


def test_diverse_sample_of_a_large_pool_clusters_a_random_part(monkeypatch):
    monkeypatch.setattr(diverse, "SAMPLE", 20)
    sizes = []

    def vectors(docs):
        sizes.append(len(docs))
        return rng(1).normal(size=(len(docs), 3)).astype("float32")

    docs = docs_of(*"a" * 500)
    found = diverse_sample(docs, 2, rng(), vectors)
    assert sizes == [20]
    assert len(set(found)) == 2
    assert len(set(diverse_sample(docs, 5, rng(), vectors))) == 5
    assert sizes == [20, 50]


def test_text_vectors_of_texts_that_are_alike_are_alike():
    rows = diverse.normed(text_vectors(many(40)))
    same = [kind_of(doc) for doc in many(40)]
    near = rows @ rows.T > 0.5
    assert (near == np.equal.outer(same, same)).mean() > 0.95


@pytest.mark.parametrize("component", [*PIPES, None])
def test_encoder_vectors_are_means_of_token_vectors(component, trained, unlabelled):
    found = encoder_vectors(trained, component, unlabelled, batch_size=3)
    assert found.dtype == np.float32
    assert found.shape[0] == len(unlabelled)
    for row, doc in zip(found, unlabelled, strict=True):
        if not len(doc) or any(not token.is_space for token in doc):
            assert row.any() == (len(doc) > 0)
    assert np.isfinite(found).all()
    # the same text in another batch
    again = encoder_vectors(trained, component, unlabelled[:1])
    assert again[0].tolist() == pytest.approx(found[0].tolist(), abs=1e-5)
    assert not np.allclose(found[0], found[1], atol=1e-3)


def test_encoder_vectors_by_hand():
    nlp = spacy.blank("en")
    assert encoder_vectors(nlp, None, docs_of("a b")) is None
    nlp.add_pipe("sentencizer")
    assert encoder_vectors(nlp, None, docs_of("a b")) is None
    nlp.add_pipe("tagger", config={"model": {"tok2vec": {"width": 8, "embed_size": 50}}})
    nlp.get_pipe("tagger").add_label("X")
    nlp.initialize()
    encoder = nlp.get_pipe("tagger").model.get_ref("tok2vec")
    docs = docs_of("a b", "c")
    expected = [rows.mean(axis=0) for rows in encoder.predict(docs)]
    assert np.allclose(encoder_vectors(nlp, None, docs), expected, atol=1e-6)
    assert encoder_vectors(nlp, None, []).shape == (0, 0)
