"""What the backend answers to Label Studio."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

import pytest
import spacy
import uvicorn
from spacy.language import Language
from spacy.tokens import Span

from spacy_seqmix.active.asked import Asked, AskedHeader, AskedText
from spacy_seqmix.annotate.backend.app import make_app
from spacy_seqmix.annotate.training import Training
from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.query.suggestions import predict
from spacy_seqmix.types import Task

from .backends import (
    KEY,
    Server,
    add_round,
    found,
    interface,
    new_run,
    request,
)

ROME = "Anna Lindqvist and Omar Haddad met in Turin."


@pytest.fixture
def server(learned):
    """The small pipeline is served."""
    server = Server(learned)
    server.models.look()
    return server


@Language.component("backend_weather")
def weather(doc):
    """Fails for some texts, and knows one relation."""
    if "storm" in doc.text:
        raise RuntimeError("too windy")
    if len(doc) > 3:
        doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "ORG"), Span(doc, 3, 4, "LOC")]
        pairs = (((0, 1), (2, 3), "leads"), ((2, 3), (0, 1), "pays"), ((0, 1), (3, 4), "leads"))
        relations.put(doc, [Relation(*one, prob) for one, prob in zip(pairs, P, strict=True)])
    return doc


P = (0.75, 0.5, 0.25)


@pytest.fixture
def rules(tmp_path):
    """A pipeline without probabilities of its own, but with relations."""
    nlp = spacy.blank("en")
    nlp.add_pipe("backend_weather")
    nlp.meta["name"], nlp.meta["version"] = "weather", "1.2.3"
    nlp.to_disk(tmp_path / "weather")
    server = Server(tmp_path / "weather")
    server.models.look()
    return server


def test_backend_says_that_it_is_there_before_there_is_a_model(tmp_path):
    server = Server(new_run(tmp_path / "run").path)
    server.models.look()
    for path in ("/health", "/"):
        answer = server.client.get(path)
        assert answer.json() == {"status": "UP", "model_class": "spacy-seqmix"}
    sent = {"project": "1.2", "schema": interface(), "hostname": "h", "access_token": "t"}
    assert server.client.post("/setup", json=sent).json() == {"model_version": "no-model"}
    assert server.client.get("/versions").json() == {"versions": ["no-model"]}
    entry = {"result": [], "score": 0.0, "model_version": "no-model"}
    assert server.predict(ROME, "", 3) == [entry] * 3
    assert server.messages == []


def test_backend_suggests_what_the_pipeline_predicts(server, learned):
    nlp = spacy.load(learned)
    text = "👩‍🚀 Peter Novak left Port Said.\r\n\tMaria dos Santos beat Lucy Grey."
    ((_, wanted),) = predict(nlp, None, [nlp.make_doc(text)], words=True)
    assert wanted.suggestions
    (entry,) = server.predict(text)
    assert found(entry) == [(span.text, span.label_) for span in wanted.doc.ents]
    for n, (one, span) in enumerate(zip(entry["result"], wanted.suggestions, strict=True)):
        value = one["value"]
        assert text[value["start"] : value["end"]] == value["text"]
        assert one == {
            "id": f"s{n}",
            "from_name": "tags",
            "to_name": "words",
            "type": "labels",
            "value": value,
            "score": span.confidence,
        }
    assert entry["score"] == wanted.certainty <= min(s.confidence for s in wanted.suggestions)
    assert entry["model_version"] == "en_pipeline-0.0.0"


def test_backend_gives_each_task_its_own_entry(server):
    texts = [ROME, "Nobody came.", "", "  \n ", None, 5, ROME, "\ud800", "x" * 60_000]
    body = request(*texts)
    body["tasks"] += [{"id": 1}, {"id": 2, "data": []}, "task", None]
    answer = server.client.post("/predict", content=json.dumps(body))
    entries = answer.json()["results"]
    assert len(entries) == len(texts) + 4
    assert entries[0] == entries[6] == server.predict(ROME)[0]
    assert found(entries[0])
    assert {entry["model_version"] for entry in entries} == {"en_pipeline-0.0.0"}
    assert entries[1]["result"] == [] and 0 < entries[1]["score"] <= 1
    for number in (2, 3, 4, 5, 7, 8, 9, 10, 11, 12):
        assert (entries[number]["result"], entries[number]["score"]) == ([], 1.0)
    assert server.codes() == ["W790"]
    assert "2 texts" in server.messages[0] and "task 14" in server.messages[0]


def test_backend_keeps_the_order_over_many_batches(server):
    texts = [ROME + " It rained." * (n % 7) for n in range(70)]
    entries = server.predict(*texts)
    single = {text: server.predict(text)[0]["score"] for text in texts[:7]}
    for text, entry in zip(texts, entries, strict=True):
        assert entry["score"] == pytest.approx(single[text], abs=1e-4)


def test_backend_goes_on_where_the_pipeline_fails(rules):
    entries = rules.predict("Ann met storm Acme", "Ann leads Acme Rome", "storm")
    assert [len(entry["result"]) for entry in entries] == [0, 3, 0]
    assert [entry["score"] for entry in entries] == [1.0, 0.25, 1.0]
    assert rules.codes().count("W790") == 1
    assert "too windy" in next(m for m in rules.messages if "W790" in m)
    rules.predict("Ann met storm Acme", "Ann leads Acme Rome", "storm")
    assert rules.codes().count("W790") == 1


def test_backend_suggests_relations_that_the_interface_has(rules):
    more = '<Relations><Relation value="leads"/></Relations>'
    (entry,) = rules.predict("Ann leads Acme Rome", config=interface("PER", "ORG", more=more))
    assert entry["model_version"] == "en_weather-1.2.3"
    *regions, relation = entry["result"]
    assert [one["id"] for one in regions] == ["s0", "s1"]
    assert not any("score" in one for one in regions)
    assert relation == {
        "from_id": "s0",
        "to_id": "s1",
        "type": "relation",
        "direction": "right",
        "labels": ["leads"],
        "score": 0.75,
    }
    assert rules.codes() == ["W791", "W791"]
    rules.predict("Bob leads Bolt Rome", config=interface("PER", "ORG", more=more))
    shown = "".join(rules.messages)
    assert len(rules.messages) == 2
    assert "'LOC'" in shown and "'pays'" in shown and "<Relations>" in shown


def test_backend_has_no_score_without_probabilities(rules):
    assert [entry["score"] for entry in rules.predict("A b", "C")] == [None, None]


def test_backend_uses_the_names_of_the_interface(server):
    config = interface("PER", name="ner", text="t", key="body")
    answer = server.client.post("/predict", json=request(ROME, config=config, key="body"))
    (entry,) = answer.json()["results"]
    assert {one["value"]["labels"][0] for one in entry["result"]} == {"PER"}
    assert {(one["from_name"], one["to_name"]) for one in entry["result"]} == {("ner", "t")}
    assert server.codes() == ["W791"]


@pytest.mark.parametrize("config", ["<View/>", "<View", None, 5])
def test_backend_warns_of_an_interface_that_has_no_labels(server, config):
    body = {**request(ROME, "Two."), "label_config": config}
    for _ in range(2):
        entries = server.client.post("/predict", json=body).json()["results"]
        assert entries == [{"result": [], "score": 0.0, "model_version": "en_pipeline-0.0.0"}] * 2
    assert server.codes() == ["S793"]


def test_backend_validates_an_interface(server):
    assert server.client.post("/validate", json={"config": interface()}).json() == {"valid": True}
    wrong = server.client.post("/validate", json={"config": "<View/>"})
    assert wrong.status_code == 400
    assert "[S793]" in wrong.json()["message"]


def test_backend_answers_while_a_person_annotates(server):
    body = request(ROME)
    body["params"]["context"] = {"result": [{"type": "labels", "value": {"start": 0}}]}
    assert server.client.post("/predict", json=body).json()["results"] == server.predict(ROME)


def test_backend_gives_no_suggestions_for_texts_that_measure(tmp_path, learned):
    run = new_run(tmp_path / "run")
    add_round(run, 0, learned)
    doc = spacy.blank("en")(ROME)
    lines = [AskedText.of(Task(f"{n}-k", doc), n, dev=n == 1, reserve=False) for n in range(3)]
    Asked(AskedHeader(round=1, n=3, policy="random"), tuple(lines)).write(run.asked)
    server = Server(run.path)
    server.models.look()
    body = request(ROME, ROME, ROME)
    for n, task in enumerate(body["tasks"]):
        task["data"]["seqmix_key"] = f"{n}-k"
    entries = server.client.post("/predict", json=body).json()["results"]
    assert entries[1] == {"result": [], "score": 0.0, "model_version": "round-00"}
    assert found(entries[0]) and entries[0] == entries[2]
    # An earlier round has set aside the third text.
    scores = {"ents_p": 0.5, "ents_r": 0.5, "ents_f": 0.5}
    record = {"round": 0, "queried": [2, 4], "held_out": [2], "n_labelled": 1, "n_mixed": 0}
    record |= {"steps": 1, "scores": {"dev": scores}}
    record |= {"seconds": dict.fromkeys(("query", "mix", "train", "evaluate"), 1.0)}
    run.journal.write_text(json.dumps(record) + "\n", "utf8")
    entries = server.client.post("/predict", json=body).json()["results"]
    assert [bool(one["result"]) for one in entries] == [True, False, False]


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook", "/validate"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'"a"'])
def test_backend_answers_bad_json(server, path, content):
    answer = server.client.post(path, content=content)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text and len(answer.text) < 300


@pytest.mark.parametrize("body", [{}, {"tasks": None}, {"tasks": {"a": 1}}, {"tasks": "abc"}])
def test_backend_needs_tasks(server, body):
    answer = server.client.post("/predict", json=body)
    assert (answer.status_code, answer.json()) == (400, {"message": '"tasks" is no list'})


def test_backend_never_shows_a_traceback(server, monkeypatch):
    monkeypatch.setattr(server.backend, "predict", lambda body, gone: 1 / 0)
    answer = server.client.post("/predict", json=request(ROME))
    assert answer.status_code == 500
    assert "division" not in answer.text and "Traceback" not in answer.text
    assert server.messages == ["/predict: ZeroDivisionError: division by zero"]


def test_backend_limits_bodies(server, monkeypatch):
    monkeypatch.setattr("spacy_seqmix.annotate.backend.guard.MAX_BODY", 5000)
    assert server.client.post("/predict", content=b" " * 5001).status_code == 413
    assert server.client.post("/setup", content=b'{"a":"%s"}' % (b" " * 4900)).status_code == 200

    def chunks():
        for _ in range(10):
            yield b" " * 1000

    for path in ("/predict", "/webhook", "/setup"):
        assert server.client.post(path, content=chunks()).status_code == 413


@pytest.mark.parametrize(
    "prefix", ["", "/", "/wrong", f"/{KEY[:-1]}", f"/{KEY}x", f"/x/{KEY}", "/é", f"/{KEY.upper()}"]
)
def test_backend_needs_the_key(server, prefix):
    for path in ("/health", "/versions"):
        assert server.anyone.get(prefix + path).status_code == 404
    for path in ("/predict", "/webhook", "/setup", "/train"):
        answer = server.anyone.post(prefix + path, json={})
        assert answer.status_code == 404
        assert answer.text == "The address lacks the key that the terminal shows."
    assert server.anyone.get(f"/{KEY}/health").status_code == 200


def test_backend_has_no_other_addresses(server):
    assert server.client.get("/serve.json").status_code == 404
    assert server.client.get("/../serve.json").status_code == 404
    assert server.client.get("/predict").status_code == 405


def nudged_at(run):
    path = run.path / "label-studio" / "nudged"
    return path.stat().st_mtime_ns if path.exists() else None


@pytest.mark.parametrize(
    ("action", "news"),
    [
        ("ANNOTATION_CREATED", True),
        ("ANNOTATION_UPDATED", True),
        ("ANNOTATIONS_DELETED", True),
        ("TASKS_CREATED", True),
        ("PROJECT_UPDATED", True),
        ("LABEL_LINK_CREATED", False),
        ("START_TRAINING", False),
        ("", False),
    ],
)
def test_backend_passes_on_what_people_do(tmp_path, action, news):
    run = new_run(tmp_path / "run")
    server = Server(run.path)
    body = {"action": action, "annotation": {"id": 3}, "project": {"id": 1}}
    assert server.client.post("/webhook", json=body).status_code == 200
    first = nudged_at(run)
    assert (first is not None) == news
    time.sleep(0.01)
    server.client.post("/webhook", json=body)
    assert not news or nudged_at(run) > first


def test_backend_of_a_pipeline_passes_on_nothing(server, learned):
    before = sorted(learned.rglob("*"))
    assert server.client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200
    assert sorted(learned.rglob("*")) == before


def test_backend_logs_that_it_can_not_write(tmp_path):
    run = new_run(tmp_path / "run")
    (run.path / "label-studio").write_text("a file", "utf8")
    server = Server(run.path)
    for _ in range(2):
        body = {"action": "ANNOTATION_CREATED"}
        assert server.client.post("/webhook", json=body).status_code == 200
    assert server.codes() == ["S411"]


def test_backend_says_that_it_does_not_train(server):
    for answer in (
        server.client.post("/webhook", json={"action": "START_TRAINING", "project": {}}),
        server.client.post("/train", json={"annotations": []}),
    ):
        assert answer.status_code == 200
        assert "--train" in answer.json()["message"]


def test_backend_trains_again_once_the_training_has_ended(tmp_path):
    run = new_run(tmp_path / "run")
    training = Training(run.config, run.path, log=tmp_path / "log")
    assert training.log == tmp_path / "log"
    training.command = [sys.executable, "-c", "raise SystemExit('[S999] no memory')"]
    server = Server(run.path, training)
    server.webhooks.watch()
    assert server.messages == []
    for _ in range(2):
        answer = server.client.post("/webhook", json={"action": "START_TRAINING"})
        assert answer.json() == {"message": "The training starts."}
        wait_for(lambda: not training.is_alive)
        server.webhooks.watch()
        server.webhooks.watch()
    assert server.codes() == ["W793", "W793"]
    assert "[S999] no memory" in server.messages[0] and str(training.log) in server.messages[0]
    training.command = [sys.executable, "-c", "import time; time.sleep(60)"]
    server.client.post("/train", json={})
    since = training.since
    answer = server.client.post("/webhook", json={"action": "START_TRAINING"})
    assert answer.json() == {"message": "The training runs."}
    assert (training.is_alive, training.since) == (True, since)
    training.stop()


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_backend_answers_the_rest_while_it_predicts(server, monkeypatch):
    """Four long predictions, and one that waits for them, leave threads for everything else."""
    go_on = threading.Event()
    ended = []

    def predict(*_):
        go_on.wait(20)
        ended.append(1)
        return {"results": []}

    monkeypatch.setattr(server.backend, "predict", predict)
    # One event loop for all, as there is in the server.
    with server.client as client:
        sent = [
            threading.Thread(target=client.post, args=("/predict",), kwargs={"json": {}})
            for _ in range(50)
        ]
        for thread in sent:
            thread.start()
        assert client.get("/health").status_code == 200
        assert client.post("/setup", json={}).status_code == 200
        assert client.post("/webhook", json={"action": "TASKS_CREATED"}).status_code == 200
        assert not ended  # the predictions wait for this test, or for twenty seconds
        go_on.set()
        for thread in sent:
            thread.join()


def test_backend_ends_in_the_middle_of_a_prediction(server):
    server.backend.ended.set()
    assert server.client.post("/predict", json=request(ROME)).status_code == 503


def test_backend_ends_a_prediction_that_nobody_waits_for(server, monkeypatch):
    began, ended = threading.Event(), threading.Event()

    def predict(body, gone):
        began.set()
        if gone.wait(20):
            ended.set()
        return {"results": []}

    monkeypatch.setattr(server.backend, "predict", predict)
    config = uvicorn.Config(make_app(server.backend, KEY), log_level="error", lifespan="off")
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with socket.create_connection(listener.getsockname()) as client:
            head = f"POST /{KEY}/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
            client.sendall(head.encode() + b"{}")
            assert began.wait(20)
            assert not ended.is_set()
        assert ended.wait(20)
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


def test_backend_lets_one_request_after_the_other_use_the_pipeline(server, monkeypatch):
    wanted = server.predict(ROME)
    inside, most = [], []

    def slowly(*args, **kwargs):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        yield from predict(*args, **kwargs)
        inside.pop()

    monkeypatch.setattr("spacy_seqmix.annotate.backend.suggesting.predict", slowly)
    with server.client as client:
        answers = []

        def ask():
            answers.append(client.post("/predict", json=request(ROME)).json()["results"])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [wanted] * 8
    assert most == [1] * 8
