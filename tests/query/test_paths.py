"""How probable the decoded path is."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from spacy_seqmix.pipeline.ner import SeqMixNER
from spacy_seqmix.query.policies import make_least_confidence_policy
from spacy_seqmix.query.probabilities import check_needs, path_probs

from ..tiny import TINY_CNN


def initialise(nlp, labelled):
    reference = labelled("[PER Ann Lee] saw [LOC Rome].")
    nlp.initialize(lambda: [Example(nlp.make_doc(reference.text), reference)])


@pytest.fixture
def nlp(labelled):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("seqmix_ner", config={"model": {"tok2vec": {"width": 16, "embed_size": 100}}})
    initialise(nlp, labelled)
    return nlp


@pytest.mark.parametrize("tagger", ["SoftTagger", "CRFTagger"])
def test_path_probs_are_those_of_the_component(nlp, news, labelled, tagger):
    model = {"@architectures": f"spacy-seqmix.{tagger}.v1", "tok2vec": TINY_CNN}
    proc = nlp.add_pipe("seqmix_ner", name="mine", config={"model": model})
    initialise(nlp, labelled)
    docs = [*news[:5], Doc(nlp.vocab)]
    seen = []
    found = path_probs(nlp, "mine", docs, batch_size=4, progress=seen.append)
    assert seen == [4, 2]
    assert found.dtype == np.float32
    assert_allclose(found, [proc.path_probs([doc])[0] for doc in docs], rtol=1e-4)
    assert found[-1] == 1.0
    assert 0.0 < found[0] < 1.0
    assert path_probs(nlp, "mine", []).shape == (0,)


def test_path_probs_by_hand(nlp, monkeypatch):
    """P(y*) is a product over tokens; what is left of it is Eq. 1."""
    # I-LOC is the best tag of the first token, but cannot begin: B-LOC, I-LOC has 0.3 × 0.8
    probs = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]], dtype="float32")
    monkeypatch.setattr(SeqMixNER, "predict", lambda self, docs: [probs for _ in docs])
    found = path_probs(nlp, "seqmix_ner", [Doc(nlp.vocab, words=["a", "b"])])
    assert found.tolist() == pytest.approx([0.24])
    scores = make_least_confidence_policy("path")(found, np.random.default_rng(0))
    assert scores.tolist() == pytest.approx([0.76])


def test_path_probs_of_a_component_that_knows_them(nlp, news, monkeypatch):
    batches = []

    def own(self, docs):
        batches.append([doc.has_annotation("SENT_START") for doc in docs])
        return np.array([1 / (1 + len(doc)) for doc in docs], dtype="float32")

    monkeypatch.setattr(SeqMixNER, "path_probs", own)
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

    monkeypatch.setattr(SeqMixNER, "path_probs", own)
    with pytest.raises(ValueError, match=r"S425\] The probabilities of 'seqmix_ner'"):
        path_probs(nlp, "seqmix_ner", news[:2])


def test_check_needs_of_paths(nlp):
    nlp.add_pipe("tagger")
    check_needs("paths", nlp, "seqmix_ner")
    with pytest.raises(ValueError, match=r"S424\] 'tagger'.*\['seqmix_ner'\]"):
        check_needs("paths", nlp, "tagger")


def test_check_needs_of_paths_in_a_config():
    components = {"ner": {"factory": "ner"}, "mine": {"factory": "seqmix_ner"}}
    components["old"] = {"source": "somewhere"}
    config = Config({"nlp": {"pipeline": list(components)}, "components": components})
    check_needs("paths", config, "mine")
    check_needs("paths", config, "old")  # only known once it is loaded
    with pytest.raises(ValueError, match=r"S424\] 'ner'.*\['mine'\]"):
        check_needs("paths", config, "ner")
