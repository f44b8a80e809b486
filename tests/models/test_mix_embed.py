"""Embedding layers of CNNs that mix by recipes."""

import copy

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model_from_config, registry
from thinc.api import data_validation, fix_random_seed, set_dropout_rate

from spacy_seqmix.annotation import recipes
from spacy_seqmix.models.interpolation_layers import mixes_embeddings
from spacy_seqmix.models.mix_embed import build_mix_embed

from .encoders import mixed_doc

WORDS = ["the", "ship", "Anna", "left", "Porto", "for", "Oslo", "Olga", "and", "longer-word"]
WIDTH = 6
EMBEDS = {
    "spacy.MultiHashEmbed.v2": {
        "width": WIDTH,
        "attrs": ["NORM", "PREFIX", "SHAPE"],
        "rows": [50, 20, 20],
    },
    "spacy.CharacterEmbed.v2": {"width": WIDTH, "rows": 50, "nM": 4, "nC": 6, "feature": "LOWER"},
}
KINDS = [(name, vectors) for name in EMBEDS for vectors in (False, True)]


@pytest.fixture(scope="module")
def vocab():
    """A vocabulary with static vectors, but for one word."""
    vocab = spacy.blank("en").vocab
    for i, word in enumerate(WORDS[:-1]):
        vocab.set_vector(word, np.random.default_rng(i).normal(size=5).astype("float32"))
    return vocab


def settings(name, vectors):
    return {"@architectures": name, **EMBEDS[name], "include_static_vectors": vectors}


def make(name, vectors, vocab, mix=True):
    fix_random_seed(1)
    embed = registry.resolve({"embed": settings(name, vectors)})["embed"]
    model = build_mix_embed(embed) if mix else embed
    return model.initialize(X=[Doc(vocab, words=WORDS)])


def batch(vocab):
    return [
        Doc(vocab, words=["the", "ship", "left"]),
        mixed_doc(
            Doc(vocab, words=["Anna", "left", "Porto", "for", "Oslo"]),
            (0, "Olga", 0.25),
            (2, None, 0.75),
            (4, "longer-word", 0.5),
        ),
        Doc(vocab),
        mixed_doc(Doc(vocab, words=["Porto", "and"]), (0, "Olga", 0.0), (1, "and", 0.5)),
    ]


def gradients(model, docs, d_rows):
    """The gradient of every parameter after a step."""
    for node in model.walk():
        for name in node.param_names:
            node.set_grad(name, np.zeros_like(node.get_param(name)))
    rows, backprop = model.begin_update(docs)
    backprop(d_rows)
    grads = {
        (k, name): node.get_grad(name).copy()
        for k, node in enumerate(model.walk())
        for name in node.param_names
    }
    return rows, grads


def made_up(rows):
    rng = np.random.default_rng(3)
    return [rng.normal(size=r.shape).astype("float32") for r in rows]


@pytest.mark.parametrize(("name", "vectors"), KINDS)
def test_mix_embed_mixes_rows_and_gradients(name, vectors, vocab):
    docs = batch(vocab)
    model, plain = make(name, vectors, vocab), make(name, vectors, vocab, mix=False)
    of_word = {word: plain.predict([Doc(vocab, words=[word])])[0][0] for word in WORDS}
    expected = plain.predict(docs)
    expected[1][0] = 0.25 * of_word["Anna"] + 0.75 * of_word["Olga"]
    expected[1][2] = 0.75 * of_word["Porto"]
    expected[1][4] = 0.5 * of_word["Oslo"] + 0.5 * of_word["longer-word"]
    expected[3][0] = of_word["Olga"]
    d_rows = made_up(expected)
    before = [d.copy() for d in d_rows]
    rows, grads = gradients(model, docs, d_rows)
    assert all(map(np.allclose, rows, expected, [1e-6] * 4))
    assert all(map(np.array_equal, d_rows, before))
    # By hand: a plain step over the docs with what is left of their gradient, and the partners'.
    d_own = [d.copy() for d in d_rows]
    d_own[1][[0, 2, 4]] *= [[0.25], [0.75], [0.5]]
    d_own[3][[0, 1]] *= [[0.0], [0.5]]
    partners = [Doc(vocab, words=[word]) for word in ("Olga", "longer-word", "Olga", "and")]
    shares = ((0.75, 1, 0), (0.5, 1, 4), (1.0, 3, 0), (0.5, 3, 1))
    d_partners = [share * d_rows[k][i : i + 1] for share, k, i in shares]
    _, by_hand = gradients(plain, [*docs, *partners], [*d_own, *d_partners])
    assert grads.keys() == by_hand.keys()
    for key in grads:
        assert_allclose(grads[key], by_hand[key], atol=1e-5)


@pytest.mark.parametrize(("name", "vectors"), KINDS)
def test_mix_embed_gradient_is_the_slope(name, vectors, vocab):
    docs = batch(vocab)
    model = make(name, vectors, vocab)
    d_rows = made_up(model.begin_update(docs)[0])
    _, grads = gradients(model, docs, d_rows)
    rng, nodes, step = np.random.default_rng(0), list(model.walk()), 1e-4

    def loss():
        rows = model.begin_update(docs)[0]
        return sum(
            float((r.astype("float64") * d).sum()) for r, d in zip(rows, d_rows, strict=True)
        )

    for (k, param), grad in grads.items():
        if nodes[k].name == "charembed":
            continue  # spaCy's own loses gradient where words of a doc share a character
        values = nodes[k].get_param(param)
        direction = grad + 0.3 * np.abs(grad).max() * rng.normal(size=grad.shape)
        direction /= np.linalg.norm(direction) or 1.0
        sides = []
        for sign in (1, -1):
            nodes[k].set_param(param, (values + sign * step * direction).astype("float32"))
            sides.append(loss())
        nodes[k].set_param(param, values)
        slope = (sides[0] - sides[1]) / (2 * step)
        assert_allclose((grad * direction).sum(), slope, rtol=0.05, atol=0.02)


