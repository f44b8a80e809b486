"""The pair classifier: what it pools, its gradient, and its sizes."""

import copy

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, Span
from spacy.util import fix_random_seed, registry
from thinc.api import SGD, Model, reduce_max, reduce_mean

from spacy_seqmix.models.soft_tagger import set_output_size
from spacy_seqmix.relation_extraction.candidates import candidate_pairs
from spacy_seqmix.relation_extraction.model import (
    build_pair_classifier,
    flat_pairs,
    part_rows,
    plain_features,
)

WIDTH = 5


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


def table_encoder():
    """Token vectors that are a parameter: the first n rows of a table for a doc of n tokens."""

    def forward(model, docs, is_train):
        table = model.get_param("E")

        def backprop(d_vectors):
            grad = np.zeros_like(table)
            for d in d_vectors:
                grad[: len(d)] += d
            model.inc_grad("E", grad)
            return []

        return [table[: len(doc)] for doc in docs], backprop

    model = Model("table", forward, dims={"nO": WIDTH}, params={"E": None})
    rng = np.random.default_rng(0)
    model.set_param("E", rng.normal(size=(20, WIDTH)).astype("float32"))
    return model


def docs_of(vocab):
    """Three docs: with three entities, without tokens, with two."""
    first, empty, last = Doc(vocab, words=["w"] * 9), Doc(vocab), Doc(vocab, words=["w"] * 4)
    first.set_ents([Span(first, *ent) for ent in ((0, 2, "P"), (3, 4, "O"), (7, 9, "P"))])
    last.set_ents([Span(last, *ent) for ent in ((0, 1, "O"), (1, 4, "P"))])
    docs = [first, empty, last]
    return docs, [candidate_pairs(doc.ents, 50) for doc in docs]


def build(docs, reducer=reduce_mean, type_width=0, nO=3):  # noqa: N803
    fix_random_seed(0)
    model = build_pair_classifier(
        table_encoder(), reducer(), hidden_size=4, type_width=type_width, nO=nO
    )
    model.initialize(X=docs)
    return model


def test_pairs_parts_and_features_by_hand():
    # "a b | c | d e f": head before tail, tail before head, neighbours, one within the other.
    pairs = np.array([[0, 2, 4, 6], [4, 6, 0, 2], [0, 2, 2, 3], [0, 4, 1, 2]], dtype="int32")
    rows, lengths = part_rows(pairs, 9)
    assert lengths.tolist() == [2, 2, 2, 2, 2, 2, 2, 1, 1, 4, 1, 1]
    assert rows.tolist() == [0, 1, 4, 5, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1, 2, 9, 0, 1, 2, 3, 1, 9]
    assert_allclose(
        plain_features(pairs), [[1, np.log(3)], [-1, np.log(3)], [1, 0], [1, 0]], rtol=1e-6
    )


def test_pairs_are_counted_through(vocab):
    docs, found = docs_of(vocab)
    flat = flat_pairs(found, [len(doc) for doc in docs])
    assert flat[-2:].tolist() == [[9, 10, 10, 13], [10, 13, 9, 10]]
    assert_array_equal(flat[:-2], found[0].pairs)


@pytest.mark.parametrize("type_width", [0, 4])
def test_pairs_probabilities(vocab, type_width):
    docs = docs_of(vocab)
    model = build(docs, type_width=type_width)
    probs = model.predict(docs)
    assert [p.shape for p in probs] == [(6, 3), (0, 3), (2, 3)]
    assert_allclose(np.concatenate(probs).sum(axis=1), 1.0, rtol=1e-5)
    # Docs do not see each other, and the two directions are not the same.
    for i in (0, 2):
        alone = model.predict(([docs[0][i]], [docs[1][i]]))[0]
        assert_allclose(alone, probs[i], atol=1e-6)
    assert np.abs(probs[2][0] - probs[2][1]).max() > 1e-3


def test_pairs_types_make_a_difference(vocab):
    docs, found = docs_of(vocab)
    plain, typed = build((docs, found)), build((docs, found), type_width=4)
    before = plain.predict((docs, found))[2], typed.predict((docs, found))[2]
    docs[2].set_ents([Span(docs[2], 0, 1, "L"), Span(docs[2], 1, 4, "P")])
    found[2] = candidate_pairs(docs[2].ents, 50)
    assert_array_equal(plain.predict((docs, found))[2], before[0])
    assert np.abs(typed.predict((docs, found))[2] - before[1]).max() > 1e-3


