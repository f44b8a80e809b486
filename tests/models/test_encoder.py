"""The encoder as a source of word vectors: pieces, averages, states of a layer."""

import shutil

import numpy as np
import pytest
import spacy
import torch
from numpy.testing import assert_allclose, assert_array_equal

from spacy_seqmix.models.encoder import Encoder

SENTENCES = [
    ["The", "king", "of", "Poland", "met", "Paris"],
    ["the"],
    [],
    ["Kington", "likes", "landing", "in", "the", "London", "fog", "at", "night"],
]


@pytest.fixture(scope="module")
def encoder(tiny_encoder_dir):
    return Encoder.load(str(tiny_encoder_dir))


@pytest.fixture(scope="module")
def matrix(encoder):
    return encoder.model.get_input_embeddings().weight.detach().numpy()


def test_encoder_word_of_several_pieces_has_their_mean(encoder, matrix):
    ids = encoder.tokenizer.convert_tokens_to_ids
    assert encoder.tokenizer.tokenize("Poland") == ["P", "##o", "##land"]
    vectors = encoder.embed(["Poland", "London"])
    assert_allclose(vectors[0], matrix[ids(["P", "##o", "##land"])].mean(axis=0), rtol=1e-5)
    assert_array_equal(vectors[1], matrix[ids("London")])
    assert vectors.dtype == np.float32


def test_encoder_unknown_pieces_never_count(encoder, matrix):
    unknown = matrix[encoder.tokenizer.unk_token_id]
    vectors = encoder.embed(["漢", "London", "", "the-漢"])
    assert not vectors[[0, 2]].any()
    assert not (vectors == unknown).all(axis=1).any()
    assert_allclose(vectors[3], encoder.embed(["the-"])[0], rtol=1e-6)


def test_encoder_no_words(encoder):
    assert encoder.embed([]).shape == (0, 16)
    assert list(encoder.contextual([], -1)) == []
    assert list(encoder.contextual([[], []], -1)) == []


@pytest.mark.parametrize("layer", [99, -99])
def test_encoder_has_so_many_layers(encoder, layer):
    with pytest.raises(ValueError, match=rf"S226.*0 to \d+ or -\d+ to -1, not {layer}"):
        list(encoder.contextual([["Oslo"]], layer))


def test_encoder_pieces_are_readable_and_distinct(encoder, matrix):
    words, vectors = encoder.pieces()
    assert len(words) == len(set(words)) == len(vectors)
    assert not any("[unused" in w or w in ("[UNK]", "[CLS]", "[MASK]") for w in words)
    assert not any(w.startswith("##") for w in words if w.strip("#"))
    assert {"London", "land", "a", "[", "#"} <= set(words)
    # "ing" reads like "##ing", which has the lower number, but begins a word
    ing = encoder.tokenizer.convert_tokens_to_ids("ing")
    assert_array_equal(vectors[words.index("ing")], matrix[ing])


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_encoder_contextual_is_the_mean_of_the_pieces_states(encoder, layer):
    found = dict(encoder.contextual(SENTENCES, layer, batch_size=2))
    assert sorted(found) == [0, 1, 3]
    for i, vectors in found.items():
        encoded = encoder.tokenizer(SENTENCES[i], is_split_into_words=True, return_tensors="pt")
        if encoded["input_ids"].shape[1] > 24:
            continue
        with torch.inference_mode():
            states = encoder.model(**encoded, output_hidden_states=True).hidden_states[layer]
        words = np.array([-1 if w is None else w for w in encoded.word_ids()])
        assert vectors.shape == (len(SENTENCES[i]), 16)
        for w, vector in enumerate(vectors):
            expected = states[0].numpy()[words == w].mean(axis=0)
            assert_allclose(vector, expected, atol=1e-5)


