"""The page's server: who may use it, and what it answers."""

from __future__ import annotations

import pytest

from spacy_seqmix.annotate.page.app import make_app
from spacy_seqmix.annotate.page.progress import Progress
from spacy_seqmix.annotate.page.security import MAX_BODY

from .fake_loop import TEXTS, TOKEN, FakeLoop
from .test_page_desk import body

testclient = pytest.importorskip("starlette.testclient", reason="starlette is not installed")
HOST = "http://127.0.0.1:8642"
ORIGIN = {"origin": HOST}


@pytest.fixture
def loop(tmp_path):
    return FakeLoop(tmp_path / "run")


def client_of(loop, *, host="127.0.0.1", base=HOST):
    desk = loop.desk()
    progress = Progress(loop.run_dir, desk, identity="run", title="texts.txt")
    app = make_app(desk, progress, None, token=TOKEN, host=host, name="run")
    return testclient.TestClient(app, base_url=base, raise_server_exceptions=False)


@pytest.fixture
def client(loop):
    """A browser that has opened the link."""
    client = client_of(loop)
    assert client.get(f"/?token={TOKEN}").status_code == 200
    client.headers.update(ORIGIN)
    return client


def test_page_server_opens_with_the_link_alone(loop):
    client = client_of(loop)
    for path in ("/", "/page.js", "/?token=wrong", "/?token="):
        assert client.get(path).status_code == 403
    assert client.post("/api/state", json={}, headers=ORIGIN).status_code == 403
    opened = client.get(f"/?token={TOKEN}")
    assert "<title>" in opened.text
    cookie = opened.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict"))
    for path in ("/", "/page.js", "/page.css", "/text.js", "/icon.svg"):
        assert client.get(path).status_code == 200  # the cookie is enough by now


def test_page_server_takes_the_token_in_a_header(loop):
    client = client_of(loop)
    headers = {"x-seqmix-token": TOKEN}
    assert client.post("/api/state", json={}, headers=headers).status_code == 200
    headers = {"x-seqmix-token": TOKEN[:-1]}
    assert client.post("/api/state", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9", ""])
def test_page_server_refuses_other_sites(client, origin):
    given = client.post("/api/state", json={}, headers={"origin": origin})
    assert given.status_code == 403


def test_page_server_refuses_requests_from_nowhere(client):
    del client.headers["origin"]
    assert client.post("/api/state", json={}).status_code == 403
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", ""]
)
def test_page_server_refuses_other_hosts(client, host):
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1:1", "[::1]:8642", "LOCALHOST"])
def test_page_server_knows_its_own_names(client, host):
    del client.headers["origin"]
    assert client.get(f"/?token={TOKEN}", headers={"host": host}).status_code == 200


def test_page_server_for_others_takes_addresses_but_no_names(loop):
    client = client_of(loop, host="0.0.0.0", base="http://192.168.1.7:8642")
    assert client.get(f"/?token={TOKEN}").status_code == 200
    evil = client.get(f"/?token={TOKEN}", headers={"host": "evil.example:8642"})
    assert evil.status_code == 421


def test_page_server_limits_bodies(client):
    assert client.post("/api/answer", content=b" " * (MAX_BODY + 1)).status_code == 413

    def chunks():
        for _ in range(MAX_BODY // 2**16 + 2):
            yield b" " * 2**16

    assert client.post("/api/answer", content=chunks()).status_code == 413


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'"\\ud800"', b"[" * 100_000])
def test_page_server_answers_bad_json(client, content):
    assert client.post("/api/answer", content=content).status_code == 400


@pytest.mark.parametrize("name", ["state", "texts", "answer", "done", "labels", "release"])
@pytest.mark.parametrize("given", [{}, {"tab": [], "holds": 3, "wanted": "x", "skip": None}])
def test_page_server_answers_wrong_fields(client, name, given):
    assert client.post(f"/api/{name}", json=given).status_code in (200, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/asked.jsonl",
        "/page/answers.jsonl",
        "/../asked.jsonl",
        "/%2e%2e/journal.jsonl",
        "/page.js/../../x",
        "/settings.json",
        "/api/answer",
        "/index.html",
    ],
)
def test_page_server_has_no_files_of_the_run(client, path):
    assert client.get(path).status_code in (404, 405)


def test_page_server_lets_the_page_load_nothing_from_elsewhere(client):
    for answer in (client.get("/"), client.get("/page.css"), client.post("/api/state", json={})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert answer.headers["cache-control"] == "no-store"
    for name in ("", "page.css", "page.js", "text.js", "side.js", "outbox.js", "model.js"):
        text = client.get(f"/{name}").text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text
        assert "innerHTML" not in text


def test_page_server_gives_texts_and_keeps_answers(client, loop):
    given = client.post("/api/texts", json={"tab": "one", "holds": [], "wanted": 2}).json()["texts"]
    assert [text["text"] for text in given] == list(TEXTS[:2])
    assert given[0]["tokens"][0] == [0, 4]
    sent = body(loop, 0, [(0, 10, "PER")], who="Ada")
    for _ in range(2):
        assert client.post("/api/answer", json=sent).json() == {"id": sent["id"]}
    assert len(loop.answers()) == 1
    done = client.post("/api/done", json={}).json()
    assert done["count"] == 1
    assert done["answers"][0]["spans"] == [{"start": 0, "end": 10, "label": "PER"}]
    state = client.post("/api/state", json={"tab": "one"}).json()
    assert state["counts"] == {"labelled": 1, "empty": 0, "skipped": 0, "types": {"PER": 1}}
    assert state["batch"] == {"round": 0, "n": 6, "labelled": 1, "early": 0, "elsewhere": 0}


def test_page_server_says_what_is_wrong_with_an_answer(client, loop):
    wrong = client.post("/api/answer", json=body(loop, 0, [(0, 10, "DATE")]))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "S683")
    assert loop.answers() == []


def test_page_server_takes_nothing_from_the_page_of_another_run(client, loop):
    given = client.post("/api/answer", json={**body(loop), "run": "other"})
    assert (given.status_code, given.json()["code"]) == (409, "S692")
    assert client.post("/api/state", json={"run": "other"}).status_code == 409
    assert loop.answers() == []
    assert client.post("/api/answer", json={**body(loop), "run": "run"}).status_code == 200
    assert "run: shown" in client.get("/outbox.js").text


def test_page_server_says_that_the_disk_is_full(client, loop, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        given = client.post("/api/answer", json=body(loop))
    assert (given.status_code, given.json()["code"]) == (507, "S411")
    assert loop.answers() == []
    assert client.post("/api/answer", json=body(loop)).status_code == 200


def test_page_server_adds_labels(client, loop):
    state = client.post("/api/labels", json={"label": " DATE "}).json()
    assert state["labels"] == ["PER", "ORG", "LOC", "DATE"]
    again = client.post("/api/labels", json={"label": "DATE"})
    assert again.json()["labels"] == ["PER", "ORG", "LOC", "DATE"]
    assert client.post("/api/labels", json={"label": "\n"}).json()["code"] == "S680"
