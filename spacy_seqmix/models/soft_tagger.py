"""tok2vec → softmax over tags, normalised when training and when predicting."""

from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model, Softmax_v2, chain, glorot_uniform_init, with_array
from thinc.layers.resizable import resizable, resize_linear_weighted, resize_model
from thinc.types import Floats2d

# The default encoder of components, to follow their other settings of [model].
TOK2VEC = """
[model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 96
depth = 4
embed_size = 2000
window_size = 1
maxout_pieces = 3
subword_features = true
"""

InT = list[Doc]
OutT = list[Floats2d]

# The initial logit of a new tag: low enough not to disturb trained tags (about 1 % of a tag with
# logit 0), high enough to be learnt soon.
NEW_TAG_BIAS = -5.0


def build_soft_tagger(
    tok2vec: Model[InT, list[Floats2d]],
    nO: int | None = None,  # noqa: N803 (spaCy's name)
) -> Model[InT, OutT]:
    """Build the model of ``seqmix_ner``: one softmax over token vectors.

    ``spacy.Tagger.v2`` leaves its outputs unnormalised when it predicts; policies and mixtures
    need probabilities, so this model always normalises. The output layer can grow.

    tok2vec (Model[list[Doc], list[Floats2d]]): token vectors, (n_tokens, width) a doc.
    nO (int | None): the number of tags L; set by the component.
    RETURNS (Model[list[Doc], list[Floats2d]]): probabilities, (n_tokens, L) a doc.
    """
    width = tok2vec.maybe_get_dim("nO")
    softmax, output = growing_softmax(nO, width)
    model: Model[InT, OutT] = chain(tok2vec, with_array(output))
    return with_growing_output(model, tok2vec, softmax, nO)


def growing_softmax(
    nO: int | None,  # noqa: N803
    nI: int | None = None,  # noqa: N803
) -> tuple[Model[Any, Any], Model[Any, Any]]:
    """Make a softmax with random weights, and the resizable layer around it.

    thinc's softmax begins with zero weights, through which no gradient reaches the encoder: with
    few labels, the first steps would be lost.
    """
    softmax = Softmax_v2(nO=nO, nI=nI, init_W=glorot_uniform_init)
    resize = partial(resize_linear_weighted, fill_defaults={"b": NEW_TAG_BIAS})
    return softmax, resizable(softmax, resize_layer=resize)


def with_growing_output(
    model: Model[Any, Any],
    tok2vec: Model[Any, Any],
    output_layer: Model[Any, Any],
    nO: int | None,  # noqa: N803
) -> Model[Any, Any]:
    """Set what components expect of a model: its references and its ``resize_output``.

    model (Model): its first layer is the encoder.
    output_layer (Model): the layer inside a ``resizable`` that has a column for each tag.
    nO (int | None): the number of tags; None if it is not known yet.
    RETURNS (Model): the same model.
    """
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output_layer)
    model.attrs["resize_output"] = resize_output
    if nO is not None:
        set_output_size(model, nO)
    return model


def set_output_size(model: Model[Any, Any], nO: int) -> None:  # noqa: N803
    """Set the number of tags before initialisation, or grow the trained layer after it."""
    if model.get_ref("output_layer").has_dim("nO"):
        model.attrs["resize_output"](model, nO)
    else:
        model.get_ref("output_layer").set_dim("nO", nO)


def resize_output(model: Model[Any, Any], new_nO: int) -> Model[Any, Any]:  # noqa: N803
    """Grow every resizable layer after the encoder, and set the size of the layers around it."""
    # The layers are looked up in the model, not held by a closure: a copy has layers of its own.
    nodes = [node for layer in model.layers[1:] for node in layer.walk(order="dfs_pre")]
    growing = [node for node in nodes if "resize_layer" in node.attrs]
    for node in growing:
        resize_model(node, new_nO)
    for node in (model, *nodes):
        if node.has_dim("nO") is not False and any(part in growing for part in node.walk()):
            node.set_dim("nO", new_nO, force=True)
    model.set_ref("output_layer", growing[0].layers[0])
    return model
