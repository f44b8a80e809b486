"""Serve the backend until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from threading import Event, Thread

from thinc.api import Config

from ...active.run_folder import disk_errors
from ...config import CONFIG_ERRORS
from ...errors import Errors, SeqMixError
from ...files import replacing
from ...threads import cores, environment, use_threads
from ..serving import address_of, bind, like_ctrl_c, run
from ..training import Training
from .app import Backend, make_app
from .log import Log
from .models import Models, Source
from .settings import BackendFolder, new_key
from .webhooks import Webhooks

__all__ = ["PORT", "serve"]

# That of every backend of Label Studio, by custom.
PORT = 9090
# How often the run is looked at: a round takes longer.
SECONDS = 1.0


def serve(
    name: str,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    key_variable: str | None = None,
    train: list[str] | None = None,
    on_start: Callable[[str], object] = lambda address: None,
    show: Callable[[str], object] = print,
) -> None:
    """Answer Label Studio with suggestions until the process is interrupted.

    name (str): the folder of a run, whose last pipeline answers, or a pipeline: folder or package.
    port (int): 0 stands for any that is free.
    key_variable (str | None): the environment variable with the secret of the address; by default
        the run keeps one, and a pipeline gets a new one each time.
    train (list[str] | None): train as well, with these options of ``spacy seqmix active``.
    on_start (Callable): called with the address.
    show (Callable): called with each message, from any thread.
    RAISES (SeqMixError): S411, S600, S687, S790, S791, S792.
    """
    source, log = Source(name), Log(show)
    folder = None if source.run is None else BackendFolder(source.run.path)
    with ExitStack() as stack:
        config = None if train is None else _config(source)
        listener = stack.enter_context(bind(host, [port]))
        keeps = None if key_variable is not None else folder
        key = new_key(key_variable) if keeps is None else keeps.key()
        use_threads(1 if train is not None else cores() // 2)
        training = None
        stack.enter_context(like_ctrl_c())
        if config is not None and folder is not None:
            training = _training(folder, config, train or ())
            stack.callback(training.stop)
            training.start()
        models, webhooks = Models(source, log), Webhooks(folder, training, log)
        backend, ended = Backend(models, webhooks, log, source.run), Event()
        stack.callback(backend.ended.set)
        stack.callback(ended.set)
        _watch(models, webhooks, ended)
        on_start(f"{address_of(host, listener)}{key}")
        run(make_app(backend, key), listener)


def _config(source: Source) -> Config:
    """The config of a run. RAISES (SeqMixError): S790 where there is nothing to train, or nobody to
    ask."""
    reason = f"{source.name} is a pipeline, and no run"
    if source.run is not None:
        try:
            config = Config().from_disk(source.run.config, interpolate=False)
        except CONFIG_ERRORS as err:
            reason = f"{source.run.config} can't be read ({err})"
        else:
            if config.get("active", {}).get("oracle"):
                return config
            reason = f"[active] of {source.run.config} names no oracle"
    raise SeqMixError(Errors.E790.format(reason=reason))


def _training(folder: BackendFolder, config: Config, options: Sequence[str]) -> Training:
    """The process that trains. RAISES (SeqMixFileError): S411."""
    # It has every value by now, and the path of the other config was relative to another folder.
    config["active"].pop("extends", None)
    with disk_errors(), replacing(folder.config) as temporary:
        config.to_disk(temporary)
    env = environment(cores() - 1)  # one is left for the suggestions
    return Training(folder.config, folder.path.parent, options, env, folder.log)


def _watch(models: Models, webhooks: Webhooks, ended: Event) -> None:
    """Look after pipelines and the training in a thread, until the server ends."""

    def look() -> None:
        while True:
            models.look()
            webhooks.watch()
            if ended.wait(SECONDS):
                return

    Thread(target=copy_context().run, args=(look,), daemon=True).start()
