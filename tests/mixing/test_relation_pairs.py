"""RMix: relations of two docs, their arguments and their labels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_seqmix.annotation import recipes, relations
from spacy_seqmix.annotation.provenance import doc_key, get_origin
from spacy_seqmix.annotation.relations import Relation, RelationLabels
from spacy_seqmix.cli.show import describe
from spacy_seqmix.mixing.build_doc import replay, to_hard_labels
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.relation_pairs import make_relation
from spacy_seqmix.mixing.vectors import make_word_table
from spacy_seqmix.training.augmenter import make_example


@pytest.fixture
def docs(labelled):
    made = [
        labelled("[PER Ann Lee] works for [ORG Blue Kite] in [LOC Rome]."),
        labelled("The [LOC Rio de Janeiro] office hired [PER Bo]."),
        labelled("[LOC Oslo] is in [LOC Norway]."),
        labelled("Nobody came."),
    ]
    relations.put(made[0], [Relation((0, 2), (4, 6), "works"), Relation((4, 6), (7, 8), "based")])
    # the tail stands before the head
    relations.put(made[1], [Relation((6, 7), (1, 4), "lives")])
    relations.put(made[2], [Relation((0, 1), (3, 4), "in")])
    relations.put(made[3], [])
    return made


def plan_for(docs, left, right, lam=0.75):
    """The plan that mixes the first relation of a doc with the first one of another."""
    for seed in range(50):
        for plan in make_relation()(docs, np.random.default_rng(seed)):
            mix = plan.mixes[0]
            if (mix.left.doc, mix.right.doc, plan.relations) == (left, right, (0, 0)):
                mixes = tuple(type(m)(m.left, m.right, lam) for m in plan.mixes)
                return type(plan)(mixes, False, plan.layer, plan.relations)
    raise AssertionError


def test_relation_pairs_every_relation_with_those_of_other_docs(docs):
    plans = list(make_relation()(docs, np.random.default_rng(0)))
    # 4 relations in docs of 2, 1 and 1 of them
    assert len(plans) == 2 * (2 * 1 + 2 * 1 + 1 * 1)
    for plan in plans:
        lefts = [mix.left for mix in plan.mixes]
        assert lefts[0].end <= lefts[1].start
        assert len({mix.lam for mix in plan.mixes}) == 1
        assert plan.mixes[0].left.doc != plan.mixes[0].right.doc
    assert list(make_relation(same_type=True)(docs, np.random.default_rng(0))) == []
    assert [make_relation().eligible(doc) for doc in docs] == [True, True, True, False]


def test_relation_pairs_head_with_head(docs):
    plan = plan_for(docs, 0, 1)
    texts = [
        tuple(docs[s.doc][s.start : s.end].text for s in (mix.left, mix.right))
        for mix in plan.mixes
    ]
    assert texts == [("Ann Lee", "Bo"), ("Blue Kite", "Rio de Janeiro")]


@pytest.mark.parametrize("kind", ["interpolated", "nearest"])
def test_relation_labels_are_mixed(docs, blank_en, kind, tiny_encoder_dir, news):
    realiser = make_interpolated()
    if kind == "nearest":
        realiser = make_nearest_token(make_word_table(str(tiny_encoder_dir)))
    (doc,) = realiser.prepare(docs, news, blank_en, None)([plan_for(docs, 0, 1)])
    found = relations.get_labels(doc)
    assert found.labels == ("no_relation", "based", "lives", "works")
    # Blue Kite has become a word longer, and Rome moved
    assert found.pairs == (((0, 2), (4, 7)), ((4, 7), (8, 9)))
    assert_allclose(found.probs, [[0, 0, 0.25, 0.75], [0, 1, 0, 0]], atol=1e-6)
    assert [(e.start, e.end, e.label_) for e in doc.ents] == [
        (0, 2, "PER"),
        (4, 7, "ORG"),
        (8, 9, "LOC"),
    ]
    assert [r.label for r in relations.get(doc)] == ["works", "based"]
    if kind == "interpolated":
        assert doc.text == "Ann Lee works for Blue Kite Janeiro in Rome."
        assert recipes.get(doc).partners == ("Bo", "Rio", "de")
        example = make_example(blank_en, doc)
        assert recipes.get(example.predicted) == recipes.get(doc)
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (back,) = DocBin().from_bytes(stored).get_docs(blank_en.vocab)
    again = replay(get_origin(back), docs, blank_en)
    assert again.text == doc.text
    assert_allclose(relations.get_labels(again).probs, found.probs)
    assert any("works 0.75 lives 0.25" in line for line in describe(doc, 1))
    to_hard_labels(doc)
    assert relations.get_labels(doc) is None
    assert [r.label for r in relations.get(doc)] == ["works", "based"]


def test_relation_replaced_has_the_others_label(docs, blank_en):
    plan = plan_for(docs, 1, 0, lam=0.0)
    (doc,) = make_interpolated().prepare(docs, (), blank_en, None)([plan])
    assert doc.text == "The Blue Kite office hired Ann Lee."
    assert relations.get(doc) == (Relation((5, 7), (1, 3), "works"),)
    assert [(e.text, e.label_) for e in doc.ents] == [("Blue Kite", "LOC"), ("Ann Lee", "PER")]
    assert recipes.get(doc) is None


def test_relation_labels_that_are_soft_already(docs, blank_en):
    probs = np.array([[0.5, 0.5]], dtype="float32")
    labels = RelationLabels((((0, 1), (3, 4)),), ("no_relation", "in"), probs)
    relations.put_labels(docs[2], labels)
    (doc,) = make_interpolated().prepare(docs, (), blank_en, None)([plan_for(docs, 2, 1)])
    found = relations.get_labels(doc)
    assert found.labels == ("no_relation", "in", "lives")
    assert_allclose(found.probs, [[0.375, 0.375, 0.25]], atol=1e-6)


def test_relation_overlaps_and_blanks_are_left_alone(labelled):
    doc = labelled("[PER Ann] of the old Blue Kite")
    relations.put(doc, [Relation((3, 6), (4, 6), "a"), Relation((0, 1), (4, 6), "b")])
    assert [one.number for one in make_relation().choose(doc)] == [1]
    assert make_relation().choose(labelled("no relations")) == []


def test_relation_docs_differ_by_their_relations(docs):
    key = doc_key(docs[0])
    relations.put(docs[0], [Relation((0, 2), (4, 6), "owns")])
    assert doc_key(docs[0]) != key


def test_relation_mixes_through_mix_docs_and_train(docs, blank_en):
    mixer = Mixer(make_relation(), make_interpolated(), rate=1.0)
    mixed, _ = mix_docs(docs, mixer, np.random.default_rng(0), blank_en)
    assert len(mixed) == 4
    nlp = blank_en.__class__(vocab=blank_en.vocab)
    relate = nlp.add_pipe("seqmix_relations")
    examples = [Example(make_example(nlp, doc).predicted, doc) for doc in [*docs, *mixed]]
    nlp.initialize(lambda: examples)
    assert set(relate.labels) == {"works", "based", "lives", "in"}
    losses = [nlp.update(examples)["seqmix_relations"] for _ in range(15)]
    assert losses[-1] < losses[0]
