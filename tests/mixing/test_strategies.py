"""Plans: pairs of segments of different docs, each pair once."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_seqmix import MixPlan, Segment, SegmentMix
from spacy_seqmix.active.mixing import make_mixers
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import mix_docs
from spacy_seqmix.mixing.mixer import Mixer
from spacy_seqmix.mixing.segment_pool import make_mention, make_token
from spacy_seqmix.mixing.segments import Windows
from spacy_seqmix.mixing.strategies import (
    as_strategy,
    make_label_constrained,
    make_sub_sequence,
    make_whole_sequence,
)
from spacy_seqmix.training.augmenter import create_seqmix_augmenter, make_example
from spacy_seqmix.training.mixed_corpus import MixedCorpus
from spacy_seqmix.types import Realiser, Strategy

from ..mixed import mix_of

VOCAB = Vocab()
MAKERS = [make_sub_sequence, make_whole_sequence, make_label_constrained]


def docs_of(lengths):
    return [
        Doc(VOCAB, words=[f"d{i}w{j}" for j in range(n)], ents=["B-PER"] * n)
        for i, n in enumerate(lengths)
    ]


def plan(strategy, docs, seed=0):
    return list(strategy(docs, np.random.default_rng(seed)))


def pair_of(plan):
    return frozenset({mix_of(plan).left, mix_of(plan).right})


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 5), max_size=5), seed=st.integers(0, 9))
def test_sub_sequence_plans_are_all_pairs_across_docs(lengths, seed):
    docs = docs_of(lengths)
    plans = plan(make_sub_sequence(window=2, density=1.0), docs, seed)
    windows = [Segment(d, i, i + 2) for d, n in enumerate(lengths) for i in range(n - 1)]
    expected = {frozenset({a, b}) for a in windows for b in windows if a.doc < b.doc}
    assert {pair_of(plan) for plan in plans} == expected
    assert len(plans) == len(expected)
    assert all(len(mix_of(plan).left) == len(mix_of(plan).right) == 2 for plan in plans)
    assert all(0.0 <= mix_of(plan).lam <= 1.0 and plan.both_ways for plan in plans)


def test_sub_sequence_draws_the_same_as_ever():
    # what earlier versions drew, so that runs can be repeated
    plans = plan(make_sub_sequence(window=2, density=1.0), docs_of([3, 4, 5]), seed=7)
    mixes = [mix_of(plan) for plan in plans]
    assert [(m.left.doc, m.left.start, m.right.doc, m.right.start) for m in mixes[:4]] == [
        (2, 2, 0, 1),
        (2, 1, 1, 1),
        (1, 0, 2, 3),
        (1, 1, 2, 2),
    ]
    assert mixes[0].lam == pytest.approx(0.5102887080750607)


@pytest.mark.parametrize("alpha", [0.5, 8.0])
def test_sub_sequence_lambda_is_beta(alpha):
    plans = plan(make_sub_sequence(1, 1.0, alpha), docs_of([40, 40, 40]))
    lams = np.array([mix_of(plan).lam for plan in plans])
    assert len(lams) == 4800
    assert abs(lams.mean() - 0.5) < 0.02
    assert lams.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)  # of Beta(α, α)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("alpha", [1e-300, 1e-3, 1e6])
def test_strategies_lambda_stays_a_share(make, alpha):
    plans = plan(make(density=1.0, alpha=alpha), docs_of([5] * 20))
    assert len(plans) == 190
    assert all(0.0 <= mix_of(plan).lam <= 1.0 for plan in plans)


def test_sub_sequence_sides_are_drawn():
    plans = plan(make_sub_sequence(1, 1.0), docs_of([20, 20]))
    share = np.mean([mix_of(plan).left.doc == 0 for plan in plans])
    assert 0.4 < share < 0.6


@pytest.mark.parametrize("make", MAKERS)
def test_strategies_need_two_texts(make):
    strategy = make(density=1.0)
    assert plan(strategy, docs_of([1500])) == []
    assert plan(strategy, docs_of([5]) * 3) == []
    assert plan(strategy, []) == []


def test_whole_sequence_pairs_equal_lengths_one_way():
    plans = plan(make_whole_sequence(1.0), docs_of([2, 3, 2, 0, 3, 2, 1]))
    assert {pair_of(p) for p in plans} == {
        frozenset({Segment(a, 0, n), Segment(b, 0, n)})
        for a, b, n in [(0, 2, 2), (0, 5, 2), (2, 5, 2), (1, 4, 3)]
    }
    assert not any(p.both_ways for p in plans)


def test_whole_sequence_of_sentences():
    starts = [True, False, True, False, False]
    docs = [
        Doc(VOCAB, words=words.split(), ents=["B-PER"] * 5, sent_starts=starts)
        for words in ("a b c d e", "a b f g h")
    ]
    docs.append(Doc(VOCAB, words=["i", "j"], ents=["B-PER"] * 2))
    plans = plan(make_whole_sequence(1.0), docs)
    # neither two sentences of a doc, nor the same sentence twice
    assert {pair_of(p) for p in plans} == {
        frozenset({Segment(0, 2, 5), Segment(1, 2, 5)}),
        frozenset({Segment(0, 0, 2), Segment(2, 0, 2)}),
        frozenset({Segment(1, 0, 2), Segment(2, 0, 2)}),
    }


def test_label_constrained_pairs_equal_tags():
    docs = [
        Doc(VOCAB, words=[*"abc"], ents=["B-PER", "I-PER", "O"]),
        Doc(VOCAB, words=[*"def"], ents=["O", "B-PER", "I-PER"]),
        Doc(VOCAB, words=[*"ghi"], ents=["B-PER", "B-PER", "O"]),
        Doc(VOCAB, words=[*"jkl"], ents=["B-LOC", "I-LOC", "O"]),
    ]
    plans = plan(make_label_constrained(2, 0.5), docs)
    assert {pair_of(p) for p in plans} == {frozenset({Segment(0, 0, 2), Segment(1, 1, 3)})}
    cut = plan(make_label_constrained(2, 0.5, keep_entities=False), docs)
    assert len(cut) == 1
    cut = plan(make_label_constrained(1, 0.5, keep_entities=False), docs)
    tags = {
        (docs[s.doc][s.start].ent_iob_, docs[s.doc][s.start].ent_type_)
        for p in cut
        for s in (mix_of(p).left, mix_of(p).right)
    }
    assert tags == {("B", "PER"), ("I", "PER")}
    assert all(p.both_ways for p in (*plans, *cut))


def test_strategies_eligible_docs_and_their_descriptions():
    docs = docs_of([0, 2, 3])
    strategy = make_sub_sequence(window=3, density=0.6)
    assert [strategy.eligible(doc) for doc in docs] == [False, False, True]
    assert strategy.describe() == "a window of 3 tokens with at least 60% valid labels"
    assert [make_whole_sequence().eligible(doc) for doc in docs] == [False, True, True]
    assert [make_label_constrained(9).eligible(doc) for doc in docs] == [False] * 3


def test_whole_sequence_may_ask_for_a_number_of_labels_instead_of_a_share():
    docs = docs_of([0, 2, 3])
    strategy = make_whole_sequence(density=0.0, min_labels=3)
    assert [strategy.eligible(doc) for doc in docs] == [False, False, True]
    assert strategy.describe() == "a sentence with at least 0% valid labels, 3 or more"
    mixed = Doc(VOCAB, words=["a", "b"], ents=["B-PER", "O"])
    assert not make_whole_sequence(density=0.9, min_labels=1).eligible(mixed)
    with pytest.raises(ValueError, match=r"S210.*min_labels >= 0, not -1"):
        make_whole_sequence(min_labels=-1)


def test_strategies_keep_entities_by_name():
    assert not make_sub_sequence().choose.keep_entities
    assert make_sub_sequence(keep_entities=True).choose == Windows(5, 0.6, keep_entities=True)
    assert make_label_constrained().choose.keep_entities
    assert not make_label_constrained(keep_entities=False).choose.keep_entities


WRONG = [
    {"window": 0},
    {"uniform_over": "sentences"},
    {"density": -0.1},
    {"density": 1.1},
    {"density": math.nan},
    {"alpha": 0.0},
    {"alpha": math.nan},
    {"alpha": math.inf},
    {"alpha": 1e308},
]


@pytest.mark.parametrize(
    ("make", "values"),
    [(make, v) for make in MAKERS for v in WRONG[2 * (make is make_whole_sequence) :]],
)
def test_strategies_refuse_values_out_of_range(make, values):
    with pytest.raises(ValueError, match=f"S210.*needs {next(iter(values))}"):
        make(**values)


@pytest.mark.parametrize("make", [make_mention, make_token])
def test_strategies_of_segments_refuse_an_alpha_that_overflows(make):
    with pytest.raises(ValueError, match=r"S210.*alpha > 0 and at most 1e"):
        make(alpha=1e308)


# What counts as a strategy


def first_words(docs, rng):
    """A plain function: each doc's first word is mixed with that of the next one."""
    for i in range(len(docs) - 1):
        mix = SegmentMix(Segment(i, 0, 1), Segment(i + 1, 0, 1), float(rng.beta(8.0, 8.0)))
        yield MixPlan((mix,), both_ways=False)


