"""`spacy seqmix serve`, as a real server calls it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import spacy

from spacy_seqmix.annotate.label_studio.interface import interface_xml

from .conftest import LabelStudio
from .people import mark, submit, tasks_of

pytestmark = pytest.mark.slow

KEY = "a-secret-of-the-tests"
TEXTS = ["👩‍🚀 Ana left Oslo.", "Nobody came.", "قال Ana نعم"]
SECONDS = 120.0


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a backend that finds Ana. It has a folder of a run, for webhooks."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Ana"}])  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "model")
    monkeypatch.setenv("BACKEND_KEY", KEY)
    command = ["serve", str(tmp_path / "model"), "--port", "0", "--key-env", "BACKEND_KEY"]
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "spacy", "seqmix", *command], stdout=file, stderr=file
        )
    try:
        until = time.monotonic() + SECONDS
        while (line := next((one for one in _words(log) if one.endswith(KEY)), "")) == "":
            assert process.poll() is None, log.read_text("utf8")
            assert time.monotonic() < until, log.read_text("utf8")
            time.sleep(0.1)
        yield line
    finally:
        process.terminate()
        process.wait()


def _words(log: Path) -> list[str]:
    return log.read_text("utf8").split()


def test_label_studio_takes_suggestions_of_the_backend(studio: LabelStudio, backend: str) -> None:
    given = {"title": "with a backend", "label_config": interface_xml(["PER"])}
    project = studio.call("POST", "projects/", json=given)["id"]
    tasks = [{"data": {"text": text}} for text in TEXTS]
    studio.call("POST", f"projects/{project}/import", json=tasks)
    wrong = {"project": project, "url": backend[:-1], "title": "wrong key"}
    with pytest.raises(requests.HTTPError):
        studio.call("POST", "ml/", json=wrong)
    made = studio.call("POST", "ml/", json={"project": project, "url": backend, "title": "ours"})
    assert made["state"] == "CO"
    chosen = {"selectedItems": {"all": True, "excluded": []}}
    params = {"id": "retrieve_tasks_predictions", "project": project}
    studio.call("POST", "dm/actions", params=params, json=chosen)
    found = studio.call("GET", "tasks", params={"project": project, "fields": "all"})["tasks"]
    shown = {
        task["data"]["text"]: [
            one["value"]["start"] for p in task["predictions"] for one in p["result"]
        ]
        for task in found
    }
    assert shown == {TEXTS[0]: [TEXTS[0].index("Ana")], TEXTS[1]: [], TEXTS[2]: [4]}
    assert [len(task["predictions"]) for task in found] == [1, 1, 1]
    # Its webhook has the key, too, and is no obstacle to what people do.
    (hook,) = studio.call("GET", "webhooks/", params={"project": project})
    assert hook["url"] == f"{backend}/webhook"
    submit(studio, tasks_of(studio, project)[TEXTS[0]], [mark(TEXTS[0], "Ana", "PER")])
