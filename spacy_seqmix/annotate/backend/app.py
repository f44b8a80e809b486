"""The endpoints that Label Studio calls (as its version 1.23 does)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from time import monotonic
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ...active.run_folder import RunFolder
from ...errors import SeqMixError, describe
from ..asgi import TooLargeError
from ..label_studio.interface import Interface, read_interface
from .guard import KeyGuard
from .log import Log
from .models import NO_MODEL, Models
from .set_aside import SetAside
from .suggesting import ASKED_FIRST, empty, suggestions
from .webhooks import START, Webhooks

__all__ = ["Backend", "make_app"]

Body: TypeAlias = dict[str, Any]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
# Requests that are predicted at the same time, a batch of each in turn; others wait.
AT_ONCE = 4
# How long a first pipeline is waited for: Label Studio waits 3 and 100 seconds.
SETUP_SECONDS, PREDICT_SECONDS, STEP_SECONDS = 1.5, 60.0, 0.2


class WrongRequestError(ValueError):
    """A request that can't be answered, and why."""


class EndedError(Exception):
    """While it was predicted, the server was told to end, or whoever asked has gone."""


class Backend:
    """What Label Studio asks for: JSON objects in, JSON objects out."""

    def __init__(
        self, models: Models, webhooks: Webhooks, log: Log, run: RunFolder | None = None
    ) -> None:
        """run (RunFolder | None): says which texts are set aside."""
        self.models, self.webhooks, self.log = models, webhooks, log
        self.ended = Event()
        self._aside = None if run is None else SetAside(run)

    def health(self) -> Body:
        """Whether there is a server."""
        return {"status": "UP", "model_class": "spacy-seqmix"}

    def setup(self, body: Body) -> Body:
        """The version of the pipeline: tasks with predictions of another one are sent again."""
        self.models.has_looked(SETUP_SECONDS)
        return {"model_version": self.models.version}

    def versions(self) -> Body:
        """The only version that can answer."""
        return {"versions": [self.models.version]}

    def validate(self, body: Body) -> Body:
        """Whether suggestions fit a labelling interface. RAISES (SeqMixError): S793."""
        read_interface(str(body.get("config")))
        return {"valid": True}

    def predict(self, body: Body, gone: Event) -> Body:
        """A prediction for each task, all of one pipeline.

        gone (Event): set once nobody waits for the answer. Label Studio waits 100 seconds.
        RAISES (WrongRequestError): where "tasks" is no list.
        RAISES (EndedError): where it is not worth going on.
        """
        tasks = body.get("tasks")
        if not isinstance(tasks, list):
            raise WrongRequestError('"tasks" is no list')
        interface = self._interface(body.get("label_config"))

        def check() -> None:
            if self.ended.is_set() or gone.is_set():
                raise EndedError

        until = monotonic() + PREDICT_SECONDS  # empty suggestions would be kept
        while not self.models.has_looked(STEP_SECONDS) and monotonic() < until:
            check()
        model = self.models.current
        if model is None or interface is None:
            version = NO_MODEL if model is None else model.version
            return {"results": [empty(version, ASKED_FIRST) for _ in tasks]}
        hidden = () if self._aside is None else self._aside.now()
        found = suggestions(model, tasks, interface, self.log, hidden=hidden, check=check)
        return {"results": found}

    def _interface(self, xml: Any) -> Interface | None:
        try:
            return read_interface(str(xml))
        except SeqMixError as err:
            self.log.once(str(err))
            return None


def make_app(backend: Backend, key: str) -> ASGIApp:
    """The server's application. key (str): the secret of its address."""
    pool = ThreadPoolExecutor(AT_ONCE, "predict")

    async def predict(request: Request) -> Response:
        content, gone = await request.body(), Event()
        loop, context = asyncio.get_running_loop(), copy_context()  # it says which GPU is used
        waiting = asyncio.create_task(_wait_until_gone(request, gone))
        try:
            return await loop.run_in_executor(
                pool, context.run, lambda: JSONResponse(backend.predict(_object(content), gone))
            )
        finally:
            waiting.cancel()

    async def webhook(request: Request) -> Response:
        body = await run_in_threadpool(_object, await request.body())
        return _of_action(backend, str(body.get("action", "")))

    async def train(request: Request) -> Response:
        return _of_action(backend, START)

    async def health(request: Request) -> Response:
        return JSONResponse(backend.health())

    async def versions(request: Request) -> Response:
        return JSONResponse(backend.versions())

    async def setup(request: Request) -> Response:
        body = _object(await request.body())
        return JSONResponse(await run_in_threadpool(backend.setup, body))

    async def validate(request: Request) -> Response:
        return JSONResponse(backend.validate(_object(await request.body())))

    gets: dict[str, Endpoint] = {"/": health, "/health": health, "/versions": versions}
    posts: dict[str, Endpoint] = {
        "/setup": setup,
        "/predict": predict,
        "/webhook": webhook,
        "/train": train,  # where "Start training" is no webhook, as a flag of the server says
        "/validate": validate,
    }
    routes = [Route(path, _safe(f, backend.log), methods=["GET"]) for path, f in gets.items()]
    routes += [Route(path, _safe(f, backend.log), methods=["POST"]) for path, f in posts.items()]
    return KeyGuard(Starlette(routes=routes), key)


async def _wait_until_gone(request: Request, gone: Event) -> None:
    """Notice that whoever asked has closed the connection; the body has been read by now."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _of_action(backend: Backend, action: str) -> Response:
    message = {"message": backend.webhooks.answer(action)}
    return JSONResponse(message, background=BackgroundTask(backend.webhooks.act, action))


def _object(content: bytes) -> Body:
    """A JSON object. Texts may have any characters: one that can't be read spoils no other."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as err:
        raise WrongRequestError(f"no JSON: {err}") from None
    if not isinstance(body, dict):
        raise WrongRequestError("no JSON object")
    return body


def _safe(endpoint: Endpoint, log: Log) -> Endpoint:
    """Answer every error in a line; whoever runs the server learns more."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except TooLargeError:
            return JSONResponse({"message": "too large"}, 413)
        except (WrongRequestError, SeqMixError) as err:
            return JSONResponse({"message": str(err)}, 400)
        except EndedError:
            return JSONResponse({"message": "ended before it was answered"}, 503)
        except Exception as err:
            log.once(f"{request.url.path}: {describe(err)}")
            return JSONResponse({"message": "it failed: the server's terminal says why"}, 500)

    return answer
