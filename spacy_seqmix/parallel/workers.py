"""Work in pieces that do not depend on each other: done here, or by workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..errors import Errors, SeqMixError, plural

__all__ = [
    "Lost",
    "Make",
    "Piece",
    "RayOptions",
    "Workers",
    "cluster_of",
    "error_of_lost",
    "in_order",
    "results_of",
    "workers_of",
]

# Makes the function that does a piece. It runs once in each process, which loads models there; so
# it must be possible to pickle it.
Make: TypeAlias = Callable[[], Callable[[Any], Any]]


class Piece(NamedTuple):
    """A piece of work.

    number (int): tells it from others.
    given (Any): what the function takes; other processes get it pickled.
    """

    number: int
    given: Any


class Lost(NamedTuple):
    """The result of a piece whose worker died each time.

    times (int): how often.
    reason (str): what Ray says.
    """

    times: int
    reason: str


def error_of_lost(lost: Mapping[int, Lost], kind: str, name: Callable[[int], str]) -> SeqMixError:
    """The error S769, which names the pieces that are set aside.

    lost (Mapping[int, Lost]): by the numbers of the pieces.
    kind (str): what a piece is.
    name (Callable): the name of a piece, from its number.
    """
    worst = next(iter(lost.values()))
    shown = f"{', '.join(map(name, sorted(lost)[:3]))} ({worst.reason})"
    values = {"n": plural(len(lost), kind), "times": worst.times, "shown": shown}
    return SeqMixError(Errors.E769.format(**values))


@dataclass(frozen=True)
class RayOptions:
    """Which Ray cluster does the work, and what a worker gets of it.

    address (str): "local" starts a cluster on this machine, "auto" takes the one that runs here,
        and HOST:PORT the one whose head is there.
    workers (int | None): how many; None for as many as the cluster has room for.
    cpus, gpus (float): what each of them gets.
    code (Path | None): a Python file with registered functions, which workers import first.
    """

    address: str
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    code: Path | None = None


class Workers(Protocol):
    """What does pieces.

    size (int): how many are done at the same time.
    """

    size: int

    def results(
        self, pieces: Iterable[Piece], hold: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, Any]]:
        """Do pieces of work; may be called again, once all results were taken.

        pieces (Iterable[Piece]): they are taken as workers become free: few are in memory.
        hold (Callable): whether to take no new pieces for now.
        YIELDS (tuple): the number of a piece and its result, in the order in which they are done.
        RAISES: what the function raises; with Ray, S773, S774 and S778.
        """
        ...


class _Here:
    """This process, which does one piece after the other."""

    size = 1

    def __init__(self, make: Make) -> None:
        self.make = make

    @cached_property
    def do(self) -> Callable[[Any], Any]:
        return self.make()

    def results(
        self, pieces: Iterable[Piece], hold: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, Any]]:
        for piece in pieces:
            yield piece.number, self.do(piece.given)


@contextmanager
def workers_of(make: Make, ray: RayOptions | None = None) -> Iterator[Workers]:
    """Have pieces of work done.

    make (Callable): makes the function that does a piece.
    ray (RayOptions | None): None does them in this process, one after the other.
    YIELDS (Workers): they end with the block.
    RAISES (SeqMixError): with Ray, S770 to S772.
    """
    if ray is None:
        yield _Here(make)
        return
    from .ray_workers import ray_workers

    with ray_workers(make, ray) as workers:
        yield workers


@contextmanager
def cluster_of(ray: RayOptions | None) -> Iterator[None]:
    """Stay connected to a cluster for a while: all ``workers_of`` in the block use the connection.

    ray (RayOptions | None): None does nothing.
    RAISES (SeqMixError): S770 and S771.
    """
    if ray is None:
        yield
        return
    from .cluster import connected

    with connected(ray):
        yield


def results_of(
    make: Make, pieces: Iterable[Piece], ray: RayOptions | None = None
) -> Iterator[tuple[int, Any]]:
    """Do pieces of work once; see ``workers_of`` and ``Workers.results``."""
    with workers_of(make, ray) as workers:
        yield from workers.results(pieces)


def in_order(workers: Workers, calls: Iterable[Any], what: str) -> Iterator[Any]:
    """Have pieces done, and give their results in the order of the pieces.

    calls (Iterable): what the function takes, piece by piece.
    what (str): the work, for messages.
    YIELDS: results. Where one is late, few others are computed before it: they wait in memory.
    RAISES (SeqMixError): S775 for a piece whose worker died each time; those of ``results``.
    """
    waiting: dict[int, Any] = {}
    number = 0
    pieces = (Piece(k, given) for k, given in enumerate(calls))
    for of, result in workers.results(pieces, lambda: len(waiting) > 2 * workers.size):
        waiting[of] = result
        while number in waiting:
            ready = waiting.pop(number)
            if isinstance(ready, Lost):
                raise SeqMixError(Errors.E775.format(what=what, **ready._asdict()))
            yield ready
            number += 1
