"""How to mix: strategy, realiser, discriminator and rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from ..errors import Errors, SeqMixError
from ..types import Discriminator, PlanFunction, Realiser, Strategy
from .strategies import as_strategy

# A number, a list, or a schedule of thinc's (an endless iterator).
Rate: TypeAlias = float | Iterable[float]
# The most mixed docs per doc: beyond it, a rate is a slip of the pen.
MAX_RATE = 1000.0


class Rates:
    """The augment rate of every epoch or round; the last rate holds for all that follow."""

    def __init__(self, rate: Rate) -> None:
        """RAISES (SeqMixError): S212 for a rate out of range, or none at all."""
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
            if not 0 <= value <= MAX_RATE:
                what = f"a rate from 0 to {MAX_RATE:g}, not {value}"
                raise SeqMixError(Errors.E212.format(what=what))
            self._known.append(float(value))
        if not self._known:
            raise SeqMixError(Errors.E212.format(what="at least one rate"))
        return self._known[min(number, len(self._known) - 1)]


class Mixer:
    """The settings of a mixing section: strategy, realiser, discriminator, rate and labels."""

    def __init__(
        self,
        strategy: Strategy | PlanFunction,
        realiser: Realiser,
        discriminator: Discriminator | None = None,
        rate: Rate = 0.2,
        labels: str = "soft",
    ) -> None:
        """Check the settings; nothing is loaded.

        strategy (Strategy | PlanFunction): chooses segments to mix; a plain function (docs, rng)
            -> plans gets the defaults of ``Strategy``.
        realiser (Realiser): turns plans into docs.
        discriminator (Discriminator | None): keeps plausible docs; None keeps all.
        rate (float | Iterable[float]): r, mixed docs per doc; or one for each round or epoch.
        labels (str): "soft", or "hard" to keep only the repaired annotation, for components that
            cannot train on distributions.
        RAISES (SeqMixError): S212 for settings out of range or objects of a wrong type, S249 for a
            discriminator over interpolated docs.
        """
        if labels not in ("soft", "hard"):
            raise SeqMixError(Errors.E212.format(what=f"labels 'soft' or 'hard', not {labels!r}"))
        if not isinstance(realiser, Realiser):
            what = f"a realiser (derive yours from spacy_seqmix.types.Realiser), not {realiser!r}"
            raise SeqMixError(Errors.E212.format(what=what))
        if discriminator is not None and not callable(discriminator):
            what = f"a discriminator, a function docs -> verdicts, not {discriminator!r}"
            raise SeqMixError(Errors.E212.format(what=what))
        self.strategy = as_strategy(strategy)
        self.realiser = realiser
        self.discriminator = discriminator
        self.rate = rate
        self.rate_at = Rates(rate)
        self.labels = labels
        if self.interpolates and discriminator is not None:
            raise SeqMixError(Errors.E249)

    @property
    def interpolates(self) -> bool:
        """Whether mixed docs have a recipe, by which only some encoders mix."""
        return self.realiser.interpolates and not self.strategy.replaces
