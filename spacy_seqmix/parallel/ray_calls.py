"""Calls of functions that the nodes of a Ray cluster do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from ..errors import Errors, SeqMixError, describe
from .cluster import LOOK_SECONDS, Patience, connected, resources, room
from .ray_workers import MAX_TIMES
from .workers import Lost, RayOptions

__all__ = ["RayCalls", "ray_calls"]

# How often a call that takes long looks whether it is to stop.
POLL_SECONDS = 0.2


@contextmanager
def ray_calls(options: RayOptions | None) -> Iterator[RayCalls | None]:
    """Connect to a Ray cluster for calls.

    options (RayOptions | None): what a call gets of the cluster; None gives None.
    RAISES (SeqMixError): S770 without Ray, S771 without a cluster, S772 where it has no room for a
        call.
    """
    if options is None:
        yield None
        return
    with connected(options) as ray:
        yield RayCalls(ray, options)


class RayCalls:
    """Calls functions on the nodes of a cluster; any thread may do so.

    n (int): how many calls the cluster has room for at the same time. More wait for their turn.
    threads (int): how many threads the CPUs of a call are enough for.
    gpus (float): the GPUs of a call.
    """

    def __init__(self, ray: Any, options: RayOptions) -> None:
        """RAISES (SeqMixError): S772."""
        self.ray, self.options = ray, options
        self.n = room(ray, options)
        self.threads = max(1, int(options.cpus))
        self.gpus = options.gpus

    def wait_for_room(self) -> None:
        """Wait until the cluster can start a call. Warnings and errors as of ``Patience.look``."""
        patience = Patience(self.ray, self.options)
        # The process that it starts is kept for the first call.
        call = self.ray.remote(max_retries=0, **resources(self.options))(_nothing).remote()
        while not self.ray.wait([call], timeout=LOOK_SECONDS)[0]:
            patience.look()

    def __call__(self, function: Callable[..., Any], *given: Any, stop: Event) -> Any:
        """Call a function, and wait.

        Where the worker that does it dies, with its node or alone, the function is called again,
        on any node. Ray would do that as well, but has no limit where memory is short.

        function (Callable): nodes import it, so it must be of a module that they have.
        given: what the function takes; it must be possible to pickle it.
        stop (Event): set to end the call, and the process that does it.
        RETURNS: what the function returns; ``Lost`` where its worker died three times; None once
            ``stop`` is set.
        RAISES: what the function raises; S773 where a node can't import it, S772 where no node is
            left that has room for it.

        Warns with W772 while none is left.
        """
        # An idle worker is kept for the next call: what it has imported stays.
        task = self.ray.remote(max_retries=0, **resources(self.options))(function)
        reason = ""
        for _ in range(MAX_TIMES):
            call = task.remote(*given)
            looked, patience = time.monotonic(), Patience(self.ray, self.options)
            while not self.ray.wait([call], timeout=POLL_SECONDS)[0]:
                if stop.is_set():
                    self.ray.cancel(call, force=True)
                    return None
                if time.monotonic() - looked > LOOK_SECONDS:
                    patience.look_at_nodes()
                    looked = time.monotonic()
            try:
                return self.ray.get(call)
            except self.ray.exceptions.RayTaskError as err:
                raise self._error_of(err) from err
            except self.ray.exceptions.RayError as err:
                reason = describe(err)
        return Lost(MAX_TIMES, reason)

    def _error_of(self, err: Exception) -> Exception:
        """What the function raised. Ray itself raises these two types where it can't be loaded."""
        cause = getattr(err, "cause", None)
        if isinstance(cause, (RuntimeError, self.ray.exceptions.RayError)):
            last = str(cause).strip().split("\n")[-1]
            return SeqMixError(Errors.E773.format(reason=last))
        return cause if isinstance(cause, Exception) else err


def _nothing() -> None:
    """Do nothing: the call ends once a node has had room for it."""
