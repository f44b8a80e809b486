"""Docs and settings that mixing must bear: too long, too short, too few words."""

import math

import numpy as np
import pytest
from spacy.tokens import Doc

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.mixing.contextual import make_contextual_table
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.strategies import (
    make_label_constrained,
    make_sub_sequence,
    make_whole_sequence,
)
from spacy_seqmix.mixing.vectors import make_word_table

pytestmark = pytest.mark.usefixtures("encoders_once")

MAKERS = [make_sub_sequence, make_whole_sequence, make_label_constrained]


@pytest.fixture
def run(blank_en, tiny_encoder_dir):
    def mix(docs, strategy, n=4, table=make_word_table, judge=None):
        realiser = make_nearest_token(table(str(tiny_encoder_dir)), same_shape=False)
        mixer = Mixer(strategy, realiser, judge, rate=n / len(docs))
        return mix_docs(docs, mixer, np.random.default_rng(0), blank_en)[0]

    return mix


@pytest.fixture
def long_doc(blank_en):
    """A function to a doc of n tokens, one in two of them an entity."""

    def make(n, start="w", label="PER"):
        words = [f"{start}{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}" for i in range(n)]
        spaces = [True] * (n - 1) + [False]
        tags = ["O" if i % 2 else f"B-{label}" for i in range(n)]
        return Doc(blank_en.vocab, words=words, spaces=spaces, ents=tags)

    return make


def test_mix_segments_longer_than_the_windows_of_models(run, long_doc, tiny_lm_dir):
    # the encoder has 24 positions, the language model 32
    docs = [long_doc(70, start) for start in "abc"]
    judge = make_perplexity_discriminator(str(tiny_lm_dir), max_perplexity=None)
    mixed = run(docs, make_whole_sequence(0.5), 3, make_contextual_table, judge)
    assert len(mixed) == 3
    assert all(len(doc) == 70 for doc in mixed)
    assert all(math.isfinite(doc._.perplexity) for doc in mixed)


@pytest.mark.parametrize("make", MAKERS)
def test_mix_of_a_table_with_fewer_words_than_exclusions(run, long_doc, blank_en, make):
    docs = [long_doc(5), long_doc(5)]
    words = [*[t.text for t in docs[0]][2:], "wa", "wb"]
    docs[1] = Doc(blank_en.vocab, words=words, ents=["B-PER", "O"] * 2 + ["B-PER"])
    with pytest.warns(UserWarning, match=r"W210.*no words in the token table"):
        assert run(docs, make(density=0.5)) == []


@pytest.mark.parametrize("make", MAKERS)
def test_mix_among_docs_without_tokens(run, long_doc, blank_en, make):
    blank = Doc(blank_en.vocab)
    docs = [blank, long_doc(6, "a"), blank, blank_en.make_doc(" \n ")]
    docs += [long_doc(6, start) for start in "bcdef"]
    assert len(run(docs, make(density=0.5), 2)) == 2
    with pytest.warns(UserWarning, match="only 0 of 2 docs"):
        assert run([blank, blank], make()) == []


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("label", ["a b", "LUGAR: villa", "B-I-x", "名", "S|T, U"])
def test_mix_labels_of_any_spelling(run, long_doc, make, label):
    docs = [long_doc(6, start, label) for start in "abcdef"]
    mixed = run(docs, make(density=0.5), 2)
    assert len(mixed) == 2
    for doc in mixed:
        assert {ent.label_ for ent in doc.ents} == {label}
        assert set(soft_labels.of(doc).labels) == {"O", f"B-{label}", f"I-{label}"}


@pytest.mark.parametrize("make", MAKERS)
def test_mix_docs_of_thousands_of_tokens(run, long_doc, make):
    docs = [long_doc(4000, "a"), long_doc(4000, "b"), long_doc(60, "c"), long_doc(60, "d")]
    soft = soft_labels.one_hot(docs[1])
    soft.probs[:10] = 1 / len(soft.labels)
    soft_labels.put(docs[1], SoftLabels(soft.labels, soft.probs))
    mixed = run(docs, make(density=0.4), 2)
    assert len(mixed) == 2
    assert {len(doc) for doc in mixed} <= {4000, 60}


def test_mix_ends_where_one_long_doc_has_nearly_all_windows(long_doc):
    docs = [long_doc(4000), long_doc(5, "x"), long_doc(5, "y")]
    plans = list(make_sub_sequence(5, 0.4)(docs, np.random.default_rng(0)))
    assert len(plans) == 2 * 3996 + 1
