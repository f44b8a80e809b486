"""What holds of every mixed doc, whatever the strategy and the language."""

from itertools import islice, pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import DocBin

from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.iob import spans_of
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.mixing.build_doc import replay
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.token_table import TokenTable, by_frequency

from ..mixed import mix_of, plan_of

BASIC = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class _RandomTable:
    """A table of the docs' own words, each with a vector of its own."""

    def __init__(self, docs):
        words = by_frequency([t.text for doc in docs for t in doc if not t.is_space])
        rng = np.random.default_rng(0)
        self.table = TokenTable(words, rng.normal(size=(len(words), 8)).astype("float32"))

    def of_docs(self, docs):
        known = dict(zip(self.table.words, self.table.vectors, strict=True))
        zero = np.zeros(8, dtype="float32")
        return [
            np.array([known.get(t.text, zero) for t in doc], dtype="float32").reshape(-1, 8)
            for doc in docs
        ]

    def held_out(self, docs, vectors):
        return None


def realise(docs, language, plans):
    """Candidates, and for each the plan and the segments that it came from."""
    nlp, sentences = language
    table = _RandomTable([nlp.make_doc(sentence) for sentence in sentences])
    realiser = make_nearest_token(lambda *args: table, same_shape=False)
    prepared = realiser.prepare(docs, (), nlp, None)
    for plan in plans:
        candidates = prepared([plan])
        assert len(candidates) in (0, 1 + plan.both_ways)
        sides = [(mix_of(plan).left, mix_of(plan).right), (mix_of(plan).right, mix_of(plan).left)]
        for doc, (target, other) in zip(candidates, sides, strict=False):
            yield doc, plan, target, other


def same(doc, other):
    """Text, spaces, entities, labels and origin are all the same."""
    assert [(t.text, t.whitespace_, t.ent_iob_, t.ent_type_, t.is_sent_start) for t in doc] == [
        (t.text, t.whitespace_, t.ent_iob_, t.ent_type_, t.is_sent_start) for t in other
    ]
    a, b = soft_labels.of(doc), soft_labels.of(other)
    assert a.labels == b.labels
    assert_array_equal(a.probs, b.probs)
    assert get_origin(doc) == get_origin(other)


@BASIC
@given(data=st.data(), seed=st.integers(0, 5))
def test_mixed_docs_are_their_target_outside_of_the_window(
    languages, corpora, strategies, data, seed
):
    lang, docs = data.draw(corpora)
    _, _, strategy = data.draw(strategies())
    plans = islice(strategy(docs, np.random.default_rng(seed)), 4)
    for doc, plan, target, other in realise(docs, languages[lang], plans):
        parent = docs[target.doc]
        start, end = target.start, target.end
        words = [t.text for t in parent]
        assert [t.text for t in doc[:start]] == words[:start]
        assert [t.text for t in doc[end:]] == words[end:]
        assert doc.text.startswith(parent[:start].text)
        assert doc.text.endswith(parent.text[parent[end].idx :] if end < len(parent) else "")
        own = {t.text for seg in (target, other) for t in docs[seg.doc][seg.start : seg.end]}
        assert own.isdisjoint(t.text for t in doc[start:end])
        soft = soft_labels.of(doc)
        tags = layers.read(doc)
        assert tags == soft_labels.hard_tags(doc)
        for before, tag in pairwise([None, *tags]):
            if tag is not None and tag.startswith("I-"):
                assert before is not None
                assert before[2:] == tag[2:]
        sums = soft.probs.sum(axis=1)
        assert_allclose(sums[~soft_labels.is_missing(soft)], 1.0, atol=1e-5)
        rows = soft_labels.with_tags(soft_labels.of(parent), soft.labels)
        theirs = soft_labels.with_tags(soft_labels.of(docs[other.doc]), soft.labels)
        share = mix_of(plan).lam if target is mix_of(plan).left else 1.0 - mix_of(plan).lam
        mixed = share * rows[start:end] + (1.0 - share) * theirs[other.start : other.end]
        assert_allclose(soft.probs[start:end], mixed, atol=1e-6)
        rows[start:end] = soft.probs[start:end]
        assert_array_equal(soft.probs, rows)


@BASIC
@given(data=st.data(), lam=st.sampled_from([0.0, 1.0]))
def test_mixed_docs_with_all_weight_on_one_side_have_its_labels(
    languages, corpora, strategies, data, lam
):
    lang, docs = data.draw(corpora)
    _, _, strategy = data.draw(strategies())
    plans = [
        plan_of(mix_of(plan).left, mix_of(plan).right, lam, plan.both_ways)
        for plan in islice(strategy(docs, np.random.default_rng(0)), 4)
    ]
    for doc, plan, target, _ in realise(docs, languages[lang], plans):
        whole = mix_of(plan).left if lam else mix_of(plan).right
        soft = soft_labels.of(doc)
        rows = soft_labels.with_tags(soft_labels.of(docs[whole.doc]), soft.labels)
        assert_array_equal(soft.probs[target.start : target.end], rows[whole.start : whole.end])


@BASIC
@given(data=st.data(), seed=st.integers(0, 5))
def test_mixed_docs_are_replayed_from_disk(languages, corpora, strategies, data, seed):
    lang, docs = data.draw(corpora)
    _, _, strategy = data.draw(strategies())
    nlp = languages[lang][0]
    plans = islice(strategy(docs, np.random.default_rng(seed)), 3)
    mixed = [doc for doc, *_ in realise(docs, languages[lang], plans)]
    stored = DocBin(docs=[*docs, *mixed], store_user_data=True).to_bytes()
    back = list(DocBin().from_bytes(stored).get_docs(nlp.vocab))
    for doc, kept in zip(mixed, back[len(docs) :], strict=True):
        same(kept, doc)
        same(replay(get_origin(kept), back[: len(docs)], nlp), doc)


@BASIC
@given(data=st.data(), seed=st.integers(0, 5))
def test_label_constrained_docs_have_the_tags_of_their_parents(
    languages, corpora, strategies, data, seed
):
    lang, docs = data.draw(corpora)
    _, _, strategy = data.draw(strategies(["constrained"]))
    plans = islice(strategy(docs, np.random.default_rng(seed)), 6)
    for doc, _, target, _ in realise(docs, languages[lang], plans):
        parent = docs[target.doc]
        soft = soft_labels.of(doc)
        assert_array_equal(
            soft.probs[target.start : target.end],
            soft_labels.with_tags(soft_labels.of(parent), soft.labels)[target.start : target.end],
        )
        assert soft_labels.hard_tags(doc) == soft_labels.hard_tags(parent)
        assert layers.read(doc) == soft_labels.hard_tags(parent)
        if soft_labels.get(parent) is None:
            assert not soft_labels.is_marked(doc)
            # Those of the parent, without whitespace at their ends.
            spans = spans_of([tag or "O" for tag in layers.read(parent)])
            assert [(e.start, e.end, e.label_) for e in doc.ents] == spans
