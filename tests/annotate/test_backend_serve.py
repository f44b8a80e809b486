"""The command that serves the backend: its address, its secret, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from spacy_seqmix.active.journal import WAITING_EXIT_CODE
from spacy_seqmix.annotate import page
from spacy_seqmix.annotate.backend.serve import serve
from spacy_seqmix.annotate.backend.settings import BackendFolder, new_key
from spacy_seqmix.cli import app
from spacy_seqmix.errors import SeqMixError

from ..processes import is_running
from .backends import new_run, request
from .test_page_process import wait_for

CNN = Path(page.__file__).parents[1] / "configs" / "cnn.cfg"
CONFIG = """
[active]
extends = {extends}
pool = {pool}
n_seed = 4
n_query = 2
max_steps = 2

[active.oracle]
@misc = "spacy-seqmix.Files.v1"
format = "jsonl"
"""


def code_of(function, *args, **kwargs):
    with pytest.raises(SeqMixError) as caught:
        function(*args, **kwargs)
    return caught.value.code


def test_backend_keeps_the_key_of_a_run(tmp_path):
    folder = BackendFolder(tmp_path / "run")
    key = folder.key()
    assert re.fullmatch(r"[\w-]{32}", key)
    assert folder.key() == key
    assert stat.S_IMODE(folder.settings.stat().st_mode) == 0o600
    assert BackendFolder(tmp_path / "other").key() != key


@pytest.mark.parametrize("content", ["", "{}", '{"key": "short"}', '{"key": "a/secret/of/16"}'])
def test_backend_says_that_its_settings_are_damaged(tmp_path, content):
    folder = BackendFolder(tmp_path)
    folder.path.mkdir()
    folder.settings.write_text(content, "utf8")
    assert code_of(folder.key) == "S600"


def test_backend_takes_a_key_from_the_environment(monkeypatch):
    monkeypatch.setenv("LS_KEY", "abcdefgh-IJKL_0123")
    assert new_key("LS_KEY") == "abcdefgh-IJKL_0123"
    for wrong in ("", "short", "with/slash/0123456789", "with space 0123456789"):
        monkeypatch.setenv("LS_KEY", wrong)
        assert code_of(new_key, "LS_KEY") == "S792"
    assert code_of(new_key, "NO_SUCH_VARIABLE") == "S792"
    assert len({new_key() for _ in range(3)}) == 3


def test_backend_trains_only_runs_that_ask_somebody(tmp_path, learned):
    assert code_of(serve, str(learned), port=0, train=[]) == "S790"
    run = new_run(tmp_path / "run")
    assert code_of(serve, str(run.path), port=0, train=[]) == "S790"
    run.config.write_text("[active]\nn_seed = 3\n", "utf8")
    assert code_of(serve, str(run.path), port=0, train=[]) == "S790"
    assert not BackendFolder(run.path).path.exists()


def invoke(*args):
    result = CliRunner().invoke(app, ["serve", *map(str, args)])
    assert result.exit_code == 1
    return " ".join(result.output.split())


def test_backend_command_says_what_is_wrong(tmp_path, learned, monkeypatch):
    assert "[S791]" in invoke(tmp_path)
    assert "[S790]" in invoke(learned, "--train")
    assert "[S792]" in invoke(learned, "--port", 0, "--key-env", "NO_SUCH_VARIABLE")
    run = new_run(tmp_path / "run")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert f"[S687] Can't serve at 127.0.0.1:{number}" in invoke(run.path, "--port", number)
    assert not BackendFolder(run.path).path.exists()
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'spacy-seqmix[annotate]'" in invoke(learned)


class Running:
    """A server in a process of its own.

    client (Client): asks at the address that it has printed.
    """

    def __init__(self, process, log):
        self.process, self.log = process, log
        self.address = wait_for(lambda: re.search(r"http://\S+", log.read_text("utf8")))[0]
        self.client = httpx.Client(base_url=self.address, timeout=60)

    def version(self):
        return self.client.post("/setup", json={}).json()["model_version"]


@contextmanager
def running(tmp_path, *options, **env):
    command = [sys.executable, "-m", "spacy", "seqmix", "serve", *map(str, options), "--port", "0"]
    log = tmp_path / "serve.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **env}
        ) as process,
    ):
        try:
            one = Running(process, log)
            yield one
            one.client.close()
        finally:
            process.kill()


@pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")
def test_backend_command_serves_a_pipeline_until_it_is_told_to_end(tmp_path, learned):
    options = (learned, "--key-env", "LS_KEY")
    with running(tmp_path, *options, LS_KEY="a-key-of-the-environment") as one:
        assert one.address.endswith("/a-key-of-the-environment")
        assert one.client.get("/health").json()["status"] == "UP"
        wait_for(lambda: one.version() != "no-model")
        (entry,) = one.client.post("/predict", json=request("Omar Haddad left.")).json()["results"]
        assert entry["result"][0]["value"]["labels"] == ["PER"]
        assert httpx.get(f"{one.address}x/health").status_code == 404
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(60) == 0
    shown = " ".join(one.log.read_text("utf8").split())
    assert "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false" in shown
    assert "URL resolves to a reserved network address" in shown
    assert "has ended" in shown and "Traceback" not in shown


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")
def test_backend_command_trains_beside(tmp_path):
    """A run that waits for people goes on; its first pipeline answers as soon as there is one."""
    names = ("Anna", "Omar", "Peter", "Maria", "Lucy", "Ruth", "Nils", "Ana")
    texts = [f"{name} left on day {n}." for n, name in enumerate(names)]
    (tmp_path / "texts.txt").write_text("\n".join(texts), "utf8")
    extends = os.path.relpath(CNN, tmp_path)
    config, run_dir = tmp_path / "config.cfg", tmp_path / "run"
    paths = {"extends": json.dumps(extends), "pool": json.dumps(str(tmp_path / "texts.txt"))}
    config.write_text(CONFIG.format(**paths), "utf8")
    command = [sys.executable, "-m", "spacy", "seqmix", "active", str(config), str(run_dir)]
    assert subprocess.run(command).returncode == WAITING_EXIT_CODE
    with running(tmp_path, run_dir, "--train") as one:
        assert one.version() == "no-model"
        process = int(re.search(r"process (\d+)", wait_for(lambda: lock(run_dir)))[1])
        answer = one.client.post("/webhook", json={"action": "START_TRAINING"})
        assert answer.json() == {"message": "The training runs."}
        lines = (run_dir / "tasks" / "round-00.jsonl").read_text("utf8").splitlines()
        asked = [json.loads(line) for line in lines]
        for row in asked:
            end = row["text"].index(" ")
            row |= {"state": "labelled", "spans": [{"start": 0, "end": end, "label": "PER"}]}
        done = "".join(json.dumps(row) + "\n" for row in asked)
        (run_dir / "tasks" / "answers" / "done.jsonl").write_text(done, "utf8")
        wait_for(lambda: one.version() == "round-00")
        (entry,) = one.client.post("/predict", json=request(texts[0])).json()["results"]
        assert entry["model_version"] == "round-00"
        assert is_running(process)
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(60) == 0
    assert not is_running(process)
    assert not re.search(r"\[[SW]\d+\]|Traceback", one.log.read_text("utf8"))


def lock(run_dir):
    path = run_dir / "lock.tmp"
    return path.read_text("utf8") if path.exists() else ""
