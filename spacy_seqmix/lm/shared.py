"""One language model for all objects with the same settings."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from ..model_names import resolve
from .causal_lm import CausalLM
from .loading import default_device
from .safety import as_paths

__all__ = ["get_shared", "shared_lm"]


@lru_cache(maxsize=2)
def shared_lm(
    name: str,
    revision: str | None,
    start_token: str | None,
    device: str | None,
    trusted: frozenset[str],
) -> CausalLM:
    """``CausalLM.load``, once for all callers with the same settings. Use ``get_shared``."""
    return CausalLM.load(
        name,
        revision=revision,
        start_token=start_token,
        device=device,
        trust_remote_code=trusted,
    )


def get_shared(
    name: str,
    *,
    revision: str | None = None,
    start_token: str | None = None,
    device: str | None = None,
    trust_remote_code: Collection[str] = (),
) -> CausalLM:
    """The model that all objects with the same settings share; arguments as ``CausalLM.load``."""
    trusted = as_paths(trust_remote_code)
    return shared_lm(resolve(name), revision, start_token, device or default_device(), trusted)
