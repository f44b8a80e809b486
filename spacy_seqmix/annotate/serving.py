"""What every server does: listen, say where, and run until it is told to end."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..errors import Errors, SeqMixError, SeqMixFileError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["address_of", "bind", "check_installed", "like_ctrl_c", "run"]


def check_installed() -> None:
    """RAISES (SeqMixError): S686 where the web server is not installed."""
    try:
        import starlette
        import uvicorn  # noqa: F401

        del starlette
    except ImportError as err:
        raise SeqMixError(Errors.E686.format(missing=err.name)) from err


def bind(host: str, ports: Sequence[int]) -> socket.socket:
    """Open a socket to listen to.

    ports (Sequence[int]): the first that is free is taken; 0 stands for any.
    RAISES (SeqMixFileError): S687 where none can be had.
    """
    for number in ports:
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((host, number), family=family)
        except OSError as err:
            text = Errors.E687.format(host=host, port=number, reason=err.strerror)
            problem = SeqMixFileError(text)
        else:
            return listener
    raise problem


def address_of(host: str, listener: socket.socket) -> str:
    """The address that others reach a server at, such as "http://127.0.0.1:9090/"."""
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{listener.getsockname()[1]}/"


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Let the signals of a closed terminal, and of a system that shuts down, end the server as
    Ctrl-C does. uvicorn would raise SIGTERM again once it has ended, and nothing could follow."""
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # signals belong to the main thread
    before = {n: signal.signal(n, signal.default_int_handler) for n in numbers if n is not None}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until the process is interrupted."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses have secrets
        timeout_graceful_shutdown=2,
        lifespan="off",
        ws="none",
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
