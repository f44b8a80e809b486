"""Copies of docs: the control without any mixing."""

import numpy as np
import pytest

from spacy_seqmix.annotation import recipes, soft_labels
from spacy_seqmix.annotation.provenance import doc_key, get_origin
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.strategies import make_duplication


def test_duplication_copies_labelled_docs_as_they_are(news, blank_en):
    mixer = Mixer(make_duplication(), make_interpolated(), rate=0.5)
    assert not mixer.interpolates
    copies, counts = mix_docs(news, mixer, np.random.default_rng(0), blank_en)
    assert counts.kept == len(copies) == round(0.5 * len(news))
    assert len({doc.text for doc in copies}) == len(copies)
    parents = {doc.text: doc for doc in news}
    for doc in copies:
        parent = parents[doc.text]
        assert [(t.text, t.whitespace_, t.ent_iob_, t.ent_type_) for t in doc] == [
            (t.text, t.whitespace_, t.ent_iob_, t.ent_type_) for t in parent
        ]
        assert not soft_labels.is_marked(doc)
        assert recipes.get(doc) is None
        assert get_origin(doc).target == doc_key(parent)


def test_duplication_copies_each_doc_once(news, blank_en):
    mixer = Mixer(make_duplication(), make_interpolated(), rate=2.0)
    with pytest.warns(UserWarning, match="W210"):
        copies, _ = mix_docs(news, mixer, np.random.default_rng(0), blank_en)
    assert sorted(doc.text for doc in copies) == sorted(doc.text for doc in news)


def test_duplication_takes_docs_with_enough_labels(news, blank_en):
    counts = [sum(len(ent) for ent in doc.ents) for doc in news]
    for least in (0, 1, 3):
        strategy = make_duplication(min_labels=least)
        assert [strategy.eligible(doc) for doc in news] == [n >= least for n in counts]
        plans = strategy(news, np.random.default_rng(0))
        docs = {plan.mixes[0].left.doc for plan in plans}
        assert docs == {i for i, n in enumerate(counts) if n >= least}
    doc = blank_en.make_doc("All tags are valid")
    for token in doc:
        token.tag_ = "X"
    assert make_duplication(min_labels=4, layer="tags").eligible(doc)
    assert not make_duplication(min_labels=5, layer="tags").eligible(doc)


def test_duplication_leaves_unlabelled_docs_out(news, blank_en):
    strategy = make_duplication()
    docs = [*news[:3], blank_en.make_doc("nobody was there"), blank_en.make_doc("")]
    assert [strategy.eligible(doc) for doc in docs] == [True, True, True, False, False]
    plans = list(strategy(docs, np.random.default_rng(0)))
    assert sorted(plan.mixes[0].left.doc for plan in plans) == [0, 1, 2]
    assert plans == list(strategy(docs, np.random.default_rng(0)))
    assert plans != list(strategy(docs, np.random.default_rng(1)))
    with pytest.raises(ValueError, match="S217"):
        make_duplication(layer="nothing")
    with pytest.raises(ValueError, match=r"S210.*min_labels"):
        make_duplication(min_labels=-1)
