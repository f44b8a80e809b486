"""What pipelines that are no longer used leave behind, and how little a search for it costs."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def release_memory() -> None:
    """Give the memory of pipelines that are no longer used back to the system.

    They hang in reference cycles, with their encoder. And glibc keeps pages that were freed between
    others in use, a few megabytes more in each round, unless it is asked to return them.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)


@contextmanager
def frozen_objects() -> Iterator[None]:
    """Let the garbage collector leave out the objects that exist already, until the end.

    With torch and spaCy they are hundreds of thousands, and a search of all of them takes up to a
    second on a busy machine. Where the process has frozen objects itself, nothing is changed.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
