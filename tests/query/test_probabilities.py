"""Token probabilities of a pipeline's component."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from spacy_seqmix.query.beam import beam_probs
from spacy_seqmix.query.probabilities import (
    check_needs,
    copy_tokens,
    encoded_lengths,
    token_probs,
)

from ..tiny import TINY_CNN
from .conftest import NER_MODEL, PIPES, bare, train


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


@pytest.mark.parametrize("name", PIPES)
def test_token_probs_battery(trained, unlabelled, name):
    """The order is kept, batches make no difference, neither docs nor components change."""
    before = [doc.to_bytes() for doc in unlabelled]
    labels = trained.get_pipe(name).labels
    seen = []
    found = token_probs(trained, name, unlabelled, batch_size=4, progress=seen.append)
    assert sum(seen) == len(found) == len(unlabelled)
    assert [doc.to_bytes() for doc in unlabelled] == before
    assert trained.get_pipe(name).labels == labels
    for doc, p in zip(unlabelled, found, strict=True):
        assert_allclose(p, token_probs(trained, name, [doc])[0], atol=1e-4)
    assert token_probs(trained, name, []) == []


def test_token_probs_ignore_what_a_ruler_has_found(gold):
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner", config={"model": {**NER_MODEL, "tok2vec": TINY_CNN}})
    docs = gold(nlp)
    train(nlp, docs, 3)
    plain = token_probs(nlp, "ner", docs)
    ruler = nlp.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns([{"label": "NEW", "pattern": [{"TEXT": "Rome"}]}])
    labels = nlp.get_pipe("ner").labels
    for p, q in zip(token_probs(nlp, "ner", docs), plain, strict=True):
        assert_allclose(p, q, atol=1e-6)
    assert nlp.get_pipe("ner").labels == labels
    assert [ent.label_ for ent in nlp(bare(nlp, docs[5])).ents] == ["NEW"]


def test_token_probs_take_spans_that_an_earlier_component_suggests(gold):
    nlp = spacy.blank("xx")
    ruler = nlp.add_pipe("span_ruler", config={"spans_key": "found"})
    suggester = {"@misc": "spacy.preset_spans_suggester.v1", "spans_key": "found"}
    nlp.add_pipe("spancat", config={"suggester": suggester})
    docs = gold(nlp)
    train(nlp, docs, 0)
    ruler.add_patterns([{"label": "x", "pattern": [{"TEXT": "Rome"}]}])
    rows = [len(p) for p in token_probs(nlp, "spancat", docs)]
    assert rows == [2 * doc.text.count("Rome") for doc in docs]


def test_token_probs_after_a_component_that_joins_tokens(gold):
    nlp = spacy.blank("xx")
    ruler = nlp.add_pipe("entity_ruler")
    nlp.add_pipe("merge_entities")
    nlp.add_pipe("tagger")
    docs = gold(nlp)
    train(nlp, docs, 0)
    ruler.add_patterns([{"label": "x", "pattern": [{"TEXT": "李"}, {"TEXT": "明"}]}])
    lengths = [len(p) for p in token_probs(nlp, "tagger", docs, whitespace=True)]
    assert lengths == [len(doc) - (i == 2) for i, doc in enumerate(docs)]


@pytest.mark.parametrize("name", ["seqmix_ner", "ner", "tagger"])
def test_token_probs_have_no_rows_of_whitespace(trained, name):
    words = [["Ann", "\n\n", "saw", " ", "Rome", "\n"], ["\n", " "], ["Rome"]]
    docs = [Doc(trained.vocab, words=w) for w in words]
    every = token_probs(trained, name, docs, whitespace=True)
    assert [len(p) for p in every] == [6, 2, 1]
    found = token_probs(trained, name, docs)
    assert [len(p) for p in found] == [3, 0, 1]
    assert_array_equal(found[0], every[0][[0, 2, 4]])


def test_token_probs_by_a_source_of_ones_own(trained, unlabelled):
    wide = token_probs(trained, "ner", unlabelled, source=partial(beam_probs, width=64))
    usual = token_probs(trained, "ner", unlabelled)
    assert any(not np.allclose(p, q, atol=1e-6) for p, q in zip(wide, usual, strict=True))
    certain = [np.ones((len(doc), 1), dtype="float32") for doc in unlabelled]
    trained.add_pipe("sentencizer")
    try:
        found = token_probs(
            trained,
            "sentencizer",
            unlabelled,
            source=lambda proc, docs: [np.ones((len(doc), 1), dtype="float32") for doc in docs],
        )
    finally:
        trained.remove_pipe("sentencizer")
    assert [p.tolist() for p in found] == [p.tolist() for p in certain]


def test_check_needs_names_those_that_have(nlp, trained):
    check_needs("tokens", nlp, "seqmix_ner")
    check_needs("tokens", nlp, "ner")
    have = r"\['seqmix_ner', 'ner'\]"
    with pytest.raises(ValueError, match=rf"S401\] 'sentencizer' has no.*probabilities: {have}"):
        token_probs(nlp, "sentencizer", [])
    with pytest.raises(ValueError, match=r"S401.*none\."):
        check_needs("tokens", spacy.blank("en"), "ner")
    for name in PIPES:
        check_needs("tokens", trained, name)


def test_check_needs_of_components_that_are_renamed_or_disabled(nlp):
    other = spacy.blank("en")
    other.add_pipe("seqmix_ner", source=nlp)
    other.rename_pipe("seqmix_ner", "mine")
    check_needs("tokens", other, "mine")
    with other.select_pipes(disable=["mine"]), pytest.raises(ValueError, match=r"S570.*disabled"):
        check_needs("tokens", other, "mine")


def test_check_needs_in_a_config():
    config = Config(
        {
            "nlp": {"pipeline": ["parser", "mine", "old", *PIPES]},
            "components": {
                "parser": {"factory": "parser"},
                "mine": {"factory": "seqmix_ner"},
                **{name: {"factory": factory} for name, (factory, _) in PIPES.items()},
                "old": {"source": "somewhere"},
            },
        }
    )
    check_needs("tokens", config, "mine")
    check_needs("tokens", config, "old")  # only known once it is loaded
    for name in PIPES:
        check_needs("tokens", config, name)
    with pytest.raises(ValueError, match=r"S401\] 'parser'.*probabilities: \['mine', 'seqmix_ner'"):
        check_needs("tokens", config, "parser")


def test_copy_tokens_keeps_spaces_and_drops_labels(nlp, news):
    for doc in news:
        copy = copy_tokens(doc, nlp)
        assert copy.text == doc.text
        assert not copy.ents
    loose = Doc(nlp.vocab, words=["a", "b"])
    assert copy_tokens(loose, nlp).has_unknown_spaces
    assert np.array_equal(copy_tokens(loose, nlp).to_array("ORTH"), loose.to_array("ORTH"))
