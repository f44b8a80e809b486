"""What the readers share: lines, tokens, and rows that may be left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ..annotation.texts import read_lines, tokenise
from ..errors import SeqMixError, Warnings

__all__ = ["attempt", "read_lines", "tokenise"]

P = ParamSpec("P")
T = TypeVar("T")


def attempt(skip: bool, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Call a function; with ``skip``, turn its error into a warning.

    RETURNS (T | None): what it returns; None where it was skipped.
    RAISES (SeqMixError): the function's own error, where it is not to be skipped.

    Warns with W540 for each error.
    """
    try:
        return make(*args, **kwargs)
    except SeqMixError as err:
        if not skip:
            raise
        warnings.warn(Warnings.W540.format(reason=err), stacklevel=2)
        return None
