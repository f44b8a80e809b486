"""`spacy seqmix active`: one coded message, an exit code, and a folder as good as before."""

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from spacy.language import Language
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.active.journal import LOCKED_EXIT_CODE, RoundRecord
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.active.run_folder import RunFolder
from spacy_seqmix.cli import active as active_cli
from spacy_seqmix.cli import app
from spacy_seqmix.cli.active import header_row, round_row
from spacy_seqmix.pipeline.ner import SeqMixNER

pytestmark = pytest.mark.usefixtures("encoders_once")


@pytest.fixture
def cli(files, tmp_path):
    """A function that runs the command with overrides, and gives exit code and output."""

    def run(*options, **overrides):
        values = {**files, "active.n_rounds": 1, **overrides}
        given = [x for name, value in values.items() for x in (f"--{name}", str(value))]
        args = ["active", str(tmp_path / "active.cfg"), str(tmp_path / "run"), *options, *given]
        result = CliRunner().invoke(app, args)
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.fixture
def run_dir(tmp_path):
    return tmp_path / "run"


def contents(path):
    files = [p for p in path.rglob("*") if p.is_file() and p.name != "lock.tmp"]
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in files}


def journal(path):
    records = [json.loads(line) for line in (path / "journal.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if not k.startswith("seconds")} for r in records]


def test_cli_says_that_the_pool_ran_out(cli):
    code, output = cli("-q", **{"active.n_query": 10, "active.n_rounds": 4})
    assert code == 0
    assert "The pool ran out: 2 rounds had nothing to query" in output


def test_cli_of_a_sweep_ends_with_its_standard_input(monkeypatch):
    """What stands in for a sweep's end of the pipe: some bytes, then nothing."""
    reads, ended = iter([b"x", b""]), []
    monkeypatch.setattr(active_cli.os, "read", lambda *args: next(reads))
    monkeypatch.setattr(active_cli.os, "_exit", ended.append)
    active_cli._end_with_input()
    assert ended == [1]
    assert next(reads, None) is None


@pytest.mark.parametrize("kind", ["seeds", "dropout"])
def test_cli_runs_a_committee(cli, run_dir, kind):
    committee = {"active.policy.@misc": "spacy-seqmix.QBC.v1", "active.committee.kind": kind}
    code, _ = cli("-q", **committee)
    assert code == 0
    assert [len(line["queried"]) for line in journal(run_dir)] == [8, 4]
    code, output = cli("-q", **{**committee, "active.committee.members": 1})
    assert code == 1
    assert "S402" in output
    assert "committee.members" in output


def test_cli_runs_and_goes_on(cli, run_dir):
    code, output = cli("-q")
    assert code == 0
    assert "Labelled" in output
    assert "model-last" in output.replace(" ", "")
    before = contents(run_dir)
    # how it is watched, and where it runs, is no part of what was asked for
    code, output = cli("--gpu-id", "-1")
    assert code == 0
    assert "after 2 finished rounds" in output
    assert contents(run_dir) == before
    code, output = cli("--quiet", **{"active.n_query": 5})
    assert code == 1
    assert "[S406]" in output
    assert "active.n_query" in output
    assert contents(run_dir) == before


def test_cli_without_mixing(cli, run_dir):
    assert cli("-q", **{"active.mixing": "null"})[0] == 0
    assert [r["n_mixed"] for r in journal(run_dir)] == [0, 0]


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"paths.pool": "nowhere.spacy"}, "S403"),
        ({"active.n_seed": 100}, "S404"),
        ({"active.n_sed": 100}, "S402"),
        ({"active.component": "tagger"}, "S408"),
        ({"nowhere.x": 1}, "S410"),
        ({"paths.encoder": "./nowhere"}, "S220"),
    ],
)
def test_cli_bad_input(cli, run_dir, overrides, code):
    status, output = cli("-q", **overrides)
    assert status == 1
    assert output.count("[S") == 1
    assert f"[{code}]" in output
    assert not run_dir.exists() or list(run_dir.iterdir()) == []
    assert cli("-q")[0] == 0


def test_cli_empty_docbin(cli, files, run_dir):
    dev = Path(files["paths.dev"])
    whole = dev.read_bytes()
    DocBin().to_disk(files["paths.dev"])
    status, output = cli("-q")
    assert (status, output.count("[S403]")) == (1, 1)
    assert not run_dir.exists()
    dev.write_bytes(whole)
    assert cli("-q")[0] == 0


def test_cli_component_without_probabilities(cli, ner_files, run_dir):
    parser = {"active.component": "ner", "components.ner.factory": "parser"}
    status, output = cli("-q", **parser)
    assert status == 1
    assert "[S401] 'ner' has no token probabilities" in output
    assert not run_dir.exists()


def full_disk(monkeypatch, owner, name, matches, after):
    """Let a function fail as a full disk does, from its nth matching call on."""
    original = getattr(owner, name)
    calls = []

    def wrapped(*args, **kwargs):
        if matches(args):
            calls.append(args)
            if len(calls) > after:
                raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapped)


