"""The requests to a Label Studio server, and what its answers mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ...errors import Errors, SeqMixError, SeqMixFileError, describe
from .names import TOKEN_ENV

__all__ = ["Server", "expected"]

# To connect, and between two bytes of an answer: an import of many tasks takes a while.
TIMEOUT = (5.0, 120.0)
# Requests that change nothing are sent again where the server is busy or restarts.
RETRIES = Retry(
    total=3,
    read=0,
    backoff_factor=0.3,
    respect_retry_after_header=False,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=("GET",),
    raise_on_status=False,
)
# What the server, or a proxy, answers while it can't work. 500 may be a locked SQLite.
BUSY, BROKEN = 429, 500
TOKEN = r"[!-~]+"


class Server:
    """A Label Studio server."""

    def __init__(self, url: str, token_env: str = TOKEN_ENV) -> None:
        """Nothing is sent yet.

        url (str): its address, such as "http://localhost:8080".
        token_env (str): the environment variable with a token of a user, of either kind: a legacy
            token, or a personal one, which is exchanged for short-lived ones.
        RAISES (SeqMixError): S781 for what is no address, S782 where the variable is not set.
        """
        self.url, self.token_env = url.rstrip("/"), token_env
        if not self.url.startswith(("http://", "https://")):
            reason = "the address does not begin with http:// or https://"
            raise SeqMixFileError(Errors.E781.format(url=url, reason=reason))
        self._token = os.environ.get(token_env, "").strip()
        if not self._token:
            raise self._refused(f"the environment variable {token_env} is not set")
        if not re.fullmatch(TOKEN, self._token):  # it must not come into a message
            raise self._refused(f"{token_env} has characters that no token has")
        self._session = requests.Session()
        adapter = HTTPAdapter(max_retries=RETRIES)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._is_personal = self._token.count(".") == 2
        self._header = "" if self._is_personal else f"Token {self._token}"
        self._session.auth = self._authorised  # else requests would take passwords of ~/.netrc

    def get(self, path: str, **params: Any) -> Any:
        """Ask for JSON. RAISES (SeqMixError): see ``request``."""
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any, **params: Any) -> Any:
        """Send JSON, get JSON. It is never sent twice. RAISES (SeqMixError): see ``request``."""
        return self.request("POST", path, params=params, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change an object. RAISES (SeqMixError): see ``request``."""
        return self.request("PATCH", path, json=body)

    def request(self, method: str, path: str, **given: Any) -> Any:
        """Send a request.

        RAISES (SeqMixFileError): S781 where the server can't be reached, or is busy.
        RAISES (SeqMixError): S782 for a token that is refused, S783 for what is no Label Studio,
            S784 for what is not there, S786 for another refusal.
        """
        if not self._header:
            self._refresh()
        answer = self._send(method, path, **given)
        if answer.status_code == 401 and self._is_personal:  # the short-lived token has expired
            self._refresh()
            answer = self._send(method, path, **given)
        return self._read(answer, path)

    def _send(self, method: str, path: str, **given: Any) -> requests.Response:
        try:
            return self._session.request(
                method, f"{self.url}/api/{path}", timeout=TIMEOUT, allow_redirects=False, **given
            )
        except requests.RequestException as err:
            text = Errors.E781.format(url=self.url, reason=describe(err))
            raise SeqMixFileError(text) from err

    def _refresh(self) -> None:
        """Get a short-lived token for the personal one."""
        self._header = ""
        answer = self._send("POST", "token/refresh/", json={"refresh": self._token})
        if answer.status_code in (400, 401, 403):
            raise self._refused(f"the token of {self.token_env} is refused: {_detail(answer)}")
        with expected(self):
            self._header = f"Bearer {self._read(answer, 'token/refresh/')['access']}"

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request

    def _read(self, answer: requests.Response, path: str) -> Any:
        status = answer.status_code
        if status == BUSY or status >= BROKEN:
            reason = f"it answers with status {status}"
            raise SeqMixFileError(Errors.E781.format(url=self.url, reason=reason))
        if 300 <= status < 400:
            reason = f"it leads to {answer.headers.get('location')}"
            raise SeqMixError(Errors.E783.format(url=self.url, reason=reason))
        if status == 204:
            return None
        try:
            value = answer.json()
        except ValueError as err:
            reason = f"its answer to /api/{path} is no JSON (status {status})"
            raise SeqMixError(Errors.E783.format(url=self.url, reason=reason)) from err
        if status in (401, 403):
            raise self._refused(f"the token of {self.token_env} is refused: {_detail(answer)}")
        if status == 404:
            text = Errors.E784.format(url=self.url, what=f"/api/{path}", detail=_detail(answer))
            raise SeqMixError(text)
        if status >= 400:
            text = Errors.E786.format(
                url=self.url, what=f"/api/{path}", status=status, detail=_detail(answer)
            )
            raise SeqMixError(text)
        return value

    def _refused(self, reason: str) -> SeqMixError:
        return SeqMixError(Errors.E782.format(url=self.url, reason=reason, env=self.token_env))


@contextmanager
def expected(server: Server) -> Iterator[None]:
    """Take values out of an answer. RAISES (SeqMixError): S783 where it has another form."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as err:
        reason = f"its answers have another form than those of Label Studio ({describe(err)})"
        raise SeqMixError(Errors.E783.format(url=server.url, reason=reason)) from err


def _detail(answer: requests.Response) -> str:
    """What an answer says is wrong."""
    try:
        found = answer.json()
    except ValueError:
        return f"status {answer.status_code}"
    if not isinstance(found, dict):
        return str(found)[:200]
    detail = str(found.get("detail") or f"status {answer.status_code}")
    problems = found.get("validation_errors")
    return f"{detail} {problems}"[:400] if problems else detail[:400].removesuffix(".")
