"""spacy-transformers' TransformerModel, whose encoder mixes its input embeddings by recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from spacy.tokens import Doc
from spacy.util import SimpleFrozenDict, registry
from spacy_transformers.align import get_alignment, get_alignment_via_offset_mapping
from spacy_transformers.data_classes import FullTransformerBatch, WordpieceBatch
from spacy_transformers.layers import split_trf_batch, trfs2arrays
from spacy_transformers.layers._util import replace_listener_cfg
from spacy_transformers.layers.transformer_model import TransformerModel, huggingface_tokenize
from spacy_transformers.truncate import truncate_oversize_splits
from spacy_transformers.util import maybe_flush_pytorch_cache
from thinc.api import Model, chain
from thinc.types import Floats2d, Ragged

from ..annotation.recipes import Recipe
from ..model_names import resolve, without_hub
from ..threads import single_threaded_forks
from .encoder import not_loaded
from .interpolation_layers import Forward, RecipeForward, Step, mix_in
from .word_shapes import begin_shapes, shape_rows, shaped, shapes_of_pieces
from .wordpiece_mixing import mixed, partner_pieces, plan

PLAIN = "spacy-transformers.TransformerModel.v3"
SHAPE_TOK2VEC = "spacy-seqmix.Tok2VecShapeTransformer.v1"
NO_SETTINGS: dict[str, Any] = SimpleFrozenDict()


def build_mix_transformer(
    name: str,
    get_spans: Callable[..., Any],
    tokenizer_config: dict[str, Any] = NO_SETTINGS,
    transformer_config: dict[str, Any] = NO_SETTINGS,
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = NO_SETTINGS,
) -> Model[list[Doc], FullTransformerBatch]:
    """Build a ``spacy-transformers.TransformerModel.v3`` that mixes by recipes in training.

    The input embedding of each word piece of a mixed token becomes λ e_own + (1 − λ) e_partner
    (SegMix, 2023); the encoder then adds positions and types. Without recipes, and in prediction,
    this is the plain model, with its structure and its bytes.

    name (str): the encoder: a name on the hub, a folder, ``package:NAME/PATH``, or alternatives
        ("A | B"). A trained pipeline contains the encoder and loads no other.
    get_spans (Callable[[list[Doc]], list[list[Span]]]): splits docs into texts for the encoder.
    tokenizer_config (dict): settings of the tokenizer.
    transformer_config (dict): settings of the encoder.
    mixed_precision (bool): use half precision where that is safe, on a GPU.
    grad_scaler_config (dict): settings of the scaling of gradients in mixed precision.
    RETURNS (Model[list[Doc], FullTransformerBatch]): the encoder's outputs.
    """
    single_threaded_forks()
    build = registry.get("architectures", PLAIN)
    model: Model[list[Doc], FullTransformerBatch] = build(
        name,
        get_spans,
        # Copies, since spacy-transformers adds to what it is given.
        dict(tokenizer_config),
        dict(transformer_config),
        mixed_precision,
        dict(grad_scaler_config),
    )
    model.init = partial(_init, model.init)
    mix_in(model, _mixing)
    return model


def build_shape_transformer(
    name: str,
    get_spans: Callable[..., Any],
    tokenizer_config: dict[str, Any] = NO_SETTINGS,
    transformer_config: dict[str, Any] = NO_SETTINGS,
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = NO_SETTINGS,
) -> Model[list[Doc], FullTransformerBatch]:
    """Build a ``MixTransformerModel.v1`` that shows an encoder that ignores case the words' shapes.

    Each word piece gets an embedding of its word's shape: capitalised, in capitals, with digits and
    so on. It is added to the input embedding, begins at zero, and lies in a row of the vocabulary
    that is unused, so that the encoder has no new weights. An encoder that reads case is as
    before.

    RETURNS (Model[list[Doc], FullTransformerBatch]): the encoder's outputs. Arguments and errors
        are those of ``build_mix_transformer``.
    """
    model = build_mix_transformer(
        name,
        get_spans,
        tokenizer_config,
        transformer_config,
        mixed_precision,
        grad_scaler_config,
    )
    model.__class__ = ShapeTransformerModel
    forward = RecipeForward(_with_shapes, partial(_mixing, word_shapes=True))
    model.replace_callbacks(forward, init=partial(_init_shapes, model.init))
    model.attrs["replace_listener_cfg"] = _config_in_component
    return model


def build_shape_tok2vec(
    name: str,
    get_spans: Callable[..., Any],
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
    tokenizer_config: dict[str, Any] = NO_SETTINGS,
    transformer_config: dict[str, Any] = NO_SETTINGS,
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = NO_SETTINGS,
) -> Model[list[Doc], list[Floats2d]]:
    """Build a ``ShapeTransformerModel.v1`` that belongs to one component.

    ``Language.replace_listeners`` puts it in the config, where it would put the
    ``spacy-transformers.Tok2VecTransformer.v3`` of an encoder without shapes.

    pooling (Model[Ragged, Floats2d]): makes a token's vector from those of its pieces.
    grad_factor (float): weight of the component's gradient.
    RETURNS (Model[list[Doc], list[Floats2d]]): the tokens' vectors. Other arguments and errors are
        those of ``build_mix_transformer``.
    """
    encoder = build_shape_transformer(
        name,
        get_spans,
        tokenizer_config,
        transformer_config,
        mixed_precision,
        grad_scaler_config,
    )
    # Nested as a listener that was replaced, so that its bytes fit.
    return chain(chain(encoder, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def _config_in_component(encoder: dict[str, Any], listener: dict[str, Any]) -> dict[str, Any]:
    """The config of the model that takes the place of a listener to an encoder."""
    config: dict[str, Any] = replace_listener_cfg(encoder, listener)  # type: ignore[no-untyped-call]
    if config["@architectures"] != encoder["@architectures"]:
        config["@architectures"] = SHAPE_TOK2VEC
    return config


class ShapeTransformerModel(TransformerModel):
    """A model that adds word shapes, as its copies do: ``Language.replace_listeners`` makes one."""

    def copy(self) -> ShapeTransformerModel:
        """A copy with its own weights."""
        copied = cast(ShapeTransformerModel, super().copy())  # type: ignore[no-untyped-call]
        copied.__class__ = type(self)
        copied.replace_callbacks(self._func, init=self.init)
        copied.attrs.update(self.attrs)
        return copied


def _init_shapes(plain: Callable[..., Any], model: Any, X: Any = None, Y: Any = None) -> None:  # noqa: N803
    is_new = not model.attrs["has_transformer"]
    plain(model, X=X, Y=Y)
    if is_new:
        begin_shapes(model.transformer, model.tokenizer)


def _init(plain: Callable[..., Any], model: Any, X: Any = None, Y: Any = None) -> None:  # noqa: N803
    """Initialise from the encoder that the name stands for.

    The name that is saved with the model stays that of the config, without a path of this machine.

    RAISES (SeqMixFileError): S220 for an encoder that can't be loaded, S224 for alternatives that
        are all missing.
    """
    name = model.attrs["name"]
    if not model.attrs["has_transformer"]:
        model.attrs["name"] = without_hub(resolve(name))
    try:
        plain(model, X=X, Y=Y)
    except (OSError, ValueError) as err:  # the latter: neither a folder nor a name on the hub
        raise not_loaded(name, err) from err
    finally:
        model.attrs["name"] = name


def _mixing(
    plain: Forward,
    model: Any,
    docs: Sequence[Doc],
    of_docs: Sequence[Recipe | None],
    word_shapes: bool = False,
) -> Step:
    """The forward in training, with the encoder's embeddings mixed."""
    mixtures = {doc: recipe for doc, recipe in zip(docs, of_docs, strict=True) if recipe}
    return _forward(model, docs, True, mixtures, word_shapes)