def ends_with(name):
    return lambda args: str(args[1]).endswith(name)


@pytest.mark.parametrize(
    ("owner", "name", "matches", "after"),
    [
        (os, "replace", ends_with("inputs.json"), 0),
        (os, "replace", ends_with("round-00.spacy"), 0),
        (os, "replace", ends_with("round-01.spacy"), 0),
        (os, "replace", ends_with("train.spacy"), 1),
        (os, "replace", ends_with("models/round-01"), 0),
        (os, "replace", ends_with("journal.jsonl"), 1),
        (Language, "to_disk", lambda args: True, 1),
    ],
    ids=["inputs", "first mixed", "mixed", "corpus", "model", "journal", "pipeline"],
)
def test_cli_full_disk(cli, run_dir, monkeypatch, owner, name, matches, after):
    finished = []
    append = ActiveRun._round

    def remember(self, number, pause):
        finished.append(contents(run_dir))
        return append(self, number, pause)

    with monkeypatch.context() as patch:
        patch.setattr(ActiveRun, "_round", remember)
        full_disk(patch, owner, name, matches, after)
        status, output = cli("-q")
    assert status == 1
    assert "[S411]" in output
    assert "No space left on device" in output
    assert output.count("[S") == 1
    left = contents(run_dir)
    if len(finished) == 2:
        assert left == finished[1]  # as it was before the round that failed
        assert not list(run_dir.rglob("*.tmp"))
    else:
        assert left == {}
    assert cli("-q")[0] == 0
    assert [r["round"] for r in journal(run_dir)] == [0, 1]


def test_cli_nan_loss(cli, run_dir, monkeypatch):
    original = SeqMixNER.get_loss

    def get_loss(self, examples, scores):
        scores[0][:] = np.nan
        return original(self, examples, scores)

    with monkeypatch.context() as patch:
        patch.setattr(SeqMixNER, "get_loss", get_loss)
        status, output = cli("-q")
    assert status == 1
    assert output.count("[S") == 1
    assert "[S409]" in output
    assert contents(run_dir) == {}
    assert cli("-q")[0] == 0


def test_cli_help_shows_the_arguments():
    result = CliRunner().invoke(app, ["active", "--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ("CONFIG", "RUN_DIR", "--gpu-id", "--quiet"))


def test_cli_prints_each_round_at_once(cli, monkeypatch):
    """Also with --quiet, and a round that fails later takes nothing back."""
    whole = ActiveRun._round

    def second_fails(self, number, pause):
        if number == 1:
            raise OSError("no space left")
        return whole(self, number, pause)

    with monkeypatch.context() as patch:
        patch.setattr(ActiveRun, "_round", second_fails)
        status, output = cli("-q")
    assert status == 1
    header, first = output.index("Labelled"), output.index("8 of 8 docs eligible, ")
    assert header < first < output.index("no space left")
    assert re.search(r"8 of 8 docs eligible, \d+ candidates, 0 rejected, \d+ kept", output)
    status, output = cli("-q")
    assert status == 0
    assert output.count("Labelled") == 1
    assert output.count("docs eligible") == 2


def test_cli_exits_with_its_own_code_where_the_folder_is_locked(cli, run_dir):
    assert cli("-q")[0] == 0
    with RunFolder(run_dir).lock():
        status, output = cli("-q")
    assert (status, output.count("[S412]")) == (LOCKED_EXIT_CODE, 1)
    assert LOCKED_EXIT_CODE == 12


def test_cli_says_which_docs_dev_has():
    seconds = {"train": 61.4, "annotate": 3000.0}
    first = {"round": 0, "queried": [1], "n_labelled": 8, "n_mixed": 0, "steps": 4}
    few = RoundRecord(**first, scores={}, seconds=seconds, dev_docs=2)
    assert round_row(few).split() == ["0", "8", "0", "4", "-", "(2", "docs)", "-", "61"]
    assert header_row(few).split() == [
        *("Round", "Labelled", "Mixed", "Steps", "Dev", "F1", "Test", "F1", "Seconds")
    ]
    dev = {"dev": {"ents_p": 0.5, "ents_r": 0.5, "ents_f": 0.613}}
    many = RoundRecord(**first, scores=dev, seconds=seconds, dev_docs=34)
    assert round_row(many).split()[4:7] == ["61.3", "(34", "docs)"]
    of_file = RoundRecord(**first, scores=dev, seconds=seconds)
    assert round_row(of_file).split()[4:6] == ["61.3", "-"]


def test_cli_tells_of_a_dev_set_that_is_set_aside(cli):
    status, output = cli("-q", **{"active.dev": "null", "active.dev_min": 3})
    assert status == 0
    assert "Dev is set aside: docs drawn at random" in output
    assert "- (1 doc)" in output
