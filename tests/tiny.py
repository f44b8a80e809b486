"""Settings of models that are small enough for tests, and pipelines of them."""

import spacy
from spacy.util import fix_random_seed

TINY_CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 16,
    "depth": 1,
    "embed_size": 100,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
}


def transformer_nlp(folder, component, model):
    """The encoder in a folder, and a component with this model that listens to it."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    encoder = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(folder),
        "get_spans": {"@span_getters": "spacy-transformers.strided_spans.v1"},
    }
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("transformer", config={"model": encoder})
    nlp.add_pipe(component, config={"model": {**model, "tok2vec": listener}})
    return nlp
