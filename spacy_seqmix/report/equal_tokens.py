"""Scores at equal numbers of labelled tokens: policies that ask long docs cost more of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from ..types import Floats1d
from .arms import Arm
from .runs import EVALUATED, Run
from .statistics import Comparison, Summary, compare, holm, summarise

__all__ = ["N_POINTS", "EqualTokens", "at_equal_tokens"]

# So many numbers of tokens, in equal steps.
N_POINTS = 6


@dataclass(frozen=True)
class EqualTokens:
    """Scores of all arms at the same numbers of labelled tokens, by split and arm.

    tokens (list[int]): from the largest seed set to the smallest last training set.
    curves (dict): a summary over seeds at each number of tokens.
    comparisons (dict): with the arm's baseline, over the seeds of both, at numbers of tokens that
        these two share: an arm that asks short docs does not cut short the others' comparisons.
    shared (dict): the last of these numbers.
    """

    tokens: list[int]
    curves: dict[str, dict[str, list[Summary]]] = field(default_factory=dict)
    comparisons: dict[str, dict[str, Comparison]] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)


def at_equal_tokens(arms: Sequence[Arm], baselines: Mapping[str, Arm]) -> EqualTokens | None:
    """Interpolate the learning curves of runs over the tokens labelled so far.

    baselines (Mapping[str, Arm]): by the name of the arm; some have none.
    RETURNS (EqualTokens | None): None for a single arm, and where a journal lacks the sizes of its
        docs, or there is no common range.
    """
    if len(arms) < 2 or (tokens := _common(arms)) is None:
        return None
    by_name = {arm.name: arm for arm in arms}
    # Two of the arms share at least what all of them share.
    pairs = {name: _common([by_name[name], other]) or tokens for name, other in baselines.items()}
    found = EqualTokens(tokens, shared={name: points[-1] for name, points in pairs.items()})
    for split in EVALUATED:
        scores = {arm.name: _scores(arm, split, found.tokens) for arm in arms}
        curves = {
            name: list(map(summarise, np.stack([*of.values()]).T))
            for name, of in scores.items()
            if of
        }
        if curves:
            found.curves[split] = curves
        family = {}
        for name, points in pairs.items():
            both_arms = (by_name[name], baselines[name])
            ours, theirs = (_scores(arm, split, points) for arm in both_arms)
            if both := [seed for seed in ours if seed in theirs]:
                rows = [np.stack([of[seed] for seed in both]) for of in (ours, theirs)]
                family[name] = compare(*rows)
        if family:
            found.comparisons[split] = holm(family)
    return found


def _common(arms: Sequence[Arm]) -> list[int] | None:
    """Numbers of tokens that all runs of these arms have between their rounds."""
    costs = [_tokens(run) for arm in arms for run in arm.runs]
    if not all(cost and cost[0] for cost in costs):
        return None
    low, high = max(cost[0] for cost in costs), min(cost[-1] for cost in costs)
    if low >= high:
        return None
    return [round(n) for n in np.linspace(low, high, N_POINTS).tolist()]


def _tokens(run: Run) -> list[int]:
    """The number of tokens labelled by the end of each round."""
    return list(accumulate(sum(one.queried_tokens) for one in run.rounds))


def _scores(arm: Arm, split: str, tokens: Sequence[int]) -> dict[int | None, Floats1d]:
    """The scores of each seed at these numbers of tokens; of runs with a score in every round."""
    found: dict[int | None, Floats1d] = {}
    for run in arm.runs:
        values = [value for one in run.rounds if (value := one.score(split)) is not None]
        if len(values) == len(run.rounds):
            found[run.seed] = np.interp(tokens, _tokens(run), values).astype("float32")
    return found
