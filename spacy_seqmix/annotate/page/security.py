"""Who may talk to the page: the browser that opened its link, and no other site."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ..asgi import limited, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

HEADER = "x-seqmix-token"
# A text of 2,000 tokens with as many entities takes 200 kB.
MAX_BODY = 4 * 2**20
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware: checks Host, Origin, token and size, and sets the headers of answers."""

    def __init__(self, app: ASGIApp, token: str, host: str, name: str) -> None:
        """
        token (str): the secret of the link.
        host (str): the address that the server listens to.
        name (str): names the cookie, so that several servers of one host have their own.
        """
        self.app, self.token, self.cookie = app, token, f"seqmix-{name}"
        self.is_open = not _is_loopback(host)
        self.names = {"localhost", "127.0.0.1", "[::1]", host.lower()}
        if self.is_open:
            self.names.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {k.decode("latin1").lower(): v.decode("latin1") for k, v in scope["headers"]}
        from_link = self._in_link(scope)
        problem = self._problem(scope, headers, from_link)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = dict(HEADERS)
                if from_link:
                    extra["set-cookie"] = (
                        f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict; "
                        "Max-Age=31536000"
                    )
                added = [(k.encode("latin1"), v.encode("latin1")) for k, v in extra.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        if problem is not None:
            await refuse(send_safely, *problem)
            return
        await self.app(scope, limited(receive, MAX_BODY), send_safely)

    def _problem(
        self, scope: Scope, headers: dict[str, str], from_link: bool
    ) -> tuple[int, str] | None:
        """The status and the reason for which a request is refused."""
        host = headers.get("host", "")
        if not self._knows(host):
            return 421, "This address is not that of the page."
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "Another site may not use the page."
        has_header = self._is_token(headers.get(HEADER, ""))
        if not (has_header or from_link or self._is_token(self._in_cookie(headers))):
            return 403, "Open the link that the terminal shows: it has the key of this page."
        if scope["method"] not in ("GET", "HEAD") and origin is None and not has_header:
            return 403, "The request does not say where it comes from."
        if not headers.get("content-length", "0").isdecimal():
            return 400, "Content-Length is no number."
        if int(headers.get("content-length", "0")) > MAX_BODY:
            return 413, f"More than {MAX_BODY} bytes."
        return None

    def _knows(self, host: str) -> bool:
        """Whether a Host header is an address of this server: no site's name leads here."""
        name = host.lower() if host.endswith("]") else host.lower().rpartition(":")[0]
        name = name or host.lower()
        return name in self.names or (self.is_open and _is_address(name.strip("[]")))

    def _in_link(self, scope: Scope) -> bool:
        given = parse_qs(scope.get("query_string", b"").decode("latin1")).get("token", [""])
        return scope["method"] == "GET" and self._is_token(given[0])

    def _in_cookie(self, headers: dict[str, str]) -> str:
        try:
            cookies: Any = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self.cookie].value if self.cookie in cookies else ""

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.token.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
