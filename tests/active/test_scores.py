"""Scores of a round: spaCy's, seqeval's, and which types were confused."""

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_seqmix.active.scores import confusion, evaluate, seqeval_f1
from spacy_seqmix.training.augmenter import make_example

VOCAB = Vocab()
TYPES = ("PER", "LOC: place", "big org-unit")


def doc_of(n, spans):
    """A doc of n words with (start, end, type number) entities."""
    tags = ["O"] * n
    for start, end, kind in spans:
        tags[start:end] = [f"B-{TYPES[kind]}", *[f"I-{TYPES[kind]}"] * (end - start - 1)]
    return Doc(VOCAB, words=["x"] * n, ents=tags)


@st.composite
def pairs(draw):
    n = draw(st.integers(1, 8))
    docs = []
    for _ in range(2):
        cuts = sorted(draw(st.sets(st.integers(0, n), max_size=6)))
        spans = zip(cuts[::2], cuts[1::2], strict=False)
        docs.append(doc_of(n, [(a, b, draw(st.integers(0, 2))) for a, b in spans]))
    return Example(*docs)


@settings(deadline=None, max_examples=80)
@given(st.lists(pairs(), min_size=1, max_size=6))
def test_scores_of_seqeval_and_of_the_confusion_are_spacys(examples):
    theirs = get_ner_prf(examples)
    counts = confusion(examples)
    right = sum(n for gold, found, n in counts if gold == found)
    gold = sum(n for gold, _, n in counts if gold)
    found = sum(n for _, found, n in counts if found)
    assert gold == sum(len(eg.reference.ents) for eg in examples)
    assert found == sum(len(eg.predicted.ents) for eg in examples)
    f1 = 2 * right / (gold + found) if gold + found else 0.0
    assert f1 == pytest.approx(theirs["ents_f"] or 0.0)
    assert seqeval_f1(examples) == pytest.approx(theirs["ents_f"] or 0.0)


def test_evaluate_takes_docs_in_any_order(monkeypatch):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "x"}])
    lengths = (3, 1, 0, 5, 2, 4)
    docs = [doc_of(n, [(0, 1, 0)] if n else []) for n in lengths]
    seen = []
    pipe = Language.pipe

    def watched(self, docs, *args, **kwargs):
        docs = list(docs)
        seen.extend(len(doc) for doc in docs)
        return pipe(self, docs, *args, **kwargs)

    monkeypatch.setattr(Language, "pipe", watched)
    scores = evaluate(nlp, docs)
    assert seen == sorted(lengths)
    monkeypatch.undo()
    wanted = nlp.evaluate([make_example(nlp, doc) for doc in docs])
    assert 0 < scores.ents_f == wanted["ents_f"] < 1
    assert scores.model_dump()["ents_per_type"] == wanted["ents_per_type"]


def test_confusion_by_hand():
    gold = doc_of(6, [(0, 2, 0), (3, 4, 1), (5, 6, 2)])
    found = doc_of(6, [(0, 2, 1), (3, 5, 1), (5, 6, 2)])
    assert confusion([Example(found, gold)]) == [
        ("", "LOC: place", 1),
        ("LOC: place", "", 1),
        ("PER", "LOC: place", 1),
        ("big org-unit", "big org-unit", 1),
    ]


def test_scores_leave_out_what_is_not_annotated():
    gold = Doc(VOCAB, words=["a", "b", "c"], ents=["B-PER", "", "O"])
    found = Doc(VOCAB, words=["a", "b", "c"], ents=["B-PER", "B-LOC", "B-LOC"])
    assert confusion([Example(found, gold)]) == [("", "LOC", 1), ("PER", "PER", 1)]
    assert seqeval_f1([Example(found, gold)]) is None
    bare = Doc(VOCAB, words=["a", "b", "c"])
    assert confusion([Example(found, bare)]) == []


def test_scores_of_other_tokens():
    gold = Doc(VOCAB, words=["New", "York", "'s"], spaces=[True, False, False])
    gold.set_ents([gold.char_span(0, 8, "LOC")])
    found = Doc(VOCAB, words=["New", "York's"], spaces=[True, False])
    found.set_ents([found.char_span(0, 3, "LOC")])
    assert confusion([Example(found, gold)]) == [("", "LOC", 1), ("LOC", "", 1)]
    assert np.isclose(seqeval_f1([Example(found, gold)]), 0.0)


def test_scores_leave_out_what_is_not_known_of_partly_labelled_docs():
    nlp = spacy.blank("en")
    rules = nlp.add_pipe("entity_ruler")
    rules.add_patterns([{"label": "PER", "pattern": "Ann"}, {"label": "LOC", "pattern": "Rome"}])
    gold = nlp.make_doc("Ann saw Rome")
    gold.set_ents([Span(gold, 0, 1, label="PER")], missing=[gold[2:3]], default="outside")
    scores = evaluate(nlp, [gold], "entity_ruler")
    assert (scores.ents_p, scores.ents_r, scores.ents_f) == (1.0, 1.0, 1.0)
    assert scores.confusion == [("PER", "PER", 1)]
    gold.set_ents([Span(gold, 0, 1, label="PER")], default="outside")
    assert evaluate(nlp, [gold], "entity_ruler").ents_p == 0.5
