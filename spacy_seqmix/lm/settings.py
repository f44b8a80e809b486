"""The settings of a language model that scores texts. Imports no torch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, NamedTuple, TypeVar

from ..errors import Errors, SeqMixError
from .batches import MAX_BATCH_ITEMS, check_sizes

T = TypeVar("T")
DTYPES = ("auto", "bfloat16", "float32")


class Range(NamedTuple):
    """The range ``low`` <= x <= ``high``, without an upper limit if ``high`` is None."""

    low: float
    high: float | None

    def holds(self, value: float) -> bool:
        """Whether the value is inside. Never for nan."""
        return value >= self.low and (self.high is None or value <= self.high)

    def is_near(self, value: float, margin: float) -> bool:
        """Whether a limit is within ``margin`` of the value. The limit 0 is ignored: no
        perplexity and no negative log-likelihood is below it."""
        limits = (limit for limit in (self.low or None, self.high) if limit is not None)
        return any(abs(value - limit) <= margin for limit in limits)

    def log(self) -> "Range":
        """The range of logarithms, with 0 as the (harmless) log of a lower limit below 1."""
        low = math.log(self.low) if self.low > 1 else 0.0
        return Range(low, None if self.high is None else math.log(max(self.high, 1e-9)))

    def checked(self, what: str) -> "Range":
        """Return the range. RAISES (SeqMixError): S308 if it is negative or inverted."""
        if not self.low >= 0 or (self.high is not None and not self.high >= self.low):
            raise SeqMixError(Errors.E308.format(what=what, low=self.low, high=self.high))
        return self


@dataclass(frozen=True)
class LMSettings:
    """The language model that scores texts, how it does so, and the plausible perplexities.

    model (str): a causal LM: a name on the Hugging Face hub, a folder, a ``.gguf`` file,
        ``package:NAME/PATH``, or alternatives ("A | B").
    revision (str | None): branch, tag or commit on the hub.
    min_perplexity, max_perplexity (float, float | None): the range s1 to s2 of the perplexity of a
        whole text; the paper's is 0 to 500. None: no upper limit.
    batch_size (int): the most texts that the model scores at a time.
    max_batch_items (int): the most tokens at a time, padding included; see ``token_nlls``.
    dtype (str): "float32", "bfloat16", or "auto" (bfloat16 where it can't change a decision).
    start_token (str | None): see ``CausalLM.load``.
    device (str | None): a torch device; None for the one that thinc uses.
    trust_remote_code (Sequence[str]): names of models whose own code may run; by default none.
    RAISES (SeqMixError): S307, S308 or S311 for an unknown dtype, a bad range, an empty batch.
    """

    model: str = "gpt2"
    revision: str | None = None
    min_perplexity: float = 0.0
    max_perplexity: float | None = 500.0
    batch_size: int = 32
    max_batch_items: int = MAX_BATCH_ITEMS
    dtype: str = "auto"
    start_token: str | None = None
    device: str | None = None
    trust_remote_code: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without the model."""
        self.perplexity.checked("perplexity")
        check_dtype(self.dtype)
        check_sizes(batch_size=self.batch_size, max_batch_items=self.max_batch_items)

    @property
    def perplexity(self) -> Range:
        """The plausible range."""
        return Range(self.min_perplexity, self.max_perplexity)

    def as_config(self) -> dict[str, Any]:
        """The settings as a config has them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "trust_remote_code": list(self.trust_remote_code)}


def check_dtype(dtype: str) -> str:
    """Return the dtype. RAISES (SeqMixError): S307 if it is not one of ``DTYPES``."""
    if dtype not in DTYPES:
        raise SeqMixError(Errors.E307.format(dtype=dtype, known=", ".join(DTYPES)))
    return dtype


def takes_lm_settings(function: Callable[..., T]) -> Callable[..., T]:
    """Make a registered function accept the fields of its argument ``settings`` one by one.

    Configs are flat, and spaCy checks them by the function's signature.
    """
    flat: list[Parameter] = []
    for parameter in signature(function).parameters.values():
        is_settings = parameter.name == "settings"
        flat += signature(LMSettings).parameters.values() if is_settings else [parameter]
    of_lm = {field.name for field in fields(LMSettings)}
    shown = signature(function).replace(parameters=flat)

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> T:
        given = shown.bind(*args, **kwargs).arguments
        settings = LMSettings(**{name: given.pop(name) for name in of_lm & given.keys()})
        return function(settings=settings, **given)

    wrapper.__signature__ = shown  # type: ignore[attr-defined]
    return wrapper
