"""What each kind of component gives, by hand."""

import math

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from thinc.api import Linear as LinearLayer
from thinc.api import Softmax_v2, chain, softmax_activation, with_array

from spacy_seqmix.annotation.iob import tag_names
from spacy_seqmix.query.probabilities import SOURCES, normalised, token_probs

from .conftest import PERSON, PIPES, PLACE, bare, train

TAGGERS = ("tagger", "normalised_tagger", "morphologizer")


def upstream(nlp, name, docs):
    """Copies that the components before this one have seen."""
    copies = [bare(nlp, doc) for doc in docs]
    for before, proc in nlp.pipeline:
        if before == name:
            return nlp.get_pipe(name), copies
        copies = list(proc.pipe(copies))


def test_sources_battery_covers_every_factory():
    # Pairs of entities have tests of their own.
    assert {factory for factory, _ in PIPES.values()} | {"seqmix_relations"} == set(SOURCES)


@pytest.mark.parametrize("name", PIPES)
def test_sources_rows_are_distributions(trained, unlabelled, name):
    found = token_probs(trained, name, unlabelled, batch_size=3, whitespace=True)
    columns = {p.shape[1] for p in found}
    assert len(columns) == 1
    proc = trained.get_pipe(name)
    expected = {
        "spancat": 2,
        "spancat_singlelabel": 3,
        "morphologizer": len(proc.labels),
        "tagger": 2,
        "normalised_tagger": 2,
        "seqmix_tagger": 2,
    }
    assert columns == {expected.get(name, 5)}
    for doc, p in zip(unlabelled, found, strict=True):
        assert p.dtype == np.float32
        assert isinstance(p, np.ndarray)
        assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)
        assert p.min(initial=0.0) >= 0.0
        if not name.startswith("spancat"):
            assert len(p) == len(doc)


@pytest.mark.parametrize("name", PIPES)
def test_sources_without_any_token(trained, name):
    source = SOURCES[trained.get_pipe_meta(name).factory]
    proc = trained.get_pipe(name)
    assert source(proc, []) == []
    found = source(proc, [Doc(trained.vocab)] * 2)
    assert [p.shape[0] for p in found] == [0, 0]
    assert found[0].shape == source(proc, [Doc(trained.vocab)])[0].shape
    assert found[0].shape[1] > 1
    assert found[0].dtype == np.float32


@pytest.mark.parametrize("name", TAGGERS)
def test_softmax_probs_are_the_softmax_of_the_logits(trained, unlabelled, name):
    docs = [doc for doc in unlabelled if len(doc)]
    proc, copies = upstream(trained, name, docs)
    layer = proc.model.get_ref("softmax")
    vectors = proc.model.get_ref("tok2vec").predict(copies)
    spread = []
    for p, x in zip(token_probs(trained, name, docs, whitespace=True), vectors, strict=True):
        logits = (x @ layer.get_param("W").T + layer.get_param("b")).astype("float64")
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert_allclose(p, expected, atol=1e-5)
        spread.append(np.ptp(logits))
    assert max(spread) > 0.1  # or both would be near uniform


def test_softmax_probs_agree_with_the_predicted_tags(trained, unlabelled):
    found = token_probs(trained, "tagger", unlabelled, whitespace=True)
    labels = trained.get_pipe("tagger").labels
    assert labels == ("N-1: a", "其他")
    for doc, p in zip(unlabelled, found, strict=True):
        parsed = trained(bare(trained, doc))
        assert [t.tag_ for t in parsed] == [labels[i] for i in p.argmax(axis=1)]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_normalised_once_by_hand(normalize, temperature):
    layer = Softmax_v2(2, 2, normalize_outputs=normalize, temperature=temperature)
    layer.initialize()
    layer.set_param("W", np.eye(2, dtype="float32") * np.float32(math.log(4.0)))
    model = chain(with_array(softmax_activation()), with_array(layer))
    inner = Softmax_v2(2, 2, normalize_outputs=not normalize)  # of some attention, further down
    for built in (with_array(layer), chain(with_array(inner), with_array(layer)), model):
        scores = layer.predict(np.array([[1.0, 0.0]], dtype="float32"))
        odds = 4.0 ** (1 / temperature)  # softmax of (ln 4, 0), flattened by the temperature
        assert_allclose(normalised(built, scores), [[odds / (odds + 1), 1 / (odds + 1)]], rtol=1e-5)


def test_normalised_leaves_other_models_alone():
    scores = np.array([[0.25, 0.75]], dtype="float32")
    model = chain(LinearLayer(2, 2), softmax_activation())
    assert normalised(model, scores) is scores


def test_span_label_probs_by_hand(trained, unlabelled):
    proc, copies = upstream(trained, "spancat_singlelabel", unlabelled)
    found = token_probs(trained, "spancat_singlelabel", unlabelled)
    assert proc.labels == (PERSON, PLACE)
    for doc, p in zip(copies, found, strict=True):
        # spans of one token, then of two
        assert len(p) == len(doc) + max(0, len(doc) - 1)
        if len(doc):
            assert_allclose(p, proc.predict([doc])[1], atol=1e-5)
            group = proc._make_span_group_singlelabel(doc, proc.suggester([doc]).dataXd, p)
            assert len(group) == (p.argmax(axis=1) < 2).sum()


def test_span_decision_probs_by_hand(trained, unlabelled):
    proc, copies = upstream(trained, "spancat", unlabelled)
    found = token_probs(trained, "spancat", unlabelled)
    for doc, p in zip(copies, found, strict=True):
        assert len(p) == 2 * (len(doc) + max(0, len(doc) - 1))
        if len(doc):
            scores = proc.predict([doc])[1]
            assert_allclose(p[:, 0].reshape(-1, 2), scores, atol=1e-5)
            # the second row is the first span's second label
            assert_allclose(p[1], [scores[0, 1], 1 - scores[0, 1]], atol=1e-5)


def test_span_probs_of_a_softmax_that_is_left_out(gold):
    nlp = spacy.blank("xx")
    scorer = {"@layers": "Softmax.v2", "normalize_outputs": False}
    nlp.add_pipe("spancat_singlelabel", config={"model": {"scorer": scorer}})
    docs = gold(nlp)
    train(nlp, docs, 2)
    found = token_probs(nlp, "spancat_singlelabel", docs)
    raw = nlp.get_pipe("spancat_singlelabel").predict([bare(nlp, docs[0])])[1].astype("float64")
    expected = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert_allclose(found[0], expected, atol=1e-5)
    assert np.abs(raw.sum(axis=1) - 1).max() > 0.01


def test_span_probs_without_candidates(gold):
    nlp = spacy.blank("xx")
    suggester = {"@misc": "spacy.ngram_suggester.v1", "sizes": [6]}
    for name in ("spancat", "spancat_singlelabel"):
        nlp.add_pipe(name, config={"suggester": suggester})
    docs = gold(nlp)
    train(nlp, docs, 0)
    for name, n_columns, per_span in (("spancat", 2, 2), ("spancat_singlelabel", 3, 1)):
        shapes = [p.shape for p in token_probs(nlp, name, docs)]
        lengths = [max(0, len(doc) - 5) for doc in docs]
        assert shapes == [(n * per_span, n_columns) for n in lengths]
        assert 0 in lengths
        assert [p.shape for p in token_probs(nlp, name, docs[-2:])] == [(0, n_columns)] * 2


def test_columns_of_entity_recognisers_are_iob_tags(trained):
    for name in ("ner", "beam_ner", "seqmix_ner"):
        labels = trained.get_pipe(name).labels
        assert set(labels) == {PERSON, PLACE}
        assert len(tag_names(labels)) == 5