def _with_shapes(model: Any, docs: Sequence[Doc], is_train: bool) -> Step:
    """The plain forward, with word shapes."""
    return _forward(model, docs, is_train, {}, word_shapes=True)


def _forward(
    model: Any,
    docs: Sequence[Doc],
    is_train: bool,
    mixtures: Mapping[Doc, Recipe],
    word_shapes: bool,
) -> Step:
    """The forward of spacy-transformers, with the encoder's embeddings changed.

    It is written out here, since the plain forward does not return which pieces belong to which
    token.
    """
    tokenizer = model.tokenizer
    words = [word for recipe in mixtures.values() for word in recipe.partners]
    partners = partner_pieces(tokenizer, words)

    nested = model.attrs["get_spans"](docs)
    spans = [span for of_doc in nested for span in of_doc]
    maybe_flush_pytorch_cache(chance=model.attrs.get("flush_cache_chance", 0))
    encoded = huggingface_tokenize(tokenizer, [span.text for span in spans])
    wordpieces = WordpieceBatch.from_batch_encoding(encoded)
    offsets: Any = encoded.get("offset_mapping")
    if offsets is not None:
        align = get_alignment_via_offset_mapping(spans, offsets)
    else:
        align = get_alignment(spans, wordpieces.strings, tokenizer.all_special_tokens)
    wordpieces, align = truncate_oversize_splits(wordpieces, align, tokenizer.model_max_length)

    ids: Any = wordpieces.input_ids
    mix = plan(mixtures, partners, spans, align, offsets, ids.shape[1]) if mixtures else None
    rows = shape_rows(tokenizer) if word_shapes else ()
    shapes = shapes_of_pieces(spans, align, ids.shape) if rows else None
    # The word's own shape stays where its pieces are mixed.
    with mixed(model.transformer, ids, mix), shaped(model.transformer, rows, ids, shapes):
        states, backprop_encoder = model.layers[0](wordpieces, is_train)
    output = FullTransformerBatch(
        spans=nested, wordpieces=wordpieces, model_output=states, align=align
    )

    def backprop(d_output: FullTransformerBatch) -> Sequence[Doc]:
        backprop_encoder(d_output.model_output)
        return docs

    return output, backprop
