"""Stochastic passes."""

import random

import numpy as np
import pytest
import spacy
import torch
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import PyTorchWrapper, chain, with_array

from spacy_seqmix.models.soft_tagger import build_soft_tagger, set_output_size
from spacy_seqmix.query.dropout import (
    check_has_dropout,
    dropout_on,
    dropout_probs,
    private_generators,
    thinc_layers,
    torch_modules,
)
from spacy_seqmix.query.probabilities import token_probs

CNN = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 16, "depth": 1, "embed_size": 100}
CNN |= {"pretrained_vectors": None, "window_size": 1, "maxout_pieces": 2, "subword_features": True}


def initialised(nlp, labelled):
    docs = [labelled("[PER Ann Lee] saw [LOC Rome]."), labelled("[LOC Oslo] is in [LOC Norway]")]
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc) for doc in docs])
    return nlp


@pytest.fixture(scope="module")
def cnn(labelled):
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": CNN}})
    return initialised(nlp, labelled)


@pytest.fixture(scope="module")
def shared(labelled):
    """spaCy's own listener; it has the ids of the last training batch when prediction comes."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16}
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": listener}})
    initialised(nlp, labelled)
    doc = labelled("[PER Ann Lee] saw [LOC Rome].")
    nlp.update([Example(nlp.make_doc(doc.text), doc)])
    return nlp


@pytest.fixture(scope="module")
def transformer(labelled, tiny_bert_dir):
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(tiny_bert_dir),
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 32,
            "stride": 32,
        },
    }
    nlp.add_pipe("transformer", config={"model": model})
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": listener}})
    with torch.random.fork_rng(devices=[]):
        return initialised(nlp, labelled)


@pytest.fixture(params=["cnn", "shared", "transformer"])
def nlp(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def docs(news):
    return [*news[:6], Doc(news[0].vocab)]


def passes(nlp, docs, seeds, rate=0.3, **kwargs):
    return dropout_probs(nlp, "seqmix_ner", docs, rate, seeds, **kwargs)


def same(one, other):
    return all(np.array_equal(p, q) for p, q in zip(one, other, strict=True))


def test_dropout_passes_differ_by_seed_alone(nlp, docs):
    seen = []
    first, second, again = passes(nlp, docs, [1, 2, 1], progress=seen.append)
    assert seen == [7, 7, 7]
    assert [p.shape for p in first] == [(len(doc), 5) for doc in docs]
    assert same(first, again)
    assert not any(np.allclose(p, q) for p, q in zip(first[:-1], second[:-1], strict=True))
    for p in first:
        assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)


def test_dropout_leaves_the_pipeline_as_it_was(nlp, docs):
    def state():
        modules = torch_modules(nlp, "seqmix_ner")
        rates = [layer.attrs["dropout_rate"] for layer in thinc_layers(nlp, "seqmix_ner")]
        rates += [getattr(m, "p", None) for module in modules for m in module.modules()]
        grads = [p.grad for module in modules for p in module.parameters()]
        hooks = [len(m._forward_pre_hooks) for module in modules for m in module.modules()]
        return rates, [g for g in grads if g is not None], hooks, nlp.to_bytes()

    before, probs = state(), token_probs(nlp, "seqmix_ner", docs)
    passes(nlp, docs, [1])
    assert state() == before
    assert same(token_probs(nlp, "seqmix_ner", docs), probs)
    with pytest.raises(RuntimeError, match="stop"), dropout_on(nlp, "seqmix_ner", 0.5):
        raise RuntimeError("stop")
    assert state() == before


def test_dropout_leaves_the_global_generators_as_they_were(nlp, docs):
    def state():
        numbers = np.random.get_state()[1].tolist()
        return numbers, random.getstate(), torch.get_rng_state().tolist()

    before = state()
    first = passes(nlp, docs, [5])
    assert state() == before
    np.random.rand(3), torch.rand(3), random.random()  # other states, the same pass
    assert same(first[0], passes(nlp, docs, [5])[0])
    with pytest.raises(RuntimeError, match="stop"), private_generators(0):
        raise RuntimeError("stop")


def test_dropout_keeps_no_gradient(transformer, docs, monkeypatch):
    seen = []
    module = torch_modules(transformer, "seqmix_ner")[0]
    hook = module.register_forward_hook(
        lambda m, inputs, output: seen.append((m.training, output[0].requires_grad))
    )
    try:
        passes(transformer, docs, [1])
    finally:
        hook.remove()
    assert seen == [(True, False)]


def test_dropout_rate_is_that_of_the_passes(nlp, docs):
    plain = token_probs(nlp, "seqmix_ner", docs)

    def distance(rate):
        found = passes(nlp, docs, range(8), rate=rate)
        pairs = [(p, q) for one in found for p, q in zip(one, plain, strict=True) if len(p)]
        return np.mean([np.abs(p - q).mean() for p, q in pairs])

    assert distance(0.02) < distance(0.6)


def test_dropout_rate_is_that_of_fused_attention_too(transformer):
    module = torch_modules(transformer, "seqmix_ner")[0]

    def rates():
        return [m.dropout_prob for m in module.modules() if hasattr(m, "dropout_prob")]

    before = rates()
    assert before  # torch's fused attention is given a number, it has no layer for it
    with dropout_on(transformer, "seqmix_ner", 0.4):
        assert set(rates()) == {0.4}
    assert rates() == before


def test_dropout_of_a_torch_lstm(labelled, docs):
    nlp = spacy.blank("en")
    encode = {"@architectures": "spacy.TorchBiLSTMEncoder.v1", "width": 16, "depth": 2}
    embed = {"@architectures": "spacy.MultiHashEmbed.v2", "width": 16, "attrs": ["ORTH"]}
    embed |= {"rows": [50], "include_static_vectors": False}
    tok2vec = {"@architectures": "spacy.Tok2Vec.v2", "embed": embed}
    encode["dropout"] = 0.0
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": {**tok2vec, "encode": encode}}})
    with torch.random.fork_rng(devices=[]):
        initialised(nlp, labelled)
    module = torch_modules(nlp, "seqmix_ner")[0]
    with dropout_on(nlp, "seqmix_ner", 0.4):
        assert module.dropout == 0.4
    assert module.dropout == 0.0
    assert not same(*passes(nlp, docs, [1, 2]))


def test_dropout_does_not_touch_running_means(cnn, docs, monkeypatch):
    norm = torch.nn.Sequential(torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.1))
    tok2vec = chain(
        cnn.get_pipe("seqmix_ner").model.get_ref("tok2vec"), with_array(PyTorchWrapper(norm))
    )
    tok2vec.set_dim("nO", 16)
    model = build_soft_tagger(tok2vec)
    set_output_size(model, 5)
    model.get_ref("output_layer").initialize()
    monkeypatch.setattr(cnn.get_pipe("seqmix_ner"), "model", model)
    before = norm[0].running_mean.clone()
    assert not same(*passes(cnn, docs[:3], [1, 2]))
    assert torch.equal(norm[0].running_mean, before)


def test_dropout_of_a_model_without_any(cnn, docs, monkeypatch):
    for layer in thinc_layers(cnn, "seqmix_ner"):
        monkeypatch.delitem(layer.attrs, "dropout_rate")
    with pytest.raises(ValueError, match=r"S423\] 'seqmix_ner' has no dropout layers"):
        check_has_dropout(cnn, "seqmix_ner")
    with pytest.raises(ValueError, match="S423"):
        passes(cnn, docs, [1])
