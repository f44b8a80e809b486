"""Seconds by phase."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = perf_counter()
        yield
        # A phase may come in parts.
        self.seconds[phase] = self.seconds.get(phase, 0.0) + perf_counter() - began
