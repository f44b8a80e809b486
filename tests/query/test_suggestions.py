"""Suggested entities, from pipelines of every kind."""

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_seqmix.query.confidence import tempered_probs
from spacy_seqmix.query.suggestions import may_suggest, predict, suggest
from spacy_seqmix.types import Suggestion

from .conftest import PIPES, bare


@Language.component("suggestions_by_word")
def by_word(doc):
    """Like a component over a language model: entities by character, with a score of their own."""
    if not Span.has_extension("score"):
        Span.set_extension("score", default=None)
    at = doc.text.find("Rome")
    if at >= 0:
        span = doc.char_span(at, at + 4, label="GPE")
        if span is not None:
            span._.score = 0.75
            doc.ents = [*doc.ents, span]
    return doc


@Language.component("suggestions_in_group")
def in_group(doc):
    """Like a span categoriser: overlapping spans with scores, one of which is no probability."""
    if len(doc) > 1:
        doc.spans["found"] = [Span(doc, 0, 2, label="PERSON"), Span(doc, 1, 2, label="NAME")]
        doc.spans["found"].attrs["scores"] = [0.5, 1.5]
    return doc


@Language.component("suggestions_short_ones")
def short_ones(doc):
    if "found" in doc.spans:
        doc.spans["found"] = [span for span in doc.spans["found"] if len(span) == 1]
        doc.spans["found"].attrs["scores"] = [1.5]
    return doc


@pytest.fixture(autouse=True)
def no_score_extension():
    yield
    if Span.has_extension("score"):
        Span.remove_extension("score")


def words(text, vocab=None):
    return Doc(vocab or spacy.blank("en").vocab, words=text.split(" "))


@pytest.mark.parametrize("component", [n for n in PIPES if "tag" not in n and "morph" not in n])
def test_suggest_gives_the_spans_of_a_component_with_its_own_confidence(
    component, trained, unlabelled
):
    progress = []
    found = suggest(trained, component, unlabelled, batch_size=4, progress=progress.append)
    assert len(found) == len(unlabelled)
    assert sum(progress) == sum(any(not t.is_space for t in doc) for doc in unlabelled)
    later = trained.pipe_names[trained.pipe_names.index(component) + 1 :]
    with trained.select_pipes(disable=later):
        docs = list(trained.pipe(bare(trained, doc) for doc in unlabelled))
        spans_at = tempered_probs(trained, component, docs).spans
    assert spans_at is not None
    expected = spans_at(1.0)
    key = "sc" if component.startswith("spancat") else None
    for doc, values, some in zip(docs, expected, found, strict=True):
        if all(t.is_space for t in doc):
            assert some == ()
            continue
        spans = doc.spans.get(key, ()) if key else doc.ents
        wanted = {
            (s.start, s.end, s.label_): pytest.approx(float(v), abs=1e-5)
            for s, v in zip(spans, values, strict=True)
        }
        assert {(s.start, s.end, s.label): s.confidence for s in some} == wanted
        assert list(some) == sorted(some, key=lambda s: (s.start, s.end, s.label))
    assert sum(map(len, found)) or component == "spancat_singlelabel"


@pytest.mark.parametrize("component", ["tagger", "morphologizer"])
def test_suggest_has_nothing_of_a_component_without_spans(component, trained, unlabelled):
    assert suggest(trained, component, unlabelled) == [()] * len(unlabelled)


def test_suggest_leaves_the_docs_as_they_are(trained, gold):
    docs = gold(trained)
    before = [doc.to_bytes() for doc in docs]
    suggest(trained, "seqmix_ner", docs)
    assert [doc.to_bytes() for doc in docs] == before


def test_suggest_respects_a_fitted_temperature(trained, unlabelled):
    plain = suggest(trained, "seqmix_ner", unlabelled)
    trained.add_pipe("seqmix_uncertainty", config={"component": "seqmix_ner", "temperature": 4.0})
    try:
        assert suggest(trained, "seqmix_crf", unlabelled)
        warm = suggest(trained, "seqmix_ner", unlabelled)
    finally:
        trained.remove_pipe("seqmix_uncertainty")
    pairs = [
        (a.confidence, b.confidence)
        for before, after in zip(plain, warm, strict=True)
        for a, b in zip(before, after, strict=True)
    ]
    assert pairs
    assert all(a > b for a, b in pairs)


