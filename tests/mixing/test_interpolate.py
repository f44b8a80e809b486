"""Interpolated docs: words, labels and recipes of segments of equal and of different lengths."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import DocBin

from spacy_seqmix import MixPlan, Segment, SegmentMix
from spacy_seqmix.annotation import recipes, soft_labels
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.annotation.recipes import Recipe
from spacy_seqmix.mixing.build_doc import replay
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.segment_pool import make_mention, make_mention_replacement, make_token
from spacy_seqmix.mixing.strategies import make_sub_sequence

from ..mixed import part_of

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
SHORT, LONG = Segment(0, 0, 2), Segment(1, 1, 4)


@pytest.fixture
def docs(labelled):
    return [
        labelled("[PER Ann Lee] left."),
        labelled("to [LOC Rio de Janeiro] and [LOC Oslo]"),
    ]


def rows(doc):
    return soft_labels.with_tags(soft_labels.of(doc), TAGS)


def words(doc):
    return [t.text for t in doc]


def one_hot(*tags):
    return np.array([[name == tag for name in TAGS] for tag in tags], dtype="float32")


def realise(docs, nlp, *mixes, surplus="keep", both_ways=False):
    plan = MixPlan(mixes, both_ways)
    return make_interpolated(surplus).prepare(docs, (), nlp, None)([plan])


def test_interpolate_with_a_longer_partner(docs, blank_en):
    (doc,) = realise(docs, blank_en, SegmentMix(SHORT, LONG, 0.75))
    assert doc.text == "Ann Lee Janeiro left."
    assert recipes.get(doc) == Recipe((0, 1), ("Ann", "Lee"), ("Rio", "de"), (0.75, 0.75))
    a, b = one_hot("B-PER", "I-PER"), one_hot("B-LOC", "I-LOC", "I-LOC")
    expected = [*(0.75 * a + 0.25 * b[:2]), b[2], *one_hot("O", "O")]
    assert_allclose(rows(doc), expected, atol=1e-6)
    part = part_of(doc)
    assert (part.start, part.end, part.target_start, part.target_end) == (0, 3, 0, 2)


def test_interpolate_with_a_shorter_partner(docs, blank_en):
    (doc,) = realise(docs, blank_en, SegmentMix(LONG, SHORT, 0.25))
    assert words(doc) == words(docs[1])
    assert doc.text == docs[1].text
    assert recipes.get(doc) == Recipe((1, 2), ("Rio", "de"), ("Ann", "Lee"), (0.25, 0.25))
    a, b = one_hot("B-LOC", "I-LOC", "I-LOC"), one_hot("B-PER", "I-PER")
    assert_allclose(rows(doc)[1:4], [*(0.25 * a[:2] + 0.75 * b), a[2]], atol=1e-6)


def test_interpolate_with_padding(docs, blank_en):
    (doc,) = realise(docs, blank_en, SegmentMix(SHORT, LONG, 0.75), surplus="pad")
    own, partners = ("Ann", "Lee", "Janeiro"), ("Rio", "de", None)
    assert recipes.get(doc) == Recipe((0, 1, 2), own, partners, (0.75, 0.75, 0.25))
    assert_allclose(rows(doc)[2], 0.25 * one_hot("I-LOC")[0] + 0.75 * one_hot("O")[0], atol=1e-6)
    (doc,) = realise(docs, blank_en, SegmentMix(LONG, SHORT, 0.25), surplus="pad")
    assert recipes.get(doc).partners == ("Ann", "Lee", None)
    assert recipes.get(doc).weights == (0.25, 0.25, 0.25)
    assert_allclose(rows(doc)[3], 0.25 * one_hot("I-LOC")[0] + 0.75 * one_hot("O")[0], atol=1e-6)


def test_interpolate_several_segments(docs, blank_en):
    mixes = SegmentMix(LONG, SHORT, 0.5), SegmentMix(Segment(1, 5, 6), SHORT, 0.25)
    (doc,) = realise(docs, blank_en, *mixes)
    assert doc.text == "to Rio de Janeiro and Oslo Lee"
    recipe = recipes.get(doc)
    assert recipe.tokens == (1, 2, 5)
    assert recipe.partners == ("Ann", "Lee", "Ann")
    assert recipe.weights == (0.5, 0.5, 0.25)
    assert_allclose(
        rows(doc)[5:], [0.25 * one_hot("B-LOC")[0] + 0.75 * one_hot("B-PER")[0], *one_hot("I-PER")]
    )
    # what was repaired of it has one mention in the place of each
    assert [(e.start, e.end) for e in doc.ents][-1] == (5, 7)


def test_interpolate_a_synonym_keeps_the_label(docs, blank_en):
    segment = Segment(1, 5, 6)
    (doc,) = realise(docs, blank_en, SegmentMix(segment, segment, 0.5, ("Christiania",)))
    assert recipes.get(doc) == Recipe((5,), ("Oslo",), ("Christiania",), (0.5,))
    assert_array_equal(rows(doc), rows(docs[1]))
    assert not soft_labels.is_marked(doc)
    again = replay(get_origin(doc), docs, blank_en)
    assert recipes.get(again) == recipes.get(doc)


@pytest.mark.parametrize(("lam", "text"), [(0.0, "Rio de Janeiro left."), (1.0, "Ann Lee left.")])
def test_interpolate_with_all_weight_on_one_side_is_that_side(docs, blank_en, lam, text):
    (doc,) = realise(docs, blank_en, SegmentMix(SHORT, LONG, lam))
    assert doc.text == text
    assert recipes.get(doc) is None
    assert not soft_labels.is_marked(doc)
    assert [e.text for e in doc.ents] == [text.removesuffix(" left.")]


def test_interpolate_windows_both_ways(news, blank_en):
    plan = next(make_sub_sequence(3)(news, np.random.default_rng(0)))
    left, right = make_interpolated().prepare(news, (), blank_en, None)([plan])
    mix = plan.mixes[0]
    assert left.text == news[mix.left.doc].text
    assert right.text == news[mix.right.doc].text
    one, other = recipes.get(left), recipes.get(right)
    assert one.own == other.partners
    assert one.partners == other.own
    assert one.weights[0] == pytest.approx(1 - other.weights[0])


@pytest.mark.parametrize(
    "strategy",
    [
        make_mention(),
        make_mention(True, segments=0),
        make_token(),
        make_mention_replacement(2),
        make_sub_sequence(),
    ],
)
def test_interpolate_through_mix_docs_replays(news, blank_en, strategy):
    mixer = Mixer(strategy, make_interpolated(), rate=0.8)
    mixed, counts = mix_docs(news, mixer, np.random.default_rng(0), blank_en)
    assert len(mixed) == 24
    assert counts.repeated == 0
    stored = DocBin(docs=mixed, store_user_data=True).to_bytes()
    for doc, back in zip(mixed, DocBin().from_bytes(stored).get_docs(blank_en.vocab), strict=True):
        again = replay(get_origin(back), news, blank_en)
        assert again.text == doc.text == back.text
        assert recipes.get(again) == recipes.get(doc) == recipes.get(back)
        assert_array_equal(soft_labels.of(again).probs, soft_labels.of(doc).probs)
        assert get_origin(again) == get_origin(doc)


def test_interpolate_keeps_sentence_starts(labelled, blank_en, docs):
    two = labelled("[PER Bo] won. [PER Di] lost.")
    for token in two:
        token.is_sent_start = token.i in (0, 3)
    (doc,) = realise([two, docs[1]], blank_en, SegmentMix(Segment(0, 3, 4), LONG, 0.5))
    assert [sent.text for sent in doc.sents] == ["Bo won.", "Di de Janeiro lost."]


def test_interpolate_refuses(docs):
    with pytest.raises(ValueError, match="S247"):
        make_interpolated("drop")
    with pytest.raises(ValueError, match="S249"):
        Mixer(make_mention(), make_interpolated(), discriminator=lambda docs: [])
