"""kill -9 in every phase of a round: what is started again ends as if nothing had happened.

One process imports everything by a first run and forks a child for each case; the child kills
itself at the call that the case names.
"""

import json
import os
import signal
import subprocess
import sys

import pytest

from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.config import load_config

# case: what is called, on which call of it, and whether before it is done or after
CASES = {
    "before anything": ("os:replace:inputs.json", 1, "before"),
    "after inputs.json": ("os:replace:config.cfg", 1, "before"),
    "first training": ("spacy_seqmix.active.loop:fit", 1, "before"),
    "query": ("spacy_seqmix.active.loop:token_probs", 1, "before"),
    "annotate": ("spacy_seqmix.active.loop:Pool.take", 5, "before"),
    "mix": ("spacy_seqmix.active.loop:mix_docs", 2, "before"),
    "mixed docs half written": ("os:replace:round-01.spacy", 1, "before"),
    "mixed docs written": ("os:replace:round-01.spacy", 1, "after"),
    "train": ("spacy_seqmix.pipeline.ner:SeqMixNER.update", 6, "after"),
    "evaluate": ("spacy_seqmix.active.loop:evaluate", 2, "before"),
    "save": ("spacy.language:Language.to_disk", 2, "after"),
    "saved": ("os:replace:round-01", 1, "after"),
    "journal half written": ("os:replace:journal.jsonl", 2, "before"),
    "journal append": ("os:replace:journal.jsonl", 2, "after"),
    "tidy at the end": ("spacy_seqmix.active.journal:RunFolder.tidy", 2, "before"),
}

CHILDREN = """
import importlib, json, os, signal, sys
from pathlib import Path
from spacy_seqmix.active import loop
from spacy_seqmix.config import load_config

def kill_at(where, nth, when):
    module, path, *name = where.split(":")
    *owners, attribute = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    original = getattr(owner, attribute)
    calls = []

    def wrapped(*args, **kwargs):
        if not name or Path(args[1]).name == name[0]:
            calls.append(0)
        hit = len(calls) == nth and (not name or Path(args[1]).name == name[0])
        if hit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if hit:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, wrapped)

def run(name):
    config = load_config(Path(folder) / "active.cfg", overrides)
    loop.ActiveRun(config, Path(folder) / name, progress=False).run()

folder, overrides, cases = json.loads(sys.argv[1])
run("first")
ended = {}
for name, case in cases.items():
    pid = os.fork()
    if pid == 0:
        try:
            kill_at(*case)
            run(name)
        finally:
            os._exit(0)
    ended[name] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def overrides(folder, write_files):
    # every phase asks for the model: the table comes from the last round's pipeline
    source = "active.mixing.realiser.table.source"
    return {**write_files(folder), "active.n_rounds": 1, source: "pipeline"}


@pytest.fixture(scope="module")
def ended(folder, overrides):
    """How each of the processes ended that were to be killed."""
    asked = json.dumps([str(folder), overrides, CASES])
    # A process with threads can't be forked safely.
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILDREN, asked],
        env={**os.environ, **single, "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        timeout=900,  # a busy machine is slow, a hanging child is not seen otherwise
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def go_on(folder, overrides, encoders_once):
    """A function that starts a run (again) in this process."""

    def start(name):
        config = load_config(folder / "active.cfg", overrides)
        return ActiveRun(config, folder / name, progress=False).run()

    return start


@pytest.fixture(scope="module")
def uninterrupted(go_on, folder):
    go_on("uninterrupted")
    return folder / "uninterrupted"


def journal(path):
    records = [json.loads(line) for line in (path / "journal.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if not k.startswith("seconds")} for r in records]


def files(path):
    return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("case", CASES)
def test_kill_and_start_again(case, ended, go_on, uninterrupted, folder):
    assert ended[case] == -signal.SIGKILL
    path = folder / case
    finished = len(journal(path)) if (path / "journal.jsonl").exists() else 0
    assert finished == {"journal append": 2, "tidy at the end": 2}.get(
        case, 0 if case in list(CASES)[:3] else 1
    )
    go_on(case)
    assert journal(path) == journal(uninterrupted)
    assert files(path) == files(uninterrupted)
    for number in range(2):
        mixed = f"mixed/round-{number:02d}.spacy"
        assert (path / mixed).read_bytes() == (uninterrupted / mixed).read_bytes()
