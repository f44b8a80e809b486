"""Query policies around another policy: they change its scores by what it does not look at."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np
from spacy.tokens import Doc

from ..annotation.whitespace import words_of
from ..errors import Errors, SeqMixError
from ..types import Floats1d, Floats2d
from .policies import QueryPolicy, make_tag_count_policy


def make_fluctuation_policy(
    policy: QueryPolicy, weight: float = 1.0, rounds: int = 3
) -> QueryPolicy:
    """Create the policy that adds to a doc's score how much it changed from round to round.

    score + weight · s, with s the standard deviation of the doc's scores in the last rounds (over
    their number); over two rounds that is half of the change. After the fluctuation of historical
    evaluation results of Yao et al. 2020 (in Kohl et al. 2024: fluctuation history), which is the
    variance: its root has the scores' unit, so that one weight fits all policies. A doc that was
    not scored before, as where a sample of the pool is scored, gets the mean s of the others.

    policy (QueryPolicy): the policy whose scores these are. It may wrap another.
    weight (float): the weight of the change; 0 or more.
    rounds (int): how many rounds count, this one among them; at least 2.
    RAISES (SeqMixError): S711 for other numbers.
    """
    _check("Fluctuation", "weight", weight, isfinite(weight) and weight >= 0, "0 or more")
    _check("Fluctuation", "rounds", rounds, rounds >= 2, "2 or more")

    def adjust(scores: Floats1d, docs: Sequence[Doc], history: Floats2d) -> Floats1d:
        columns = range(max(0, history.shape[1] - rounds + 1), history.shape[1])
        earlier = [policy.adjusted(history[:, k], docs, history[:, :k]) for k in columns]
        now = policy.adjusted(scores, docs, history)
        change = _deviations(np.stack([*earlier, now], axis=1))
        return np.asarray(now + weight * change, dtype="float32")

    return replace(policy, adjust=adjust, history=policy.history + rounds - 1)


def make_token_cost_policy(policy: QueryPolicy | None = None, weight: float = 0.5) -> QueryPolicy:
    """Create the policy that wants a doc the less, the more words a person must read.

    score / T^weight for a doc of T words; score · T^weight where scores are negative. Made for
    scores that are sums over tokens, such as the tag count's; a mean over tokens, such as NTE, is
    divided by T already.

    policy (QueryPolicy | None): the policy whose scores these are, by default the tag count. It may
        wrap another.
    weight (float): 0 or more; 1 divides by the length.
    RAISES (SeqMixError): S711 for another number.
    """
    _check("TokenCost", "weight", weight, isfinite(weight) and weight >= 0, "0 or more")
    inner = make_tag_count_policy() if policy is None else policy

    def adjust(scores: Floats1d, docs: Sequence[Doc], history: Floats2d) -> Floats1d:
        now = inner.adjusted(scores, docs, history)
        costs = np.array([max(1, len(words_of(doc))) ** weight for doc in docs], dtype="float32")
        return np.asarray(np.where(now < 0, now * costs, now / costs), dtype="float32")

    return replace(inner, adjust=adjust)


def _deviations(scores: Floats2d) -> Floats1d:
    """The standard deviation of each row's numbers; the mean of the others for single numbers."""
    known = np.isfinite(scores)
    n = known.sum(axis=1)
    values = np.where(known, scores, 0.0).astype("float64")
    means = values.sum(axis=1) / np.maximum(n, 1)
    squares = np.where(known, (values - means[:, None]) ** 2, 0.0).sum(axis=1)
    out: Floats1d = np.sqrt(squares / np.maximum(n, 1)).astype("float32")
    several = n > 1
    out[~several] = out[several].mean() if several.any() else 0.0
    return out


def _check(name: str, field: str, value: float, fits: bool, wanted: str) -> None:
    if not fits:
        text = Errors.E711.format(name=name, field=field, value=value, wanted=wanted)
        raise SeqMixError(text)
