"""Oracles: plain functions that become one, and the one that has the gold annotation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import Errors, SeqMixError
from ..types import Answer, AnswerFunction, Oracle, Task

__all__ = ["FunctionOracle", "GoldOracle", "as_oracle"]


@dataclass(frozen=True)
class FunctionOracle(Oracle):
    """A plain function, with the defaults of ``Oracle``."""

    answers: AnswerFunction

    def __call__(self, tasks: Sequence[Task]) -> Iterable[Answer]:
        """What the function returns."""
        return self.answers(tasks)


class GoldOracle(Oracle):
    """Reveals the annotation that the pool's file has."""

    @property
    def needs_gold(self) -> bool:
        """Whether the pool's own annotation is the answer."""
        return True

    def __call__(self, tasks: Sequence[Task]) -> Iterable[Answer]:
        """Answer every task."""
        return [Answer(task.key, task.doc) for task in tasks]


def as_oracle(oracle: Oracle | AnswerFunction) -> Oracle:
    """Return an oracle as it is, and a plain function with the defaults of ``Oracle``.

    RAISES (SeqMixError): S402 for other objects, and for one with a part of the protocol only,
        whose own ``advise`` must not be ignored in silence.
    """
    if isinstance(oracle, Oracle):
        return oracle
    partly = any(hasattr(oracle, name) for name in ("needs_gold", "layers", "begin", "advise"))
    if partly or not callable(oracle):
        what = "derive yours from spacy_seqmix.types.Oracle, or give a function (tasks) -> answers"
        raise SeqMixError(Errors.E402.format(problems=f"oracle: {what}, not {oracle!r}"))
    return FunctionOracle(oracle)
