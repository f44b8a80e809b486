"""Token probabilities of a pipeline's component."""

from types import SimpleNamespace

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from spacy_seqmix.query.probabilities import (
    check_config_has_probs,
    check_has_probs,
    copy_tokens,
    encoded_lengths,
    token_probs,
)


@pytest.fixture(scope="module")
def nlp(labelled):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": {"width": 16, "embed_size": 100}}})
    nlp.add_pipe("ner")
    reference = labelled("[PER Ann Lee] saw [LOC Rome].")
    nlp.initialize(lambda: [Example(nlp.make_doc(reference.text), reference)])
    return nlp


@pytest.fixture
def docs(nlp, news):
    return [*news[:7], Doc(nlp.vocab), Doc(nlp.vocab, words=["a", "b"])]


def test_token_probs_are_those_of_the_component(nlp, docs):
    seen = []
    found = token_probs(nlp, "seqmix_ner", docs, batch_size=4, progress=seen.append)
    assert seen == [4, 4, 1]
    assert [p.shape for p in found] == [(len(doc), 5) for doc in docs]
    proc = nlp.get_pipe("seqmix_ner")
    for doc, p in zip(docs, found, strict=True):
        assert_allclose(p, proc.predict([copy_tokens(doc, nlp)])[0], atol=1e-5)
        assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)
    assert token_probs(nlp, "seqmix_ner", []) == []


def test_token_probs_does_not_change_the_docs(nlp, docs):
    before = [doc.to_bytes() for doc in docs]
    token_probs(nlp, "seqmix_ner", docs)
    assert [doc.to_bytes() for doc in docs] == before


def test_token_probs_run_what_comes_before(nlp, docs):
    seen = []

    @Language.component("plain_function")
    def plain_function(doc):
        seen.append(doc.has_annotation("SENT_START"))
        return doc

    nlp.add_pipe("plain_function", before="seqmix_ner")
    try:
        token_probs(nlp, "seqmix_ner", docs)
    finally:
        nlp.remove_pipe("plain_function")
    assert len(seen) == len(docs)
    assert any(seen)


def test_token_probs_that_are_not_numbers(nlp, docs, monkeypatch):
    proc = nlp.get_pipe("seqmix_ner")
    layer = proc.model.get_ref("output_layer")
    before = layer.get_param("b").copy()
    layer.set_param("b", np.full_like(before, np.nan))
    try:
        with pytest.raises(ValueError, match=r"S425\] The probabilities of 'seqmix_ner'"):
            token_probs(nlp, "seqmix_ner", docs)
    finally:
        layer.set_param("b", before)


def test_encoded_lengths_are_those_of_the_encoder(nlp, tiny_bert_dir, caplog):
    from transformers import BertTokenizer, BertTokenizerFast

    docs = [Doc(nlp.vocab, words=["abc", "d"]), Doc(nlp.vocab), Doc(nlp.vocab, words=["e"] * 200)]
    fast = BertTokenizerFast.from_pretrained(tiny_bert_dir, model_max_length=128)
    transformer = SimpleNamespace(model=SimpleNamespace(tokenizer=fast))
    # its pieces are letters, and two marks stand around them
    assert encoded_lengths([object(), transformer], docs) == [6, 2, 202]
    assert encoded_lengths([transformer], []) == []
    assert not caplog.records  # no remark on the long one: it is only counted here
    slow = BertTokenizer.from_pretrained(tiny_bert_dir)
    for procs in ([], [SimpleNamespace(model=SimpleNamespace(tokenizer=slow))]):
        assert encoded_lengths(procs, docs) == [2, 0, 200]


def test_check_has_probs_names_those_that_have(nlp):
    check_has_probs(nlp, "seqmix_ner")
    with pytest.raises(ValueError, match=r"S401\] 'ner' has no.*probabilities: \['seqmix_ner'\]"):
        token_probs(nlp, "ner", [])
    with pytest.raises(ValueError, match=r"S401.*none\."):
        check_has_probs(spacy.blank("en"), "ner")


def test_check_config_has_probs():
    config = Config(
        {
            "nlp": {"pipeline": ["ner", "mine", "old"]},
            "components": {
                "ner": {"factory": "ner"},
                "mine": {"factory": "seqmix_ner"},
                "old": {"source": "somewhere"},
            },
        }
    )
    check_config_has_probs(config, "mine")
    check_config_has_probs(config, "old")  # only known once it is loaded
    with pytest.raises(ValueError, match=r"S401\] 'ner'.*probabilities: \['mine'\]"):
        check_config_has_probs(config, "ner")


def test_copy_tokens_keeps_spaces_and_drops_labels(nlp, news):
    for doc in news:
        copy = copy_tokens(doc, nlp)
        assert copy.text == doc.text
        assert not copy.ents
    loose = Doc(nlp.vocab, words=["a", "b"])
    assert copy_tokens(loose, nlp).has_unknown_spaces
    assert np.array_equal(copy_tokens(loose, nlp).to_array("ORTH"), loose.to_array("ORTH"))
