"""Warnings as the commands show them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wasabi import msg

OURS = r"\[W[2-9]\d\d\]"  # spaCy's own have lower numbers


@contextmanager
def told_warnings() -> Iterator[None]:
    """Show warnings of this package and of spaCy as messages, not with a line of code."""
    with warnings.catch_warnings():
        as_usual = warnings.showwarning

        def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if str(message).startswith("[W"):
                msg.warn(str(message))
            else:
                as_usual(message, *args, **kwargs)

        warnings.showwarning = show
        warnings.filterwarnings("default", message=OURS)
        yield
