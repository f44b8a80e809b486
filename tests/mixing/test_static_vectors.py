"""Token tables from spaCy's static vectors."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.realise import NearestToken
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.mixing.vectors import make_vectors_table

from ..mixed import part_of


@pytest.fixture
def nlp(news):
    """A pipeline with a vector for every word of the news but "Turin", and for "Bergen"."""
    nlp = spacy.blank("en")
    words = [*sorted({t.text for doc in news for t in doc} - {"Turin"}), "Bergen"]
    rng = np.random.default_rng(0)
    for word in words:
        nlp.vocab.set_vector(word, rng.normal(size=12).astype("float32"))
    return nlp


@pytest.fixture
def docs(news, nlp):
    return [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in news]


def test_vectors_table_has_the_words_that_have_a_vector(docs, nlp):
    built = make_vectors_table()(docs, (), None)
    assert "London" in built.table.words or "Oslo" in built.table.words
    assert not {"Turin", "Bergen"} & set(built.table.words)
    word = built.table.words[3]
    assert_array_equal(built.table.vectors[3], nlp.vocab.get_vector(word))
    rows = built.of_docs(docs[:1])[0]
    assert rows.shape == (len(docs[0]), 12)
    assert built.held_out(docs[:1], [rows]) is None


def test_vectors_table_can_offer_all_words(docs):
    some = make_vectors_table()(docs, (), None).table.words
    every = make_vectors_table(all_words=True)(docs, (), None).table.words
    assert set(every) - set(some) == {"Bergen"}
    assert every[: len(some)] == some


def test_vectors_table_from_another_pipeline(news, nlp, tmp_path):
    nlp.to_disk(tmp_path / "pipe")
    built = make_vectors_table(vectors=str(tmp_path / "pipe"))(news, (), None)
    assert len(built.table.words) > 20
    with pytest.raises(OSError, match="E050"):
        make_vectors_table(vectors="no_such_pipeline")(news, (), None)


def test_vectors_table_without_vectors(news):
    with pytest.raises(ValueError, match="S225"):
        make_vectors_table()(news, (), None)
    assert make_vectors_table()([], (), None).table.words == []
    with pytest.raises(ValueError, match="S225"):
        make_vectors_table()([Doc(Vocab(), words=["a"])], (), None)


def test_vectors_table_mixes(docs, nlp):
    mixer = Mixer(make_sub_sequence(3, 0.6), NearestToken(make_vectors_table()), rate=0.5)
    mixed, _ = mix_docs(docs, mixer, np.random.default_rng(0), nlp)
    assert len(mixed) == 15
    for doc in mixed:
        assert all(nlp.vocab.has_vector(word) for word in part_of(doc).words)
