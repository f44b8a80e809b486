"""Work in pieces that do not depend on each other: done here, or by workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Lost", "Make", "Piece", "RayOptions", "results_of"]

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


@dataclass(frozen=True)
class RayOptions:
    """Which Ray cluster does the work, and what a worker gets of it.

    address (str): "local" starts a cluster on this machine, "auto" takes the one that runs here,
        and HOST:PORT the one whose head is there.
    workers (int | None): how many; None for as many as the cluster has room for.
    cpus, gpus (float): what each of them gets.
    """

    address: str
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0


def results_of(
    make: Make, pieces: Iterable[Piece], ray: RayOptions | None = None
) -> Iterator[tuple[int, Any]]:
    """Do pieces of work.

    make (Callable): makes the function that does a piece.
    pieces (Iterable[Piece]): they are taken as workers become free: few are in memory.
    ray (RayOptions | None): None does them in this process, one after the other.
    YIELDS (tuple): the number of a piece and its result, in the order in which they are done.
    RAISES: what the function raises; with Ray, S770 to S774.
    """
    if ray is not None:
        from .ray_workers import results_of_ray

        yield from results_of_ray(make, pieces, ray)
        return
    do = make()
    for piece in pieces:
        yield piece.number, do(piece.given)
