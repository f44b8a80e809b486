"""Workers of a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import Errors, SeqMixError, describe
from .cluster import LOOK_SECONDS, Patience, connected, resources, room
from .workers import Lost, Make, Piece, RayOptions

__all__ = ["ray_workers"]

# A piece is done so often before it is set aside: it may be what kills its worker.
MAX_TIMES = 3
# Errors of users, which have a message.
CODED = (ValueError, OSError, ImportError)


class Worker:
    """Does pieces in a process of its own."""

    def start(self, make: Make, version: str, options: RayOptions, folder: str) -> str:
        """Load what is needed. RETURNS (str): the version of this package here.

        folder (str): the one that the driver works in. Names are relative to it, where it is here.
        """
        if version == __version__:
            import spacy

            with suppress(OSError):
                os.chdir(folder)
            if options.gpus:
                spacy.require_gpu()  # type: ignore[attr-defined]
            if options.code is not None:
                spacy.util.import_file("python_code", options.code)
            self.function = make()
        return __version__

    def do(self, given: Any) -> Any:
        """Do a piece."""
        return self.function(given)

    def answer(self) -> bool:
        """Show that the process is there."""
        return True


@dataclass
class _Handle:
    """A worker as the driver sees it. It has one piece at a time: what kills it is known then.

    there (Any): Ray's reference of ``answer``: it is ready once the worker's process runs.
    coming (Any): what Ray gives for the result to come; None while there is nothing to do.
    piece (tuple | None): what it does, and how often it was done before; None while it starts.
    """

    actor: Any
    there: Any
    coming: Any
    piece: tuple[Piece, int] | None = None


@contextmanager
def ray_workers(make: Make, options: RayOptions) -> Iterator[RayWorkers]:
    """Have workers on a Ray cluster; see ``workers_of``.

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
    """Gives pieces to workers, few at a time, and replaces those that die.

    size (int): how many workers there are at most. They start when there are pieces for them.
    """

    def __init__(self, ray: Any, make: Make, options: RayOptions) -> None:
        self.ray, self.options = ray, options
        self.make = ray.put(make)
        self.size, self.patience = room(ray, options), Patience(ray, options)
        self.failed_starts = 0
        self.workers: list[_Handle] = []

    def results(
        self, pieces: Iterable[Piece], hold: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, Any]]:
        """Do pieces; see ``Workers``.

        A worker that dies, with its node or alone, is replaced, and its piece is done again.

        hold (Callable): whether to take no new pieces for now.
        YIELDS (tuple): numbers and results; ``Lost`` for a piece whose worker died three times.
        RAISES (SeqMixError): S772 where no node is left that has room for one, S773 where no worker
            can start, S774 where one has another version of this package, S778 where one fails for
            no reason that has a code.
        """
        self._drop_dead()
        queue, left = iter(pieces), deque[tuple[Piece, int]]()
        more = True
        self.patience.begin()
        while True:
            # A piece for each worker that has none, and one more, which may want a new worker.
            while more and len(left) <= self._without_piece() and not hold():
                piece = next(queue, None)
                more = piece is not None
                if piece is not None:
                    left.append((piece, 0))
                self._begin(len(left))
            self._begin(len(left))
            for worker in self.workers:
                if worker.coming is None and left:
                    worker.piece = left.popleft()
                    worker.coming = worker.actor.do.remote(worker.piece[0].given)
            if not left and not any(worker.piece for worker in self.workers):
                return
            found = self._next_done()
            if found is None:
                self._check_progress()
                continue
            self.patience.begin()
            worker, ref = found
            try:
                result = self.ray.get(ref)
            except self.ray.exceptions.RayTaskError as err:
                raise self._error_of(worker, err) from err
            except self.ray.exceptions.RayError as err:  # with its process, its node or its result
                lost = self._replace(worker, err, left)
                if lost is not None:
                    yield lost
            else:
                of, worker.piece, worker.coming = worker.piece, None, None
                if of is None:
                    self.failed_starts = 0
                    self._check_version(result)
                else:
                    yield of[0].number, result

    def end(self) -> None:
        """Free what the workers have of the cluster: Ray ends actors that nobody holds. To kill one
        that is starting can block its node."""
        self.workers.clear()

    def _begin(self, wanted: int) -> None:
        """Start workers, so that as many have no piece yet as are wanted, if there is room."""
        while wanted > self._without_piece() and len(self.workers) < self.size:
            self.workers.append(self._begun())

    def _without_piece(self) -> int:
        return sum(worker.piece is None for worker in self.workers)

    def _drop_dead(self) -> None:
        """Let go of workers that died since the last call, and of those whose results of earlier
        pieces nobody took."""
        kept = [worker for worker in self.workers if worker.piece is None]
        asked = {id(one): one.actor.answer.remote() for one in kept if one.coming is None}
        self.workers = []
        for worker in kept:
            with suppress(self.ray.exceptions.RayError):
                if worker.coming is None:
                    self.ray.get(asked[id(worker)])
                self.workers.append(worker)

    def _next_done(self) -> tuple[_Handle, Any] | None:
        """The next worker that has done something, and its result to get. A worker that replaces
        one may wait for room for ever; the others go on."""
        coming = {one.coming: one for one in self.workers if one.coming is not None}
        done, _ = self.ray.wait(list(coming), num_returns=1, timeout=LOOK_SECONDS)
        return (coming[done[0]], done[0]) if done else None

    def _check_progress(self) -> None:
        """Warn where no worker starts; see ``Patience.look``."""
        if not any(one.piece for one in self.workers):
            # Those whose process is there have their room, and load what they need.
            there, _ = self.ray.wait([one.there for one in self.workers], timeout=0)
            self.patience.look(loading=bool(there))

    def _replace(
        self, worker: _Handle, err: Exception, left: deque[tuple[Piece, int]]
    ) -> tuple[int, Lost] | None:
        """Let go of a worker that died, and have its piece done again, unless it is lost."""
        self.workers.remove(worker)
        if worker.piece is None:
            self.failed_starts += 1
            others = [one for one in self.workers if one.piece or one.coming is None]
            if self.failed_starts >= MAX_TIMES and not others:
                raise SeqMixError(Errors.E773.format(reason=describe(err))) from err
            return None
        piece, times = worker.piece
        if times + 1 == MAX_TIMES:
            return piece.number, Lost(MAX_TIMES, describe(err))
        left.append((piece, times + 1))
        return None

    def _error_of(self, worker: _Handle, err: Exception) -> Exception:
        """What a worker raised, with a code."""
        cause = getattr(err, "cause", None)
        cause = cause if isinstance(cause, Exception) else err
        if isinstance(cause, SeqMixError) or (worker.piece and isinstance(cause, CODED)):
            return cause
        text = Errors.E773 if worker.piece is None else Errors.E778
        return SeqMixError(text.format(reason=describe(cause)))

    def _check_version(self, version: str) -> None:
        if version != __version__:
            raise SeqMixError(Errors.E774.format(here=__version__, there=version))

    def _begun(self) -> _Handle:
        actor = self.ray.remote(**resources(self.options))(Worker).remote()
        there = actor.answer.remote()
        given = self.make, __version__, self.options, str(Path.cwd())
        return _Handle(actor, there, actor.start.remote(*given))
