"""The learning curve on dev, with the uncertainty of each score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...active.journal import RoundRecord, Scores
from .rows import PageAnswer

__all__ = ["curve_of", "interval"]

Point = dict[str, Any]


def curve_of(records: Sequence[RoundRecord], answers: Mapping[str, PageAnswer]) -> list[Point]:
    """A point for each finished round.

    answers (Mapping[str, PageAnswer]): by key, which begins with the text's number: those of the
        dev set say how many entities it has.
    RETURNS (list): round, labelled; f, low and high, 0 to 1, None where there is no score yet;
        docs and entities of the dev set, where it is set aside.
    """
    by_number = {int(key.partition("-")[0]): answer for key, answer in answers.items()}
    held: list[int] = []
    points = []
    for record in records:
        held += record.held_out
        scores = record.scores.get("dev")
        known = [by_number[number] for number in held if number in by_number]
        entities = sum(len(one.spans) for one in known) if len(known) == len(held) else 0
        low, high = interval(scores, entities) if scores is not None else (None, None)
        points.append(
            {
                "round": record.round,
                "labelled": record.n_labelled,
                "f": None if scores is None else scores.value,
                "low": low,
                "high": high,
                "docs": record.dev_docs,
                "entities": entities or None,
                "set_aside": record.dev_docs is not None,
            }
        )
    return points


def interval(
    scores: Scores, entities: int, confidence: float = 0.95
) -> tuple[float | None, float | None]:
    """An interval of F1, from the number of entities alone.

    F1 = 2J / (1 + J), where J is the share of right ones among all entities that are in the gold
    annotation or predicted: Wilson's interval of J gives that of F1. It takes entities as
    independent of one another, so it is rather narrow.

    RETURNS (tuple): (None, None) where the number of entities is not known.
    """
    if not entities or scores.main is not None or not scores.ents_r or not scores.ents_p:
        return None, None
    from scipy.stats import binomtest

    right = round(scores.ents_r * entities)
    predicted = max(right, round(right / scores.ents_p))
    test = binomtest(right, entities + predicted - right)
    bounds = test.proportion_ci(confidence, method="wilson")
    return 2 * bounds.low / (1 + bounds.low), 2 * bounds.high / (1 + bounds.high)