def test_encoder_contextual_unknown_pieces_never_count(encoder):
    words = ["the", "漢", "the-漢"]
    vectors = dict(encoder.contextual([words], -1))[0]
    assert not vectors[1].any()
    encoded = encoder.tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        states = encoder.model(**encoded, output_hidden_states=True).hidden_states[-1][0].numpy()
    assert encoded.word_ids() == [None, 0, 1, 2, 2, 2, None]
    assert_allclose(vectors[2], states[[3, 4]].mean(axis=0), atol=1e-5)


def test_encoder_contextual_reads_texts_beyond_the_positions(encoder):
    words = ["London"] * 60
    vectors = dict(encoder.contextual([words], -1))[0]
    assert vectors.shape == (60, 16)
    assert np.abs(vectors).sum(axis=1).all()


def test_encoder_contextual_reads_few_rows_at_a_time(encoder, monkeypatch):
    docs = [["Oslo", "and", "Rome"] * 400, ["London"]]
    whole = dict(encoder.contextual(docs, -1))
    sizes = []
    states = encoder._states

    def spy(input_ids, mask, layer):
        sizes.append(input_ids.numel())
        return states(input_ids, mask, layer)

    monkeypatch.setattr(encoder, "_states", spy)
    monkeypatch.setattr("spacy_seqmix.models.encoder.MAX_BATCH_ITEMS", 2 * 512)
    parts = dict(encoder.contextual(docs, -1))
    assert len(sizes) > 1
    assert max(sizes) <= 2 * 512
    for i, vectors in whole.items():
        assert_allclose(parts[i], vectors, atol=1e-5)


def test_encoder_positions_without_limit(encoder, monkeypatch):
    """XLNet's config says -1."""
    monkeypatch.setattr(encoder.model.config, "max_position_embeddings", -1)
    ((_, vectors),) = encoder.contextual([["London", "the"]], -1)
    assert vectors.any(axis=1).all()


def test_encoder_load_from_a_package(tiny_encoder_dir, tmp_path, monkeypatch):
    shutil.copytree(tiny_encoder_dir, tmp_path / "tiny_encoder_package" / "model")
    (tmp_path / "tiny_encoder_package" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    got = Encoder.load("package:tiny_encoder_package/model").embed(["London"])
    np.testing.assert_array_equal(got, Encoder.load(str(tiny_encoder_dir)).embed(["London"]))
    with pytest.raises(OSError, match="no_such_package") as err:
        Encoder.load("package:no_such_package/model")
    assert err.value.code == "S224"


def test_encoder_leaves_modes_as_they_were(encoder):
    encoder.model.train()
    try:
        first = dict(encoder.contextual(SENTENCES, -1))
        steps = encoder.contextual(SENTENCES, -1, batch_size=1)
        next(steps)
        assert not torch.is_inference_mode_enabled()
        assert encoder.model.training
        again = dict(encoder.contextual(SENTENCES, -1))
    finally:
        encoder.model.eval()
    assert_array_equal(first[3], again[3])  # no dropout


def test_encoder_load_says_what_is_wrong(tmp_path, tiny_encoder_dir):
    with pytest.raises(OSError, match=r"S220.*nowhere.*no such folder"):
        Encoder.load(str(tmp_path / "nowhere"))
    for file in tiny_encoder_dir.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"damaged" * 10)
    with pytest.raises(OSError, match="S220"):
        Encoder.load(str(tmp_path))


def test_encoder_needs_a_fast_tokenizer():
    with pytest.raises(ValueError, match="S221"):
        Encoder(None, object())


def test_encoder_of_pipeline_without_transformer():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("tagger")
    assert Encoder.of_pipeline(nlp) is None


def test_encoder_of_pipeline(tiny_encoder_dir):
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(tiny_encoder_dir),
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        "tokenizer_config": {"use_fast": True},
    }
    nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    encoder = Encoder.of_pipeline(nlp)
    assert encoder is not None
    assert_array_equal(
        encoder.embed(["Poland"]), Encoder.load(str(tiny_encoder_dir)).embed(["Poland"])
    )
