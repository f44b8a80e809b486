"""Workers of a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..errors import Errors, SeqMixError, describe
from .cluster import connected, resources, room
from .workers import Lost, Make, Piece, RayOptions

__all__ = ["ray_workers"]

# A piece is done so often before it is set aside: it may be what kills its worker.
MAX_TIMES = 3
# For a first worker to start: to load a model, once there is room.
START_SECONDS = 900.0


class Worker:
    """Does pieces in a process of its own."""

    def start(self, make: Make, version: str, options: RayOptions) -> str:
        """Load what is needed. RETURNS (str): the version of this package here."""
        if version == __version__:
            import spacy

            if options.gpus:
                spacy.require_gpu()  # type: ignore[attr-defined]
            if options.code is not None:
                spacy.util.import_file("python_code", options.code)
            self.function = make()
        return __version__

    def do(self, given: Any) -> Any:
        """Do a piece."""
        return self.function(given)


@dataclass
class _Handle:
    """A worker as the driver sees it. It has one piece at a time: what kills it is known then.

    coming (Any): what Ray gives for the result to come; None while there is nothing to do.
    piece (tuple | None): what it does, and how often it was done before; None while it starts.
    """

    actor: Any
    coming: Any
    piece: tuple[Piece, int] | None = None


@contextmanager
def ray_workers(make: Make, options: RayOptions) -> Iterator[RayWorkers]:
    """Start workers on a Ray cluster; see ``workers_of``.

    RAISES (SeqMixError): S770 without Ray, S771 without a cluster, S772 where it has no room for a
        worker.
    """
    with connected(options) as ray:
        workers = RayWorkers(ray, make, options)
        try:
            yield workers
        finally:
            workers.end()


class RayWorkers:
    """Gives pieces to workers, few at a time, and replaces those that die."""

    def __init__(self, ray: Any, make: Make, options: RayOptions) -> None:
        self.ray, self.options = ray, options
        self.make = ray.put(make)
        self.failed_starts = 0
        self.workers = [self._begun() for _ in range(room(ray, options))]

    def results(self, pieces: Iterable[Piece]) -> Iterator[tuple[int, Any]]:
        """Do pieces; see ``Workers``.

        A worker that dies, with its node or alone, is replaced, and its piece is done again.

        YIELDS (tuple): numbers and results; ``Lost`` for a piece whose worker died three times.
        RAISES (SeqMixError): S773 where a worker can't start, S774 where it has another version of
            this package.
        """
        # Of earlier pieces whose results nobody took.
        self.workers = [self._begun() if one.piece else one for one in self.workers]
        queue, again, is_empty = iter(pieces), deque[tuple[Piece, int]](), False
        while True:
            for worker in self.workers:
                if worker.coming is None and not (is_empty and not again):
                    given = again.popleft() if again else _first(queue)
                    is_empty = is_empty or given is None
                    if given is not None:
                        worker.piece = given
                        worker.coming = worker.actor.do.remote(given[0].given)
            if is_empty and not again and not any(worker.piece for worker in self.workers):
                return
            found = self._next_done()
            if found is None:
                continue
            worker, ref = found
            try:
                result = self.ray.get(ref)
            except self.ray.exceptions.RayActorError as err:
                lost = self._replace(worker, err, again)
                if lost is not None:
                    yield lost
            except self.ray.exceptions.RayTaskError as err:
                raise self._error_of(worker, err) from err
            else:
                of, worker.piece, worker.coming = worker.piece, None, None
                if of is None:
                    self._check_version(result)
                else:
                    yield of[0].number, result

    def end(self) -> None:
        """Free what the workers have of the cluster: Ray ends actors that nobody holds. To kill one
        that is starting can block its node."""
        self.workers.clear()

    def _next_done(self) -> tuple[_Handle, Any] | None:
        """The next worker that has done something, and its result to get. A worker that replaces
        one may wait for room for ever; the others go on."""
        coming = {one.coming: one for one in self.workers if one.coming is not None}
        done, _ = self.ray.wait(list(coming), num_returns=1, timeout=START_SECONDS)
        if done:
            return coming[done[0]], done[0]
        if not any(one.piece for one in self.workers):
            reason = f"none has started in {START_SECONDS / 60:.0f} minutes"
            raise SeqMixError(Errors.E773.format(reason=reason))
        return None

    def _replace(
        self, worker: _Handle, err: Exception, again: deque[tuple[Piece, int]]
    ) -> tuple[int, Lost] | None:
        """Replace a worker that died, and have its piece done again, unless it is lost."""
        lost = None
        if worker.piece is None:
            self.failed_starts += 1
            if self.failed_starts >= MAX_TIMES:
                raise SeqMixError(Errors.E773.format(reason=describe(err))) from err
        else:
            piece, times = worker.piece
            if times + 1 < MAX_TIMES:
                again.append((piece, times + 1))
            else:
                lost = piece.number, Lost(times + 1, describe(err))
        self.workers[self.workers.index(worker)] = self._begun()
        return lost

    def _error_of(self, worker: _Handle, err: Exception) -> Exception:
        """What a worker raised: with a code, where it could not start."""
        cause = getattr(err, "cause", None)
        cause = cause if isinstance(cause, Exception) else err
        if worker.piece is None and not isinstance(cause, SeqMixError):
            return SeqMixError(Errors.E773.format(reason=describe(cause)))
        return cause

    def _check_version(self, version: str) -> None:
        if version != __version__:
            raise SeqMixError(Errors.E774.format(here=__version__, there=version))

    def _begun(self) -> _Handle:
        actor = self.ray.remote(**resources(self.options))(Worker).remote()
        return _Handle(actor, actor.start.remote(self.make, __version__, self.options))


def _first(queue: Iterator[Piece]) -> tuple[Piece, int] | None:
    piece = next(queue, None)
    return None if piece is None else (piece, 0)
