"""Token probabilities of stochastic passes: prediction with the dropout layers switched on."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc
from thinc.compat import cupy, has_cupy_gpu
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ..errors import Errors, SeqMixError
from ..models.torch_modules import AnyModel, layers_of, modules_of
from ..types import TokenProbs
from .probabilities import token_probs

# Attributes of attention layers in transformers with the rate for torch's fused attention.
FUSED = ("dropout_prob", "attention_dropout")


def dropout_probs(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    rate: float,
    seeds: Sequence[int],
    progress: Callable[[int], object] | None = None,
) -> list[TokenProbs]:
    """Monte Carlo dropout (Gal and Ghahramani 2016): one pass of a pipeline for each seed.

    nlp (Language): a trained pipeline. It is restored afterwards, and so are global generators.
    component (str): the name of a component that has token probabilities.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are not changed.
    rate (float): the dropout rate of every dropout layer up to the component.
    seeds (Sequence[int]): the same seed gives the same pass.
    progress (Callable | None): called with the number of docs done.
    RETURNS (list[TokenProbs]): the token probabilities of each pass.
    RAISES (SeqMixError): S401, S423 when there are no dropout layers, S425.
    """
    check_has_dropout(nlp, component)
    passes = []
    with dropout_on(nlp, component, rate):
        for seed in seeds:
            with private_generators(seed):
                passes.append(token_probs(nlp, component, docs, progress=progress))
    return passes


def check_has_dropout(nlp: Language, component: str) -> None:
    """Check for dropout layers up to a component. RAISES (SeqMixError): S423 if there are none."""
    if not thinc_layers(nlp, component) and not any(
        layer for module in torch_modules(nlp, component) for layer in torch_layers(module)
    ):
        raise SeqMixError(Errors.E423.format(name=component))


@contextmanager
def dropout_on(nlp: Language, component: str, rate: float) -> Iterator[None]:
    """Switch dropout on in prediction, in every dropout layer up to a component; nothing trains."""
    with ExitStack() as undo:
        for layer in thinc_layers(nlp, component):
            # thinc has no switch for this: only whole models can be run as in training, where
            # listeners wait for what is never sent, and gradients are kept.
            undo.callback(setattr, layer, "_func", layer._func)
            undo.callback(layer.attrs.__setitem__, "dropout_rate", layer.attrs["dropout_rate"])
            layer._func = partial(_as_in_training, layer._func)
            layer.attrs["dropout_rate"] = rate
        for module in torch_modules(nlp, component):
            for owner, name in torch_layers(module):
                undo.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, rate)
            # thinc's shim puts the module into evaluation mode, without gradients, and calls it.
            undo.callback(module.register_forward_pre_hook(_train_mode).remove)
        yield


@contextmanager
def private_generators(seed: int) -> Iterator[None]:
    """Seed the global generators, from which dropout draws, and restore them afterwards.

    seed (int): 0 to 2^32 − 1.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    of_cupy = cupy.random.get_random_state() if has_cupy_gpu else None
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            if has_cupy_gpu:
                cupy.random.set_random_state(cupy.random.RandomState(seed))
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        if has_cupy_gpu:
            cupy.random.set_random_state(of_cupy)


def thinc_layers(nlp: Language, component: str) -> list[AnyModel]:
    """thinc's layers with a dropout rate, up to a component."""
    layers = layers_of(nlp, _up_to(nlp, component))
    return [layer for layer in layers if layer.attrs.get("dropout_rate") is not None]


def torch_modules(nlp: Language, component: str) -> list[torch.nn.Module]:
    """The torch modules that thinc's layers wrap, up to a component."""
    return modules_of(nlp, _up_to(nlp, component))


def torch_layers(module: torch.nn.Module) -> list[tuple[torch.nn.Module, str]]:
    """The dropout layers of a module, and the attribute of each that holds its rate."""
    layers: list[tuple[torch.nn.Module, str]] = []
    for layer in module.modules():
        if isinstance(layer, _DropoutNd):
            layers.append((layer, "p"))
        elif isinstance(layer, torch.nn.RNNBase) and layer.num_layers > 1:
            layers.append((layer, "dropout"))
        layers += [(layer, name) for name in FUSED if isinstance(getattr(layer, name, None), float)]
    return layers


def _up_to(nlp: Language, component: str) -> list[str]:
    return nlp.pipe_names[: nlp.pipe_names.index(component) + 1]


def _as_in_training(func: Callable[..., Any], model: AnyModel, X: Any, is_train: bool) -> Any:  # noqa: N803
    return func(model, X, is_train=True)


def _train_mode(module: torch.nn.Module, inputs: Any) -> None:
    module.train()
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):  # its running means are no dropout
            layer.eval()
