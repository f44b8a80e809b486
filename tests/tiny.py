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


PLAIN = "spacy-transformers.TransformerModel.v3"


def transformer_nlp(folder, component, model, architecture=PLAIN):
    """The encoder in a folder, and a component with this model that listens to it."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    encoder = {
        "@architectures": architecture,
        "name": str(folder),
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 128,
            "stride": 96,
        },
        "tokenizer_config": {"use_fast": True},
    }
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("transformer", config={"model": encoder})
    nlp.add_pipe(component, config={"model": {**model, "tok2vec": listener}})
    return nlp
