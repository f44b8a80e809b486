"""The page's server: its requests, each a few lines around the desk."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ...errors import Errors, SeqMixError
from ...files import parse_json
from ..asgi import TooLargeError
from ..training import Training
from .desk import Desk
from .progress import Progress
from .rows import PageAnswer, posted_answer
from .security import Guard

__all__ = ["make_app"]

Body: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[Body], Any]
MOST_TEXTS = 10
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class Service:
    """What the page asks for. Each method takes the JSON that it sends and gives JSON back."""

    def __init__(self, desk: Desk, progress: Progress, training: Training | None) -> None:
        """
        training (Training | None): the loop, where this process started one.
        """
        self.desk, self.progress, self.training = desk, progress, training

    def state(self, body: Body) -> Body:
        """All that the page shows beside the texts; keeps the texts of a tab in use."""
        if body.get("active"):
            self.desk.heard(str(body["tab"]), _strings(body.get("holds")))
        state = self.progress.state(self.training, str(body.get("tab", "")))
        return {**state, "answered": self.desk.answered(_strings(body.get("holds")))}

    def texts(self, body: Body) -> Body:
        """The next texts for a tab."""
        wanted = min(MOST_TEXTS, int(body.get("wanted", 1)))
        given = self.desk.hand_out(str(body["tab"]), _strings(body.get("holds")), wanted)
        return {"texts": [task.model_dump() for task in given]}

    def answer(self, body: Body) -> Body:
        """Keep an answer."""
        self.desk.answer(posted_answer(body, {one.name for one in self.desk.labels}))
        return {"id": body["id"]}

    def done(self, body: Body) -> Body:
        """What was answered, the last first; or the last answer to one text."""
        if (key := body.get("key")) is not None:
            last = self.desk.last(str(key))
            return {"answers": [] if last is None else [_again(last)]}
        count, answers = self.desk.done(
            before=body.get("before"),
            label=body.get("label"),
            skipped=bool(body.get("skipped")),
            skip=int(body.get("skip", 0)),
        )
        return {"count": count, "answers": [_again(one) for one in answers]}

    def labels(self, body: Body) -> Body:
        """Add a label, or take one back that no text has."""
        if body.get("remove"):
            self.desk.remove_label(str(body["label"]))
        else:
            self.desk.add_label(str(body["label"]))
        return self.progress.state(self.training)

    def train(self, body: Body) -> Body:
        """Start the loop again."""
        if self.training is not None:
            self.training.start()
        return self.progress.state(self.training)

    def release(self, body: Body) -> Body:
        """A tab was closed."""
        self.desk.release(str(body["tab"]))
        return {}


def _again(answer: PageAnswer) -> Body:
    """An answer with its text, to be shown again."""
    return answer.model_dump(exclude={"hidden", "doc", "unknown"})


def _strings(values: object) -> set[str]:
    return {str(one) for one in values} if isinstance(values, list) else set()


def make_app(
    desk: Desk,
    progress: Progress,
    training: Training | None,
    *,
    token: str,
    host: str = "127.0.0.1",
    name: str = "page",
) -> ASGIApp:
    """The server's application; see ``Guard`` for the last three."""
    service = Service(desk, progress, training)
    names = ("state", "texts", "answer", "done", "labels", "train", "release")
    routes = [
        Route(f"/api/{one}", _endpoint(getattr(service, one), progress.run), methods=["POST"])
        for one in names
    ]
    folder = files(__package__) / "static"
    for entry in folder.iterdir():
        kind = KINDS.get(os.path.splitext(entry.name)[1])
        if kind is not None:
            path = "/" if entry.name == "index.html" else f"/{entry.name}"
            routes.append(Route(path, _file(entry.read_bytes(), kind), methods=["GET"]))
    return Guard(Starlette(routes=routes), token, host, name)


def _file(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return Response(content, media_type=kind)

    return serve


def _endpoint(handler: Handler, run: str) -> Callable[[Request], Awaitable[Response]]:
    """Read JSON, answer JSON; an error has its code, and a status that says what to do.

    409: the page is that of another run, whose server had this address before: keep what there is.
    422: what was sent is wrong, and will be. 507: the disk is full or broken, try again.
    """

    async def serve(request: Request) -> Response:
        try:
            body = parse_json(await request.body())
        except TooLargeError:
            return JSONResponse({"message": "too large"}, 413)
        except ValueError as err:
            return JSONResponse({"message": str(err)}, 400)
        if not isinstance(body, dict):
            return JSONResponse({"message": "no JSON object"}, 400)
        if body.pop("run", run) != run:
            return JSONResponse({"code": "S692", "message": Errors.E692}, 409)
        try:
            return JSONResponse(await run_in_threadpool(handler, body))
        except (SeqMixError, KeyError, ValueError, TypeError) as err:
            status = 507 if isinstance(err, OSError) else 422
            code = getattr(err, "code", None)
            return JSONResponse({"code": code, "message": str(err)}, status)

    return serve