@pytest.mark.parametrize(("name", "vectors"), KINDS)
def test_mix_embed_is_plain_but_in_training_with_recipes(name, vectors, vocab):
    docs = batch(vocab)
    model, plain = make(name, vectors, vocab), make(name, vectors, vocab, mix=False)
    assert model.to_bytes() == plain.to_bytes()
    assert [node.name for node in model.walk()] == [node.name for node in plain.walk()]
    assert mixes_embeddings(model)
    assert not mixes_embeddings(plain)
    assert all(map(np.array_equal, model.predict(docs), plain.predict(docs)))
    copies = [model.copy(), copy.deepcopy(model), make(name, vectors, vocab)]
    copies[2].from_bytes(plain.to_bytes())
    mixed = model.begin_update(docs)[0]
    assert not np.array_equal(mixed[1], plain.predict(docs)[1])
    for other in copies:
        assert all(map(np.array_equal, other.begin_update(docs)[0], mixed))
    for doc in docs:
        recipes.put(doc, None)
    d_rows = made_up(mixed)
    ours, theirs = (gradients(m, docs, d_rows) for m in (model, plain))
    assert all(map(np.array_equal, ours[0], theirs[0]))
    for key in ours[1]:
        assert_array_equal(ours[1][key], theirs[1][key])


def test_mix_embed_nothing_but_padding(vocab):
    model = make("spacy.MultiHashEmbed.v2", True, vocab)
    doc = mixed_doc(Doc(vocab, words=["Anna", "left"]), (0, None, 0.5), (1, None, 1.0))
    rows, backprop = model.begin_update([doc])
    assert_allclose(rows[0], model.predict([doc])[0] * [[0.5], [1.0]], rtol=1e-5)
    backprop(rows)


def test_mix_embed_does_not_mix_twice(vocab):
    model = make("spacy.MultiHashEmbed.v2", False, vocab)
    forward = model._func
    assert build_mix_embed(model) is model
    assert model._func is forward


def test_mix_embed_under_data_validation(vocab):
    model = make("spacy.CharacterEmbed.v2", False, vocab)
    with data_validation(True):
        model.initialize(X=batch(vocab))
    with pytest.raises(ValueError, match="S240"):
        stale = batch(vocab)
        stale[1].user_data[recipes.KEY]["own"] = ["Olga", "Porto", "Oslo"]
        model.begin_update(stale)


def pipeline(vectors, vocab):
    """A shared tok2vec, and a tagger that listens to it."""
    config = {
        "nlp": {"lang": "en", "pipeline": ["tok2vec", "seqmix_ner"]},
        "components": {
            "tok2vec": {
                "factory": "tok2vec",
                "model": {
                    "@architectures": "spacy.Tok2Vec.v2",
                    "embed": {
                        "@architectures": "spacy-seqmix.MixEmbed.v1",
                        "embed": settings("spacy.MultiHashEmbed.v2", vectors),
                    },
                    "encode": {
                        "@architectures": "spacy.MaxoutWindowEncoder.v2",
                        "width": WIDTH,
                        "depth": 1,
                        "window_size": 1,
                        "maxout_pieces": 2,
                    },
                },
            },
            "seqmix_ner": {
                "factory": "seqmix_ner",
                "model": {
                    "@architectures": "spacy-seqmix.SoftTagger.v1",
                    "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH},
                },
            },
        },
    }
    fix_random_seed(0)
    nlp: Language = load_model_from_config(config, vocab=vocab, auto_fill=True)
    return nlp


@pytest.mark.parametrize("vectors", [False, True])
def test_mix_embed_trains_in_a_pipeline(vectors, vocab, labelled, tmp_path):
    nlp = pipeline(vectors, vocab)
    gold = labelled("[PER Anna] left [LOC Porto].")

    def examples(mix):
        doc = nlp.make_doc(gold.text)
        return [Example(mixed_doc(doc, (0, "Olga", 0.5), (2, None, 0.5)) if mix else doc, gold)]

    optimizer = nlp.initialize(lambda: examples(False))
    tok2vec = nlp.get_pipe("tok2vec")
    assert mixes_embeddings(tok2vec.model)
    set_dropout_rate(tok2vec.model, 0.0)
    mixed = tok2vec.model.begin_update([examples(True)[0].predicted])[0]
    plain = tok2vec.model.begin_update([examples(False)[0].predicted])[0]
    assert not np.allclose(mixed[0], plain[0])
    losses = [nlp.update(examples(True), sgd=optimizer, drop=0.1)["seqmix_ner"] for _ in range(20)]
    assert losses[-1] < losses[0]

    # The plain pipeline: the inner layer in the place of the outer one.
    nlp.to_disk(tmp_path)
    config = nlp.config.copy()
    section = config["components"]["tok2vec"]["model"]
    section["embed"] = section["embed"]["embed"]
    swapped = load_model_from_config(config).from_disk(tmp_path)
    assert not mixes_embeddings(swapped.get_pipe("tok2vec").model)
    rows = [n.get_pipe("seqmix_ner").predict([n(gold.text)]) for n in (nlp, swapped)]
    assert np.array_equal(rows[0][0], rows[1][0])
    again = spacy.load(tmp_path)
    assert mixes_embeddings(again.get_pipe("tok2vec").model)
