"""A backend over a folder, without a socket, and what Label Studio sends to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spacy_seqmix.active.run_folder import RunFolder
from spacy_seqmix.annotate.backend.app import Backend, make_app
from spacy_seqmix.annotate.backend.log import Log
from spacy_seqmix.annotate.backend.models import Models, Source
from spacy_seqmix.annotate.backend.settings import BackendFolder
from spacy_seqmix.annotate.backend.webhooks import Webhooks
from spacy_seqmix.annotate.training import Training
from spacy_seqmix.files import link_folder

testclient = pytest.importorskip("starlette.testclient", reason="starlette is not installed")
KEY = "a-secret-of-the-address"
HOST = "http://127.0.0.1:9090"
LABELS = ("PER", "ORG", "LOC", "MISC")


def interface(
    *labels: str, name: str = "tags", text: str = "words", key: str = "text", more: str = ""
) -> str:
    """A labelling interface."""
    shown = "".join(f'<Label value="{label}"/>' for label in labels or LABELS)
    return (
        f'<View><Labels name="{name}" toName="{text}">{shown}</Labels>{more}'
        f'<Text name="{text}" value="${key}"/></View>'
    )


def request(*texts: object, config: str | None = None, key: str = "text") -> dict[str, object]:
    """What is sent to /predict."""
    tasks = [{"id": 7 + n, "data": {key: text}, "project": 1} for n, text in enumerate(texts)]
    return {
        "tasks": tasks,
        "project": "1.1764444000",
        "label_config": interface() if config is None else config,
        "params": {"login": None, "password": None, "context": None},
    }


def new_run(path: Path) -> RunFolder:
    """A run that has begun, without a model."""
    path.mkdir(parents=True)
    run = RunFolder(path)
    run.inputs.write_text("{}", "utf8")
    return run


def add_round(run: RunFolder, number: int, pipeline: Path) -> None:
    """End a round, as the loop does."""
    shutil.copytree(pipeline, run.model(number))
    link_folder(run.last_model, run.model(number))


class Server:
    """A backend whose pipelines are looked for when a test says so.

    messages (list[str]): what it logs.
    """

    def __init__(self, name: Path | str, training: Training | None = None) -> None:
        self.messages: list[str] = []
        log = Log(self.messages.append)
        source = Source(str(name))
        folder = None if source.run is None else BackendFolder(source.run.path)
        self.models = Models(source, log)
        self.webhooks = Webhooks(folder, training, log)
        self.backend = Backend(self.models, self.webhooks, log, source.run)
        app = make_app(self.backend, KEY)
        self.anyone = testclient.TestClient(app, base_url=HOST, raise_server_exceptions=False)
        self.client = testclient.TestClient(
            app, base_url=f"{HOST}/{KEY}", raise_server_exceptions=False
        )

    def predict(self, *texts: object, **options: str) -> list[dict[str, object]]:
        """The predictions of texts."""
        answer = self.client.post("/predict", json=request(*texts, **options))
        assert answer.status_code == 200, answer.text
        results: list[dict[str, object]] = answer.json()["results"]
        return results

    def codes(self) -> list[str]:
        """The codes of what was logged."""
        return [message[1:5] for message in self.messages]


def found(entry: dict[str, object]) -> list[tuple[str, str]]:
    """The words and labels of a prediction's entities."""
    regions = [one for one in entry["result"] if one["type"] == "labels"]  # type: ignore[attr-defined]
    return [(one["value"]["text"], one["value"]["labels"][0]) for one in regions]
