"""tok2vec → linear-chain CRF over IOB2 tags."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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
from thinc.util import to_numpy
from torch import Tensor

from ..annotation.iob import Chain, best_paths, plain_tags
from ..annotation.packing import Places
from ..errors import Errors, SeqMixError
from ..threads import single_threaded_forks
from ..types import Floats1d
from .crf_inference import NEVER, Lattice, Transitions, index, make_lattice, packed
from .crf_loss import cross_entropy
from .soft_tagger import NEW_TAG_BIAS, InT, OutT, with_growing_output
from .tagger_head import Forbidden, Head, Pieces, Scores


class Marginals(Sequence[Floats2d]):
    """The output of the CRF: P(tag) of each token, (n_tokens, L) a doc, computed when first read.

    The best path does not follow from marginals: it needs the scores, and they suffice for it.
    """

    def __init__(self, emissions: Scores, transitions: Transitions) -> None:
        self.emissions = emissions
        self.transitions = transitions

    @cached_property
    def lattice(self) -> Lattice:
        """The scores of the docs' valid paths."""
        return make_lattice(_joined(self.emissions), self._lengths, self.transitions)

    @cached_property
    def _rows(self) -> list[Floats2d]:
        return _split(self.lattice.marginals, self.lattice)

    @property
    def _lengths(self) -> list[int]:
        return [len(array) for array in self.emissions]

    def __len__(self) -> int:
        """The number of docs."""
        return len(self.emissions)

    def __getitem__(self, i: Any) -> Any:
        """The marginals of one doc, or of several."""
        return self._rows[i]


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
    single_threaded_forks()
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
    out: Any = Marginals(emissions, Transitions(*scores))

    def backprop(d: OutT) -> OutT:
        if not isinstance(d, Gradients):
            raise SeqMixError(Errors.E232)
        for name, gradient in zip(Transitions._fields, d.transitions, strict=True):
            # Parameters are scores divided by the rate, which scales both gradient and step.
            model.inc_grad(name, rate * _to_xp(gradient))
        return list(d)

    return out, backprop


def _loss(scores: Scores, rows: Scores) -> tuple[float, list[Floats2d]]:
    lattice = _marginals(scores).lattice
    loss, emissions, transitions = cross_entropy(lattice, packed(_joined(rows), lattice.packing))
    return loss, Gradients(_split(emissions, lattice), transitions)


def _decode(scores: Scores, forbidden: Forbidden) -> list[NDArray[np.int64]]:
    own = _marginals(scores)
    arrays = [_double(array) for array in own.emissions]
    for array, never in zip(arrays, forbidden, strict=True):
        if never is not None:
            array[never] = NEVER
    return _best(arrays, own.transitions)[0]


def _path_probs(scores: Scores) -> Floats1d:
    """exp(score − log Z) of the best path."""
    own = _marginals(scores)
    probs = np.ones(len(own), dtype="float32")
    if len(own.lattice.packing):
        _, best = _best([_double(array) for array in own.emissions], own.transitions)
        order = own.lattice.packing.order
        probs[order] = np.exp(best[order] - own.lattice.log_z.cpu().numpy())
    return probs


def _best(
    arrays: list[NDArray[np.float64]], transitions: Transitions
) -> tuple[list[NDArray[np.int64]], NDArray[np.float64]]:
    tags = plain_tags(len(transitions.start))
    return best_paths(arrays, tags, Chain(*(part.cpu().numpy() for part in transitions)))


def _log_probs(scores: Scores, pieces: Pieces) -> list[Floats1d]:
    """Log-sums over all valid paths with these tags, by the forward algorithm."""
    own = _marginals(scores)
    return [
        np.array([float(own.lattice.log_prob(doc, *piece)) for piece in of_doc], dtype="float32")
        for doc, of_doc in enumerate(pieces)
    ]


def _tempered(scores: Scores, temperature: float) -> Scores:
    own = _marginals(scores)
    emissions = [array / temperature for array in own.emissions]
    return Marginals(emissions, Transitions(*(part / temperature for part in own.transitions)))


def _of_words(scores: Scores, words: Sequence[Places]) -> Scores:
    own = _marginals(scores)
    arrays: list[Any] = list(own.emissions)
    return Marginals([e[w] for e, w in zip(arrays, words, strict=True)], own.transitions)


def _marginals(scores: Scores) -> Marginals:
    if isinstance(scores, Marginals):
        return scores
    if any(len(p) for p in scores):
        raise SeqMixError(Errors.E231)
    # Docs without tokens never reach the model.
    n_tags = scores[0].shape[1] if len(scores) else 1
    zeros = torch.zeros(n_tags, dtype=torch.float64)
    return Marginals(scores, Transitions(zeros, zeros.expand(n_tags, n_tags), zeros))


def _joined(arrays: Scores) -> Tensor:
    """The rows of all docs, (N, L), in double precision."""
    if not len(arrays):
        return torch.zeros((0, 1), dtype=torch.float64)
    xp = get_array_module(arrays[0])  # type: ignore[no-untyped-call]
    return _to_torch(xp.concatenate(list(arrays)))


def _split(values: Tensor, lattice: Lattice) -> list[Floats2d]:
    flat = _to_xp(values[index(lattice.packing.flat, values)])
    lengths = [len(places) for places in lattice.packing.places]
    ends = np.cumsum(lengths).tolist()
    # Copies, so that the array of one doc does not keep the batch in memory.
    return [flat[end - n : end].copy() for end, n in zip(ends, lengths, strict=True)]


def _double(array: Any) -> NDArray[np.float64]:
    """A copy in double precision, on the CPU."""
    values: NDArray[np.float64] = to_numpy(array).astype("float64")  # type: ignore[no-untyped-call]
    return values


def _to_torch(array: Any) -> Tensor:
    """Convert to double precision, on the device of the array (the CPU for NumPy)."""
    device = torch.device("cpu") if isinstance(array, np.ndarray) else None
    return xp2torch(array.astype("float64"), device=device)


def _to_xp(tensor: Tensor) -> Any:
    return torch2xp(tensor.float())


CRF = Head(_loss, _decode, _path_probs, _log_probs, _tempered, _of_words)
