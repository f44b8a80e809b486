"""Augment rates: one number, or one for each epoch or round."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from ..errors import Errors, SeqMixError

# A number, a list, or a schedule of thinc's (an endless iterator).
Rate: TypeAlias = float | Iterable[float]


class Rates:
    """The augment rate of every epoch or round; the last one given holds for all that follow."""

    def __init__(self, rate: Rate) -> None:
        """RAISES (SeqMixError): S212 for a rate below 0, or none at all."""
        whole = [rate] if isinstance(rate, int | float) else rate
        self._rest: Iterator[float] = iter(whole)
        self._known: list[float] = []
        if isinstance(whole, Sequence):  # what can be checked at once is
            self(len(whole) - 1)
        self(0)

    def __call__(self, number: int) -> float:
        """The rate of epoch or round ``number``, counted from 0."""
        while len(self._known) <= number:
            value = next(self._rest, None)
            if value is None:
                break
            if not 0 <= value < float("inf"):
                raise SeqMixError(Errors.E212.format(what=f"rate >= 0, not {value}"))
            self._known.append(float(value))
        if not self._known:
            raise SeqMixError(Errors.E212.format(what="at least one rate"))
        return self._known[min(number, len(self._known) - 1)]
