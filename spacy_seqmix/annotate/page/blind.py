"""Whether suggestions mislead: texts that were labelled with them, and without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...active.characters import Shown
from .rows import PageAnswer

__all__ = ["blind_result"]

# Fewer suggestions than this on either side say nothing.
ENOUGH = 20


def blind_result(answers: Iterable[PageAnswer]) -> dict[str, Any]:
    """Estimate how many wrong suggestions people kept.

    In blind texts nobody saw the suggestions: the share of them that people's own labels lack is
    the share that is wrong. In the other texts the same share would be wrong; people removed or
    changed fewer, and the rest they kept. A suggestion is kept where an entity has its
    boundaries and its label.

    RETURNS (dict): hidden, hidden_wrong: suggestions in blind texts, and those that people's labels
        lack. shown, shown_changed: the same where they were seen. wrong, kept: the estimated
        number of wrong ones among those that were shown, and of those that people kept; None
        as long as there are fewer than 20 on either side.
    """
    labelled = [one for one in answers if not one.skipped]
    hidden, hidden_wrong = _count(labelled, [one.hidden for one in labelled])
    shown, changed = _count(labelled, [one.shown for one in labelled])
    enough = min(hidden, shown) >= ENOUGH
    wrong = shown * hidden_wrong / hidden if enough else None
    return {
        "texts": sum(one.blind for one in labelled),
        "hidden": hidden,
        "hidden_wrong": hidden_wrong,
        "shown": shown,
        "shown_changed": changed,
        "wrong": None if wrong is None else round(wrong),
        "kept": None if wrong is None else max(0, round(wrong - changed)),
        "enough": ENOUGH,
    }


def _count(
    answers: Sequence[PageAnswer], lists: Sequence[Sequence[Shown] | None]
) -> tuple[int, int]:
    """The number of suggestions, and of those that the answers lack."""
    total = lacking = 0
    for answer, suggestions in zip(answers, lists, strict=True):
        given = {(span.start, span.end, span.label) for span in answer.spans}
        total += len(suggestions or ())
        lacking += sum(
            (start, end, label) not in given for start, end, label, _ in suggestions or ()
        )
    return total, lacking
