"""Nearest-token candidates: their words, text, labels and origin."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin

from spacy_seqmix import Segment, SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.mixing.build_doc import replay
from spacy_seqmix.mixing.contextual import make_contextual_table
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.mixing.token_table import word_shape
from spacy_seqmix.mixing.vectors import make_piece_table, make_word_table

from ..mixed import mix_of, part_of, plan_of

pytestmark = pytest.mark.usefixtures("encoders_once")

PLAN = plan_of(Segment(0, 0, 3), Segment(1, 1, 4), 0.7)


@pytest.fixture
def pair(labelled):
    return [
        labelled("[PER Anna Smith] saw [LOC Rome], he said."),
        labelled("the [ORG Red Lion] in [LOC Oslo] closed"),
    ]


@pytest.fixture
def prepare(tiny_encoder_dir, blank_en, news):
    def make(docs, table=make_word_table, same_shape=True, **settings):
        realiser = make_nearest_token(table(str(tiny_encoder_dir), **settings), same_shape)
        return realiser.prepare(docs, [*docs, *news], blank_en, None)

    return make


def words_of(doc):
    return [t.text for t in doc]


def test_realise_gives_two_candidates_a_plan(prepare, pair):
    left, right = prepare(pair)([PLAN])
    one, two = part_of(left), part_of(right)
    assert (one.start, one.end, one.other_start, one.weight) == (0, 3, 1, 0.7)
    assert (two.start, two.end, two.other_start) == (1, 4, 0)
    assert two.weight == pytest.approx(0.3)
    assert (get_origin(left).target, one.other) == (two.other, get_origin(right).target)
    assert one.words == two.words == tuple(words_of(left)[0:3]) == tuple(words_of(right)[1:4])
    assert words_of(left)[3:] == words_of(pair[0])[3:]
    assert words_of(right)[:1] + words_of(right)[4:] == ["the", "Oslo", "closed"]
    own = {w.lower() for w in ("Anna", "Smith", "saw", "Red", "Lion", "in")}
    assert not own & {w.lower() for w in one.words}


def test_realise_mixes_labels_in_the_window_only(prepare, pair):
    left, right = prepare(pair)([PLAN])
    tags = ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
    rows = [soft_labels.with_tags(soft_labels.of(doc), tags) for doc in pair]
    mixed = 0.7 * rows[0][0:3] + 0.3 * rows[1][1:4]
    for doc, own, start in ((left, rows[0], 0), (right, rows[1], 1)):
        soft = soft_labels.get(doc)
        assert soft.labels == tags
        assert_allclose(soft.probs[start : start + 3], mixed, atol=1e-6)
        assert_array_equal(soft.probs[:start], own[:start])
        assert_array_equal(soft.probs[start + 3 :], own[start + 3 :])
    # the repaired arg-max
    assert [(e.start, e.end, e.label_) for e in left.ents] == [(0, 2, "PER"), (3, 4, "LOC")]


@pytest.mark.parametrize(("lam", "whole"), [(1.0, 0), (0.0, 1)])
def test_realise_with_all_weight_on_one_side_has_its_labels(prepare, pair, lam, whole):
    plan = plan_of(mix_of(PLAN).left, mix_of(PLAN).right, lam)
    left, right = prepare(pair)([plan])
    starts = (0, 1)
    expected = soft_labels.of(pair[whole])
    for doc, start in ((left, 0), (right, 1)):
        soft = soft_labels.get(doc)
        rows = soft_labels.with_tags(expected, soft.labels)
        at = starts[whole]
        assert_array_equal(soft.probs[start : start + 3], rows[at : at + 3])


def test_realise_mixes_soft_parents(prepare, pair):
    tags = ("O", "B-PER", "I-PER")
    probs = np.tile(np.array([[0.2, 0.5, 0.3]], dtype="float32"), (len(pair[0]), 1))
    soft_labels.put(pair[0], SoftLabels(tags, probs))
    left = prepare(pair)([PLAN])[0]
    soft = soft_labels.get(left)
    column = soft.labels.index("B-PER")
    assert_allclose(soft.probs[:3, column], 0.7 * 0.5, atol=1e-6)
    assert_allclose(soft.probs[3:, column], 0.5, atol=1e-6)


def test_realise_keeps_the_text_outside_and_tokenises_back(prepare, news, blank_en):
    realise = prepare(news, same_shape=False)
    plans = list(make_sub_sequence(3, 0.6)(news, np.random.default_rng(0)))[:80]
    marked = 0
    for doc, plan, side in zip(
        realise(plans),
        [plan for plan in plans for _ in "lr"],
        ["left", "right"] * len(plans),
        strict=True,
    ):
        parent = news[getattr(mix_of(plan), side).doc]
        start, end = get_origin(doc).start, get_origin(doc).end
        assert [t.text for t in doc[:start]] == [t.text for t in parent[:start]]
        assert [t.text for t in doc[end:]] == [t.text for t in parent[end:]]
        pretokenised = get_origin(doc).pretokenised
        marked += pretokenised
        assert (words_of(blank_en.make_doc(doc.text)) == words_of(doc)) != pretokenised
        assert doc.text.startswith(parent[:start].text)
        assert doc.text.endswith(parent[end:].text)
    assert marked < 20


def test_realise_takes_words_of_a_parents_shape(prepare, pair):
    left = prepare(pair)([PLAN])[0]
    parents = [(pair[0][i], pair[1][i + 1]) for i in range(3)]
    for word, shapes in zip(part_of(left).words, parents, strict=True):
        assert word_shape(word) in {word_shape(t.text) for t in shapes}


def test_realise_takes_case_from_the_heavier_parent_where_the_table_has_none(
    prepare, pair, tiny_encoder_dir, blank_en, labelled
):
    build = make_word_table(str(tiny_encoder_dir))
    lower = [labelled("cold rain fell again")]
    realiser = make_nearest_token(lambda docs, corpus, nlp: build(lower, (), None), False)
    realise = realiser.prepare(pair, [], blank_en, None)
    assert not realise.built.table.cased
    words = part_of(realise([PLAN])[0]).words
    assert [w[0].isupper() for w in words] == [True, True, False]
    light = plan_of(mix_of(PLAN).left, mix_of(PLAN).right, 0.2)
    words = part_of(realise([light])[0]).words
    assert [w[0].isupper() for w in words] == [True, True, False]
    capitals = [labelled("[LOC ROME] BEAT [LOC BONN]"), pair[1]]
    realise = realiser.prepare(capitals, [], blank_en, None)
    assert all(w.isupper() for w in part_of(realise([PLAN])[0]).words)


def test_realise_without_plans_or_words(prepare, pair, tiny_encoder_dir, blank_en):
    assert prepare(pair)([]) == []
    realiser = make_nearest_token(make_word_table(str(tiny_encoder_dir)))
    assert realiser.prepare(pair, [], blank_en, None)([PLAN])
    bare = realiser.prepare(pair, [], blank_en, None)
    everything = plan_of(Segment(0, 0, 5), Segment(1, 0, 5), 0.5)
    assert bare([everything]) != []
    none = make_nearest_token(lambda docs, corpus, nlp: _Empty(bare.built))
    assert none.prepare(pair, [], blank_en, None)([PLAN, everything]) == []


class _Empty:
    """A table that lacks words, with the vectors of another."""

    def __init__(self, built):
        self.table = type(built.table)([], built.table.vectors[:0])
        self.of_docs = built.of_docs
        self.held_out = built.held_out


def test_realise_does_not_change_the_parents(prepare, pair):
    before = [doc.to_bytes() for doc in pair]
    prepare(pair, make_contextual_table)([PLAN])
    assert [doc.to_bytes() for doc in pair] == before


def test_realise_keeps_sentence_starts(prepare, pair):
    pair[0][0].is_sent_start = True
    for token in pair[0][1:]:
        token.is_sent_start = token.i == 4
    left = prepare(pair)([PLAN])[0]
    assert [t.is_sent_start for t in left] == [t.is_sent_start for t in pair[0]]


def same(doc, other):
    assert [(t.text, t.whitespace_, t.ent_iob_, t.ent_type_) for t in doc] == [
        (t.text, t.whitespace_, t.ent_iob_, t.ent_type_) for t in other
    ]
    assert get_origin(doc) == get_origin(other)
    a, b = soft_labels.get(doc), soft_labels.get(other)
    assert a.labels == b.labels
    assert_array_equal(a.probs, b.probs)
    assert get_origin(doc) == get_origin(other)


@pytest.mark.parametrize("table", [make_piece_table, make_word_table, make_contextual_table])
def test_replay_from_disk_gives_the_same(prepare, news, blank_en, table):
    plans = list(make_sub_sequence(4, 0.5)(news, np.random.default_rng(1)))[:12]
    mixed = prepare(news, table)(plans)
    stored = DocBin(docs=mixed, store_user_data=True).to_bytes()
    parents = DocBin(docs=news, store_user_data=True).to_bytes()
    parents = list(DocBin().from_bytes(parents).get_docs(blank_en.vocab))
    for doc, kept in zip(mixed, DocBin().from_bytes(stored).get_docs(blank_en.vocab), strict=True):
        same(kept, doc)
        same(replay(get_origin(kept), parents, blank_en), doc)


def test_replay_tells_parents_apart_that_differ_in_spaces_only(prepare, labelled, pair, blank_en):
    loose = labelled("[PER Anna Smith] saw [LOC Rome] , he said.")
    assert words_of(loose) == words_of(pair[0])
    mixed = prepare(pair)([PLAN])[0]
    same(replay(get_origin(mixed), [loose, *pair], blank_en), mixed)


def test_replay_needs_both_parents(prepare, pair, blank_en):
    origin = get_origin(prepare(pair)([PLAN])[0])
    for docs in (pair[:1], pair[1:], []):
        with pytest.raises(ValueError, match="S211"):
            replay(origin, docs, blank_en)


def test_realise_pretokenised_parents(prepare, blank_en):
    docs = [
        Doc(blank_en.vocab, words=["Rome", "won't", "win"], ents=["B-LOC", "O", "O"]),
        Doc(blank_en.vocab, words=["Oslo", "lost", "it"], ents=["B-LOC", "O", "O"]),
    ]
    left, right = prepare(docs)([plan_of(Segment(0, 0, 1), Segment(1, 0, 1), 0.5)])
    assert left.has_unknown_spaces
    assert right.has_unknown_spaces
    assert words_of(left)[1:] == ["won't", "win"]
