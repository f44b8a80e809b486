"""Who may talk to the backend: whoever has its address, which has a secret."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ..asgi import limited, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["MAX_BODY", "KeyGuard"]

# Label Studio sends what it predicts at once: 10,000 tasks of 6,000 characters fit.
MAX_BODY = 64 * 2**20


class KeyGuard:
    """ASGI middleware: takes the key off the path, and refuses requests without it.

    Label Studio calls its own webhook without any header that it could be told, so that the address
    is the only place for a secret.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        """key (str): the first part of every path."""
        self.app, self.key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        given, slash, rest = scope["path"].removeprefix("/").partition("/")
        if not hmac.compare_digest(given.encode("utf8", "replace"), self.key.encode()):
            await refuse(send, 404, "The address lacks the key that the terminal shows.")
            return
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if not all(value.isdigit() for value in lengths):
            await refuse(send, 400, "Content-Length is no number.")
        elif any(len(value) > 18 or int(value) > MAX_BODY for value in lengths):
            await refuse(send, 413, f"More than {MAX_BODY} bytes. Send fewer tasks at once.")
        else:
            inner = {**scope, "path": f"{slash}{rest}" or "/"}
            await self.app(inner, limited(receive, MAX_BODY), send)
