"""The CRF as a layer of a thinc model."""

import copy
import pickle
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.util import fix_random_seed
from spacy.vocab import Vocab
from thinc.api import SGD, Adam, Model, list2array, use_ops
from thinc.compat import has_cupy_gpu

from spacy_seqmix.models.crf import Gradients, Marginals, build_crf_tagger
from spacy_seqmix.models.soft_tagger import NEW_TAG_BIAS, set_output_size
from spacy_seqmix.models.tagger_head import Head, head_of

WIDTH = 4
VOCAB = Vocab()


def vectors_of(model, docs, is_train):
    eye = model.ops.asarray2f(np.eye(WIDTH))
    vectors = [eye[[int(t.text) for t in doc]].reshape((len(doc), WIDTH)) for doc in docs]
    return vectors, lambda d: []


def fixed_vectors():
    """Token vectors that come from the words alone: "3" is the fourth unit vector."""
    return Model("fixed_vectors", vectors_of, dims={"nO": WIDTH})


def build(n_tags=5, rate=1.0, seed=0):
    fix_random_seed(seed)
    model = build_crf_tagger(fixed_vectors(), transition_rate=rate)
    set_output_size(model, n_tags)
    model.initialize(X=docs())
    return model


def docs(*words):
    return [Doc(VOCAB, words=[*text]) for text in words or ("0123", "", "21", "3")]


def layer(model):
    return model.layers[-1].layers[0]


def with_transitions(model, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    for name in ("start", "moves", "end"):
        shape = layer(model).get_param(name).shape
        layer(model).set_param(name, (scale * rng.normal(size=shape)).astype("float32"))
    return model


def rows_for(batch, n_tags=5, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(n_tags), size=len(doc)).astype("float32") for doc in batch]


def test_crf_marginals():
    model = with_transitions(build())
    batch = docs()
    found = model.predict(batch)
    assert isinstance(found, Marginals)
    assert [p.shape for p in found] == [(4, 5), (0, 5), (2, 5), (1, 5)]
    for p in found:
        assert p.dtype == np.float32
        assert p.flags["OWNDATA"]
        assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
        # I- cannot be first: no probability at all.
        assert not p[:1, 2::2].any()
    for doc, p in zip(batch, found, strict=True):
        if len(doc):
            assert_allclose(model.predict([doc])[0], p, atol=1e-6)


def test_crf_begins_as_glorot_and_zeros():
    model = build()
    assert layer(model).get_dim("nO") == model.get_ref("output_layer").get_dim("nO") == 5
    assert model.get_ref("output_layer").get_param("W").any()
    for name in ("start", "moves", "end"):
        assert not layer(model).get_param(name).any()
    again = build()
    assert model.to_bytes() == again.to_bytes()


def test_crf_without_transitions_is_a_softmax_over_valid_sequences():
    model = build()
    (p,) = model.predict(docs("2"))
    output = model.get_ref("output_layer")
    e = output.get_param("W")[[0, 1, 3], 2] + output.get_param("b")[[0, 1, 3]]
    assert_allclose(p[0, [0, 1, 3]], np.exp(e) / np.exp(e).sum(), rtol=1e-5)


@pytest.mark.parametrize("rate", [1.0, 20.0])
def test_crf_step_follows_the_numerical_gradient(rate):
    """The weights after a step of plain gradient descent, against finite differences."""
    model = with_transitions(build(rate=rate), scale=1.0 / rate)
    batch, rows = docs(), rows_for(docs())
    head, output = head_of(model), model.get_ref("output_layer")
    places = [(output, "W"), (output, "b"), *((layer(model), n) for n in ("start", "moves", "end"))]

    def numeric(node, name):
        value = node.get_param(name).copy()
        gradient = np.zeros_like(value)
        step = 1e-2 / (rate if node is not output else 1.0)
        for at in np.ndindex(value.shape):
            losses = []
            for sign in (1, -1):
                moved = value.copy()
                moved[at] += sign * step
                node.set_param(name, moved)
                losses.append(head.loss(model.predict(batch), rows)[0])
            gradient[at] = (losses[0] - losses[1]) / (2 * step)
        node.set_param(name, value)
        return gradient

    expected = [numeric(*place) for place in places]
    before = [node.get_param(name).copy() for node, name in places]
    scores, backprop = model.begin_update(batch)
    loss, gradient = head.loss(scores, rows)
    assert isinstance(gradient, Gradients)
    backprop(gradient)
    model.finish_update(SGD(1e-3, L2=0.0, grad_clip=0.0, use_averages=False))
    for (node, name), old, slope in zip(places, before, expected, strict=True):
        assert np.abs(slope).max() > 0.05
        assert_allclose(node.get_param(name), old - 1e-3 * slope, atol=1e-5 * rate)
    assert head.loss(model.predict(batch), rows)[0] < loss


