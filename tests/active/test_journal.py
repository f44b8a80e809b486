"""The run folder."""

import errno
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from thinc.api import Config

import spacy_seqmix
from spacy_seqmix.active.journal import (
    RoundRecord,
    Scores,
    Seconds,
    end_of,
    is_whole,
    read_journal,
)
from spacy_seqmix.active.run_folder import RunFolder, disk_errors, locked
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.files import link_folder, replacing_folder
from spacy_seqmix.report.kept import unpacked

CONFIG = Config({"paths": {"a": "x"}, "active": {"n": 3, "list": [1, 2], "none": None}})
DIGESTS = {"pool": "12", "dev": "34"}
# The runs of each kept study.
RESULTS = Path(__file__).parents[2] / "docs" / "results"
KEPT = sorted(RESULTS.rglob("runs.jsonl"))


def changed(**values):
    return Config({"paths": {"a": "x"}, "active": {**CONFIG["active"], **values}})


def record(number, value=0.5):
    scores = {"dev": Scores(ents_p=value, ents_r=value, ents_f=value)}
    return RoundRecord(
        round=number,
        queried=[number],
        n_labelled=1,
        n_mixed=0,
        steps=2,
        scores=scores,
        seconds=Seconds(train=0.1),
    )


def contents(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def test_journal_new_folder(folder):
    assert folder.open(CONFIG, DIGESTS) == []
    assert Config().from_disk(folder.config) == CONFIG
    records = []
    folder.append(records, record(0, value=0.1))
    folder.append(records, record(1, value=None))
    assert folder.read() == records == folder.open(CONFIG, DIGESTS)
    assert set(contents(folder.path)) == {"config.cfg", "inputs.json", "journal.jsonl"}


def test_journal_of_an_empty_folder(folder):
    folder.path.mkdir()
    assert folder.open(CONFIG, DIGESTS) == []


@pytest.mark.parametrize(
    ("config", "digests", "field"),
    [
        (changed(n=4), DIGESTS, "active.n."),
        (changed(n=4, list=[1]), DIGESTS, "active.list, active.n."),
        (changed(more=None), DIGESTS, "active.more."),
        (CONFIG, {**DIGESTS, "dev": "13"}, "sha256.dev."),
        (CONFIG, {**DIGESTS, "test": "13"}, "sha256.test."),
        (Config({"active": CONFIG["active"]}), DIGESTS, "paths.a."),
    ],
)
def test_journal_of_another_run_is_left_alone(folder, config, digests, field):
    folder.open(CONFIG, DIGESTS)
    folder.append([], record(0))
    before = contents(folder.path)
    with pytest.raises(ValueError, match=rf"S406.*differ: {field}"):
        folder.open(config, digests)
    assert contents(folder.path) == before


def test_journal_goes_on_with_another_way_to_read_answers(folder):
    """A new label comes up in mid-run."""

    def oracle(**values):
        return Config({**CONFIG, "active": {**CONFIG["active"], "oracle": values}})

    old = {"@misc": "x", "folder": "a", "labels": ["PER"], "cut": "snap"}
    folder.open(oracle(**old), DIGESTS)
    folder.append([], record(0))
    new = {**old, "labels": ["PER", "ORG"], "annotators": "bob", "cut": "refuse"}
    assert len(folder.open(oracle(**new, confirmed=True, overlap="refuse"), DIGESTS)) == 1
    with pytest.raises(ValueError, match=r"S406.*differ: active.oracle.folder\."):
        folder.open(oracle(**{**new, "folder": "b"}), DIGESTS)


def test_journal_in_a_folder_of_something_else(folder, tmp_path):
    folder.path.mkdir()
    (folder.path / ".folder.tmp").mkdir()
    for name in ("thesis.tex", ".notes.tmp"):
        (folder.path / name).write_text("x")
    with folder.lock(), pytest.raises(ValueError, match=r"S407.*not a run folder"):
        folder.open(CONFIG, DIGESTS)
    assert set(contents(folder.path)) == {"thesis.tex", ".notes.tmp"}
    assert (folder.path / ".folder.tmp").is_dir()
    file = RunFolder(folder.path / "thesis.tex")
    with pytest.raises(ValueError, match=r"S407.*it is a file"), file.lock():
        pass


@pytest.mark.parametrize("name", ["run ${paths.pool}", "a$b"])
def test_journal_in_a_folder_whose_name_is_a_variable(name, tmp_path):
    folder = RunFolder(tmp_path / name)
    with pytest.raises(ValueError, match=r"S407.*its name has a '\$'"), folder.lock():
        pass
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("kept", [[], ["inputs.json"]])
def test_journal_after_a_kill_at_the_very_beginning(folder, kept):
    folder.open(CONFIG, DIGESTS)
    whole = contents(folder.path)
    for file in folder.path.iterdir():
        if file.name not in kept:
            file.unlink()
    (folder.path / ".seqmix-0123456789abcdef.tmp").write_text("{")
    assert folder.open(CONFIG, DIGESTS) == []
    with folder.lock():
        pass
    assert contents(folder.path) == whole


def test_journal_leaves_files_to_the_process_that_runs(folder):
    folder.open(CONFIG, DIGESTS)
    with folder.lock():
        half_written = folder.path / ".journal.jsonl.123.tmp"
        half_written.write_text("{")
        other = RunFolder(folder.path)
        other.open(CONFIG, DIGESTS)
        with pytest.raises(ValueError, match="S412"), other.lock():
            pass
        assert half_written.exists()


LINE = record(0).line()
DAMAGED = {
    "half a line": f'{LINE}\n{{"rou',
    "no first round": LINE.replace('"round":0', '"round":1'),
    "a round twice": f"{LINE}\n{LINE}",
    "a negative round": LINE.replace('"round":0', '"round":-1'),
    "only a number": '{"round": 0}',
    "a list": "[]",
    "other fields": '{"n": 1}',
    "a negative doc": LINE.replace("[0]", "[-1]"),
    "a doc twice": LINE.replace("[0]", "[3,3]"),
    "an integer of 5,000 digits": LINE.replace("[0]", f"[{'9' * 5000}]"),
    "deep lists": "[" * 100_000,
    "half a character": LINE.replace('"dev"', '"\\ud800"'),
    "a zero byte": "\0",
    "another end": LINE[:-1] + ',"end":"tired"}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=list(DAMAGED))
def test_journal_damaged(folder, text):
    folder.open(CONFIG, DIGESTS)
    folder.journal.write_text(text)
    with pytest.raises(ValueError, match=r"S510.*run 'run'.*journal\.jsonl"):
        folder.open(CONFIG, DIGESTS)


def test_journal_of_another_version_warns(folder):
    folder.open(CONFIG, DIGESTS)
    known = json.loads(folder.inputs.read_text())
    assert known["version"] == spacy_seqmix.__version__
    folder.inputs.write_text(json.dumps({**known, "version": "0.0.9"}))
    with pytest.warns(UserWarning, match=r"W403\] Version 0\.0\.9"):
        folder.open(CONFIG, DIGESTS)
    del known["version"]  # of the time before it was written
    folder.inputs.write_text(json.dumps(known))
    folder.open(CONFIG, DIGESTS)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"config": 1, "sha256": 2}', "[" * 100_000, "9" * 5000]
)
def test_journal_inputs_damaged(folder, text):
    folder.open(CONFIG, DIGESTS)
    folder.inputs.write_text(text)
    with pytest.raises(ValueError, match=r"S407.*inputs\.json"):
        folder.open(CONFIG, DIGESTS)


