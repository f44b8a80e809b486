"""mix_docs: how many come out, why fewer, and what is written on them."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from spacy.tokens import Doc

from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.mixing import mix
from spacy_seqmix.mixing.build_doc import replay
from spacy_seqmix.mixing.contextual import make_contextual_table
from spacy_seqmix.mixing.mix import MixStream, mix_docs
from spacy_seqmix.mixing.mixer import Mixer
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.strategies import (
    make_label_constrained,
    make_sub_sequence,
    make_whole_sequence,
)
from spacy_seqmix.mixing.vectors import make_word_table
from spacy_seqmix.types import Realiser, Verdict

from ..mixed import part_of

pytestmark = pytest.mark.usefixtures("encoders_once")

STRATEGY = make_sub_sequence(window=3, density=0.6)


@pytest.fixture
def make_mixer(tiny_encoder_dir):
    def make(rate=0.2, strategy=STRATEGY, discriminator=None, table=make_word_table, **settings):
        realiser = make_nearest_token(table(str(tiny_encoder_dir)))
        return Mixer(strategy, realiser, discriminator, rate, **settings)

    return make


@pytest.fixture
def run(blank_en):
    def mix_some(docs, mixer, seed=0, **settings):
        return mix_docs(docs, mixer, np.random.default_rng(seed), blank_en, **settings)

    return mix_some


def judge(keeps):
    """A discriminator that keeps a text by a rule, and remembers what it was asked."""
    asked = []

    def discriminator(docs):
        asked.extend(docs)
        return [Verdict(float(len(doc)), 2.5, keeps(doc)) for doc in docs]

    discriminator.asked = asked
    return discriminator


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.2, 0.5, 1.0, 2.5])
def test_mix_gives_exactly_the_rate(run, make_mixer, news, rate):
    mixed, counts = run(news, make_mixer(rate))
    assert len(mixed) == round(rate * len(news))
    assert counts.docs == len(news)
    assert counts.kept >= len(mixed)
    assert counts.kept + counts.rejected + counts.repeated == counts.tried
    texts = [doc.text for doc in mixed]
    assert len({*texts, *(doc.text for doc in news)}) == len(texts) + len(news)


def test_mix_loads_nothing_where_nothing_is_wanted(run, news):
    def table(*args):
        raise AssertionError

    mixer = Mixer(STRATEGY, make_nearest_token(table), rate=0.0)
    assert run(news, mixer)[0] == []
    assert run([], mixer)[0] == []


@pytest.mark.parametrize("table", [make_word_table, make_contextual_table])
def test_mix_with_the_same_seed_gives_the_same(run, make_mixer, news, table):
    first = run(news, make_mixer(0.5, table=table), seed=3)[0]
    again = run(news, make_mixer(0.5, table=table), seed=3)[0]
    other = run(news, make_mixer(0.5, table=table), seed=4)[0]
    assert [doc.text for doc in first] == [doc.text for doc in again]
    for a, b in zip(first, again, strict=True):
        assert get_origin(a) == get_origin(b)
        assert_array_equal(soft_labels.get(a).probs, soft_labels.get(b).probs)
    assert [doc.text for doc in first] != [doc.text for doc in other]


@pytest.mark.parametrize(
    "strategy",
    [
        STRATEGY,
        make_sub_sequence(3, 0.6, keep_entities=True),
        make_whole_sequence(0.2),
        make_label_constrained(2, 0.5),
    ],
)
def test_mix_of_every_strategy_is_exact_and_replays(run, make_mixer, news, strategy, blank_en):
    mixed, counts = run(news, make_mixer(0.5, strategy), seed=1)
    assert len(mixed) == 15 <= counts.kept
    assert counts.kept + counts.repeated == counts.tried
    pairs = set()
    for doc in mixed:
        origin = get_origin(doc)
        again = replay(origin, news, blank_en)
        assert again.text == doc.text
        assert [(e.start, e.end, e.label_) for e in again.ents] == [
            (e.start, e.end, e.label_) for e in doc.ents
        ]
        assert_array_equal(soft_labels.get(again).probs, soft_labels.get(doc).probs)
        part = part_of(doc)
        pairs.add(frozenset({(origin.target, part.start), (part.other, part.other_start)}))
    if not strategy.both_ways:
        assert len(pairs) == len(mixed)
        assert all(len(part_of(doc).words) == len(doc) for doc in mixed)
    if strategy.choose == make_label_constrained(2, 0.5).choose:
        assert not any(soft_labels.is_marked(doc) for doc in mixed)


def test_mix_counts_the_candidates_of_one_way_plans(run, make_mixer, news):
    discriminator = judge(lambda doc: False)
    mixer = make_mixer(0.1, make_whole_sequence(0.0), discriminator)
    with pytest.warns(UserWarning, match="W210"):
        mixed, counts = run(news, mixer)
    assert mixed == []
    # as many candidates as with plans that give two, or all there are
    assert 20 < counts.tried <= mix.MAX_TRIES_PER_DOC * 3 + 2 * mix.BATCH


def test_mix_stores_verdicts_in_origins(run, make_mixer, news):
    discriminator = judge(lambda doc: len(doc) % 2 == 0)
    mixed, counts = run(news, make_mixer(0.4, discriminator=discriminator))
    assert len(mixed) == 12
    assert all(len(doc) % 2 == 0 for doc in mixed)
    for doc in mixed:
        origin = get_origin(doc)
        assert (origin.perplexity, origin.window_nats) == (len(doc), 2.5)
    refused = [doc for doc in discriminator.asked if len(doc) % 2]
    assert len(refused) == counts.rejected > 0
    assert [id(doc) for doc in counts.thrown_out] == [id(doc) for doc in refused[:20]]
    for doc in counts.thrown_out:
        assert get_origin(doc).perplexity == len(doc)
    # each candidate is judged alone: one may be kept while its twin is not
    assert {doc.text for doc in mixed}.isdisjoint(doc.text for doc in refused)


def test_mix_ends_with_a_hopeless_filter(run, make_mixer, news):
    discriminator = judge(lambda doc: False)
    with pytest.warns(UserWarning, match=r"W210\] 0 mixed docs instead of 6: the discriminator"):
        mixed, counts = run(news, make_mixer(discriminator=discriminator))
    assert mixed == []
    assert counts.rejected == len(discriminator.asked) > len(counts.thrown_out) == 20
    assert counts.tried <= mix.MAX_TRIES_PER_DOC * 6 + 2 * mix.BATCH


def test_mix_ends_where_the_table_has_no_words(run, news, blank_en):
    class Empty(Realiser):
        def prepare(self, docs, corpus, nlp, trained):
            return lambda plans: asked.append(len(plans)) or []

    asked = []
    with pytest.warns(UserWarning, match="no words in the token table"):
        mixed, _ = run(news, Mixer(make_sub_sequence(1, 0.0), Empty()))
    assert mixed == []
    n = sum(len(doc) for doc in news)
    assert 2 * sum(asked) <= mix.MAX_TRIES_PER_DOC * 6 + 2 * mix.BATCH < n * (n - 1) // 2


@pytest.mark.parametrize(
    ("markups", "reason"),
    [
        (["no", "names", "at", "all"], "only 0 of 4 docs"),
        (["[PER Ann Lee] left", "nobody came by"], "only 1 of 2 docs"),
        (["[PER Ann Lee] left", "[LOC San Remo] won"], "no words in the token table"),
        (["[PER Ann Lee] left us all", "[LOC San Remo] won 2 to 1"], "ran out"),
    ],
)
def test_mix_says_why_fewer_came(run, make_mixer, labelled, markups, reason):
    docs = [labelled(markup) for markup in markups]
    with pytest.warns(UserWarning, match=rf"W210.*{re.escape(reason)}"):
        mixed, counts = run(docs, make_mixer(5.0))
    assert len(mixed) == counts.kept < 5 * len(docs)


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        (make_sub_sequence(60), "only 0 of 3 docs have a window of 60 tokens with at least 60%"),
        (make_whole_sequence(1.0), "only 0 of 3 docs have a sentence with at least 100% valid"),
        (make_whole_sequence(0.2), "3 of 3 docs have a sentence with at least 20% valid labels"),
        (make_label_constrained(2, 1.0), "3 of 3 docs have a window of 2 tokens .* texts match"),
    ],
)
def test_mix_says_what_a_strategy_lacks(run, make_mixer, labelled, strategy, reason):
    markups = ["[PER Ann Lee] left", "[LOC San Remo] won it", "the [ORG Red Lion] sold two pubs"]
    with pytest.warns(UserWarning, match=rf"W210\] 0 mixed docs instead of 3: {reason}"):
        assert run([labelled(m) for m in markups], make_mixer(1.0, strategy))[0] == []


def test_mix_words_of_a_further_corpus(run, make_mixer, labelled):
    docs = [labelled("[PER Ann Lee] left us"), labelled("[LOC San Remo] won it")]
    more = [labelled("Mid Low fell and Max Top hid")]
    mixed, _ = run(docs, make_mixer(1.0), corpus=more)
    known = {t.text for doc in more for t in doc}
    assert len(mixed) == 2
    assert all(set(part_of(doc).words) <= known for doc in mixed)


def test_mix_hard_labels_leave_entities_only(run, make_mixer, news):
    mixed, _ = run(news, make_mixer(0.5, labels="hard"))
    assert len(mixed) == 15
    assert all(soft_labels.get(doc) is None for doc in mixed)
    assert all(get_origin(doc) is not None for doc in mixed)
    assert any(doc.ents for doc in mixed)


@pytest.mark.parametrize("settings", [{"rate": -0.1}, {"rate": 0.2, "labels": "firm"}])
def test_mixer_refuses_wrong_settings(settings):
    with pytest.raises(ValueError, match="S212"):
        Mixer(STRATEGY, make_nearest_token(None), **settings)


def test_mix_stream_goes_on_where_it_stopped(make_mixer, news, blank_en):
    def stream():
        return MixStream(news, make_mixer(), np.random.default_rng(0), blank_en)

    one = stream()
    parts = [*one.take(3), *one.take(0), *one.take(4)]
    texts = [doc.text for doc in parts]
    assert len(set(texts)) == 7
    assert texts[:3] == [doc.text for doc in stream().take(3)]
    assert not one.ran_out


def test_mix_reports_progress(run, make_mixer, news):
    seen = []
    mixed, counts = run(news, make_mixer(0.4), progress=seen.append)
    assert sum(seen) == len(mixed) <= counts.kept  # a bar fills, and never more
    assert set(counts.seconds()) == {"table", "mixing", "lm"}
    assert all(isinstance(n, int) for n in counts.counts().values())


def test_mix_leaves_the_global_random_state_alone(run, make_mixer, news):
    import random

    before = np.random.get_state()[1].tolist(), random.getstate()
    run(news, make_mixer(0.5, table=make_contextual_table))
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before


def test_mixed_docs_of_columns_have_every_token_alone(news, make_mixer, blank_en):
    columns = [
        Doc(
            blank_en.vocab,
            words=[t.text for t in doc],
            spaces=[True] * (len(doc) - 1) + [False],
            ents=layers.read(doc),
        )
        for doc in news
    ]
    mixer = make_mixer(1.0, make_sub_sequence(window=4, density=0.3))
    mixed, _ = mix_docs(columns, mixer, np.random.default_rng(0), blank_en)
    assert len(mixed) == len(news)
    assert all(doc.text == " ".join(t.text for t in doc) for doc in mixed)
