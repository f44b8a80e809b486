"""Hard labels: whatever trains on entities, tags or spans can train on mixed docs."""

import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry

from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.provenance import get_origin

pytestmark = pytest.mark.usefixtures("encoders_once")

COMPONENTS = {
    "ner": "ents",
    "beam_ner": "ents",
    "seqmix_ner": "ents",
    "tagger": "tags",
    "seqmix_tagger": "tags",
    "spancat": "spans:sc",
    "spancat_singlelabel": "spans:sc",
}


@pytest.fixture
def augmented(news, tiny_encoder_dir):
    """Examples of originals and of docs mixed in a layer, with hard labels."""

    def make(nlp, layer):
        augmenter = registry.resolve(
            {
                "augmenter": {
                    "@augmenters": "spacy-seqmix.SeqMix.v1",
                    "rate": 0.5,
                    "labels": "hard",
                    "strategy": {
                        "@misc": "spacy-seqmix.SubSequence.v1",
                        "window": 3,
                        "density": 0.3,
                        "layer": layer,
                    },
                    "realiser": {
                        "@misc": "spacy-seqmix.NearestToken.v1",
                        "table": {
                            "@misc": "spacy-seqmix.WordTable.v1",
                            "encoder": str(tiny_encoder_dir),
                        },
                    },
                }
            }
        )["augmenter"]
        for doc in news:
            doc.spans["sc"] = list(doc.ents)
            for token in doc:
                token.tag_ = "NAME" if token.ent_type_ else "WORD"
        examples = [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in news]
        nlp.initialize(lambda: [out for eg in examples for out in augmenter(nlp, eg)])
        return [out for eg in examples for out in augmenter(nlp, eg)]

    return make


@pytest.mark.parametrize("factory", COMPONENTS)
def test_hard_labels_train(augmented, factory):
    nlp = spacy.blank("en")
    nlp.add_pipe(factory)
    layer = COMPONENTS[factory]
    examples = augmented(nlp, layer)
    mixed = [eg for eg in examples if get_origin(eg.reference) is not None]
    assert len(mixed) >= 10
    for eg in mixed:
        assert soft_labels.get(eg.reference) is None
        assert None not in layers.read(eg.reference, layer)
    losses = [nlp.update(mixed)[factory] for _ in range(25)]
    assert min(losses[1:]) < losses[0]


def test_soft_labels_of_one_layer_are_none_to_another(news):
    """A recogniser does not take a tagger's soft labels for its own."""
    nlp = spacy.blank("en")
    proc = nlp.add_pipe("seqmix_ner")
    doc = news[0]
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc)])
    before = proc._rows(Example(nlp.make_doc(doc.text), doc))
    for token in doc:
        token.tag_ = "X"
    soft_labels.put(doc, soft_labels.one_hot(doc, "tags"))
    assert_allclose(proc._rows(Example(nlp.make_doc(doc.text), doc)), before)
    assert proc.labels