def write_round(folder, number):
    files = [folder.mixed(number), folder.rejected(number), folder.parents(number)]
    for file in (*files, folder.model(number) / "meta.json", folder.work / "x"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


@pytest.mark.parametrize(("keep", "kept"), [("last", [2]), ("all", [0, 1, 2])])
def test_journal_tidy(folder, keep, kept):
    for number in range(3):
        write_round(folder, number)
        folder.tidy(number, keep)
        folder.tidy(number, keep)
        assert folder.last_model.resolve() == folder.model(number).resolve()
    assert [n for n in range(3) if folder.model(n).exists()] == kept
    assert all(folder.mixed(n).exists() for n in range(3))
    assert not folder.work.exists()


def test_journal_discard_leaves_what_was_before(folder):
    folder.open(CONFIG, DIGESTS)
    write_round(folder, 0)
    shutil.rmtree(folder.work)
    before = contents(folder.path)
    write_round(folder, 1)
    folder.discard(1)
    assert contents(folder.path) == before
    folder.discard(0)
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_link_folder_leads_to_the_last_target(tmp_path, monkeypatch, links):
    def refuse(self, *args, **kwargs):
        raise OSError(1, "no links here")

    link, targets = tmp_path / "model-last", [tmp_path / "models" / name for name in "abc"]
    for target in targets:
        target.mkdir(parents=True)
        (target / "name").write_text(target.name)
    for target in (*targets, targets[2]):
        if not links and target == targets[1]:  # after a link come copies
            monkeypatch.setattr(Path, "symlink_to", refuse)
        link_folder(link, target)
        assert (link / "name").read_text() == target.name
    assert [(target / "name").read_text() for target in targets] == ["a", "b", "c"]
    assert link.is_symlink() is links
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-last", "models"]
    shutil.move(tmp_path, moved := tmp_path.with_name("moved"))
    assert (moved / "model-last" / "name").read_text() == "c"


def test_replacing_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "models" / "a"
    with replacing_folder(path) as temporary:
        (temporary / "x").write_text("1")
        assert not path.exists()
    with pytest.raises(RuntimeError), replacing_folder(path) as temporary:
        (temporary / "x").write_text("2")
        raise RuntimeError
    assert [p.name for p in path.parent.iterdir()] == ["a"]
    assert (path / "x").read_text() == "1"
    with replacing_folder(path) as temporary:
        (temporary / "y").write_text("3")
    assert contents(path) == {"y": b"3"}


def test_disk_errors_get_a_code():
    with pytest.raises(OSError, match=r"S411.*No space left"), disk_errors():
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match=r"^\[S220\]"), disk_errors():
        raise OSError("[S220] ...")


