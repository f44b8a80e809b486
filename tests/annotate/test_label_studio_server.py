"""Requests to a server that does what it should not; for the real one see tests/label_studio."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from spacy_seqmix.annotate.label_studio import server as server_module
from spacy_seqmix.annotate.label_studio.project import take_project
from spacy_seqmix.annotate.label_studio.server import Server
from spacy_seqmix.errors import SeqMixError

TOKEN = "0123456789abcdef"


class Fake:
    """A server with one answer to everything, or one for each path.

    headers (list): those of the requests.
    """

    def __init__(self) -> None:
        self.status, self.body, self.kind = 200, b"{}", "application/json"
        self.paths: dict[str, Any] = {}
        self.location = ""
        self.seconds = 0.0
        self.headers: list[dict[str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.headers.append(dict(self.headers))
                time.sleep(fake.seconds)
                path = self.path.split("?")[0]
                body = json.dumps(fake.paths[path]).encode() if path in fake.paths else fake.body
                self.send_response(fake.status)
                self.send_header("Content-Type", fake.kind)
                self.send_header("Content-Length", str(len(body)))
                if fake.location:
                    self.send_header("Location", fake.location)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", TOKEN)
    made = Fake()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "kind", "body", "code", "text"),
    [
        (500, "application/json", b'{"detail": "database is locked"}', "S781", "status 500"),
        (500, "text/html", b"<html>", "S781", "status 500"),
        (503, "text/html", b"", "S781", "status 503"),
        (429, "application/json", b"{}", "S781", "status 429"),
        (200, "text/html", b"<html>", "S783", "no JSON"),
        (403, "text/html", b"<html>", "S783", "no JSON"),
        (403, "application/json", b'{"detail": "no rights"}', "S782", "no rights"),
        (401, "application/json", b'{"detail": "Invalid token."}', "S782", "Invalid token."),
        (404, "application/json", b'{"detail": "Not found."}', "S784", "Not found."),
        (400, "application/json", b'{"detail": "Bad", "validation_errors": {"a": 1}}', "S786", "a"),
        (400, "application/json", b"[1]", "S786", "1"),
        (302, "text/html", b"", "S783", "https://elsewhere"),
    ],
)
def test_label_studio_server_says_what_is_wrong(fake, status, kind, body, code, text):
    fake.status, fake.kind, fake.body = status, kind, body
    fake.location = "https://elsewhere" if status == 302 else ""
    server = Server(fake.url + "/")
    with pytest.raises(SeqMixError, match=code) as error:
        server.post("projects/1/import", [])
    assert text in str(error.value)
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize(
    "paths",
    [
        {"/api/version": []},
        {"/api/version": {"release": "1.23.2"}, "/api/projects/7/": {}},
        {"/api/version": {"release": "1.23.2"}, "/api/projects/7/": [1]},
        {"/api/version": {"release": "1.23.2"}, "/api/projects/": {"count": 1}},
        {"/api/version": {"release": "1.23.2"}, "/api/projects/": {"count": 1, "results": [3]}},
    ],
)
def test_label_studio_server_with_answers_of_another_form(fake, paths):
    fake.paths = paths
    name = "a title" if "/api/projects/" in paths else 7
    with pytest.raises(SeqMixError, match="S783"):
        take_project(Server(fake.url), name)


def test_label_studio_server_of_another_version(fake):
    xml = '<Labels name="l" toName="t"><Label value="A"/></Labels><Text name="t" value="$x"/>'
    xml = f"<View>{xml}</View>"
    fake.paths = {
        "/api/version": {"release": "2.0.0"},
        "/api/projects/7/": {"id": 7, "label_config": xml},
    }
    with pytest.warns(UserWarning, match=r"W780.* the version 2\.0\.0"):
        project = take_project(Server(fake.url), " 7 ")
    assert (project.id, project.interface.key) == (7, "x")


@pytest.mark.parametrize("token", ["two\nlines", "ending with dots…", "a b"])
def test_label_studio_tokens_are_never_shown(monkeypatch, token):
    monkeypatch.setenv("MINE", token)
    with pytest.raises(
        SeqMixError, match=r"S782. .*MINE has characters that no token has"
    ) as error:
        Server("http://localhost:1", "MINE")
    assert token not in str(error.value)


def test_label_studio_server_gets_no_password_of_another(fake, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert Server(fake.url).get("version") == {}
    assert fake.headers[0]["Authorization"] == f"Token {TOKEN}"


def test_label_studio_server_that_is_slow(fake, monkeypatch):
    monkeypatch.setattr(server_module, "TIMEOUT", (5.0, 0.1))
    fake.seconds = 0.5
    with pytest.raises(SeqMixError, match=r"S781.*timed out"):
        Server(fake.url).post("x", {})
    assert len(fake.headers) == 1  # what changes something is never sent twice


def test_label_studio_server_that_is_not_there(monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", TOKEN)
    with pytest.raises(SeqMixError, match=r"S781.*Start it, or check the address"):
        Server("http://127.0.0.1:1").post("x", {})
    with pytest.raises(SeqMixError, match=r"S781.* does not begin with http"):
        Server("localhost:8080")
