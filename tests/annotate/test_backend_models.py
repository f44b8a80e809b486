"""Which pipeline answers, and when another one takes its place."""

import json
import shutil
import threading

import pytest
import spacy

from spacy_seqmix.annotate.backend.models import Source
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.files import link_folder
from spacy_seqmix.query.suggestions import predict

from .backends import Server, add_round, found, interface, new_run, request

TEXT = "Anna Lindqvist and Omar Haddad met in Turin."


@pytest.fixture
def ruled(tmp_path):
    """A pipeline that finds one city."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Turin"}])
    nlp.to_disk(tmp_path / "ruled")
    return tmp_path / "ruled"


def version(server):
    return server.client.post("/setup", json={"schema": interface()}).json()["model_version"]


def test_backend_models_change_with_the_rounds_of_a_run(tmp_path, learned, ruled):
    run = new_run(tmp_path / "run")
    server = Server(run.path)
    server.models.look()
    assert version(server) == "no-model"
    add_round(run, 0, ruled)
    assert version(server) == "no-model"
    server.models.look()
    assert version(server) == "round-00"
    first = server.models.current
    (entry,) = server.predict(TEXT)
    assert (found(entry), entry["model_version"]) == ([("Turin", "LOC")], "round-00")
    server.models.look()
    assert server.models.current is first
    add_round(run, 1, learned)
    run.remove_models(0)
    server.models.look()
    assert version(server) == "round-01"
    assert server.client.get("/versions").json() == {"versions": ["round-01"]}
    (entry,) = server.predict(TEXT)
    assert found(entry)[0] == ("Anna Lindqvist", "PER")
    assert entry["model_version"] == "round-01"
    assert server.messages == []


def test_backend_waits_for_the_first_model_but_not_too_long(tmp_path, ruled, monkeypatch):
    run = new_run(tmp_path / "run")
    add_round(run, 0, ruled)
    server = Server(run.path)
    monkeypatch.setattr("spacy_seqmix.annotate.backend.app.SETUP_SECONDS", 0.1)
    sent = {"project": "1.2", "schema": interface(), "hostname": "h", "access_token": "t"}
    assert server.client.post("/setup", json=sent).json() == {"model_version": "no-model"}
    threading.Timer(1.0, server.models.look).start()
    (entry,) = server.predict(TEXT)
    assert (found(entry), entry["model_version"]) == ([("Turin", "LOC")], "round-00")
    late = Server(run.path)
    monkeypatch.setattr("spacy_seqmix.annotate.backend.app.PREDICT_SECONDS", 0.1)
    assert late.predict(TEXT)[0]["model_version"] == "no-model"


def test_backend_models_never_mix_in_one_answer(tmp_path, learned, ruled, monkeypatch):
    run = new_run(tmp_path / "run")
    add_round(run, 0, ruled)
    server = Server(run.path)
    server.models.look()
    began, go_on = threading.Event(), threading.Event()

    def slowly(*args, **kwargs):
        began.set()
        assert go_on.wait(20)
        return predict(*args, **kwargs)

    monkeypatch.setattr("spacy_seqmix.annotate.backend.suggesting.predict", slowly)
    answers = []
    with server.client as client:

        def ask():
            answers.append(client.post("/predict", json=request(*[TEXT] * 70)).json()["results"])

        thread = threading.Thread(target=ask)
        thread.start()
        assert began.wait(20)
        add_round(run, 1, learned)
        server.models.look()
        assert version(server) == "round-01"
        go_on.set()
        thread.join()
    assert {entry["model_version"] for entry in answers[0]} == {"round-00"}
    assert {tuple(found(entry)) for entry in answers[0]} == {(("Turin", "LOC"),)}


def test_backend_models_stay_where_the_next_one_fails(tmp_path, learned, ruled):
    run = new_run(tmp_path / "run")
    add_round(run, 0, ruled)
    server = Server(run.path)
    server.models.look()
    add_round(run, 1, learned)
    (run.model(1) / "config.cfg").write_text("[nlp", "utf8")
    for _ in range(2):
        server.models.look()
    assert version(server) == "round-00"
    assert server.codes() == ["W792"]
    assert "round-01" in server.messages[0] and "(round-00)" in server.messages[0]
    add_round(run, 2, learned)
    server.models.look()
    assert (version(server), server.codes()) == ("round-02", ["W792"])


def test_backend_models_that_predict_nothing_are_not_used(tmp_path, learned, monkeypatch):
    run = new_run(tmp_path / "run")
    add_round(run, 0, learned)

    def broken(*args, **kwargs):
        raise RuntimeError("no weights")
        yield

    monkeypatch.setattr("spacy_seqmix.annotate.backend.models.predict", broken)
    server = Server(run.path)
    server.models.look()
    assert (version(server), server.codes()) == ("no-model", ["W792"])
    assert "RuntimeError: no weights" in server.messages[0]


def test_backend_models_that_are_removed_while_they_load_are_no_failure(
    tmp_path, learned, ruled, monkeypatch
):
    run = new_run(tmp_path / "run")
    add_round(run, 0, ruled)
    server = Server(run.path)
    load = server.models.source.load

    def removed(stamp):
        monkeypatch.setattr(server.models.source, "load", load)
        add_round(run, 1, learned)
        run.remove_models(0)
        return load(stamp)

    monkeypatch.setattr(server.models.source, "load", removed)
    server.models.look()
    assert (version(server), server.messages) == ("no-model", [])
    server.models.look()
    assert version(server) == "round-01"


def test_backend_models_know_their_round_where_links_can_not_be_had(tmp_path, learned):
    run = new_run(tmp_path / "run")
    shutil.copytree(learned, run.last_model)
    row = {"queried": [], "n_labelled": 1, "n_mixed": 0, "steps": 2, "scores": {}}
    row["seconds"] = {"train": 2.0}
    lines = [json.dumps({**row, "round": n}) for n in range(4)]
    run.journal.write_text("\n".join([*lines, ""]), "utf8")
    server = Server(run.path)
    server.models.look()
    assert version(server) == "round-03"


def test_backend_models_of_pipelines_have_their_name_and_version(tmp_path, learned):
    nlp = spacy.load(learned)
    nlp.meta["name"], nlp.meta["version"] = "news", "2.1.0"
    nlp.to_disk(tmp_path / "news")
    server = Server(tmp_path / "news")
    assert version(server) == "no-model"
    server.models.look()
    assert version(server) == "en_news-2.1.0"
    link_folder(tmp_path / "last", tmp_path / "news")
    assert Source(str(tmp_path / "last")).run is None


def test_backend_models_may_be_packages(monkeypatch, learned):
    monkeypatch.setattr(
        "spacy_seqmix.annotate.backend.models.is_package", lambda name: name == "en_news"
    )
    monkeypatch.setattr("spacy.util.is_package", lambda name: name == "en_news")
    monkeypatch.setattr("spacy.util.load_model_from_package", lambda *_, **__: spacy.load(learned))
    server = Server("en_news")
    server.models.look()
    assert version(server) == "en_pipeline-0.0.0"


@pytest.mark.parametrize("name", ["empty", "missing", "no_such_package"])
def test_backend_models_need_a_run_or_a_pipeline(tmp_path, name):
    (tmp_path / "empty").mkdir()
    given = name if "package" in name else str(tmp_path / name)
    with pytest.raises(SeqMixError) as caught:
        Source(given)
    assert caught.value.code == "S791"