@pytest.mark.parametrize("reducer", [reduce_mean, reduce_max])
def test_pairs_are_reduced_some_at_a_time(vocab, reducer, monkeypatch):
    docs = docs_of(vocab)
    model = build(docs, reducer)
    results, largest = [], []
    for limit in (2**14, 4, 1):
        monkeypatch.setattr("spacy_seqmix.relation_extraction.model.GATHERED", limit)
        forward = model.layers[1]._func
        sizes = []

        def spy(layer, X, is_train, forward=forward, sizes=sizes):  # noqa: N803
            sizes.append(len(X.dataXd))
            return forward(layer, X, is_train)

        with monkeypatch.context() as patch:
            patch.setattr(model.layers[1], "_func", spy)
            probs, backprop = model.begin_update(docs)
        backprop([p - np.eye(3, dtype="float32")[[0] * len(p)] for p in probs])
        grads = [
            node.get_grad(name)
            for node in model.walk()
            for name in node.param_names
            if node.has_grad(name)
        ]
        results.append((probs, grads))
        largest.append(max(sizes))
        model.finish_update(SGD(0.0, L2=0.0, grad_clip=0.0))
    longest = part_rows(flat_pairs(docs[1], [len(doc) for doc in docs[0]]), 99)[1].max()
    assert largest[0] > largest[1] > largest[2] == longest
    for probs, grads in results[1:]:
        assert_allclose(np.concatenate(probs), np.concatenate(results[0][0]), atol=1e-6)
        for found, expected in zip(grads, results[0][1], strict=True):
            assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("reducer", [reduce_mean, reduce_max])
@pytest.mark.parametrize("type_width", [0, 2])
def test_pairs_gradient_is_that_of_the_cross_entropy(vocab, reducer, type_width):
    docs = docs_of(vocab)
    model = build(docs, reducer, type_width)
    rng = np.random.default_rng(1)
    rows = [rng.dirichlet(np.ones(3), size=len(pairs)).astype("float32") for pairs in docs[1]]

    def loss():
        probs = model.predict(docs)
        return -sum(
            float((y * np.log(p)).sum(dtype="float64")) for y, p in zip(rows, probs, strict=True)
        )

    probs, backprop = model.begin_update(docs)
    backprop([p - y for p, y in zip(probs, rows, strict=True)])
    checked = set()
    for node in model.walk():
        for name in node.param_names:
            value, grad = node.get_param(name), node.get_grad(name)
            # The largest entries: the others are lost in the rounding of float32.
            for i in np.argsort(-np.abs(grad), axis=None)[:4]:
                at = np.unravel_index(i, value.shape)
                old, step = value[at], 1e-3
                value[at] = old + step
                high = loss()
                value[at] = old - step
                slope = (high - loss()) / (2 * step)
                value[at] = old
                assert grad[at] == pytest.approx(slope, rel=0.05, abs=0.01), (node.name, name)
                checked.add((node.name, name))
    assert len(checked) == 7 + bool(type_width)


def test_pairs_without_any_pair(vocab):
    docs, found = docs_of(vocab)
    model = build((docs, found))
    nobody = [candidate_pairs([], 50) for _ in docs]
    probs, backprop = model.begin_update((docs, nobody))
    assert [p.shape for p in probs] == [(0, 3)] * 3
    # The encoder still hears of it: other components may wait for its turn.
    backprop(probs)
    assert not model.get_ref("tok2vec").get_grad("E").any()
    assert model.predict(([], [])) == []


@pytest.mark.parametrize("copied", [False, True])
def test_pairs_output_grows(vocab, copied):
    docs = docs_of(vocab)
    model = build(docs)
    before = model.predict(docs)[0]
    if copied:
        original, model = model, copy.deepcopy(model)
    set_output_size(model, 4)
    after = model.predict(docs)[0]
    assert after.shape == (6, 4)
    assert_allclose(after[:, :3] / after[:, :3].sum(axis=1, keepdims=True), before, rtol=1e-4)
    assert after[:, 3].max() < 0.1
    again = build_pair_classifier(table_encoder(), reduce_mean(), hidden_size=4)
    again.from_bytes(model.to_bytes())
    assert_array_equal(again.predict(docs)[0], after)
    if copied:
        assert_array_equal(original.predict(docs)[0], before)


def test_pairs_take_other_reducers(vocab):
    docs = docs_of(vocab)
    build_reducer = registry.get("layers", "spacy.mean_max_reducer.v1")
    model = build(docs, lambda: build_reducer(hidden_size=7))
    assert [p.shape for p in model.predict(docs)] == [(6, 3), (0, 3), (2, 3)]
