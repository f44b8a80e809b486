"""Augmenters in a row: soft labels survive those of spaCy."""

import random

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry

from spacy_seqmix.annotation import layers, relations, soft_labels
from spacy_seqmix.annotation.alignment import carry
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.training.augmenter import (
    create_chain,
    create_multi_seqmix,
    create_seqmix_augmenter,
    make_example,
)

pytestmark = pytest.mark.usefixtures("encoders_once")
STRATEGY = make_sub_sequence(window=3, density=0.6)


@pytest.fixture
def mixed(news, realiser, blank_en):
    docs, _ = mix_docs(news, Mixer(STRATEGY, realiser), np.random.default_rng(0), blank_en)
    return docs


@pytest.fixture(autouse=True)
def spacys_global_generator():
    """spaCy's augmenters draw from the global generator."""
    state = random.getstate()
    random.seed(0)
    yield
    random.setstate(state)


def lower():
    return registry.get("augmenters", "spacy.lower_case.v1")(level=1.0)


def run(augment, docs, nlp, passes=1):
    examples = [make_example(nlp, doc) for doc in docs]
    return [out for _ in range(passes) for eg in examples for out in augment(nlp, eg)]


def test_chain_mixes_then_lower_cases(news, realiser, blank_en):
    seqmix = create_seqmix_augmenter(realiser, STRATEGY, rate=0.5)
    out = [eg.reference for eg in run(create_chain(seqmix, lower()), news, blank_en)]
    assert [doc.text for doc in out] == [doc.text.lower() for doc in out]
    children = [doc for doc in out if get_origin(doc) is not None]
    assert len(children) == 15
    for doc in children:
        soft = soft_labels.get(doc)
        assert soft_labels.decode(soft) == layers.read(doc)
    assert any(soft_labels.is_soft(soft_labels.get(doc)).any() for doc in children)


def test_chain_lower_cases_then_mixes(news, realiser, blank_en):
    seqmix = create_seqmix_augmenter(realiser, STRATEGY, rate=0.5)
    out = [eg.reference for eg in run(create_chain(lower(), seqmix), news, blank_en)]
    assert sum(get_origin(doc) is not None for doc in out) == 15
    assert all(doc.text == doc.text.lower() for doc in out)


def test_chain_over_soft_labels_keeps_them_in_either_order(mixed, realiser, blank_en):
    seqmix = create_seqmix_augmenter(realiser, STRATEGY, rate=0.5)
    for augment in (create_chain(lower(), lower()), create_chain(lower(), seqmix)):
        out = [eg.reference for eg in run(augment, mixed, blank_en)]
        kept = [doc for doc in out if doc.text in {doc.text.lower() for doc in mixed}]
        assert len(kept) >= len(mixed)
        for doc, source in zip(kept, mixed, strict=False):
            assert_allclose(soft_labels.get(doc).probs, soft_labels.get(source).probs)


@pytest.mark.parametrize("name", ["spacy.orth_variants.v1", "spacy_seqmix_test.Quotes.v1"])
def test_chain_carries_labels_where_words_change(mixed, blank_en, name):
    settings = {"level": 1.0, "lower": 0.0, "orth_variants": {"single": [], "paired": []}}
    if name.startswith("spacy."):
        augment = registry.get("augmenters", name)(**settings)
    else:

        def augment(nlp, example):  # as a spelling variant would come out
            words = [f"{t.text}!" for t in example.reference]
            fields = example.to_dict()
            fields["token_annotation"]["ORTH"] = words
            fields["token_annotation"]["SPACY"] = [True] * len(words)
            yield Example.from_dict(spacy.tokens.Doc(nlp.vocab, words=words), fields)

    for doc in mixed:
        source = make_example(blank_en, doc)
        (out,) = list(create_chain(lambda nlp, eg: [eg], augment)(blank_en, source))
        assert_allclose(soft_labels.get(out.reference).probs, soft_labels.get(doc).probs)


def test_carry_aligns_where_tokens_were_added(mixed, blank_en):
    for doc in mixed:
        words = [w for t in doc for w in (t.text, " ")]
        other = spacy.tokens.Doc(blank_en.vocab, words=words, spaces=[False] * len(words))
        carry(doc, other)
        soft = soft_labels.get(other)
        assert_allclose(soft.probs[::2], soft_labels.get(doc).probs, atol=1e-6)
        assert (soft.probs[1::2, soft.labels.index("O")] == 1.0).all()
        assert get_origin(other) is None


