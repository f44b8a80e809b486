"""Every component refuses, with a code, a model that is made for other components."""

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Linear, Model, chain, with_array

from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.errors import SeqMixError

from ..tiny import TINY_CNN

MODELS = {
    "parser": {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 16,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": TINY_CNN,
    },
    "textcat": {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 1,
        "no_output_layer": False,
    },
    "textcat_cnn": {
        "@architectures": "spacy.TextCatReduce.v1",
        "tok2vec": TINY_CNN,
        "exclusive_classes": True,
        "use_reduce_first": False,
        "use_reduce_last": False,
        "use_reduce_max": False,
        "use_reduce_mean": True,
    },
    "spancat": {
        "@architectures": "spacy.SpanCategorizer.v1",
        "tok2vec": TINY_CNN,
        "reducer": {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 8},
        "scorer": {"@layers": "spacy.LinearLogistic.v1"},
    },
    "encoder": TINY_CNN,
    "tagger": {"@architectures": "spacy.Tagger.v2", "tok2vec": TINY_CNN, "normalize": False},
    "softmax": {"@architectures": "spacy-seqmix.SoftTagger.v1", "tok2vec": TINY_CNN},
    "crf": {"@architectures": "spacy-seqmix.CRFTagger.v1", "tok2vec": TINY_CNN},
    "pairs": {
        "@architectures": "spacy-seqmix.PairClassifier.v1",
        "hidden_size": 8,
        "reducer": {"@layers": "reduce_mean.v1"},
        "tok2vec": TINY_CNN,
    },
}
FITTING = {
    "seqmix_ner": {"tagger", "softmax", "crf"},
    "seqmix_tagger": {"tagger", "softmax"},
    "seqmix_relations": {"pairs"},
}


def examples_of(nlp: Language) -> list[Example]:
    out = []
    for words in (["Ann", "met", "Bob"], ["Bob", "met", "Eva", "today"]):
        doc = Doc(nlp.vocab, words=words, tags=["N", "V", "N", "A"][: len(words)])
        doc.set_ents([Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "ORG")])
        relations.put(doc, [Relation((0, 1), (2, 3), "Knows")])
        out.append(Example(Doc(nlp.vocab, words=words), doc))
    return out


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("factory", FITTING)
def test_wrong_models_are_refused_at_initialisation(factory: str, model: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config={"model": MODELS[model]})
    examples = examples_of(nlp)
    if model in FITTING[factory]:
        nlp.initialize(lambda: examples)
        assert nlp.update(examples)[factory] > 0
        return
    with pytest.raises(SeqMixError, match=rf"^\[S571\] The model of '{factory}'.*such as sp"):
        nlp.initialize(lambda: examples)


@pytest.mark.parametrize("factory", FITTING)
def test_wrong_models_the_advised_one_fits(factory: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config={"model": MODELS["encoder"]})
    with pytest.raises(SeqMixError) as caught:
        nlp.initialize(lambda: examples_of(nlp))
    advised = str(caught.value).rpartition("such as ")[2].strip(".")
    fitting = {MODELS[name]["@architectures"] for name in FITTING[factory]}
    assert advised in fitting


@pytest.mark.parametrize("factory", ["seqmix_ner", "seqmix_tagger"])
def test_wrong_models_whose_rows_are_no_probabilities(factory: str) -> None:
    nlp = spacy.blank("en")
    proc = nlp.add_pipe(factory)
    linear: Model = Linear(nO=None, nI=96)
    proc.model = chain(proc.model.get_ref("tok2vec"), with_array(linear))
    proc.model.set_ref("output_layer", linear)
    with pytest.raises(SeqMixError, match=r"S571.*the rows that it predicts are not probab"):
        nlp.initialize(lambda: examples_of(nlp))
