"""Heads of taggers: the loss of a model's outputs, the decoded paths and their probabilities.

``seqmix_ner`` gets these from the head of its model, and does not depend on the architecture. A
model may set ``model.attrs["head"]``; the default is a softmax, whose tokens are independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Span
from thinc.api import Model, get_array_module
from thinc.types import Floats2d
from thinc.util import to_numpy

from ..annotation.iob import best_paths, entity_tags, floored_log, inside_after, plain_tags
from ..annotation.packing import Places
from ..annotation.whitespace import probs_of_tokens, words_of
from ..types import Floats1d

# One array (n_tokens, L) a doc, columns in the order of ``iob.tag_names``.
Scores = Sequence[Floats2d]
# The spans of each doc: first token, token after the last one, and number of the label (column
# 2k + 1 is B- of label k, column 2k + 2 its I-); a number below 0 for a label without columns.
Spans = Sequence[Sequence[tuple[int, int, int]]]
# The pieces of each doc: the first token, and the numbers of the tags from there on.
Pieces = Sequence[Sequence[tuple[int, Sequence[int]]]]
# The tags that the tokens of each doc cannot get, (n_tokens, L); None for a doc without any.
Forbidden = Sequence[NDArray[np.bool_] | None]


@dataclass(frozen=True)
class Head:
    """The head of a network, as functions of the scores that the model returned.

    loss (Callable): scores and target rows (all zeros: missing) to the loss in nats, summed, and
        the gradient that the model's backprop takes.
    decode (Callable): scores and forbidden tags to the best valid path of each doc, tag numbers
        (n_tokens,).
    path_probs (Callable): scores to the probability of each doc's best valid path, where nothing
        else is forbidden; 1.0 for a doc without tokens.
    log_probs (Callable): scores and pieces to the log-probability that the tokens have exactly
        these tags, and that an entity which ends with the piece does not go on after it.
    tempered (Callable): scores and a temperature T to the scores of the model whose unnormalised
        log-scores are divided by T; the decoded paths do not change.
    of_words (Callable): scores and the numbers of some tokens of each doc to the scores of a doc
        that consists of these tokens.
    """

    loss: Callable[[Scores, Scores], tuple[float, list[Floats2d]]]
    decode: Callable[[Scores, Forbidden], list[NDArray[np.int64]]]
    path_probs: Callable[[Scores], Floats1d]
    log_probs: Callable[[Scores, Pieces], list[Floats1d]]
    tempered: Callable[[Scores, float], Scores]
    of_words: Callable[[Scores, Sequence[Places]], Scores]

    def span_probs(self, scores: Scores, spans: Spans) -> list[Floats1d]:
        """The probability that exactly this entity occurs: these tokens, this label, and no more of
        it after them; NaN for a label without columns, 0 for a span without tokens."""
        known = [[one for one in doc if one[2] >= 0 and one[1] > one[0]] for doc in spans]
        pieces = [[(a, entity_tags(label, b - a)) for a, b, label in doc] for doc in known]
        out = []
        for doc, kept, logs in zip(spans, known, self.log_probs(scores, pieces), strict=True):
            probs = dict(zip(kept, np.exp(logs).tolist(), strict=True))
            other = [np.nan if one[2] < 0 else 0.0 for one in doc]
            values = [probs.get(one, none) for one, none in zip(doc, other, strict=True)]
            out.append(np.array(values, dtype="float32"))
        return out


class TagProbs(Sequence[Floats2d]):
    """What a model predicted: the probabilities of all tokens' tags, computed when first read.

    scores (Scores): the scores of the words, which the functions of a head take.
    words (Sequence[Places]): the numbers of the words of each doc; other tokens are whitespace.
    sizes (Sequence[int]): the number of tokens of each doc.
    """

    def __init__(self, scores: Scores, words: Sequence[Places], sizes: Sequence[int]) -> None:
        self.scores = scores
        self.words = words
        self.sizes = sizes

    @cached_property
    def _rows(self) -> list[Floats2d]:
        parts = zip(self.scores, self.words, self.sizes, strict=True)
        return [probs_of_tokens(p, words, n) for p, words, n in parts]

    def __len__(self) -> int:
        """The number of docs."""
        return len(self.sizes)

    def __getitem__(self, i: Any) -> Any:
        """The probabilities of one doc, or of several."""
        return self._rows[i]


def tag_probs(model: Model[Any, Any], scores: Scores, docs: Sequence[Doc]) -> TagProbs:
    """Take the words out of the scores that a model returned for all tokens, if not yet done."""
    if isinstance(scores, TagProbs):
        return scores
    words = [words_of(doc) for doc in docs]
    sizes = [len(doc) for doc in docs]
    if any(len(w) < n for w, n in zip(words, sizes, strict=True)):
        scores = head_of(model).of_words(scores, words)
    return TagProbs(scores, words, sizes)


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
    """The entities of docs, with the numbers of their labels, in the form of ``Spans``.

    The tokens are counted without whitespace; an entity that begins or ends with it has none.
    """
    number = {label: i for i, label in enumerate(labels)}
    spans = []
    for doc in docs:
        before = np.cumsum([0, *(not token.is_space for token in doc)]).tolist()
        spans.append(
            [
                (before[e.start], before[e.start if _has_blank_end(e) else e.end], label)
                for e in doc.ents
                for label in [number.get(e.label_, -1)]
            ]
        )
    return spans


def _has_blank_end(span: Span) -> bool:
    return bool(span[0].is_space or span[-1].is_space)


def tempered_rows(p: Any, temperature: float) -> Any:
    """p^(1/T) of each row, normalised again: the softmax of log-scores divided by T."""
    xp = get_array_module(p)  # type: ignore[no-untyped-call]
    with np.errstate(divide="ignore"):
        powers = p.astype("float64")
        # In proportion to the largest, which stays 1 where others vanish.
        powers /= xp.maximum(powers.max(axis=-1, keepdims=True, initial=0.0), 1e-300)
        powers **= 1.0 / temperature
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


def _decode(scores: Scores, forbidden: Forbidden) -> list[NDArray[np.int64]]:
    arrays = [floored_log(p) for p in _arrays(scores)]
    for array, never in zip(arrays, forbidden, strict=True):
        if never is not None:
            array[never] = -np.inf
    return best_paths(arrays, plain_tags(arrays[0].shape[1]))[0] if arrays else []


def _path_probs(scores: Scores) -> Floats1d:
    """The product of the probabilities of the decoded tags."""
    arrays = _arrays(scores)
    probs = []
    with np.errstate(divide="ignore"):
        paths = _decode(scores, [None] * len(arrays))
        for p, path in zip(arrays, paths, strict=True):
            probs.append(np.exp(np.log(p[np.arange(len(p)), path], dtype="float64").sum()))
    return np.array(probs, dtype="float32")


def _log_probs(scores: Scores, pieces: Pieces) -> list[Floats1d]:
    """Σ log p of the tags, plus log(1 − P(I-X)) of the token after an entity X that ends there."""
    return [
        np.array([_log_prob(p, *piece) for piece in of_doc], dtype="float32")
        for p, of_doc in zip(_arrays(scores), pieces, strict=True)
    ]


def _log_prob(p: NDArray[np.float32], start: int, tags: Sequence[int]) -> float:
    end, last = start + len(tags), tags[-1]
    probs = p[np.arange(start, end), tags].astype("float64")
    with np.errstate(divide="ignore"):
        ends = 0.0
        if last and end < len(p):
            ends = np.log1p(-min(1.0, float(p[end, inside_after(last)])))
        return float(np.log(probs).sum() + ends)


def _tempered(scores: Scores, temperature: float) -> Scores:
    return [tempered_rows(p, temperature) for p in scores]


def _of_words(scores: Scores, words: Sequence[Places]) -> Scores:
    arrays: list[Any] = list(scores)
    return [p[w] for p, w in zip(arrays, words, strict=True)]


def _arrays(scores: Scores) -> list[NDArray[np.float32]]:
    return [to_numpy(p) for p in scores]  # type: ignore[no-untyped-call]


INDEPENDENT = Head(_loss, _decode, _path_probs, _log_probs, _tempered, _of_words)
