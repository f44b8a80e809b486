"""Heads of taggers: the loss of a model's outputs, the decoded paths and their probabilities.

``seqmix_ner`` gets these from the head of its model, and does not depend on the architecture. A
model may set ``model.attrs["head"]``; the default is a softmax, whose tokens are independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model, get_array_module
from thinc.types import Floats2d
from thinc.util import to_numpy

from ..annotation.iob import keep_preset, plain_tags, viterbi
from ..types import Floats1d

# One array (n_tokens, L) a doc, columns in the order of ``iob.tag_names``.
Scores = Sequence[Floats2d]
# The spans of each doc: first token, token after the last one, and number of the label (column
# 2k + 1 is B- of label k, column 2k + 2 its I-); a number below 0 for a label without columns.
Spans = Sequence[Sequence[tuple[int, int, int]]]


@dataclass(frozen=True)
class Head:
    """The head of a network, as functions of the scores that the model returned.

    loss (Callable): scores and target rows (all zeros: missing) to the loss in nats, summed, and
        the gradient that the model's backprop takes.
    decode (Callable): scores and docs to the best valid path of each doc, tag numbers
        (n_tokens,); tokens that are part of an entity already are O.
    path_probs (Callable): scores to the probability of each doc's best valid path, without regard
        to entities of the doc; 1.0 for a doc without tokens.
    span_probs (Callable): scores and spans to the probability that exactly this entity occurs:
        these tokens, this label, and no more of it after them; NaN for a label without columns.
    tempered (Callable): scores and a temperature T to the scores of the model whose unnormalised
        log-scores are divided by T; the decoded paths do not change.
    """

    loss: Callable[[Scores, Scores], tuple[float, list[Floats2d]]]
    decode: Callable[[Scores, Sequence[Doc]], list[NDArray[np.int64]]]
    path_probs: Callable[[Scores], Floats1d]
    span_probs: Callable[[Scores, Spans], list[Floats1d]]
    tempered: Callable[[Scores, float], Scores]


def head_of(model: Model[Any, Any]) -> Head:
    """The head that a model has set, else that of independent tokens."""
    head: Head = model.attrs.get("head", INDEPENDENT)
    return head


def normalised(model: Model[Any, Any], scores: Any) -> Any:
    """Normalise the scores that a model predicted to probabilities.

    ``spacy.Tagger.v2`` leaves the softmax out when it predicts (unless ``normalize`` is set), and
    so may any model that ends in thinc's ``Softmax.v2``. Models without such a layer predict what
    they train on, which must be probabilities.
    """
    layers = [node for node in model.walk(order="dfs_pre") if "softmax_normalize" in node.attrs]
    if not layers or layers[-1].attrs["softmax_normalize"]:
        return scores
    return model.ops.softmax(scores, temperature=layers[-1].attrs["softmax_temperature"])


def entity_spans(docs: Sequence[Doc], labels: Sequence[str]) -> Spans:
    """The entities of docs, with the numbers of their labels, in the form of ``Spans``."""
    number = {label: i for i, label in enumerate(labels)}
    return [[(e.start, e.end, number.get(e.label_, -1)) for e in doc.ents] for doc in docs]


def tempered_rows(p: Any, temperature: float) -> Any:
    """p^(1/T) of each row, normalised again: the softmax of log-scores divided by T."""
    xp = get_array_module(p)  # type: ignore[no-untyped-call]
    with np.errstate(divide="ignore"):
        powers = p.astype("float64") ** (1.0 / temperature)
    return (powers / xp.maximum(powers.sum(axis=-1, keepdims=True), 1e-300)).astype("float32")


def _loss(scores: Scores, rows: Scores) -> tuple[float, list[Floats2d]]:
    """Cross-entropy −Σ y log p, and p − y, the gradient with respect to the softmax's inputs."""
    loss = 0.0
    grads = []
    for p, y in zip(scores, rows, strict=True):
        xp = get_array_module(p)  # type: ignore[no-untyped-call]
        known = y.sum(axis=1, keepdims=True) > 0
        loss += float(-(y * xp.log(xp.maximum(p, 1e-30))).sum())
        grads.append(xp.where(known, p - y, 0.0).astype("float32"))
        if bool(xp.isnan(p).any()):
            loss = float("nan")
    return loss, grads


def _decode(scores: Scores, docs: Sequence[Doc]) -> list[NDArray[np.int64]]:
    arrays = _arrays(scores)
    return _paths([keep_preset(doc, p) for doc, p in zip(docs, arrays, strict=True)])


def _path_probs(scores: Scores) -> Floats1d:
    """The product of the probabilities of the decoded tags."""
    arrays = _arrays(scores)
    probs = []
    with np.errstate(divide="ignore"):
        for p, path in zip(arrays, _paths(arrays), strict=True):
            probs.append(np.exp(np.log(p[np.arange(len(p)), path], dtype="float64").sum()))
    return np.array(probs, dtype="float32")


def _span_probs(scores: Scores, spans: Spans) -> list[Floats1d]:
    """P(B-X) Π P(I-X), times 1 − P(I-X) of the token after the span."""
    return [
        np.array([_span_prob(p, *span) for span in of_doc], dtype="float32")
        for p, of_doc in zip(_arrays(scores), spans, strict=True)
    ]


def _span_prob(p: NDArray[np.float32], start: int, end: int, label: int) -> float:
    if label < 0:
        return float("nan")
    begin, inside = 2 * label + 1, 2 * label + 2
    ends = 1.0 - p[end, inside] if end < len(p) else 1.0
    return float(p[start, begin] * p[start + 1 : end, inside].prod(dtype="float64") * ends)


def _tempered(scores: Scores, temperature: float) -> Scores:
    return [tempered_rows(p, temperature) for p in scores]


def _paths(arrays: list[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
    return viterbi(arrays, plain_tags(arrays[0].shape[1])) if arrays else []


def _arrays(scores: Scores) -> list[NDArray[np.float32]]:
    return [to_numpy(p) for p in scores]  # type: ignore[no-untyped-call]


INDEPENDENT = Head(_loss, _decode, _path_probs, _span_probs, _tempered)
