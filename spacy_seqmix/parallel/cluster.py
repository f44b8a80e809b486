"""A Ray cluster, and the room it has. Nothing else imports Ray."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import Errors, SeqMixError, SeqMixFileError, Warnings, describe
from .workers import RayOptions

__all__ = ["LOOK_SECONDS", "Patience", "connected", "handler_kept", "resources", "room"]

# For a first worker to start, from when the cluster has room: to load a model.
START_SECONDS = 900.0
# After so long without one, a warning.
SLOW_START_SECONDS = 120.0
# After so long it is looked why nothing happens.
LOOK_SECONDS = 30.0
# To reach the head of a cluster.
SECONDS = 10.0
# Ray reports no statistics of use to its makers, and says nothing of settings to come. Workers of
# a cluster that it starts here are as important as this process: else they wait for all others.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",
}


@contextmanager
def connected(options: RayOptions) -> Iterator[Any]:
    """Connect to a cluster, unless this process is connected already.

    YIELDS (module): Ray.
    RAISES (SeqMixError): S770 without Ray, S771 without a cluster.
    """
    try:
        import ray
    except ImportError as err:
        raise SeqMixError(Errors.E770) from err
    if ray.is_initialized():  # by whoever calls
        yield ray
        return
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with handler_kept():
        try:
            _check_reachable(options.address)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                given: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
                if options.address == "local":
                    given["include_dashboard"] = False
                ray.init(address=options.address, **given)
        except Exception as err:  # of ConnectionError, ValueError, RuntimeError, by the address
            text = Errors.E771.format(address=options.address, reason=describe(err))
            raise SeqMixFileError(text) from err
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def handler_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM at the end: Ray sets one of its own, and leaves it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def room(ray: Any, options: RayOptions) -> int:
    """How many workers the cluster has room for, node by node, and at most as many as are wanted.

    RAISES (SeqMixError): S772 where it has room for none.
    """
    needs = {"CPU": options.cpus, "GPU": options.gpus}
    needs = {name: amount for name, amount in needs.items() if amount}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = sum(
        min((int(node.get(name, 0) / amount) for name, amount in needs.items()), default=1)
        for node in nodes
    )
    if found < 1:
        total = ray.cluster_resources()
        having = ", ".join(f"{total.get(name, 0):g} {name}" for name in ("CPU", "GPU"))
        wanted = ", ".join(f"{amount:g} {name}" for name, amount in needs.items())
        raise SeqMixError(Errors.E772.format(having=having, wanted=wanted))
    return found if options.workers is None else min(found, options.workers)


def is_full(ray: Any, options: RayOptions) -> bool:
    """Whether other work has what a worker needs."""
    free = ray.available_resources()
    return bool(free.get("CPU", 0) < options.cpus or free.get("GPU", 0) < options.gpus)


class Patience:
    """How long a start is waited for, and what is said meanwhile.

    since (float): from when the wait for a start counts, as ``time.monotonic`` gives it: not before
        there was room.
    """

    def __init__(self, ray: Any, options: RayOptions) -> None:
        self.ray, self.options = ray, options
        self.begin()

    def begin(self) -> None:
        """Begin to wait, anew."""
        self.since = time.monotonic()
        self._gone: float | None = None

    def look(self, *, loading: bool = False) -> None:
        """Say why no worker starts: warn as ``look_at_nodes``, or that other work has the cluster
        (W770), or that there is room but no worker has started (W771).

        loading (bool): whether a worker has its room, and loads what it needs.
        RAISES (SeqMixError): S773 where the start takes too long, S772.
        """
        if not self.look_at_nodes():
            return
        now = time.monotonic()
        if not loading and is_full(self.ray, self.options):
            warnings.warn(Warnings.W770, stacklevel=2)
            self.since = now
        elif now - self.since > START_SECONDS:
            reason = f"none has started in {START_SECONDS / 60:.0f} minutes"
            raise SeqMixError(Errors.E773.format(reason=reason))
        elif now - self.since > SLOW_START_SECONDS:
            warnings.warn(Warnings.W771, stacklevel=2)

    def look_at_nodes(self) -> bool:
        """Whether a node is left that has room for a worker, or will have once other work is done.
        Where none is, warn (W772): others may come.

        RAISES (SeqMixError): S772 where none has come for long.
        """
        now = time.monotonic()
        try:
            room(self.ray, self.options)
        except SeqMixError:
            self._gone = now if self._gone is None else self._gone
            if now - self._gone > START_SECONDS:
                raise
            warnings.warn(Warnings.W772, stacklevel=3)
            self.since = now
            return False
        self._gone = None
        return True


def resources(options: RayOptions) -> dict[str, float]:
    """What a worker gets of the cluster, as Ray's options."""
    return {"num_cpus": options.cpus, "num_gpus": options.gpus}


def _check_reachable(address: str) -> None:
    """RAISES (OSError): where nothing listens at HOST:PORT. Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=SECONDS).close()