def test_crf_transition_rate_is_that_of_adams_steps():
    steps = []
    for rate in (1.0, 30.0):
        model = build(rate=rate)
        batch, rows = docs(), rows_for(docs())
        scores, backprop = model.begin_update(batch)
        backprop(head_of(model).loss(scores, rows)[1])
        model.finish_update(Adam(1e-3, L2=0.0, grad_clip=0.0))
        steps.append(rate * layer(model).get_param("moves"))
    allowed = np.abs(steps[0]) > 1e-5
    assert_allclose(np.abs(steps[0][allowed]), 1e-3, rtol=0.01)
    assert_allclose(steps[1][allowed], 30 * steps[0][allowed], rtol=0.01)


def test_crf_learns_what_only_transitions_can_tell():
    # The same word throughout: the tags alternate, or follow each other.
    model = build()
    batch = docs("0000", "0000")
    path = [1, 3, 1, 3]
    rows = [np.eye(5, dtype="float32")[path]] * 2
    sgd = Adam(0.05)
    for _ in range(150):
        scores, backprop = model.begin_update(batch)
        loss, gradient = head_of(model).loss(scores, rows)
        backprop(gradient)
        model.finish_update(sgd)
    assert loss < 0.1
    scores = model.predict(batch)
    assert [p.tolist() for p in head_of(model).decode(scores, [None] * 2)] == [path] * 2
    assert (head_of(model).path_probs(scores) > 0.95).all()


def test_crf_loss_moves_nothing_by_itself():
    model = build()
    before = model.to_bytes()
    scores, _ = model.begin_update(docs())
    head_of(model).loss(scores, rows_for(docs()))
    model.finish_update(Adam(0.1))
    assert model.to_bytes() == before


@pytest.mark.parametrize("seed", range(3))
def test_crf_decodes_the_best_path_that_is_not_forbidden(seed):
    model = with_transitions(build(), seed, scale=3.0)
    batch = docs("0123", "", "21")
    forbidden = [np.zeros((4, 5), dtype=bool), None, None]
    forbidden[0][1, 1:] = forbidden[0][3, 2::2] = True
    scores = model.predict(batch)
    paths = head_of(model).decode(scores, forbidden)
    free = head_of(model).decode(scores, [None] * 3)
    assert [path.tolist() for path in paths[1:]] == [path.tolist() for path in free[1:]]
    start, moves, end = (part.numpy() for part in scores.transitions)

    def score(path):
        e = scores.emissions[0].astype("float64")
        steps = sum(moves[i, j] for i, j in pairwise(path))
        return start[path[0]] + e[range(4), path].sum() + steps + end[path[-1]]

    valid = [
        path
        for path in product(range(5), repeat=4)
        if all(j not in (2, 4) or i in (j - 1, j) for i, j in pairwise((0, *path)))
        and not forbidden[0][range(4), path].any()
    ]
    assert tuple(paths[0].tolist()) == max(valid, key=score)
    assert paths[0][1] == 0


def test_crf_of_docs_without_tokens():
    head = head_of(build())
    none = [np.zeros((0, 5), dtype="float32")] * 2
    assert [p.tolist() for p in head.decode(none, [None, None])] == [[], []]
    assert head.path_probs(none).tolist() == [1.0, 1.0]
    assert [p.tolist() for p in head.span_probs(none, [[], []])] == [[], []]
    assert head.loss(none, none)[0] == 0.0
    assert head.path_probs([]).shape == (0,)
    assert head.decode([], []) == []
    assert head.path_probs(build().predict(docs("", "1"))).tolist()[0] == 1.0


