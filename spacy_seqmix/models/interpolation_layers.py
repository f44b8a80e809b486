"""Layers that mix embeddings by recipes while they train, and are plain layers otherwise."""

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

# What a layer's forward returns: its output, and the callback of the backward pass.
Step = tuple[Any, Callable[[Any], Any]]
Forward = Callable[..., Step]
Mixing = Callable[[Forward, Any, Sequence[Doc], Sequence[Recipe | None]], Step]


@dataclass(frozen=True)
class RecipeForward:
    """A layer's forward that mixes by recipes, and is the plain one unless it trains on some.

    It takes the place of the forward of a layer that is built already: the layer's name, structure
    and bytes stay those of the plain layer, so that weights fit both.

    plain (Forward): the layer's own forward.
    mixing (Mixing): what runs instead when a doc of a training batch has a recipe; it is given the
        plain forward, the layer, the docs and their recipes.
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
    """Make a layer mix by recipes while it trains. A layer that does so already stays as it is."""
    if not isinstance(model._func, RecipeForward):
        model.replace_callbacks(RecipeForward(model._func, mixing), init=model.init)


def mixes_embeddings(model: Model[Any, Any]) -> bool:
    """Whether some layer of a model mixes by recipes while it trains.

    A component that listens to a shared ``transformer`` or ``tok2vec`` does not mix by itself: ask
    of the model of the component that it listens to.
    """
    return any(isinstance(node._func, RecipeForward) for node in model.walk())


def check_recipes(nlp: Language) -> None:
    """Warn with W224 where no component of a pipeline mixes embeddings while it trains: its docs
    have recipes.

    A component that listens to a shared encoder does not, but the encoder is in the pipeline, too.
    """
    models = [getattr(proc, "model", None) for _, proc in nlp.pipeline]
    if not any(isinstance(model, Model) and mixes_embeddings(model) for model in models):
        warnings.warn(Warnings.W224.format(pipes=nlp.pipe_names), stacklevel=3)
