"""How probable the decoded path is."""

from itertools import pairwise

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from spacy_seqmix.pipeline.ner import SeqMixNER
from spacy_seqmix.query.paths import (
    check_config_has_paths,
    check_has_paths,
    path_probs,
    viterbi_path_probs,
)
from spacy_seqmix.query.probabilities import token_probs

TAGS = ("O", "B-PER", "I-PER")


@pytest.fixture
def nlp(labelled):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": {"width": 16, "embed_size": 100}}})
    reference = labelled("[PER Ann Lee] saw [LOC Rome].")
    nlp.initialize(lambda: [Example(nlp.make_doc(reference.text), reference)])
    return nlp


def test_viterbi_path_probs_by_hand():
    # I-PER is the best tag of the first token, but cannot begin: B-PER, I-PER has 0.3 × 0.8
    doc = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]], dtype="float32")
    free = np.array([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]], dtype="float32")
    found = viterbi_path_probs([doc, np.zeros((0, 3), dtype="float32"), free], TAGS)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([0.24, 1.0, 0.54])
    assert viterbi_path_probs([], TAGS).shape == (0,)


def test_viterbi_path_is_the_most_probable_valid_one():
    rng = np.random.default_rng(0)
    for _ in range(20):
        doc = rng.dirichlet(np.ones(3), size=3).astype("float32")
        valid = [
            np.prod([doc[t, tag] for t, tag in enumerate(path)])
            for path in np.ndindex(3, 3, 3)
            if path[0] != 2 and all(b != 2 or a != 0 for a, b in pairwise(path))
        ]
        assert viterbi_path_probs([doc], TAGS)[0] == pytest.approx(max(valid), rel=1e-5)


def test_path_probs_of_a_softmax_classifier(nlp, news):
    docs = [*news[:5], Doc(nlp.vocab)]
    seen = []
    found = path_probs(nlp, "seqmix_ner", docs, batch_size=4, progress=seen.append)
    assert seen == [4, 2]
    tags = nlp.get_pipe("seqmix_ner").tags
    assert_allclose(found, viterbi_path_probs(token_probs(nlp, "seqmix_ner", docs), tags))
    assert found[-1] == 1.0
    assert 0.0 < found[0] < 1.0


def test_path_probs_of_a_component_that_knows_them(nlp, news, monkeypatch):
    batches = []

    def own(self, docs):
        batches.append([doc.has_annotation("SENT_START") for doc in docs])
        return np.array([1 / (1 + len(doc)) for doc in docs], dtype="float32")

    monkeypatch.setattr(SeqMixNER, "path_probs", own, raising=False)
    monkeypatch.setattr(SeqMixNER, "predict", None)
    seen = []
    found = path_probs(nlp, "seqmix_ner", news[:5], batch_size=2, progress=seen.append)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([1 / (1 + len(doc)) for doc in news[:5]])
    assert [len(one) for one in batches] == seen == [2, 2, 1]
    assert all(any(one) for one in batches)  # what comes before has run


def test_path_probs_that_are_not_numbers(nlp, news, monkeypatch):
    def own(self, docs):
        return np.full(len(docs), np.nan, dtype="float32")

    monkeypatch.setattr(SeqMixNER, "path_probs", own, raising=False)
    with pytest.raises(ValueError, match=r"S425\] The probabilities of 'seqmix_ner'"):
        path_probs(nlp, "seqmix_ner", news[:2])


def test_check_has_paths(nlp):
    check_has_paths(nlp, "seqmix_ner")
    with pytest.raises(ValueError, match=r"S424\] 'sentencizer'"):
        check_has_paths(nlp, "sentencizer")


def test_check_config_has_paths():
    components = {"ner": {"factory": "ner"}, "mine": {"factory": "seqmix_ner"}}
    config = Config({"components": {**components, "old": {"source": "somewhere"}}})
    check_config_has_paths(config, "mine")
    check_config_has_paths(config, "old")  # only known once it is loaded
    with pytest.raises(ValueError, match=r"S424\] 'ner'"):
        check_config_has_paths(config, "ner")
