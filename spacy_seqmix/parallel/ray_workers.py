"""Workers of a Ray cluster. Nothing else imports Ray."""

from __future__ import annotations

import os
import socket
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..errors import Errors, SeqMixError, SeqMixFileError, describe
from .workers import Lost, Make, Piece, RayOptions

__all__ = ["results_of_ray"]

# A piece is done so often before it is set aside: it may be what kills its worker.
MAX_TIMES = 3
# To reach the head of a cluster.
SECONDS = 10.0
# For a first worker to start: to load a model, once there is room.
START_SECONDS = 900.0
# Ray reports no statistics of use to its makers, and says nothing of settings to come.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


class Worker:
    """Does pieces in a process of its own."""

    def start(self, make: Make, version: str, gpus: float) -> str:
        """Load what is needed. RETURNS (str): the version of this package here."""
        if version == __version__:
            if gpus:
                import spacy

                spacy.require_gpu()  # type: ignore[attr-defined]
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


def results_of_ray(
    make: Make, pieces: Iterable[Piece], options: RayOptions
) -> Iterator[tuple[int, Any]]:
    """Do pieces on a Ray cluster; see ``results_of``.

    A worker that dies, with its node or alone, is replaced, and its pieces are done again.

    YIELDS (tuple): as ``results_of``; ``Lost`` for a piece whose worker died three times.
    RAISES (SeqMixError): S770 without Ray, S771 without a cluster, S772 where it has no room for a
        worker, S773 where a worker can't start, S774 where it has another version of this package.
    """
    try:
        import ray
    except ImportError as err:
        raise SeqMixError(Errors.E770) from err
    with _connected(ray, options):
        driver = _Driver(ray, make, pieces, options)
        try:
            yield from driver.results()
        finally:
            driver.end()


@contextmanager
def _connected(ray: Any, options: RayOptions) -> Iterator[None]:
    if ray.is_initialized():  # by whoever calls
        yield
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        _check_reachable(options.address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=options.address,
                log_to_driver=False,
                logging_level="ERROR",
                **({"include_dashboard": False} if options.address == "local" else {}),
            )
    except Exception as err:  # of ConnectionError, ValueError, RuntimeError, by the address
        text = Errors.E771.format(address=options.address, reason=describe(err))
        raise SeqMixFileError(text) from err
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """RAISES (OSError): where nothing listens at HOST:PORT. Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=SECONDS).close()


class _Driver:
    """Gives pieces to workers, few at a time, and replaces those that die."""

    def __init__(self, ray: Any, make: Make, pieces: Iterable[Piece], options: RayOptions) -> None:
        self.ray, self.options = ray, options
        self.make = ray.put(make)
        self.queue, self.again = iter(pieces), deque[tuple[Piece, int]]()
        self.is_empty, self.failed_starts = False, 0
        n = self._room()
        n = n if options.workers is None else min(n, options.workers)
        self.workers = [self._begun() for _ in range(n)]

    def results(self) -> Iterator[tuple[int, Any]]:
        """Yield results as they come."""
        while True:
            for worker in self.workers:
                if worker.coming is None and (piece := self._next()) is not None:
                    worker.piece = piece
                    worker.coming = worker.actor.do.remote(piece[0].given)
            if self.is_empty and not any(worker.piece for worker in self.workers):
                return
            # A worker that replaces one may wait for room for ever; the others go on.
            coming = {one.coming: one for one in self.workers if one.coming is not None}
            done, _ = self.ray.wait(list(coming), num_returns=1, timeout=START_SECONDS)
            if not done:
                if not any(one.piece for one in self.workers):
                    reason = f"none has started in {START_SECONDS / 60:.0f} minutes"
                    raise SeqMixError(Errors.E773.format(reason=reason))
                continue
            ref, worker = done[0], coming[done[0]]
            try:
                result = self.ray.get(ref)
            except self.ray.exceptions.RayActorError as err:
                yield from self._replaced(worker, err)
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

    def _next(self) -> tuple[Piece, int] | None:
        if self.again:
            return self.again.popleft()
        piece = next(self.queue, None)
        self.is_empty = piece is None
        return None if piece is None else (piece, 0)

    def _replaced(self, worker: _Handle, err: Exception) -> Iterator[tuple[int, Any]]:
        """Replace a worker that died, and do its piece again."""
        if worker.piece is None:
            self.failed_starts += 1
            if self.failed_starts >= MAX_TIMES:
                raise SeqMixError(Errors.E773.format(reason=describe(err))) from err
        else:
            piece, times = worker.piece
            if times + 1 < MAX_TIMES:
                self.again.append((piece, times + 1))
                self.is_empty = False
            else:
                yield piece.number, Lost(times + 1, describe(err))
        self.workers[self.workers.index(worker)] = self._begun()

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

    def _room(self) -> int:
        """How many workers the cluster has room for, node by node."""
        needs = {"CPU": self.options.cpus, "GPU": self.options.gpus}
        needs = {name: amount for name, amount in needs.items() if amount}
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        room = sum(
            min((int(node.get(name, 0) / amount) for name, amount in needs.items()), default=1)
            for node in nodes
        )
        if room < 1:
            total = self.ray.cluster_resources()
            having = ", ".join(f"{total.get(name, 0):g} {name}" for name in ("CPU", "GPU"))
            wanted = ", ".join(f"{amount:g} {name}" for name, amount in needs.items())
            raise SeqMixError(Errors.E772.format(having=having, wanted=wanted))
        return room

    def _begun(self) -> _Handle:
        resources = {"num_cpus": self.options.cpus, "num_gpus": self.options.gpus}
        actor = self.ray.remote(**resources)(Worker).remote()
        return _Handle(actor, actor.start.remote(self.make, __version__, self.options.gpus))
