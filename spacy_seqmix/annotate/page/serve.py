"""Serve the page until Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ...active.run_folder import locked
from ...errors import Errors, SeqMixError, SeqMixFileError, Warnings
from ...threads import cores, environment
from .desk import Desk
from .folder import PageFolder, PageSettings
from .progress import Progress
from .training import Training

__all__ = ["bind", "check_installed", "serve"]

# The port that is tried first, so that a bookmark works.
PORT = 8642


def check_installed() -> None:
    """RAISES (SeqMixError): S686 where the web server is not installed."""
    try:
        import starlette
        import uvicorn  # noqa: F401

        del starlette
    except ImportError as err:
        raise SeqMixError(Errors.E686.format(missing=err.name)) from err


def bind(host: str, port: int | None, usual: int | None = None) -> socket.socket:
    """Open a socket to listen to.

    port (int | None): by default the usual one, or any free one where that is in use.
    usual (int | None): where the run was served before; by default 8642.
    RAISES (SeqMixFileError): S687 where it can't be had.
    """
    wanted = [port] if port is not None else [usual or PORT, 0]
    for number in wanted:
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((host, number), family=family)
        except OSError as err:
            text = Errors.E687.format(host=host, port=number, reason=err.strerror)
            problem = SeqMixFileError(text)
        else:
            return listener
    raise problem


@contextmanager
def alone(folder: PageFolder, address: str) -> Iterator[None]:
    """Keep other servers off a run. RAISES (SeqMixError): S412, with the link of the other one."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder.path, f" (the page at {address} )"))
        except SeqMixError as err:
            other = re.search(r"http://\S+/", str(err))
            if err.code != "S412" or other is None or not folder.exists:
                raise
            holder = f"the page that is open at {other[0]}?token={folder.read().token}"
            raise SeqMixError(Errors.E412.format(path=folder.path, holder=holder)) from None
        yield


def serve(
    run_dir: Path,
    begin: Callable[[], object],
    go_on: Callable[[], PageSettings],
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    train: list[str] | None = None,
    on_start: Callable[[str], object] = lambda link: None,
) -> None:
    """Serve the page of a run, and train beside it, until the process is interrupted. Then every
    answer is in the run's ``answers.jsonl``, also those that the loop has not read.

    begin (Callable): begins the run, where there is none.
    go_on (Callable): goes on with it, and gives its settings. A command that is refused, since the
        port or the run is in use, changes nothing.
    browser (bool): open the page in the browser.
    train (list[str] | None): options of ``spacy seqmix active``; None trains nothing.
    on_start (Callable): called with the link of the page.
    RAISES (SeqMixError): S412 where another server has the run, S687, and those of ``Desk``.

    Warns with W681 where the page moves.
    """
    import uvicorn

    from .app import make_app

    folder = PageFolder(run_dir)
    with ExitStack() as stack:
        usual = folder.read().port if folder.exists else None
        listener = stack.enter_context(bind(host, port, usual))
        shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
        shown = f"[{shown}]" if ":" in shown else shown
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        if not folder.exists:
            begin()
        stack.enter_context(alone(folder, address))
        settings = go_on()
        if port is None and usual not in (None, listener.getsockname()[1]):
            warnings.warn(Warnings.W681.format(port=usual), stacklevel=2)
        if settings.port is None or port is not None:
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
            folder.write(settings)
        desk = Desk(run_dir, blind=settings.blind)
        progress = Progress(
            run_dir,
            desk,
            identity=settings.identity,
            title=settings.title,
            facts=folder.facts(),
        )
        training = None
        stack.enter_context(_like_ctrl_c())
        if train is not None:
            env = environment(cores() - 1)  # one is left for the page
            training = Training(folder.config_path, run_dir, train, env)
            stack.callback(desk.hand_over, run_dir)  # once the training has ended
            stack.callback(training.stop)
            training.start()
        app = make_app(
            desk, progress, training, token=settings.token, host=host, name=settings.identity
        )
        link = f"{address}?token={settings.token}"
        on_start(link)
        if browser and _has_screen():
            threading.Timer(0.5, webbrowser.open, [link]).start()
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            lifespan="off",
            ws="none",
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _like_ctrl_c() -> Iterator[None]:
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


def _has_screen() -> bool:
    """Whether a browser has a window: in a terminal, one of text would hide the link."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
