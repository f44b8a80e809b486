"""Layers that mix embeddings by recipes in training, and are plain layers otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model

from ..annotation import recipes
from ..annotation.recipes import Recipe
from ..errors import Warnings

# The result of a layer's forward: its output, and the callback of the backward pass.
Step = tuple[Any, Callable[[Any], Any]]
Forward = Callable[..., Step]
Mixing = Callable[[Forward, Any, Sequence[Doc], Sequence[Recipe | None]], Step]


@dataclass(frozen=True)
class RecipeForward:
    """A layer's forward that mixes by recipes where a training batch has some.

    It replaces the forward of an existing layer, whose name, structure and bytes stay those of the
    plain layer, so that weights fit both.

    plain (Forward): the layer's own forward.
    mixing (Mixing): the forward for training batches with recipes: takes the plain forward, the
        layer, the docs and their recipes.
    """

    plain: Forward
    mixing: Mixing
    __name__ = "recipe_forward"  # thinc's data validation asks for one

    def __call__(self, model: Any, docs: Any, is_train: bool) -> Step:
        if is_train:
            of_docs = [recipes.get(doc) if isinstance(doc, Doc) else None for doc in docs]
            if any(of_docs):
                return self.mixing(self.plain, model, docs, of_docs)
        return self.plain(model, docs, is_train)


def mix_in(model: Model[Any, Any], mixing: Mixing) -> None:
    """Make a layer mix by recipes in training, unless it does so already."""
    if not isinstance(model._func, RecipeForward):
        model.replace_callbacks(RecipeForward(model._func, mixing), init=model.init)


def mixes_embeddings(model: Model[Any, Any]) -> bool:
    """Whether some layer of a model mixes by recipes in training.

    A component that listens to a shared ``transformer`` or ``tok2vec`` does not mix by itself: pass
    the model of the component that it listens to.
    """
    return any(isinstance(node._func, RecipeForward) for node in model.walk())


def check_recipes(nlp: Language) -> None:
    """Warn with W224 if no component of a pipeline mixes embeddings, for docs with recipes.

    A component that listens to a shared encoder does not mix, but the encoder is a component too.
    """
    models = [getattr(proc, "model", None) for _, proc in nlp.pipeline]
    if not any(isinstance(model, Model) and mixes_embeddings(model) for model in models):
        warnings.warn(Warnings.W224.format(pipes=nlp.pipe_names), stacklevel=3)
