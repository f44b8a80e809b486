"""The scores of relations, by hand."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.relation_extraction.scorer import score_relations

A, B, C = (0, 1), (2, 3), (4, 5)


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


def make(vocab, ents, found, words="abcdef"):
    doc = Doc(vocab, words=list(words))
    doc.set_ents([Span(doc, *offsets, label=label) for offsets, label in ents.items()])
    relations.put(doc, found)
    return doc


def test_scorer_by_hand(vocab):
    types = {A: "P", B: "O", C: "L"}
    gold = [Relation(A, B, "X"), Relation(B, C, "Y"), Relation(A, C, "X")]
    # Right; right but for a type; the wrong direction; the wrong label.
    found = [Relation(A, B, "X"), Relation(B, C, "Y"), Relation(C, A, "X")]
    eg = Example(make(vocab, {A: "P", B: "O", C: "P"}, found), make(vocab, types, gold))
    scores = score_relations([eg])
    assert scores["rel_micro_p"] == pytest.approx(1 / 3)
    assert scores["rel_micro_r"] == pytest.approx(1 / 3)
    assert scores["rel_micro_f"] == pytest.approx(1 / 3)
    assert scores["rel_untyped_micro_f"] == pytest.approx(2 / 3)
    assert scores["rel_per_type"]["X"] == pytest.approx({"p": 0.5, "r": 0.5, "f": 0.5})
    assert scores["rel_per_type"]["Y"]["f"] == 0.0
    assert scores["rel_macro_f"] == pytest.approx(0.25)


def test_scorer_leaves_out_what_is_not_annotated(vocab):
    types = {A: "P", B: "O"}
    unknown = Example(make(vocab, types, [Relation(A, B, "X")]), make(vocab, types, None))
    assert set(score_relations([unknown]).values()) == {None}
    assert set(score_relations([]).values()) == {None}
    right = Example(
        make(vocab, types, [Relation(A, B, "X")]), make(vocab, types, [Relation(A, B, "X")])
    )
    assert score_relations([unknown, right])["rel_micro_f"] == pytest.approx(1.0)
    empty = Example(make(vocab, types, [Relation(A, B, "X")]), make(vocab, types, []))
    assert score_relations([right, empty])["rel_micro_p"] == pytest.approx(0.5)
    assert score_relations([right, empty])["rel_micro_r"] == pytest.approx(1.0)


def test_scorer_knows_spans_by_the_references_tokens(vocab):
    predicted = make(vocab, {(0, 2): "P", (3, 4): "O"}, [Relation((0, 2), (3, 4), "X")])
    reference = Doc(vocab, words=["ab", "c", "de", "f"])
    reference.set_ents([Span(reference, 0, 1, label="P"), Span(reference, 2, 3, label="O")])
    relations.put(reference, [Relation((0, 1), (2, 3), "X")])
    scores = score_relations([Example(predicted, reference)])
    # "d" is only a part of the reference's token: wrong, and not left out.
    assert (scores["rel_micro_p"], scores["rel_micro_r"]) == (0.0, 0.0)
    predicted = make(vocab, {(0, 2): "P", (3, 5): "O"}, [Relation((0, 2), (3, 5), "X")])
    assert score_relations([Example(predicted, reference)])["rel_micro_f"] == pytest.approx(1.0)


def test_scorer_is_registered():
    assert registry.get("scorers", "spacy-seqmix.relations_scorer.v1")() is score_relations
