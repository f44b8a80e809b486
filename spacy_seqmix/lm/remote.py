"""A language model in the workers of a Ray cluster. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from ..parallel.workers import RayOptions, Workers, in_order, workers_of
from ..types import Floats1d
from .discriminator import PerplexityDiscriminator
from .settings import LMSettings
from .token_scores import Facts, Inference, LanguageModel

if TYPE_CHECKING:
    from .causal_lm import CausalLM

__all__ = ["RemoteLM", "scored_by_workers"]

# Batches of a piece: bfloat16 copies of the weights are made once for each piece.
TOGETHER = 8


class _Known(NamedTuple):
    """What a worker says of its model.

    packs (bool): see ``LanguageModel``.
    auto (str): what the dtype "auto" is.
    """

    facts: Facts
    packs: bool
    auto: str


class RemoteLM(LanguageModel):
    """A language model that workers have loaded. Its scores are those of ``CausalLM``."""

    def __init__(self, workers: Workers, settings: LMSettings) -> None:
        """workers (Workers): made with ``_make``. settings (LMSettings): of the model."""
        self.workers, self.settings = workers, settings

    @cached_property
    def _known(self) -> _Known:
        known: _Known = next(self._results([partial(_known)]))
        return known

    @property
    def facts(self) -> Facts:
        """See ``LanguageModel``."""
        return self._known.facts

    @property
    def packs(self) -> bool:
        """See ``LanguageModel``."""
        return self._known.packs

    def precision(self, dtype: str | None = None) -> str:
        """See ``LanguageModel``."""
        return self._known.auto if dtype in (None, "auto") else str(dtype)

    def tokenise(self, texts: Sequence[str]) -> tuple[list[list[int]], list[NDArray[Any]]]:
        """See ``LanguageModel``."""
        found: tuple[list[list[int]], list[NDArray[Any]]]
        found = next(self._results([partial(_tokenised, texts=texts)]))
        return found

    def losses(self, batches: Iterable[Inference], *, bfloat16: bool) -> Iterator[Floats1d]:
        """See ``LanguageModel``. RAISES (SeqMixError): S574, S773 to S775, S778."""
        calls = (partial(_losses, batches=some, bfloat16=bfloat16) for some in _groups(batches))
        for some in self._results(calls):
            yield from some

    def _results(self, calls: Iterable[Callable[[CausalLM], Any]]) -> Iterator[Any]:
        given = ((self.settings, call) for call in calls)
        return in_order(self.workers, given, self.settings.model)


@contextmanager
def scored_by_workers(discriminators: Iterable[object], ray: RayOptions | None) -> Iterator[None]:
    """Let workers of a Ray cluster have the language models of discriminators for a while.

    discriminators (Iterable): those with other measures than a language model's stay as they are.
    ray (RayOptions | None): None leaves the models in this process.
    RAISES (SeqMixError): S770 to S772.
    """
    if ray is None:
        yield
        return
    some = [one for one in discriminators if isinstance(one, PerplexityDiscriminator)]
    with workers_of(_make, ray) as workers:
        for one in some:
            one.remote = RemoteLM(workers, one.settings)
        try:
            yield
        finally:
            for one in some:
                one.remote = None


def _groups(batches: Iterable[Inference]) -> Iterator[list[Inference]]:
    group: list[Inference] = []
    for batch in batches:
        group.append(batch)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _make() -> Callable[[tuple[LMSettings, Callable[[CausalLM], Any]]], Any]:
    """RETURNS (Callable): calls a function with a model, which is loaded once."""

    def call(given: tuple[LMSettings, Callable[[CausalLM], Any]]) -> Any:
        settings, function = given
        return function(PerplexityDiscriminator(settings).lm)

    return call


def _known(lm: CausalLM) -> _Known:
    return _Known(lm.facts, lm.packs, lm.precision("auto"))


def _tokenised(lm: CausalLM, *, texts: Sequence[str]) -> Any:
    return lm.tokenise(texts)


def _losses(lm: CausalLM, *, batches: list[Inference], bfloat16: bool) -> list[Floats1d]:
    return list(lm.losses(batches, bfloat16=bfloat16))