def test_carry_lets_an_augmenter_change_entities(mixed):
    doc = next(doc for doc in mixed if doc.ents)
    words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
    target = Doc(doc.vocab, words=words, spaces=spaces, ents=["O"] * len(doc))
    with pytest.warns(UserWarning, match="W580"):
        carry(doc, target)
    assert soft_labels.get(target) is None
    assert get_origin(target) == get_origin(doc)


def test_carry_leaves_docs_without_soft_labels_alone(news, blank_en):
    other = blank_en.make_doc(news[0].text)
    carry(news[0], other)
    assert soft_labels.get(other) is None


def test_chain_leaves_docs_of_several_mixers_alone(mixed, realiser, blank_en):
    """A mixed doc may have as many tokens as the doc that was handed in."""

    def several():
        one = create_seqmix_augmenter(realiser, STRATEGY, rate=1.0, labels="hard")
        return create_multi_seqmix({"a": one})

    inner = several()

    def wrapped(nlp, example):  # an augmenter that the chain does not know
        return inner(nlp, example)

    known = [get_origin(doc) for doc in mixed]
    for augment in (several(), wrapped):
        out = run(create_chain(augment, lambda nlp, eg: [eg]), mixed, blank_en)
        new = [eg.reference for eg in out if get_origin(eg.reference) not in known]
        assert len(new) >= len(mixed) - 5
        assert not any(soft_labels.get(doc) for doc in new)
        assert sum(soft_labels.get(eg.reference) is not None for eg in out) == len(mixed)


def test_chain_leaves_other_texts_alone(mixed, blank_en):
    def another(nlp, example):
        yield example
        words = ["it", "rained"] * len(example.reference)
        other = spacy.tokens.Doc(nlp.vocab, words=words[: len(example.reference)])
        other.set_ents([])
        yield Example(nlp.make_doc(other.text), other)

    out = run(create_chain(another, lambda nlp, eg: [eg]), mixed, blank_en)
    assert [soft_labels.get(eg.reference) is None for eg in out] == [False, True] * len(mixed)


def test_carry_follows_words_in_another_order(mixed, blank_en):
    (doc, *_) = [doc for doc in mixed if len({t.text.lower() for t in doc}) == len(doc)]
    soft = soft_labels.get(doc)
    backwards = spacy.tokens.Doc(blank_en.vocab, words=[t.text.upper() for t in doc][::-1])
    carry(doc, backwards)
    assert_allclose(soft_labels.get(backwards).probs, soft.probs[::-1])
    assert get_origin(backwards) is None


def test_carry_refuses_words_that_it_can_not_follow(mixed, blank_en):
    doc = mixed[0]
    words = [t.text for t in doc]
    for changed in ([*words[::-1], words[0]], [*words[1:], "altogether"]):
        other = spacy.tokens.Doc(blank_en.vocab, words=changed)
        with pytest.raises(SeqMixError) as caught:
            carry(doc, other)
        assert caught.value.code == "S260"
        assert soft_labels.get(other) is None


@pytest.mark.parametrize("soft", [False, True])
def test_carry_keeps_relations(blank_en, soft):
    doc = blank_en.make_doc("Ann Lee left Rome .")
    relation = relations.Relation((0, 2), (3, 4), "left")
    relations.put(doc, [relation])
    if soft:
        relations.put_labels(doc, relations.of(doc))
    (lowered,) = run(create_chain(lower(), lower()), [doc], blank_en)
    assert relations.get(lowered.reference) == (relation,)
    assert (relations.get_labels(lowered.reference) is not None) == soft
    words = ["Ann", " ", "Lee", "left", "Rome", "."]
    spaced = spacy.tokens.Doc(blank_en.vocab, words=words)
    carry(doc, spaced)
    assert relations.get(spaced) == (relations.Relation((0, 3), (4, 5), "left"),)
    with pytest.raises(SeqMixError):  # head and tail have come apart
        carry(doc, spacy.tokens.Doc(blank_en.vocab, words=["Ann", "left", "Lee", "Rome", "."]))


def test_chain_gives_an_example_that_is_passed_on_its_labels_back(mixed, blank_en):
    for doc in mixed:
        source = make_example(blank_en, doc)
        (out,) = list(create_chain(lambda nlp, eg: [eg], lambda nlp, eg: [eg])(blank_en, source))
        assert_allclose(soft_labels.get(out.reference).probs, soft_labels.get(doc).probs)
        assert soft_labels.get(doc) is not None
        assert get_origin(out.reference) == get_origin(doc)
