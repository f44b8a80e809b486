"""What a tab is given, and what it answers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias

from pydantic import Field, NonNegativeInt, ValidationError

from ...active.answers import AnswerRecord
from ...active.asked import AskedText
from ...active.characters import Shown
from ...annotation.texts import number_in, task_key
from ...config import problems_of
from ...errors import Errors, SeqMixError

__all__ = ["Given", "PageAnswer", "now_utc", "posted_answer"]

Piece: TypeAlias = tuple[NonNegativeInt, NonNegativeInt]


class Given(AskedText):
    """A text as a tab gets it.

    blind (bool): whether there are suggestions that are not shown.
    """

    round: NonNegativeInt = 0
    blind: bool = False


class PageAnswer(AnswerRecord):
    """A line of the page's file: an answer, and what the page has to know of it.

    id (str): new for each answer; one that is sent again has the same.
    tokens (list): the tokens of the text, to show it again.
    blind (bool): whether suggestions were not shown; hidden has them.
    base (str): the id of the answer that this one corrects; empty where there was none.
    """

    id: str = Field("", max_length=64)
    tokens: tuple[Piece, ...] = ()
    blind: bool = False
    base: str = Field("", max_length=64)
    hidden: tuple[Shown, ...] | None = None


def now_utc(after: str | None = None) -> str:
    """The time as files have it: ISO, in UTC.

    after (str | None): an earlier time. The result is later, also where the clock has not moved
        since or was put back.
    """
    now = datetime.now(timezone.utc)
    if after is not None:
        now = max(now, datetime.fromisoformat(after) + timedelta(milliseconds=1))
    return now.isoformat(timespec="milliseconds")


def posted_answer(body: Any, labels: set[str]) -> PageAnswer:
    """Check an answer that a tab sends. The desk gives it its time.

    labels (set[str]): those that it may have.
    RAISES (SeqMixError): S683 where it does not fit its text.
    """
    key = body.get("key") if isinstance(body, dict) else None
    try:
        answer = PageAnswer.model_validate({**body, "at": "", "hidden": None, "doc": None})
    except (TypeError, ValidationError) as err:
        reason = problems_of(err) if isinstance(err, ValidationError) else "it is no JSON object"
        raise SeqMixError(Errors.E683.format(key=key, reason=reason)) from None
    if problem := _problem(answer, labels):
        raise SeqMixError(Errors.E683.format(key=key, reason=problem))
    if answer.skipped:
        return answer.model_copy(update={"spans": ()})
    return answer


def _problem(answer: PageAnswer, labels: set[str]) -> str | None:
    """What keeps an answer from being one to its text; None where nothing does."""
    number = number_in(answer.key)
    if number is None or task_key(number, answer.text) != answer.key:
        return "the key is not that of the text"
    if len(answer.id) < 8:
        return "it has no id"
    starts = {start for start, _ in answer.tokens}
    ends = {end for _, end in answer.tokens}
    for span in answer.spans:
        if span.start not in starts or span.end not in ends:
            shown = answer.text[span.start : span.end]
            return f"{shown!r} does not begin and end with a token"
        if span.label not in labels:
            return f"there is no label {span.label!r}"
    return None
