"""How the output of each kind of component becomes probabilities, by the name of its factory."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from ..types import Floats2d
from .beam import beam_probs

# (component, docs that the components before it have seen) -> one array of rows a doc
Source: TypeAlias = Callable[[Any, Sequence[Doc]], list[Floats2d]]


def predicted_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """What ``predict`` returns, where that is probabilities already."""
    return [proc.model.ops.to_numpy(p) for p in proc.predict(docs)]


def softmax_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """The softmax of a tagger's scores; columns are ``proc.labels``."""
    if not any(len(doc) for doc in docs):
        return [np.zeros((0, len(proc.labels)), dtype="float32") for _ in docs]
    scores = proc.model.predict(docs)
    return [proc.model.ops.to_numpy(normalised(proc.model, s)) for s in scores]


def span_label_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """A row for each candidate span: its labels, and last that it has none."""
    n_columns = len(proc.labels) + int(proc.add_negative_label)
    return [scores.reshape(-1, n_columns) for scores in _candidates(proc, docs)]


def span_decision_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """A row (p, 1 − p) for each label of each candidate span: one label excludes no other."""
    flat = [scores.ravel() for scores in _candidates(proc, docs)]
    return [np.stack([p, 1.0 - p], axis=1) for p in flat]


def normalised(model: Model[Any, Any], scores: Any) -> Any:
    """Scores that a model predicted, as probabilities.

    ``spacy.Tagger.v2`` leaves the softmax out when it predicts (unless ``normalize`` is set), and
    so may any model that ends in thinc's ``Softmax.v2``. Models without such a layer predict what
    they train on, and that has to be probabilities.
    """
    layers = [node for node in model.walk(order="dfs_pre") if "softmax_normalize" in node.attrs]
    if not layers or layers[-1].attrs["softmax_normalize"]:
        return scores
    return model.ops.softmax(scores, temperature=layers[-1].attrs["softmax_temperature"])


def _candidates(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """The scores (n_spans, n_labels) of each doc's candidates; (0, 0) where no doc has any."""
    indices, scores = proc.predict(docs)
    if len(scores):
        scores = normalised(proc.model, scores)
    ends = np.cumsum(proc.model.ops.to_numpy(indices.lengths))
    return np.split(proc.model.ops.to_numpy(scores), ends)[:-1]


SOURCES: dict[str, Source] = {
    "seqmix_ner": predicted_probs,
    "ner": beam_probs,
    "beam_ner": beam_probs,
    "tagger": softmax_probs,
    "seqmix_tagger": softmax_probs,
    "morphologizer": softmax_probs,
    "spancat": span_decision_probs,
    "spancat_singlelabel": span_label_probs,
}
