"""What policies are given to score."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from thinc.api import Config

from spacy_seqmix.query.policies import QueryPolicy, evidence, score_docs
from spacy_seqmix.query.probabilities import check_needs

RNG = np.random.default_rng(0)


def by_length(evidence, rng):
    return np.array([len(x) for x in evidence], dtype="float32")


def test_score_docs_never_wants_docs_without_tokens(news):
    asked = []

    def ask(docs):
        asked.append(docs)
        return docs

    empty = Doc(news[0].vocab)
    scores = score_docs(QueryPolicy(by_length), [empty, *news[:2], empty], ask, RNG)
    assert scores.dtype == np.float32
    assert scores.tolist() == [-np.inf, len(news[0]), len(news[1]), -np.inf]
    assert asked == [news[:2]]


def test_score_docs_asks_nobody_about_nothing(blank_en):
    policy = QueryPolicy(by_length)
    assert score_docs(policy, [], pytest.fail, RNG).shape == (0,)
    assert score_docs(policy, [Doc(blank_en.vocab)], pytest.fail, RNG).tolist() == [-np.inf]


def test_evidence_is_what_is_needed(news, labelled):
    from spacy.training import Example

    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": {"width": 16, "embed_size": 100}}})
    reference = labelled("[PER Ann Lee] saw [LOC Rome].")
    nlp.initialize(lambda: [Example(nlp.make_doc(reference.text), reference)])
    tokens = evidence("tokens", nlp, "seqmix_ner", news[:3])
    assert [len(p) for p in tokens] == [len(doc) for doc in news[:3]]
    paths = evidence("paths", nlp, "seqmix_ner", news[:3])
    assert paths.shape == (3,)


def test_check_needs_by_need():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    config = Config({"nlp": {"pipeline": ["a"]}, "components": {"a": {"factory": "sentencizer"}}})
    check_needs("nothing", nlp, "sentencizer")
    check_needs("nothing", config, "a")
    for needs in ("tokens", "paths", "committee"):
        with pytest.raises(ValueError, match=r"S401"):
            check_needs(needs, nlp, "sentencizer")
        with pytest.raises(ValueError, match=r"S401"):
            check_needs(needs, config, "a")
