"""SegMix's strategies over a pool: what they choose and how they draw."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_seqmix import Segment
from spacy_seqmix.mixing.segment_pool import (
    Mentions,
    Tokens,
    make_mention,
    make_mention_replacement,
    make_token,
)

from ..mixed import mix_of


def rng(seed=0):
    return np.random.default_rng(seed)


def text_of(docs, segment):
    return docs[segment.doc][segment.start : segment.end].text


@pytest.fixture
def docs(labelled):
    return [
        labelled("[PER Ann Lee] saw [LOC Rome]."),
        labelled("[LOC New Delhi] won."),
        labelled("[PER Bo] left."),
        labelled("Nobody came."),
    ]


def test_pool_chooses_mentions(docs, blank_en):
    assert [c[:3] for c in Mentions()(docs[0])] == [(0, 2, ()), (3, 4, ())]
    assert [(c.key, c.text) for c in Mentions(same_type=True)(docs[0])] == [
        ("PER", "Ann Lee"),
        ("LOC", "Rome"),
    ]
    assert Mentions()(docs[3]) == Mentions()(Doc(blank_en.vocab)) == []
    # nothing is known about a part of it, so it is no mention to learn from
    bare = blank_en.make_doc("Ann Lee left")
    assert Mentions()(bare) == []


def test_pool_leaves_out_mentions_across_sentences_and_blanks(blank_en):
    doc = Doc(blank_en.vocab, words=["Ann", "Lee", "left", "San", "\n", "Remo"])
    doc[1].is_sent_start = True
    doc.set_ents([Span(doc, 0, 2, "PER"), Span(doc, 3, 6, "LOC")])
    assert Mentions()(doc) == []


def test_pool_chooses_words(docs):
    assert [c.text for c in Tokens()(docs[0])] == ["Ann", "Lee", "saw", "Rome"]
    inside = Tokens(same_type=True, outside=False)(docs[0])
    assert [(c.text, c.key) for c in inside] == [
        ("Ann", "B-PER"),
        ("Lee", "I-PER"),
        ("Rome", "B-LOC"),
    ]


def test_pool_chooses_in_other_layers(blank_en):
    doc = blank_en.make_doc("Ann saw Rome")
    doc.spans["sc"] = [Span(doc, 0, 1, "A"), Span(doc, 2, 3, "B")]
    assert [c.key for c in Mentions(True, "spans:sc")(doc)] == ["A", "B"]
    for token, tag in zip(doc, ("N", "V", "N"), strict=True):
        token.tag_ = tag
    assert [c.key for c in Tokens(True, layer="tags")(doc)] == ["N", "V", "N"]
    with pytest.raises(ValueError, match="S248"):
        make_mention(layer="tags")
    with pytest.raises(ValueError, match="S217"):
        make_token(layer="lemmas")


@pytest.mark.parametrize("make", [make_mention, make_token])
def test_pool_pairs_of_any_type_or_of_one(docs, make):
    for same_type in (False, True):
        strategy = make(same_type=same_type)
        keys = {
            (number, chosen.start): chosen.key
            for number, doc in enumerate(docs)
            for chosen in make(same_type=True).choose(doc)
        }
        pairs = [mix_of(plan) for plan in strategy(docs, rng())]
        kinds = {keys[m.left.doc, m.left.start] == keys[m.right.doc, m.right.start] for m in pairs}
        assert kinds == ({True} if same_type else {True, False})


def test_pool_draws_every_pair_once_and_no_twins(docs, labelled):
    twins = [*docs, labelled("[PER Bo] won.")]
    plans = list(make_mention(same_type=True)(twins, rng()))
    texts = [tuple(text_of(twins, s) for s in (mix_of(p).left, mix_of(p).right)) for p in plans]
    assert sorted(texts) == sorted(
        [("Ann Lee", "Bo")] * 2
        + [("Bo", "Ann Lee")] * 2
        + [("Rome", "New Delhi"), ("New Delhi", "Rome")]
    )
    assert len({(mix_of(p).left, mix_of(p).right) for p in plans}) == len(plans)
    assert all(not plan.both_ways for plan in plans)


def test_pool_takes_docs_equally_often(news):
    plans = list(islice(make_mention()(news, rng()), 4 * 28))
    counts = np.bincount([mix_of(plan).left.doc for plan in plans], minlength=len(news))
    # two of the thirty docs have no mention
    assert sorted(counts) == [0, 0] + [4] * 28


@pytest.mark.parametrize(("segments", "most"), [(1, 1), (2, 2), (0, 3)])
def test_pool_mixes_several_segments_of_a_doc(news, segments, most):
    plans = list(islice(make_mention(segments=segments)(news, rng()), 100))
    assert max(len(plan.mixes) for plan in plans) == most
    for plan in plans:
        lefts = [mix.left for mix in plan.mixes]
        assert len({left.doc for left in lefts}) == 1
        assert all(a.end <= b.start for a, b in pairwise(lefts))


def test_pool_draws_lambda(docs, news):
    def lams(**settings):
        plans = islice(make_mention(**settings)(news, rng()), 400)
        return np.array([mix_of(plan).lam for plan in plans])

    found = lams()
    assert found.mean() == pytest.approx(0.5, abs=0.03)
    assert found.std() == pytest.approx((1 / (4 * 17)) ** 0.5, abs=0.02)  # Beta(8, 8)
    assert lams(fold=True).min() >= 0.5
    assert set(lams(alpha=8.0) == found) == {True}
    replaced = list(make_mention_replacement()(docs, rng()))
    assert {mix_of(plan).lam for plan in replaced} == {0.0}
    assert len(replaced) == 4


def test_pool_with_one_segment_has_no_plan(labelled):
    assert list(make_mention()([labelled("[PER Ann] left.")], rng())) == []
    both = [labelled("[PER Ann] left."), labelled("[PER Ann] won.")]
    assert list(make_mention()(both, rng())) == []


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"alpha": float("inf")}, {"segments": -1}])
def test_pool_refuses_settings_out_of_range(settings):
    with pytest.raises(ValueError, match="S210"):
        make_mention(**settings)


def test_pool_of_another_language():
    nlp = spacy.blank("zh")
    doc, other = nlp.make_doc("李娜去北京"), nlp.make_doc("王强在上海")
    for made in (doc, other):
        made.set_ents([Span(made, 0, 2, "PER"), Span(made, 3, 5, "LOC")])
    plans = list(make_mention(same_type=True)([doc, other], rng()))
    assert {(mix_of(p).left, mix_of(p).right) for p in plans} == {
        (Segment(0, 0, 2), Segment(1, 0, 2)),
        (Segment(1, 0, 2), Segment(0, 0, 2)),
        (Segment(0, 3, 5), Segment(1, 3, 5)),
        (Segment(1, 3, 5), Segment(0, 3, 5)),
    }
