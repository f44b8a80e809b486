"""Calibration errors by hand, and the temperature that a made-up component needs."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example

from spacy_seqmix.models.tagger_head import tempered_rows
from spacy_seqmix.query.temperature import (
    TEMPERATURES,
    ScoredSpans,
    best,
    cross_fitted,
    fit_of,
    score_spans,
)

from .conftest import PERSON, bare


def test_fit_of_by_hand():
    fit = fit_of(
        np.array([0.9, 0.9, 0.9, 0.9, 0.35], dtype="float32"),
        np.array([True, True, False, True, False]),
    )
    # 4/5 of |0.9 - 0.75|, and 1/5 of |0.35 - 0|
    assert fit.error == pytest.approx(0.8 * 0.15 + 0.2 * 0.35, rel=1e-5)
    assert fit.brier == pytest.approx((3 * 0.1**2 + 0.9**2 + 0.35**2) / 5, rel=1e-5)
    losses = [-np.log(0.9)] * 3 + [-np.log(0.1), -np.log(0.65)]
    assert fit.log_loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert [(b.low, b.n) for b in fit.bins] == [(0.3, 1), (0.9, 4)]


def test_fit_of_certainties_is_finite():
    fit = fit_of(np.array([1.0, 0.0], dtype="float32"), np.array([False, True]))
    assert fit.error == pytest.approx(1.0)
    assert np.isfinite(fit.log_loss)
    assert fit.bins[-1].n == 1


def made_up(temperature, n=4000):
    """Spans that are correct as often as they would say if their scores were divided by this."""
    rng = np.random.default_rng(0)
    odds = np.exp(rng.normal(1.0, 2.0, n))
    said = np.stack([odds / (1 + odds), 1 / (1 + odds)], axis=1).astype("float32")
    true = tempered_rows(said, temperature)[:, 0]
    table = np.stack([tempered_rows(said, t)[:, 0] for t in TEMPERATURES])
    return ScoredSpans(table, rng.random(n) < true, np.arange(n) // 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0])
def test_best_finds_the_temperature(temperature):
    found = made_up(temperature)
    assert TEMPERATURES[best(found)] == pytest.approx(temperature, rel=0.12)
    after = fit_of(cross_fitted(found), found.correct)
    assert after.error < 0.03
    if temperature != 1.0:
        before = fit_of(found.confidence[np.argmin(np.abs(np.log(TEMPERATURES)))], found.correct)
        assert before.error > 2 * after.error


def test_cross_fitted_leaves_a_fold_out_of_its_own_fit():
    # The last doc's spans alone say the opposite: they must not have their own temperature.
    found = made_up(4.0, 1000)
    last = found.doc >= 200
    flipped = ScoredSpans(found.confidence, np.where(last, False, found.correct), found.doc)
    row = flipped.confidence[best(flipped, ~last)]
    assert_allclose(cross_fitted(flipped)[last], row[last])


def test_cross_fitted_of_one_doc():
    found = made_up(1.0, 4)
    assert len(cross_fitted(found)) == 4
    assert (
        len(cross_fitted(ScoredSpans(found.confidence[:, :0], found.correct[:0], found.doc[:0])))
        == 0
    )


def test_temperatures_hold_one():
    assert np.abs(np.log(TEMPERATURES)).min() < 1e-12


@pytest.mark.parametrize("component", ["seqmix_ner", "beam_ner"])
def test_score_spans_against_gold(trained, gold, component):
    keep = ["tok2vec", "transformer", component]
    with trained.select_pipes(enable=[n for n in trained.pipe_names if n in keep]):
        examples = [Example(bare(trained, doc), doc) for doc in gold(trained)]
        predicted = list(trained.pipe([bare(trained, doc) for doc in gold(trained)]))
        found = score_spans(trained, component, examples, batch_size=3)
    pairs = [(i, e) for i, doc in enumerate(predicted) for e in doc.ents]
    assert found.doc.tolist() == [i for i, _ in pairs]
    references = [{(e.start, e.end, e.label_) for e in eg.reference.ents} for eg in examples]
    assert found.correct.tolist() == [(e.start, e.end, e.label_) in references[i] for i, e in pairs]
    assert found.confidence.shape == (len(TEMPERATURES), len(pairs))


def test_score_spans_leaves_out_what_has_no_confidence():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    proc = nlp.add_pipe("seqmix_ner")
    proc.add_label(PERSON)
    nlp.initialize(lambda: [Example(Doc(nlp.vocab, words=["a"]), Doc(nlp.vocab, words=["a"]))])
    ruler.add_patterns([{"label": "OTHER", "pattern": "Rome"}])
    gold = Doc(nlp.vocab, words=["in", "Rome"], ents=["O", "B-OTHER"])
    found = score_spans(nlp, "seqmix_ner", [Example(bare(nlp, gold), gold)])
    assert not np.isnan(found.confidence).any()


@pytest.mark.parametrize("temperature", [5e-324, 1e-308, 1e-4])
def test_tempered_rows_near_zero_are_those_of_the_best(temperature):
    p = np.array([[0.3, 0.5, 0.2], [0.0, 0.0, 0.0]], dtype="float32")
    np.testing.assert_array_equal(tempered_rows(p, temperature), [[0, 1, 0], [0, 0, 0]])
