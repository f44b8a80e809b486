"""The learning curve on dev, with the uncertainty of each score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...active.journal import RoundRecord, Scores

__all__ = ["curve_of", "interval", "types_of"]

Point = dict[str, Any]


def curve_of(records: Sequence[RoundRecord]) -> list[Point]:
    """A point for each finished round.

    RETURNS (list): round, labelled; f, low and high, 0 to 1, None where there is no score yet;
        entities of the dev docs; docs of the dev set, where it is set aside.
    """
    points = []
    for record in records:
        scores = record.scores.get("dev")
        low, high = interval(scores) if scores is not None else (None, None)
        points.append(
            {
                "round": record.round,
                "labelled": record.n_labelled,
                "f": None if scores is None else scores.value,
                "low": low,
                "high": high,
                "docs": record.dev_docs,
                "entities": None if scores is None else counts(scores)[1] or None,
                "set_aside": record.dev_docs is not None,
            }
        )
    return points


def types_of(records: Sequence[RoundRecord]) -> dict[str, dict[str, float]]:
    """F1 of each label in the last round with a score, and the entities of the dev docs that have
    it."""
    scored = [record.scores["dev"] for record in records if "dev" in record.scores]
    per_type = scored[-1].ents_per_type if scored else None
    gold: Counter[str] = Counter()
    for label, _, n in scored[-1].confusion if scored else ():
        gold[label] += n
    return {name: {"f": one.f, "n": gold[name]} for name, one in sorted((per_type or {}).items())}


def counts(scores: Scores) -> tuple[int, int, int]:
    """The entities that are right, those of the gold annotation, and those predicted."""
    right = sum(n for gold, given, n in scores.confusion if gold == given)
    gold = sum(n for gold, _, n in scores.confusion if gold)
    return right, gold, sum(n for _, given, n in scores.confusion if given)


def interval(scores: Scores, confidence: float = 0.95) -> tuple[float | None, float | None]:
    """An interval of F1 by the counts of entities.

    F1 = 2J / (1 + J), where J is the share of right ones among all entities that are in the gold
    annotation or predicted: Wilson's interval of J gives that of F1. It takes entities as
    independent of one another, so it is rather narrow.

    RETURNS (tuple): (None, None) where the counts are not known, or the score is another.
    """
    right, gold, predicted = counts(scores)
    if scores.main is not None or not gold + predicted:
        return None, None
    from scipy.stats import binomtest

    test = binomtest(right, gold + predicted - right)
    bounds = test.proportion_ci(confidence, method="wilson")
    return 2 * bounds.low / (1 + bounds.low), 2 * bounds.high / (1 + bounds.high)