def test_journal_folder_is_locked_while_it_is_run(tmp_path):
    folder, other = RunFolder(tmp_path), RunFolder(tmp_path)
    with folder.lock():
        with pytest.raises(ValueError, match="S412"), other.lock():
            pass
        assert other.open(Config(), {}) == []  # the lock is no content
    assert not (tmp_path / "lock.tmp").exists()
    with other.lock():
        pass


def test_journal_keeps_what_was_set(folder):
    folder.open(CONFIG, DIGESTS)
    folder.append([], record(0))
    line = json.loads(folder.journal.read_text())
    assert set(line) == {"round", "queried", "n_labelled", "n_mixed", "steps", "scores", "seconds"}
    assert line["seconds"] == {"train": 0.1}
    (back,) = read_journal(folder.journal)
    assert (back, back.line()) == (record(0), folder.journal.read_text().strip())
    assert back.score("dev") == 0.5
    assert back.score("test") is None
    with pytest.raises(ValueError, match="frozen"):
        back.steps = 3


def test_journal_labels_may_hold_line_separators(folder):
    folder.open(CONFIG, DIGESTS)
    scores = {"ents_p": 1.0, "ents_r": 1.0, "ents_f": 1.0, "confusion": [("A\u2028B", "", 1)]}
    folder.append([], record(0).model_copy(update={"scores": {"dev": Scores(**scores)}}))
    assert folder.read()[0].scores["dev"].confusion == [("A\u2028B", "", 1)]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.parent.name)
def test_journal_of_kept_results_is_read(path):
    with unpacked(path) as given:
        places = [Path(one.split("=")[-1]) for one in given]
        found = [journal for place in places for journal in place.rglob("journal.jsonl")]
        assert found
        for journal in found:
            lines = journal.read_text("utf8").splitlines()
            records = read_journal(journal)
            assert [r.queried for r in records] == [json.loads(x)["queried"] for x in lines]


def test_journal_whole_has_all_rounds_or_says_why_not():
    records = [record(0), record(1)]
    assert not is_whole([], 0)
    assert is_whole(records, 1)
    assert not is_whole(records, 2)
    records[1] = records[1].model_copy(update={"end": "pool exhausted"})
    assert is_whole(records, 2)
    assert [end_of(*given) for given in ((1, 1, [4]), (1, 2, []), (1, 2, [4]), (2, 2, []))] == [
        *("rounds finished", "pool exhausted", None, "rounds finished")
    ]


WITHOUT_FLOCK = """
import errno, fcntl, os, signal, sys, warnings
from pathlib import Path
from spacy_seqmix.active.run_folder import locked

def flock(*given):
    raise OSError(errno.ENOSYS, "not of this file system")

fcntl.flock, folder = flock, Path(sys.argv[1])
warnings.simplefilter("ignore")
pid = os.fork()
if pid == 0:
    with locked(folder):
        os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
with locked(folder):
    try:
        with locked(folder):
            pass
    except ValueError as err:
        print(err.code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_locked_folder_of_a_file_system_without_locks(tmp_path):
    """A process that was killed has it no more; one that runs has it."""
    command = [sys.executable, "-c", WITHOUT_FLOCK, str(tmp_path)]
    assert subprocess.check_output(command, text=True, timeout=120) == "S412\n"


def test_locked_folder_says_which_process_has_it(tmp_path):
    with locked(tmp_path / "new"):
        who = rf"process {os.getpid()} on {re.escape(platform.node())} runs"
        with pytest.raises(SeqMixError, match=who) as caught, locked(tmp_path / "new"):
            pass
        assert caught.value.code == "S412"
    (tmp_path / "lock.tmp").write_text("process 1 on a machine that was switched off")
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock.tmp").read_text("utf8")
    (tmp_path / "file").write_text("")
    with pytest.raises(SeqMixError) as caught, locked(tmp_path / "file"):
        pytest.fail("it is no folder")
    assert caught.value.code == "S411"
