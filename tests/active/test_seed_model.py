"""Seed models: pipelines of every kind that suggest labels in the first round."""

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_seqmix.active.schema import SeedModelSchema
from spacy_seqmix.active.seed_model import load_seed_model
from spacy_seqmix.query.diverse import text_vectors
from spacy_seqmix.types import Suggestion

VOCAB = spacy.blank("en").vocab
NAMES = {"PERSON": "PER", "GPE": "LOC"}


@Language.factory("seed_model_llm", default_config={"answers": {}, "labels": None})
class Llm:
    """Like a component of spacy-llm: it says nothing of what it sets, and has no scores."""

    def __init__(self, nlp, name, answers, labels):
        self.answers = answers
        if labels:
            self.labels = tuple(labels)

    def __call__(self, doc):
        spans = []
        for word, label in self.answers.items():
            at = doc.text.find(word)
            if at >= 0:
                spans.append(doc.char_span(at, at + len(word), label=label))
        doc.ents = [span for span in spans if span is not None]
        return doc


CONFIG = """
[nlp]
lang = "en"
pipeline = ["llm"]

[components]

[components.llm]
factory = "seed_model_llm"
answers = {"Ann": "PERSON", "Rome": "GPE", "Friday": "DATE"}
"""


def docs_of(*texts):
    return [Doc(VOCAB, words=text.split(" ")) for text in texts]


def seed_model(name, labels=None):
    return load_seed_model(SeedModelSchema(name=str(name), labels=labels))


@pytest.fixture
def ruler_dir(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    patterns = [("PERSON", "Ann"), ("GPE", "Rome"), ("DATE", "Friday")]
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": word} for label, word in patterns])
    nlp.to_disk(tmp_path / "ruler")
    return tmp_path / "ruler"


@pytest.fixture
def llm_cfg(tmp_path):
    path = tmp_path / "llm.cfg"
    path.write_text(CONFIG, encoding="utf8")
    return path


@pytest.mark.parametrize("kind", ["ruler_dir", "llm_cfg"])
def test_seed_model_suggests_in_the_tokens_of_the_docs(kind, request):
    model = seed_model(request.getfixturevalue(kind), NAMES)
    docs = docs_of("Ann , saw Rome", "Ann's Rome.", "on Friday", "\n")
    # its own tokenizer cuts "Ann's" and "Rome.", these docs do not
    expected = [(Suggestion(0, 1, "PER"), Suggestion(3, 4, "LOC")), (), (), ()]
    progress = []
    assert model.suggest(docs, progress.append) == expected
    assert sum(progress) == 3
    every = seed_model(request.getfixturevalue(kind)).suggest(docs)
    assert every[2] == (Suggestion(1, 2, "DATE"),)


@pytest.mark.parametrize("kind", ["ruler_dir", "llm_cfg"])
def test_seed_model_reads_the_text_and_not_the_tokens(kind, request):
    """Where the pool's tokens are parts of words, its own tokenizer joins them."""
    words, spaces = ["An", "n", "saw", "Ro", "me"], [False, True, True, False, False]
    doc = Doc(VOCAB, words=words, spaces=spaces)
    expected = (Suggestion(0, 2, "PER"), Suggestion(3, 5, "LOC"))
    assert seed_model(request.getfixturevalue(kind), NAMES).suggest([doc]) == [expected]


def test_seed_model_of_a_trained_pipeline_has_its_own_probabilities(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("ner", config={"model": {"tok2vec": {"width": 16, "embed_size": 100}}})
    reference = nlp.make_doc("Ann saw Rome")
    reference.ents = [Span(reference, 0, 1, label="PERSON"), Span(reference, 2, 3, label="GPE")]
    examples = [Example(nlp.make_doc("Ann saw Rome"), reference)]
    sgd = nlp.initialize(lambda: examples)
    for _ in range(30):
        nlp.update(examples, sgd=sgd)
    nlp.to_disk(tmp_path / "ner")
    model = seed_model(tmp_path / "ner", NAMES)
    ((first, second),) = model.suggest(docs_of("Ann saw Rome"))
    assert (first.label, second.label) == ("PER", "LOC")
    assert 0.1 < first.confidence <= 1
    docs = docs_of("Ann saw Rome", "another text")
    assert model.vectors(docs).shape == (
        2,
        model.nlp.get_pipe("ner").model.get_ref("tok2vec").get_dim("nO"),
    )


def test_seed_model_without_token_vectors_has_those_of_the_characters(ruler_dir):
    docs = docs_of("Ann saw Rome", "another text", "one more")
    assert np.array_equal(seed_model(ruler_dir).vectors(docs), text_vectors(docs))


def test_seed_model_refuses_labels_that_it_does_not_have(ruler_dir, llm_cfg):
    with pytest.raises(ValueError, match=r"S713\].*ruler.*\['PER'\].*\['DATE', 'GPE', 'PERSON'\]"):
        seed_model(ruler_dir, {"PER": "PER", "GPE": "LOC"})
    seed_model(llm_cfg, {"PER": "PER"})  # it does not say which it has
    llm_cfg.write_text(CONFIG + 'labels = ["PERSON"]\n', encoding="utf8")
    with pytest.raises(ValueError, match=r"S713\].*\['GPE'\].*\['PERSON'\]"):
        seed_model(llm_cfg, NAMES)


def test_seed_model_refuses_a_pipeline_that_sets_no_entities(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "without")
    with pytest.raises(ValueError, match=r"S714\].*without.*\['sentencizer'\]"):
        seed_model(tmp_path / "without")


@pytest.mark.parametrize(
    "text",
    [
        CONFIG.replace("seed_model_llm", "nowhere"),
        CONFIG.replace("answers", "anwsers"),
        CONFIG.replace("[nlp]", "[nlp"),
        "",
    ],
)
def test_seed_model_that_cannot_be_built_says_why(text, llm_cfg):
    llm_cfg.write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match=r"S712\].*llm.cfg") as caught:
        seed_model(llm_cfg)
    assert "Available" not in str(caught.value)
    assert "--code" in str(caught.value)


@pytest.mark.parametrize("name", ["no_such_package", "no/such/folder", "no_such.cfg"])
def test_seed_model_that_is_not_there(name):
    with pytest.raises(ValueError, match=rf"S712\].*{name}"):
        seed_model(name)
