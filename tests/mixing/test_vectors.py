"""Token tables: where words and vectors come from."""

import copy

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin

from spacy_seqmix.mixing.contextual import make_contextual_table
from spacy_seqmix.mixing.vectors import (
    make_piece_table,
    make_word_table,
)
from spacy_seqmix.models.encoder import Encoder

pytestmark = pytest.mark.usefixtures("encoders_once")

SENTENCES = [
    ["London", "beat", "Paris", "at", "London"],
    ["Paris", "beat", "Oslo"],
    ["the", "match", "at", "Oslo", "ended"],
    ["beat", "London"],
]
KINDS = {
    "piece": make_piece_table,
    "word": make_word_table,
    "contextual": make_contextual_table,
}


@pytest.fixture
def encoder_name(tiny_encoder_dir):
    return str(tiny_encoder_dir)


@pytest.fixture
def docs(blank_en):
    return [Doc(blank_en.vocab, words=words) for words in SENTENCES]


def docs_like(docs, sentences):
    return [Doc(docs[0].vocab, words=words) for words in sentences]


def test_word_table_has_the_words_of_all_docs(docs, encoder_name):
    built = make_word_table(encoder_name)(docs[:2], docs[2:], None)
    assert set(built.table.words) == {w for words in SENTENCES for w in words}
    # the frequent ones first, ties by the alphabet
    assert built.table.words[:3] == ["London", "beat", "Oslo"]
    encoder = Encoder.load(encoder_name)
    assert_allclose(built.table.vectors, encoder.embed(built.table.words))
    assert built.held_out(docs[:2], built.of_docs(docs[:2])) is None


def test_word_table_reads_a_corpus_file(docs, encoder_name, tmp_path):
    DocBin(docs=docs_like(docs, [["Minsk", "\n", "rain"]])).to_disk(tmp_path / "more.spacy")
    built = make_word_table(encoder_name, corpus=tmp_path / "more.spacy")(docs, (), None)
    assert {"Minsk", "rain"} < set(built.table.words)
    assert "\n" not in built.table.words
    with pytest.raises(OSError, match="S223"):
        make_word_table(encoder_name, corpus=tmp_path / "none.spacy")(docs, (), None)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_name_an_encoder_that_does_not_know_the_script(docs, encoder_name, kind):
    make = KINDS[kind](encoder_name)
    strange = docs_like(docs, [["አበበ", "ወደ", "ሐዋሳ", "London"], ["ሳራ"]])
    expected = rf"W581.*'{encoder_name}' has no word pieces for 4 of the 5 different words"
    with pytest.warns(UserWarning, match=expected):
        make(strange, (), None)
    make(strange[1:], (), None)  # only once


@pytest.mark.parametrize("make", [make_word_table, make_contextual_table])
def test_tables_offer_no_word_that_the_encoder_cannot_read(docs, encoder_name, make):
    extra = docs_like(docs, [["Minsk", "\u200b", "漢"]])
    words = (
        make(encoder_name, layer=0)(docs, extra, None)
        if make is make_contextual_table
        else (make(encoder_name)(docs, extra, None))
    )
    assert "Minsk" in words.table.words
    assert "\u200b" not in words.table.words
    assert words.table.vectors.any(axis=1).all()


def test_piece_table_can_leave_out_other_scripts(docs, encoder_name):
    whole = make_piece_table(encoder_name)(docs, (), None)
    assert whole.table.metric == "squared"
    assert not {"[UNK]", "[CLS]", "[unused1]"} & set(whole.table.words)
    some = make_piece_table(encoder_name, same_script_only=True)(docs, (), None)
    letters = {c for words in SENTENCES for w in words for c in w.lower()}
    kept = [w for w in whole.table.words if set(w.lower()) <= letters]
    assert some.table.words == kept
    assert 0 < len(kept) < len(whole.table.words)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_do_not_depend_on_the_order_of_docs(docs, encoder_name, kind):
    build = KINDS[kind](encoder_name)
    first = build(docs[:3], docs[3:], None)
    other = KINDS[kind](encoder_name)(docs[::-1][:2], docs[::-1][2:], None)
    assert first.table.words == other.table.words
    assert_array_equal(first.table.vectors, other.table.vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_give_a_vector_to_each_token(docs, encoder_name, kind):
    docs = [*docs, docs_like(docs, [[]])[0], docs[0]]
    built = KINDS[kind](encoder_name)(docs, (), None)
    vectors = built.of_docs(docs)
    assert [v.shape for v in vectors] == [(len(doc), 16) for doc in docs]
    assert_allclose(vectors[0], vectors[-1], atol=1e-5)


def mean_states(encoder, sentences, layer):
    """Each word's mean vector in context, the plain way."""
    states = {}
    for words in sentences:
        vectors = dict(encoder.contextual([words], layer))[0]
        for word, vector in zip(words, vectors, strict=True):
            states.setdefault(word, []).append(vector)
    return {word: np.mean(vectors, axis=0) for word, vectors in states.items()}


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_contextual_table_averages_and_counts_each_sentence_once(docs, encoder_name, layer):
    built = make_contextual_table(encoder_name, layer=layer)(docs, docs, None)
    expected = mean_states(Encoder.load(encoder_name), SENTENCES, layer)
    assert set(built.table.words) == set(expected)
    for word, vector in zip(built.table.words, built.table.vectors, strict=True):
        assert_allclose(vector, expected[word], atol=1e-5)


def test_contextual_held_out_is_an_average_without_the_parents(docs, encoder_name):
    built = make_contextual_table(encoder_name)(docs, (), None)
    parents = [docs[0], docs[2]]
    numbers, vectors = built.held_out(parents, built.of_docs(parents))
    words = [built.table.words[i] for i in numbers]
    assert set(words) == {w for i in (0, 2) for w in SENTENCES[i]}
    left = mean_states(Encoder.load(encoder_name), [SENTENCES[1], SENTENCES[3]], -1)
    for word, vector in zip(words, vectors, strict=True):
        if word in left:
            assert_allclose(vector, left[word], atol=1e-5)
        else:
            assert np.isnan(vector).all(), word


def test_contextual_held_out_of_docs_that_do_not_count(docs, encoder_name):
    built = make_contextual_table(encoder_name)(docs[:2], (), None)
    other = docs_like(docs, [["London", "ended"]])
    assert built.held_out(other, built.of_docs(other)) is None


def test_contextual_table_is_kept_while_the_corpus_is_the_same(docs, encoder_name):
    build = make_contextual_table(encoder_name)
    assert build(docs, (), None) is build(docs[::-1], docs, None)
    assert build(docs, (), None) is not build(docs[:2], (), None)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_take_the_pipelines_encoder_where_there_is_one(
    docs, encoder_name, kind, monkeypatch
):
    encoder = copy.deepcopy(Encoder.load(encoder_name))
    encoder.model.get_input_embeddings().weight.data *= 2.0
    monkeypatch.setattr(Encoder, "of_pipeline", lambda nlp: encoder)
    trained = spacy.blank("en")
    plain = KINDS[kind](encoder_name)(docs, (), trained)
    build = KINDS[kind](encoder_name, source="pipeline")
    assert_array_equal(build(docs, (), None).table.vectors, plain.table.vectors)
    assert not np.array_equal(build(docs, (), trained).table.vectors, plain.table.vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_settings_that_are_wrong(docs, kind, tmp_path):
    with pytest.raises(ValueError, match="S222"):
        KINDS[kind]("x", source="elsewhere")
    build = KINDS[kind](str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match="S220"):
        build(docs, (), None)
