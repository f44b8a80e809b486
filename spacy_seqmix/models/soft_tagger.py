"""tok2vec → softmax over tags, normalised when training and when predicting."""

from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model, Softmax_v2, chain, glorot_uniform_init, with_array
from thinc.layers.resizable import resizable, resize_linear_weighted, resize_model
from thinc.types import Floats2d

InT = list[Doc]
OutT = list[Floats2d]

# Where the logits of a new tag begin: low enough not to disturb what was learnt (about 1 % of a
# tag with logit 0), near enough to be learnt soon.
NEW_TAG_BIAS = -5.0


def build_soft_tagger(
    tok2vec: Model[InT, list[Floats2d]],
    nO: int | None = None,  # noqa: N803 (spaCy's name)
) -> Model[InT, OutT]:
    """Build the model of ``seqmix_ner``: one softmax over token vectors.

    ``spacy.Tagger.v2`` leaves its outputs unnormalised when it predicts; policies and mixtures
    need probabilities, so this one always normalises. The output layer can grow.

    tok2vec (Model[list[Doc], list[Floats2d]]): token vectors, (n_tokens, width) a doc.
    nO (int | None): the number of tags L; set by the component.
    RETURNS (Model[list[Doc], list[Floats2d]]): probabilities, (n_tokens, L) a doc.
    """
    width = tok2vec.maybe_get_dim("nO")
    softmax, output = growing_softmax(nO, width)
    model: Model[InT, OutT] = chain(tok2vec, with_array(output))
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", softmax)
    model.attrs["resize_output"] = _resize
    if nO is not None:
        set_output_size(model, nO)
    return model


def growing_softmax(
    nO: int | None,  # noqa: N803
    nI: int | None = None,  # noqa: N803
) -> tuple[Model[Any, Any], Model[Any, Any]]:
    """A softmax with random weights, and the layer around it by which it can grow.

    thinc's begins at zero weights, through which no gradient reaches the encoder: with few labels
    there are too few steps to wait until it does.
    """
    softmax = Softmax_v2(nO=nO, nI=nI, init_W=glorot_uniform_init)
    resize = partial(resize_linear_weighted, fill_defaults={"b": NEW_TAG_BIAS})
    return softmax, resizable(softmax, resize_layer=resize)


def set_output_size(model: Model[Any, Any], nO: int) -> None:  # noqa: N803
    """Set the number of tags before initialisation, or grow the trained layer after it."""
    if model.get_ref("output_layer").has_dim("nO"):
        model.attrs["resize_output"](model, nO)
    else:
        model.get_ref("output_layer").set_dim("nO", nO)


def _resize(model: Model[InT, OutT], new_nO: int) -> Model[InT, OutT]:  # noqa: N803
    # Found from the model given, not held by a closure: a copy has layers of its own.
    array = model.layers[1]
    output: Model[Any, Any] = array.layers[0]
    resize_model(output, new_nO)
    for node in (model, array, output):
        node.set_dim("nO", new_nO, force=True)
    model.set_ref("output_layer", output.layers[0])
    return model