def test_suggest_maps_and_filters_labels_of_rules():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    patterns = [("PERSON", "Ann"), ("GPE", "Rome"), ("DATE", "Friday"), ("NORP", "Danish")]
    ruler.add_patterns([{"label": label, "pattern": word} for label, word in patterns])
    docs = [words("Ann saw Rome on Friday"), words("nothing"), words("Danish Ann")]
    names = {"PERSON": "PER", "GPE": "LOC", "NORP": "LOC"}
    assert suggest(nlp, None, docs, names) == [
        (Suggestion(0, 1, "PER"), Suggestion(2, 3, "LOC")),
        (),
        (Suggestion(0, 1, "LOC"), Suggestion(1, 2, "PER")),
    ]
    assert suggest(nlp, "entity_ruler", docs)[0][2] == Suggestion(4, 5, "DATE")
    assert suggest(nlp, None, docs, {}) == [(), (), ()]


def test_suggest_takes_scores_of_spans():
    nlp = spacy.blank("en")
    nlp.add_pipe("suggestions_by_word")
    docs = [words("Ann saw Rome"), words("Romeo came")]
    assert suggest(nlp, None, docs) == [(Suggestion(2, 3, "GPE", 0.75),), ()]


def test_suggest_takes_scores_of_a_group_and_the_longest_of_overlapping_spans():
    nlp = spacy.blank("en")
    nlp.add_pipe("suggestions_in_group")
    docs = [words("Ann Lee came"), words("x")]
    assert suggest(nlp, None, docs) == [(Suggestion(0, 2, "PERSON", 0.5),), ()]
    nlp.add_pipe("suggestions_short_ones")
    assert suggest(nlp, None, docs, {"NAME": "PER"}) == [(Suggestion(1, 2, "PER", None),), ()]


def test_suggest_knows_confidences_only_of_what_a_component_set(trained, unlabelled):
    """An entity that a rule adds later has none of the recogniser's."""
    ruler = trained.add_pipe("entity_ruler", last=True, config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "RULE", "pattern": "came"}])
    try:
        found = suggest(trained, None, unlabelled)
    finally:
        trained.remove_pipe("entity_ruler")
    by_rule = [s for some in found for s in some if s.label == "RULE"]
    assert [s.confidence for s in by_rule] == [None]
    assert all(s.confidence is not None for some in found for s in some if s.label != "RULE")


def test_suggest_aligns_another_tokenizer_by_characters():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": "PERSON", "pattern": "Ann"}, {"label": "GPE", "pattern": "New York"}]
    )
    docs = [
        words("Ann's friend, Ann , left New York."),  # "Ann's" and "York." are single tokens here
        words("🙂 Ann é New York"),
    ]
    assert suggest(nlp, None, docs, retokenise=True) == [
        (Suggestion(2, 3, "PERSON"),),
        (Suggestion(1, 2, "PERSON"), Suggestion(3, 5, "GPE")),
    ]
    assert suggest(nlp, None, docs[:1]) == [(Suggestion(2, 3, "PERSON"),)]


def test_suggest_refuses_a_disabled_component():
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler")
    nlp.disable_pipe("entity_ruler")
    with pytest.raises(ValueError, match="S570"):
        suggest(nlp, "entity_ruler", [words("a b")])


def test_may_suggest():
    nlp = spacy.blank("en")
    assert not may_suggest(nlp)
    nlp.add_pipe("sentencizer")
    assert not may_suggest(nlp)
    nlp.add_pipe("entity_ruler")
    assert may_suggest(nlp)
    nlp.disable_pipe("entity_ruler")
    assert not may_suggest(nlp)
    nlp.add_pipe("suggestions_by_word")
    assert may_suggest(nlp)


def test_predict_is_as_certain_as_of_the_least_sure_word(trained, unlabelled):
    docs = [doc for doc in unlabelled if doc.text.strip()]
    found = dict(predict(trained, "seqmix_ner", [*docs, trained.make_doc(" ")], words=True))
    of_spans = dict(predict(trained, "seqmix_ner", docs))
    assert sorted(found) == list(range(len(docs)))
    suggested = suggest(trained, "seqmix_ner", docs)
    annotated = [found[i].doc for i in range(len(docs))]
    rows = tempered_probs(trained, "seqmix_ner", annotated).tokens(1.0)
    for i, probs in enumerate(rows):
        assert found[i].suggestions == of_spans[i].suggestions == suggested[i]
        spans = [one.confidence for one in suggested[i]]
        assert of_spans[i].certainty == min(spans, default=None)
        wanted = min([float(probs.max(axis=1).min()), *spans])
        assert found[i].certainty == pytest.approx(wanted, abs=1e-5)


def test_predict_knows_no_certainty_without_probabilities():
    nlp = spacy.blank("en")
    nlp.add_pipe("suggestions_by_word")
    docs = [nlp.make_doc("Ann saw Rome"), nlp.make_doc("Ann"), nlp.make_doc(" ")]
    found = dict(predict(nlp, None, docs, words=True))
    assert {i: one.certainty for i, one in found.items()} == {0: 0.75, 1: None}
