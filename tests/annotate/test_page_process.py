"""The command as a person runs it: the page and the training, killed and ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from spacy_seqmix.annotate.page.folder import PageFolder

from ..processes import is_running

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX"),
]
OPTIONS = ["--active.n_seed", "4", "--active.n_query", "4", "--active.max_steps", "2"]
SECONDS = 120


class Page:
    """A server that runs, and a client that has its link."""

    def __init__(self, process, link):
        self.process = process
        base, _, token = link.partition("?token=")
        self.client = httpx.Client(base_url=base, headers={"x-seqmix-token": token}, timeout=30)

    def ask(self, name, **body):
        return self.client.post(f"/api/{name}", json=body).raise_for_status().json()

    def texts(self, n):
        """The next texts, as soon as there are any."""
        return wait_for(lambda: self.ask("texts", tab="tab", holds=[], wanted=n)["texts"])

    def answer(self, text, number):
        fields = {name: text[name] for name in ("key", "text", "tokens", "round")}
        spans = [{"start": 0, "end": text["tokens"][0][1], "label": "PER"}]
        self.ask("answer", **fields, id=f"answer-{number:04d}", state="labelled", spans=spans)

    def child(self):
        """The process that trains."""
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{entry}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == self.process.pid:
                    return int(entry)
        raise AssertionError("no training")


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)
    return found


@contextmanager
def running(run_dir, *options):
    command = [sys.executable, "-m", "spacy", "seqmix", "annotate", str(run_dir), "--no-browser"]
    log = run_dir.with_suffix(".log")
    with (
        log.open("wb") as file,
        subprocess.Popen([*command, *options], stdout=file, stderr=subprocess.STDOUT) as process,
    ):
        try:
            link = wait_for(lambda: re.search(r"http://\S+", log.read_text("utf8")))[0]
            page = Page(process, link)
            yield page
            page.client.close()
        finally:
            process.kill()


def test_page_process_survives_a_kill_and_ends_in_order(tmp_path):
    texts, run_dir = tmp_path / "texts.txt", tmp_path / "run"
    lines = [f"Anna Nr {i} left on day {i}." for i in range(12)]
    texts.write_text("\n".join(lines), "utf8")
    options = ["--texts", str(texts), "--labels", "PER", "--fast", *OPTIONS]
    with running(run_dir, *options) as page:
        first = page.texts(4)
        for number, text in enumerate(first):
            page.answer(text, number)
        wait_for((run_dir / "models" / "round-00" / "meta.json").exists)
        suggested = wait_for(lambda: [t for t in page.texts(4) if t["suggestions"] is not None])
        page.answer(suggested[0], 4)
        child = page.child()
        again = subprocess.run(
            [sys.executable, "-m", "spacy", "seqmix", "annotate", str(run_dir)],
            capture_output=True,
            text=True,
        )
        assert again.returncode != 0
        assert "[S412]" in again.stdout + again.stderr
        page.process.kill()
        wait_for(lambda: not is_running(child))
    path = PageFolder(run_dir).path / "answers.jsonl"
    keys = [json.loads(line)["key"] for line in path.read_text("utf8").splitlines()]
    assert keys == [text["key"] for text in (*first, suggested[0])]
    with running(run_dir, "--labels", "PER,ORG") as page:
        assert page.ask("state")["labels"] == ["PER", "ORG"]
        assert not {text["key"] for text in page.texts(8)} & set(keys)
        wait_for(lambda: page.ask("state")["batch"]["round"] == 1)
        assert page.ask("state")["batch"]["labelled"] == 1
    # However the server is told to end, it ends well.
    for number, sent in enumerate((signal.SIGHUP, signal.SIGTERM, signal.SIGINT), start=5):
        with running(run_dir) as page:
            child = page.child()
            late = page.texts(1)[0]
            page.answer(late, number)
            page.process.send_signal(sent)
            assert page.process.wait(SECONDS) == 0
            assert not is_running(child)
        keys.append(late["key"])
        lines = (run_dir / "answers.jsonl").read_text("utf8").splitlines()
        assert {json.loads(line)["key"] for line in lines} == set(keys)
        assert "To go on" in run_dir.with_suffix(".log").read_text("utf8")
