"""Recipes reach the docs that components train on, by every way that examples are made."""

from __future__ import annotations

import numpy as np
import pytest
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.augment import create_lower_casing_augmenter

from spacy_seqmix.annotation import recipes, soft_labels
from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.segment_pool import make_mention
from spacy_seqmix.training.augmenter import create_chain, create_seqmix_augmenter, make_example
from spacy_seqmix.training.corpus import create_corpus
from spacy_seqmix.training.mixed_corpus import create_mixed_corpus


@pytest.fixture
def mixed(news, blank_en):
    mixer = Mixer(make_mention(), make_interpolated(), rate=0.5)
    return mix_docs(news, mixer, np.random.default_rng(0), blank_en)[0]


def augmenter(rate=0.5):
    return create_seqmix_augmenter(make_interpolated(), make_mention(), rate=rate)


def check(examples, n):
    """So many examples have a recipe, the same on both sides, for the same words."""
    found = [eg for eg in examples if recipes.get(eg.predicted) is not None]
    assert len(found) == n
    for eg in examples:
        assert recipes.get(eg.predicted) == recipes.get(eg.reference)
    for eg in found:
        assert [t.text for t in eg.predicted] == [t.text for t in eg.reference]
        assert not eg.predicted.ents


@pytest.mark.filterwarnings("ignore:.W224")
def test_recipes_travel_with_the_augmenter(news, blank_en):
    augment = augmenter()
    docs = [eg for doc in news for eg in augment(blank_en, Example(doc.copy(), doc))]
    check([eg for eg in docs if recipes.get(eg.reference)], 15)


@pytest.mark.filterwarnings("ignore:.W224")
def test_recipes_travel_with_files(mixed, news, blank_en, tmp_path):
    path = tmp_path / "mixed.spacy"
    write_docs([*news, *mixed], path)
    check(list(create_corpus(path)(blank_en)), len(mixed))
    path.write_bytes(DocBin(docs=news).to_bytes())
    reader = create_mixed_corpus(path, make_interpolated(), make_mention(), rate=0.5)
    check(list(reader(blank_en)), 15)


def test_recipes_travel_with_sentences(mixed, blank_en, tmp_path):
    both = Doc.from_docs(mixed[:2], exclude=["user_data"])
    for token in both:
        token.is_sent_start = token.i in (0, len(mixed[0]))
    first, second = (recipes.get(doc) for doc in mixed[:2])
    shift = len(mixed[0])
    recipes.put(
        both,
        recipes.Recipe(
            first.tokens + tuple(i + shift for i in second.tokens),
            first.own + second.own,
            first.partners + second.partners,
            first.weights + second.weights,
        ),
    )
    soft_labels.clear(both)
    path = tmp_path / "long.spacy"
    write_docs([both], path)
    longest = max(len(doc) for doc in mixed[:2])
    for settings in ({"gold_preproc": True}, {"max_length": longest + 1}):
        found = list(create_corpus(path, **settings)(blank_en))
        assert [recipes.get(eg.predicted) for eg in found] == [first, second]


def test_recipes_travel_through_other_augmenters(mixed, blank_en):
    lower = create_lower_casing_augmenter(1.0)
    for chain in (create_chain(lower, same), create_chain(same, lower)):
        for doc in mixed:
            (eg,) = list(chain(blank_en, make_example(blank_en, doc)))
            recipe, before = recipes.get(eg.predicted), recipes.get(doc)
            assert recipe.own == tuple(word.lower() for word in before.own)
            assert (recipe.tokens, recipe.partners) == (before.tokens, before.partners)
            check([eg], 1)


def test_recipes_are_refused_where_an_augmenter_changes_the_tokens(mixed, blank_en):
    def split(nlp, example):
        doc = Doc(nlp.vocab, words=["\n", *(t.text for t in example.reference)])
        yield Example(nlp.make_doc(doc.text), doc)

    with pytest.raises(ValueError, match="S260"):
        list(create_chain(split, same)(blank_en, make_example(blank_en, mixed[0])))


def same(nlp, example):
    yield example
