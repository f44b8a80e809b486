"""Serve the page until Ctrl-C."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ...active.run_folder import locked
from ...errors import Errors, SeqMixError, Warnings
from ...threads import cores, environment
from .. import serving
from ..training import Training
from .desk import Desk
from .folder import PageFolder, PageSettings
from .progress import Progress

__all__ = ["bind", "serve"]

# The port that is tried first, so that a bookmark works.
PORT = 8642


def bind(host: str, port: int | None, usual: int | None = None) -> socket.socket:
    """Open a socket to listen to.

    port (int | None): by default the usual one, or any free one where that is in use.
    usual (int | None): where the run was served before; by default 8642.
    RAISES (SeqMixFileError): S687 where it can't be had.
    """
    return serving.bind(host, [port] if port is not None else [usual or PORT, 0])


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
    from .app import make_app

    folder = PageFolder(run_dir)
    with ExitStack() as stack:
        usual = folder.read().port if folder.exists else None
        listener = stack.enter_context(bind(host, port, usual))
        address = serving.address_of(host, listener)
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
        stack.enter_context(serving.like_ctrl_c())
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
        serving.run(app, listener)


def _has_screen() -> bool:
    """Whether a browser has a window: in a terminal, one of text would hide the link."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
