"""Confidence in spans and token probabilities at a temperature, for each kind of component."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, Span

from spacy_seqmix.query.beam import beam_parses
from spacy_seqmix.query.confidence import check_has_spans, spans_of_component, tempered_probs
from spacy_seqmix.query.probabilities import token_probs

from .conftest import PERSON, PIPES, PLACE

FINDS_SPANS = ("seqmix_ner", "seqmix_crf", "ner", "beam_ner", "spancat", "spancat_singlelabel")


def annotated(nlp, docs, component):
    """The docs as the components up to this one leave them (the tok2vec layers and it alone)."""
    keep = ["tok2vec", "transformer", component]
    with nlp.select_pipes(enable=[name for name in nlp.pipe_names if name in keep]):
        return list(nlp.pipe(Doc(nlp.vocab, words=[t.text for t in doc]) for doc in docs))


@pytest.mark.parametrize("component", PIPES)
def test_tempered_probs_tokens_at_one_are_token_probs(trained, unlabelled, component):
    docs = annotated(trained, unlabelled, component)
    before = [doc.to_bytes(exclude=["tensor", "user_data"]) for doc in docs]
    probs = tempered_probs(trained, component, docs)
    for p, expected in zip(probs.tokens(1.0), token_probs(trained, component, docs), strict=True):
        assert_allclose(p, expected, atol=1e-5)
    assert [doc.to_bytes(exclude=["tensor", "user_data"]) for doc in docs] == before
    assert (probs.spans is not None) == (component in FINDS_SPANS)


@pytest.mark.parametrize("component", PIPES)
@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_tempered_probs_tokens_are_distributions(trained, unlabelled, component, temperature):
    docs = annotated(trained, unlabelled, component)
    probs = tempered_probs(trained, component, docs)
    for plain, p in zip(probs.tokens(1.0), probs.tokens(temperature), strict=True):
        assert p.shape == plain.shape
        assert_allclose(p.sum(axis=1), 1.0, atol=1e-4)
    sharp, flat = (
        np.mean([p.max(axis=1).mean() for p in probs.tokens(t) if len(p)]) for t in (0.2, 5.0)
    )
    assert sharp > flat


@pytest.mark.parametrize("component", FINDS_SPANS)
def test_tempered_probs_spans_are_probabilities(trained, unlabelled, component):
    docs = annotated(trained, unlabelled, component)
    spans = tempered_probs(trained, component, docs).spans
    for t in (0.5, 1.0, 4.0):
        values = spans(t)
        of_docs = [spans_of_component(trained, component, doc) for doc in docs]
        assert [len(v) for v in values] == [len(spans) for spans in of_docs]
        for v in values:
            assert ((v >= 0) & (v <= 1 + 1e-6)).all()


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_tempered_probs_beam_spans_by_hand(trained, unlabelled, temperature):
    docs = annotated(trained, unlabelled, "ner")
    doc = max(docs[:6], key=lambda d: len(d.ents))
    doc.ents = [Span(doc, 0, 1, label=PLACE)]
    (values,) = tempered_probs(trained, "ner", [doc]).spans(temperature)
    assert [(e.start, e.end, e.label_) for e in doc.ents] == [(0, 1, PLACE)]
    (parses,) = beam_parses(trained.get_pipe("ner"), [doc])
    weights = np.array([p for p, _ in parses]) ** (1 / temperature)
    expected = sum(
        w for w, (_, ents) in zip(weights / weights.sum(), parses, strict=True)
        if (0, 1, PLACE) in ents
    )  # fmt: skip
    assert_allclose(values, [expected], atol=1e-6)


@pytest.mark.parametrize(
    ("factory", "shape"), [("spancat", (-1,)), ("spancat_singlelabel", (-1, 1))]
)
def test_tempered_probs_group_spans_by_hand(factory, shape):
    """The single-label categoriser keeps its scores as a column."""
    nlp = spacy.blank("xx")
    proc = nlp.add_pipe(factory)
    proc.add_label(PLACE)
    nlp.initialize()
    doc = Doc(nlp.vocab, words=["in", "Rome"])
    doc.spans["sc"] = [Span(doc, 1, 2, label=PLACE), Span(doc, 0, 2, label=PLACE)]
    doc.spans["sc"].attrs["scores"] = np.array([0.8, 0.5], dtype="float32").reshape(shape)
    probs = tempered_probs(nlp, factory, [doc])
    assert_allclose(probs.spans(1.0)[0], [0.8, 0.5], rtol=1e-5)
    assert_allclose(probs.spans(2.0)[0], [2 / 3, 0.5], rtol=1e-5)  # odds 4 become their root, 2
    doc.spans["sc"].attrs.pop("scores")
    with pytest.raises(ValueError, match="S441"):
        tempered_probs(nlp, factory, [doc])


def test_tempered_probs_group_that_is_missing_has_no_spans(trained):
    doc = Doc(trained.vocab, words=["Rome"])
    doc = annotated(trained, [doc], "tagger")[0]
    assert_array_equal(tempered_probs(trained, "spancat", [doc]).spans(1.0)[0], [])
    assert spans_of_component(trained, "spancat", doc) == []


def test_spans_of_component_are_entities(trained):
    doc = Doc(trained.vocab, words=["Ann", "Lee"], ents=[f"B-{PERSON}", f"I-{PERSON}"])
    assert [span.text for span in spans_of_component(trained, "ner", doc)] == ["Ann Lee"]


def test_check_has_spans_names_those_that_do(trained):
    with pytest.raises(ValueError, match=r"S440.*'tagger'.*'seqmix_ner'.*'ner', 'beam_ner'"):
        check_has_spans(trained, "tagger")
    check_has_spans(trained, "beam_ner")


@pytest.mark.parametrize("component", PIPES)
def test_uncertainty_component_over_every_kind(trained, unlabelled, component):
    keep = ["tok2vec", "transformer", component]
    trained.add_pipe("seqmix_uncertainty", after=component, config={"component": component})
    try:
        enable = [name for name in trained.pipe_names if name in (*keep, "seqmix_uncertainty")]
        with trained.select_pipes(enable=enable):
            docs = list(
                trained.pipe(Doc(trained.vocab, words=[t.text for t in d]) for d in unlabelled)
            )
        for doc in docs:
            # None where no row, of a token or of a candidate span, could be scored.
            assert doc._.uncertainty is None or 0 <= doc._.uncertainty < 10
            assert (doc._.uncertainty is None) == (not doc.text.strip())
            for span in spans_of_component(trained, component, doc):
                if component in FINDS_SPANS:
                    assert 0 <= span._.confidence <= 1 + 1e-6
                else:
                    assert span._.confidence is None
    finally:
        trained.remove_pipe("seqmix_uncertainty")
