"""tok2vec → linear-chain CRF over IOB2 tags."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import (
    Linear,
    Model,
    chain,
    get_array_module,
    glorot_uniform_init,
    torch2xp,
    with_array,
    xp2torch,
)
from thinc.layers.resizable import resizable, resize_linear_weighted
from thinc.types import Floats2d
from torch import Tensor

from ..annotation.iob import preset_tokens
from ..errors import Errors, SeqMixError
from ..types import Floats1d
from .crf_inference import Lattice, Transitions, make_lattice
from .crf_loss import cross_entropy
from .soft_tagger import NEW_TAG_BIAS, InT, OutT, with_growing_output
from .tagger_head import Head, Scores, Spans


class Marginals(list[Floats2d]):
    """The outputs of the CRF: P(tag) of each token, (n_tokens, L) a doc, and their lattice.

    The best path does not follow from marginals alone: it needs the scores of the lattice.
    """

    def __init__(self, marginals: Iterable[Floats2d], lattice: Lattice) -> None:
        super().__init__(marginals)
        self.lattice = lattice


class Gradients(list[Floats2d]):
    """The input of the CRF's backprop: gradients of the emissions, and of the transitions."""

    def __init__(self, emissions: Iterable[Floats2d], transitions: Transitions) -> None:
        super().__init__(emissions)
        self.transitions = transitions


def build_crf_tagger(
    tok2vec: Model[InT, list[Floats2d]],
    transition_rate: float = 1.0,
    nO: int | None = None,  # noqa: N803 (spaCy's name)
) -> Model[InT, OutT]:
    """Build a CRF for ``seqmix_ner``: linear emissions over token vectors, and transitions.

    P(y given x) = exp(start[y_1] + Σ_t e_t[y_t] + Σ_t moves[y_t, y_t+1] + end[y_n]) / Z, where Z
    sums over the valid IOB2 sequences; all others have probability 0. SeqMix, Eq. 1, needs
    P(y* given x) of the best sequence y*.

    tok2vec (Model[list[Doc], list[Floats2d]]): token vectors, (n_tokens, width) a doc.
    transition_rate (float): the factor by which the transitions learn faster than other weights,
        with an optimiser such as Adam whose steps do not depend on the size of the gradient.
    nO (int | None): the number of tags L; set by the component.
    RETURNS (Model[list[Doc], list[Floats2d]]): the tokens' marginals, (n_tokens, L) a doc.
    RAISES (SeqMixError): S230 if the rate is not positive.
    """
    if not transition_rate > 0:
        raise SeqMixError(Errors.E230.format(rate=transition_rate))
    linear = Linear(nO=nO, nI=tok2vec.maybe_get_dim("nO"), init_W=glorot_uniform_init)
    resize = partial(resize_linear_weighted, fill_defaults={"b": NEW_TAG_BIAS})
    output: Model[Any, Any] = resizable(linear, resize_layer=resize)
    transitions: Model[Any, Any] = resizable(_crf(transition_rate, nO), resize_layer=_grow)
    model: Model[InT, OutT] = chain(tok2vec, with_array(output), transitions)
    model.attrs["head"] = CRF
    return with_growing_output(model, tok2vec, linear, nO)


def _crf(rate: float, nO: int | None) -> Model[OutT, OutT]:  # noqa: N803
    """The layer that turns emissions into marginals and holds the transitions' scores."""
    return Model(
        "crf",
        _forward,
        init=_init,
        dims={"nO": nO},
        params={name: None for name in Transitions._fields},
        attrs={"rate": rate},
    )


def _init(model: Model[OutT, OutT], X: OutT | None = None, Y: OutT | None = None) -> None:  # noqa: N803
    if X is not None:
        model.set_dim("nO", X[0].shape[1])
    size = model.get_dim("nO")
    if size % 2 == 0:
        raise SeqMixError(Errors.E233.format(nO=size))
    for name in Transitions._fields:
        shape = (size, size) if name == "moves" else (size,)
        model.set_param(name, model.ops.alloc_f(shape))


def _grow(layer: Model[OutT, OutT], new_nO: int) -> Model[OutT, OutT]:  # noqa: N803
    """Make a new layer, so that optimisers start afresh on larger weights; new moves score 0."""
    new = _crf(layer.attrs["rate"], new_nO)
    if layer.has_param("moves"):
        new.initialize()
        for name in Transitions._fields:
            old = layer.get_param(name)
            larger: Any = new.get_param(name)
            larger[tuple(slice(size) for size in old.shape)] = old
            new.set_param(name, larger)
    return new