def test_crf_refuses_what_does_not_come_from_it():
    model = build()
    plain = [p.copy() for p in model.predict(docs())]
    for call in (
        lambda head: head.decode(plain, [None] * 4),
        lambda head: head.path_probs(plain),
        lambda head: head.loss(plain, rows_for(docs())),
    ):
        with pytest.raises(ValueError, match="S231"):
            call(head_of(model))
    _, backprop = model.begin_update(docs())
    with pytest.raises(ValueError, match="S232"):
        backprop(plain)


def test_crf_arguments():
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="S230"):
            build_crf_tagger(fixed_vectors(), transition_rate=rate)
    model = build_crf_tagger(fixed_vectors(), nO=4)
    with pytest.raises(ValueError, match="S233"):
        model.initialize(X=docs())
    model = build_crf_tagger(fixed_vectors(), nO=7)
    model.initialize(X=docs())
    assert model.predict(docs("12"))[0].shape == (2, 7)


def test_crf_grows():
    model = with_transitions(build(), scale=0.5)
    before, old = model.predict(docs()), layer(model)
    kept = old.get_param("moves").copy()
    set_output_size(model, 7)
    after = model.predict(docs())
    for p, q in zip(before, after, strict=True):
        assert q.shape == (len(p), 7)
        assert_allclose(q[:, :5], p, atol=0.06)
    grown = layer(model)
    assert grown.get_dim("nO") == model.get_dim("nO") == 7
    assert_array_equal(grown.get_param("moves")[:5, :5], kept)
    assert not grown.get_param("moves")[5:].any()
    assert (model.get_ref("output_layer").get_param("b")[5:] == NEW_TAG_BIAS).all()
    # An optimiser that has seen the old weights takes the new ones.
    sgd = Adam(0.01)
    for size in (7, 9):
        set_output_size(model, size)
        scores, backprop = model.begin_update(docs())
        backprop(head_of(model).loss(scores, rows_for(docs(), size))[1])
        model.finish_update(sgd)


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_crf_copies(copier):
    model = with_transitions(build(rate=3.0))
    other = copier(model)
    assert_array_equal(other.predict(docs())[0], model.predict(docs())[0])
    assert isinstance(head_of(other), Head)
    set_output_size(other, 9)
    assert other.predict(docs())[0].shape == (4, 9)
    assert model.predict(docs())[0].shape == (4, 5)


def test_crf_bytes():
    model = with_transitions(build(rate=3.0))
    # The rate belongs to the weights: it comes with them.
    other = build(rate=1.0, seed=1).from_bytes(model.to_bytes())
    assert_array_equal(other.predict(docs())[0], model.predict(docs())[0])
    assert head_of(other) is head_of(model)
    scores, backprop = other.begin_update(docs())
    backprop(head_of(other).loss(scores, rows_for(docs()))[1])


def test_crf_records_nothing_in_torch():
    lattice = build().predict(docs()).lattice
    assert not lattice.alphas.requires_grad
    assert lattice.alphas.dtype == torch.float64


def test_crf_head_is_found():
    assert head_of(build()) is not head_of(list2array())


@pytest.mark.skipif(not has_cupy_gpu, reason="needs a GPU and cupy")
def test_crf_on_gpu():  # pragma: no cover
    expected = with_transitions(build()).predict(docs())
    with use_ops("cupy"):
        model = build().from_bytes(with_transitions(build()).to_bytes())
        scores, backprop = model.begin_update(docs())
        for p, q in zip(scores, expected, strict=True):
            assert isinstance(p, model.ops.xp.ndarray)
            assert_allclose(p.get(), q, atol=1e-5)
        rows = [model.ops.asarray2f(r) for r in rows_for(docs())]
        loss, gradient = head_of(model).loss(scores, rows)
        assert np.isfinite(loss)
        backprop(gradient)
        model.finish_update(Adam(0.01))
        assert all(isinstance(p, np.ndarray) for p in head_of(model).decode(scores, [None] * 4))
        assert isinstance(head_of(model).path_probs(scores), np.ndarray)
        assert np.isfinite(head_of(model).span_probs(scores, [[(0, 2, 1)], [], [], []])[0])