def test_strategy_may_be_a_plain_function(news, blank_en):
    settings = {"strategy": first_words, "realiser": make_interpolated(), "rate": 0.2}
    want, counts = mix_docs(news, Mixer(**settings), np.random.default_rng(0), blank_en)
    assert len(want) == 6
    assert counts.eligible == len(news)
    (mixer,) = make_mixers(settings)
    assert len(mix_docs(news, mixer, np.random.default_rng(0), blank_en)[0]) == 6
    examples = [make_example(blank_en, doc) for doc in news]
    augment = create_seqmix_augmenter(**settings)
    with pytest.warns(UserWarning, match="W224"):
        assert sum(1 for eg in examples for _ in augment(blank_en, eg)) == 36
    with pytest.warns(UserWarning, match="W224"):
        assert len(list(MixedCorpus(lambda nlp: examples, mixer)(blank_en))) == 36


def test_strategy_has_defaults():
    strategy = as_strategy(first_words)
    assert strategy.layer == "ents"
    assert not (strategy.replaces or strategy.copies or strategy.keeps_labels)
    assert strategy.eligible(docs_of([1])[0])
    assert not strategy.eligible(docs_of([0])[0])
    assert as_strategy(strategy) is strategy


def test_strategy_that_has_a_part_of_the_protocol_is_refused():
    class Partly:
        def __call__(self, docs, rng):
            yield from first_words(docs, rng)

        def eligible(self, doc):
            return False

    for wrong in (Partly(), "Mention", None):
        with pytest.raises(SeqMixError, match=r"types\.Strategy") as caught:
            as_strategy(wrong)
        assert caught.value.code == "S212"

    class Whole(Partly, Strategy):
        pass

    assert as_strategy(Whole()).describe() == "at least one token"


def test_realiser_without_prepare_is_refused():
    with pytest.raises(SeqMixError, match=r"types\.Realiser"):
        Mixer(first_words, lambda plans: [])
    assert isinstance(make_interpolated(), Realiser)
