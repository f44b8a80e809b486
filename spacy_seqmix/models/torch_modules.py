"""The layers of several components, and the torch modules that some of them wrap."""

from collections.abc import Iterable
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim

AnyModel = Model[Any, Any]


def layers_of(nlp: Language, components: Iterable[str]) -> list[AnyModel]:
    """Every layer of these components, each once; components without a model have none."""
    models = [getattr(nlp.get_pipe(name), "model", None) for name in components]
    nodes = [node for model in models if isinstance(model, Model) for node in model.walk()]
    return list({id(node): node for node in nodes}.values())


def modules_of(nlp: Language, components: Iterable[str]) -> list[torch.nn.Module]:
    """The torch modules that thinc's layers wrap."""
    shims = [shim for layer in layers_of(nlp, components) for shim in layer.shims]
    return [shim._model for shim in shims if isinstance(shim, PyTorchShim)]