def _forward(
    model: Model[OutT, OutT], emissions: OutT, is_train: bool
) -> tuple[OutT, Callable[[OutT], OutT]]:
    rate = model.attrs["rate"]
    scores = (_to_torch(rate * model.get_param(name)) for name in Transitions._fields)
    lengths = [len(e) for e in emissions]
    lattice = make_lattice(_padded(emissions), lengths, Transitions(*scores))
    out = Marginals(_unpadded(lattice.marginals, lengths), lattice)

    def backprop(d: OutT) -> OutT:
        if not isinstance(d, Gradients):
            raise SeqMixError(Errors.E232)
        for name, gradient in zip(Transitions._fields, d.transitions, strict=True):
            # Parameters are scores divided by the rate, which scales both gradient and step.
            model.inc_grad(name, rate * _to_xp(gradient))
        return list(d)

    return out, backprop


def _loss(scores: Scores, rows: Scores) -> tuple[float, list[Floats2d]]:
    lattice = _lattice_of(scores)
    loss, emissions, transitions = cross_entropy(lattice, _padded(rows))
    return loss, Gradients(_unpadded(emissions, [len(p) for p in scores]), transitions)


def _decode(scores: Scores, docs: Sequence[Doc]) -> list[NDArray[np.int64]]:
    lattice = _lattice_of(scores)
    taken = [preset_tokens(doc) for doc in docs]
    path, _ = (lattice.forced_outside(taken) if any(taken) else lattice).best()
    return [row[: len(p)] for row, p in zip(path.cpu().numpy(), scores, strict=True)]


def _path_probs(scores: Scores) -> Floats1d:
    """exp(score − log Z) of the best path."""
    lattice = _lattice_of(scores)
    return (lattice.best()[1] - lattice.log_z).exp().float().cpu().numpy()


def _span_probs(scores: Scores, spans: Spans) -> list[Floats1d]:
    """The sum over all valid paths with exactly this entity, by the forward algorithm."""
    lattice = _lattice_of(scores)
    nan = torch.tensor(float("nan"))
    confidences = []
    for row, of_doc in enumerate(spans):
        each = [lattice.span_log_prob(row, *s).cpu() if s[2] >= 0 else nan for s in of_doc]
        confidences.append(np.array([float(score.exp()) for score in each], dtype="float32"))
    return confidences


def _tempered(scores: Scores, temperature: float) -> Scores:
    lattice = _lattice_of(scores).tempered(temperature)
    return Marginals(_unpadded(lattice.marginals, [len(p) for p in scores]), lattice)


def _lattice_of(scores: Scores) -> Lattice:
    if isinstance(scores, Marginals):
        return scores.lattice
    if any(len(p) for p in scores):
        raise SeqMixError(Errors.E231)
    # Docs without tokens never reach the model.
    n_tags = scores[0].shape[1] if len(scores) else 1
    zeros = torch.zeros(n_tags, dtype=torch.float64)
    transitions = Transitions(zeros, zeros.expand(n_tags, n_tags), zeros)
    return make_lattice(_padded(scores), [0] * len(scores), transitions)


def _padded(arrays: Scores) -> Tensor:
    """Pad to shape (B, T, L) with zeros; T is at least 1."""
    if not len(arrays):
        return torch.zeros((0, 1, 1), dtype=torch.float64)
    longest = max(1, *(len(array) for array in arrays))
    xp = get_array_module(arrays[0])  # type: ignore[no-untyped-call]
    out = xp.zeros((len(arrays), longest, arrays[0].shape[1]))
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return _to_torch(out)


def _unpadded(batch: Tensor, lengths: Sequence[int]) -> list[Floats2d]:
    # Copies, so that the array of one doc does not keep the batch in memory.
    return [row[:n].copy() for row, n in zip(_to_xp(batch), lengths, strict=True)]


def _to_torch(array: Any) -> Tensor:
    """Convert to double precision, on the device of the array (the CPU for NumPy)."""
    device = torch.device("cpu") if isinstance(array, np.ndarray) else None
    return xp2torch(array.astype("float64"), device=device)


def _to_xp(tensor: Tensor) -> Any:
    return torch2xp(tensor.float())


CRF = Head(_loss, _decode, _path_probs, _span_probs, _tempered)
