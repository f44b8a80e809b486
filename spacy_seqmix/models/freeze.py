"""A callback that freezes embeddings."""

import warnings
from collections.abc import Callable, Sequence

import torch
from spacy.language import Language

from ..errors import Errors, SeqMixError, Warnings
from .mix_transformer import ShapeTransformerModel
from .torch_modules import layers_of, modules_of
from .word_shapes import have_learnt


def create_freeze_embeddings(
    components: Sequence[str] | None = None,
) -> Callable[[Language], Language]:
    """Create a callback for [initialize.after_init] that freezes the embeddings of encoders.

    With few labels, most rows of a word embedding get only weight decay, and on a CPU the dense
    gradient takes a good part of a step. Every ``torch.nn.Embedding`` is frozen, for words,
    positions and segments, and so is an output layer that shares its weights. Nothing is stored: a
    pipeline that is loaded and trained further with another config trains its embeddings again.

    components (Sequence[str] | None): names of components; None for all of the pipeline.
    RETURNS (Callable): takes an initialised pipeline and returns it; raises SeqMixError S218 when
        there is nothing to freeze, and warns with W227 where word shapes can't begin to learn.
    """

    def freeze_embeddings(nlp: Language) -> Language:
        # Those that come from another pipeline are disabled while it is initialised.
        names = nlp.component_names if components is None else list(components)
        layers = [
            layer
            for module in modules_of(nlp, names)
            for layer in module.modules()
            if isinstance(layer, torch.nn.Embedding)
        ]
        if not layers:
            raise SeqMixError(Errors.E218.format(names=names))
        for layer in layers:
            layer.weight.requires_grad_(False)
        shaped = (m for m in layers_of(nlp, names) if isinstance(m, ShapeTransformerModel))
        if not all(have_learnt(model.transformer, model.tokenizer) for model in shaped):
            warnings.warn(Warnings.W227, stacklevel=2)
        return nlp

    return freeze_embeddings
