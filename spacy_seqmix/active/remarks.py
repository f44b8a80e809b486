"""Warnings of libraries that tell people nothing."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_remarks() -> Iterator[None]:
    """Without the remarks of torch and transformers on loaded weights; ours are shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(spacy_transformers|torch|transformers)\.")
        yield
