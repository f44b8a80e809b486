"""Sweeps that are run: resumed, with a run that fails, and refused."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar

import pytest
from catalogue import REGISTRY
from typer.testing import CliRunner

from spacy_seqmix.active.journal import LOCKED_EXIT_CODE
from spacy_seqmix.active.run_folder import RunFolder, locked
from spacy_seqmix.cli import app
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.parallel.workers import Lost
from spacy_seqmix.sweep import run as sweep_run
from spacy_seqmix.sweep.estimate import Trial, duration, seconds_of, some_docs, try_out
from spacy_seqmix.sweep.folder import OneRun, check_folder, known_arms, runs_of, write_arms
from spacy_seqmix.sweep.run import Runner, run_sweep

QUICK = {"active.n_rounds": 1, "active.max_steps": 2, "sweep.seeds": [0]}
MIXING = {
    "rate": 0.5,
    "strategy": {"@misc": "spacy-seqmix.MentionReplacement.v1"},
    "realiser": {"@misc": "spacy-seqmix.Interpolated.v1"},
}
SECTION = f"""
[sweep]
seeds = [0]

[sweep.grid]
active.mixing = [null, {json.dumps(MIXING)}]
active.pool_size = [20, 22]
"""


def journal(folder):
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if "seconds" not in k} for line in lines]


def command(config_path, out, *options, **values):
    given = [text for name, value in values.items() for text in (f"--{name}", json.dumps(value))]
    args = ["sweep", str(config_path), str(out), "-q", *options, *given]
    result = CliRunner().invoke(app, args)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.filterwarnings("ignore:.*W602")
def test_run_sweep_goes_on_after_a_run_that_failed(planned, tmp_path, capfd):
    out = tmp_path / "out"
    sweep = planned({**QUICK, "active.epochs": 1}, SECTION.replace("22]", "2200]"))
    failed = run_sweep(sweep, out, n_process=2, progress=False)
    assert [run.arm.name for run in failed] == [
        "mixing=null, pool_size=2200",
        runs_of(sweep, out)[3].arm.name,
    ]
    status = json.loads(failed[0].status_path.read_text())
    assert status["status"] == "failed"
    assert "[S404]" in status["error"]
    assert "[S404]" in failed[0].log.read_text()
    good = [run for run in runs_of(sweep, out) if run not in failed]
    assert all(run.is_done and len(journal(run.folder)) == 2 for run in good)
    # the same pool and the same seed set, whatever the arm
    assert len({tuple(journal(run.folder)[0]["queried"]) for run in good}) == 1
    assert not any((run.folder / "models").exists() for run in good)
    before = {run.arm.name: journal(run.folder) for run in good}
    times = [run.status_path.stat().st_mtime_ns for run in good]
    again = run_sweep(sweep, out, n_process=2, progress=False)
    assert again == failed  # once more, for nothing
    assert [run.status_path.stat().st_mtime_ns for run in good] == times
    assert {run.arm.name: journal(run.folder) for run in good} == before


def test_run_sweep_takes_the_steps_of_another_arm(planned, tmp_path):
    section = "[sweep]\nseeds = [0]\ncontrols = true\n"
    overrides = {"active.n_rounds": 1, "active.max_steps": None, "active.epochs": 1}
    sweep = planned({**overrides, "active.mixing.rate": 1.0}, section)
    assert run_sweep(sweep, tmp_path / "out", n_process=2, progress=False) == []
    steps = {
        run.arm.name: [record["steps"] for record in journal(run.folder)]
        for run in runs_of(sweep, tmp_path / "out")
    }
    assert steps["none at the steps of config"] == steps["config"] == steps["duplication"]
    assert steps["none"] == [2, 3]
    assert steps["config"][0] > 2


@pytest.mark.filterwarnings("ignore:.*W602")
def test_sweep_command(config_path, tmp_path, planned):
    planned(section=SECTION)
    code, output = command(config_path, tmp_path / "out", "--dry", **QUICK)
    assert code == 0, output
    assert output.split("Estimating")[0].count(f"Reading {config_path} and checking its arms") == 1
    assert "4 arms, 4 runs; 0 finished" in output
    assert "mixing=null, pool_size=20 1 0 2" in output
    assert re.search(r"About \d+ seconds? with 1 run at a time", output)
    values = {**QUICK, "active.n_rounds": 2, "active.n_query": [2, 3], "sweep.grid": {}}
    code, output = command(config_path, tmp_path / "out", "--dry", **values)
    assert code == 0, output
    assert not (tmp_path / "out").exists()
    values = {**QUICK, "sweep.grid": {}}
    code, output = command(config_path, tmp_path / "out", **values)
    assert code == 0, output
    assert re.search(r"config, seed 0: finished in [\d.]+ (second|minute)", output)
    assert "Finished: 1 of 1 run in" in output
    assert "1 new run took" in output
    # more seeds and arms are welcome, other settings are not
    changed = {**values, "active.n_query": 5}
    code, output = command(config_path, tmp_path / "out", **changed)
    assert code == 1
    assert "[S606]" in output
    assert "active.n_query" in output
    code, output = command(config_path, tmp_path, **QUICK)
    assert code == 1
    assert "[S607]" in output


def test_check_folder_takes_its_own_values(planned, tmp_path):
    numbers = {"active.mixing.rate": 1 / 3, "active.mixing.strategy.density": 0.6}
    section = "[sweep]\nseeds = [0]\n"
    sweep = planned({**QUICK, **numbers}, section)
    sweep.arms[0].config["training"]["dropout"] = 0.3
    (tmp_path / "out" / "config").mkdir(parents=True)
    write_arms(sweep, tmp_path / "out")
    check_folder(sweep, tmp_path / "out")
    with pytest.raises(ValueError, match=r"S606.*active\.n_query"):
        check_folder(planned({**QUICK, **numbers, "active.n_query": 5}), tmp_path / "out")
    (tmp_path / "out" / "config").rmdir()  # as that message advises
    check_folder(planned({**QUICK, **numbers, "active.n_query": 5}), tmp_path / "out")


def test_check_folder_takes_values_that_are_written_otherwise(planned, tmp_path):
    sweep = planned({**QUICK, "active.mixing.rate": 0.25}, "[sweep]\nseeds = [0]\n")
    (tmp_path / "out" / "config").mkdir(parents=True)
    write_arms(sweep, tmp_path / "out")
    active = sweep.arms[0].config["active"]
    active["epochs"] = 0.25
    active["mixing"]["rate"] = "${active.epochs}"
    with pytest.raises(ValueError, match=r"arm 'config' with other settings: active\.epochs\."):
        check_folder(sweep, tmp_path / "out")


def test_write_arms_keeps_earlier_arms_and_seeds(planned, tmp_path):
    for arm in ("one", "two"):
        (tmp_path / "out" / arm).mkdir(parents=True)
    for seeds, arm in (([0, 1], "one"), ([2], "two")):
        sweep = planned(
            QUICK | {"sweep.seeds": seeds},
            f"[sweep]\nseeds = []\n[sweep.arms]\n\n[sweep.arms.{arm}]\n",
        )
        write_arms(sweep, tmp_path / "out")
    arms = {arm.name: arm.seeds for arm in known_arms(tmp_path / "out").arms}
    assert arms == {"one": (0, 1), "two": (2,)}


def test_finish_tells_interrupted_runs_from_failed_ones(planned, tmp_path):
    sweep = planned({**QUICK, "active.max_steps": None}, "[sweep]\nseeds = [0]\ncontrols = true\n")
    run = next(run for run in runs_of(sweep, tmp_path) if run.arm.steps_of)
    failed: Future[bool] = Future()
    failed.set_result(False)
    runner = Runner()
    runner.stop.set()
    assert not runner.finish(run, failed)
    assert not run.status_path.exists()
    assert not Runner().finish(run, failed)
    assert "whose steps it takes" in run.status_path.read_text()


def test_config_of_takes_the_steps_of_a_run_that_ended_early(planned, tmp_path):
    overrides = {**QUICK, "active.max_steps": None, "active.n_rounds": 3}
    sweep = planned(overrides, "[sweep]\nseeds = [0]\ncontrols = true\n")
    run = next(run for run in runs_of(sweep, tmp_path) if run.arm.steps_of)
    (tmp_path / "config" / "seed-0").mkdir(parents=True)
    one = {"queried": [], "n_labelled": 1, "n_mixed": 0, "scores": {}, "seconds": {}}
    rounds = [{"round": n, "steps": 5 + n, **one} for n in range(2)]
    journal = tmp_path / "config" / "seed-0" / "journal.jsonl"
    journal.write_text("\n".join(map(json.dumps, rounds)))
    with pytest.raises(
        SeqMixError, match=r"'config' with seed 0, which has 2 rounds of 4"
    ) as caught:
        run.config()
    assert caught.value.code == "S590"
    rounds[-1]["end"] = "pool exhausted"
    journal.write_text("\n".join(map(json.dumps, rounds)))
    assert run.config()["active"]["max_steps"] == [5, 6, 6, 6]
    journal.write_text("{")
    assert not Runner().finish(run, None)
    assert "S510" in run.status_path.read_text()


@pytest.mark.parametrize("content", ["{", "[]", '{"arms": [{"name": 1}]}'])
def test_run_sweep_refuses_a_damaged_folder(planned, tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sweep.json").write_text(content)
    with pytest.raises(ValueError, match="S522"):
        run_sweep(planned(QUICK), tmp_path / "out", progress=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sweep.json"]


def test_run_sweep_reports_each_run_as_it_ends(planned, tmp_path, monkeypatch, capfd):
    process = type("Process", (Ended,), {"returncode": 0, "commands": [], "n_rounds": 2})
    monkeypatch.setattr(subprocess, "Popen", process)
    sweep = planned(
        {**QUICK, "active.mixing": None, "sweep.seeds": [0, 1]}, "[sweep]\nseeds = []\n"
    )
    ended = []
    for _ in range(2):  # the second time all are finished
        assert run_sweep(sweep, tmp_path / "out", on_end=ended.append) == []
        assert sorted(run.seed for run in ended) == [0, 1]
    assert capfd.readouterr().err == ""  # a bar is for terminals


@pytest.mark.parametrize(
    ("n_process", "users", "wanted"), [(1, None, "6"), (4, None, "1"), (2, "5", "5")]
)
def test_run_sweep_shares_the_cores(planned, tmp_path, monkeypatch, n_process, users, wanted):
    seen = []

    class Process(Ended):
        returncode, commands, n_rounds = 0, [], 2

        def __init__(self, command, stdout, env, **kwargs):
            seen.append(env["OMP_NUM_THREADS"])
            super().__init__(command, stdout)

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(sweep_run, "cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if users is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", users)
    sweep = planned({**QUICK, "active.mixing": None, "sweep.seeds": [0]}, "[sweep]\nseeds = []\n")
    assert run_sweep(sweep, tmp_path / "out", n_process=n_process, progress=False) == []
    assert seen == [wanted]


@pytest.mark.parametrize("obeys", [True, False])
def test_run_sweep_that_is_terminated_ends_its_runs(planned, tmp_path, monkeypatch, obeys):
    started, ended = threading.Event(), threading.Event()

    class Process:
        returncode = None

        def __init__(self, *args, **kwargs):
            started.set()

        def poll(self):
            return 0 if ended.is_set() else None

        def terminate(self):
            if obeys:
                ended.set()

        def wait(self, timeout=None):
            if not ended.is_set():
                raise subprocess.TimeoutExpired("active", timeout)

        def kill(self):
            ended.set()

    def follow(*args):
        assert started.wait(60)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(sweep_run, "_follow", follow)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        run_sweep(planned(QUICK), tmp_path / "out", progress=False)
    assert ended.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
    assert not list(tmp_path.glob("out/*/seed-*.json"))  # they are neither done nor failed


def test_run_sweep_does_not_record_a_run_that_another_process_has(planned, tmp_path):
    sweep = planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n")
    (run,) = runs_of(sweep, tmp_path / "out")
    run.folder.mkdir(parents=True)
    write_arms(sweep, tmp_path / "out")
    with RunFolder(run.folder).lock():
        assert run_sweep(sweep, tmp_path / "out", progress=False) == [run]
    assert "S412" in run.log.read_text()
    assert not run.status_path.exists()
    assert run_sweep(sweep, tmp_path / "out", progress=False) == []


def test_run_sweep_refuses_the_folder_of_another_arm(planned, tmp_path):
    section = "[sweep]\nseeds = [0]\n[sweep.arms]\n[sweep.arms.{}]\nactive.mixing.rate = {}\n"
    before = planned(QUICK, section.format("rate 40 %", 0.4))
    write_arms(before, tmp_path)
    (tmp_path / before.arms[0].folder).mkdir()
    with pytest.raises(ValueError, match=r"S604\] The arms 'rate 40 %' and 'Rate 40'"):
        check_folder(planned(QUICK, section.format("Rate 40", 0.8)), tmp_path)


def test_run_sweep_refuses_a_folder_whose_name_is_a_variable(planned, tmp_path):
    sweep = planned(QUICK, "[sweep]\nseeds = [0]\n")
    with pytest.raises(ValueError, match=r"S607.*its name has a '\$'"):
        check_folder(sweep, tmp_path / "out ${x}")


def test_run_sweep_records_what_nobody_expected(planned, tmp_path, monkeypatch):
    def config_of(run):
        if run.seed == 0:
            raise KeyError("steps")
        raise ValueError("the other")

    monkeypatch.setattr(OneRun, "config", config_of)
    sweep = planned({"active.mixing": None}, "[sweep]\nseeds = [0, 1]\n")
    failed = run_sweep(sweep, tmp_path / "out", progress=False)
    assert [run.error for run in failed] == ["KeyError('steps')", "the other"]


@pytest.mark.parametrize("content", ["{", "[]", '{"x": 1}'])
def test_run_with_a_damaged_status_is_not_done(planned, tmp_path, content):
    (run,) = runs_of(planned({"active.mixing": None}, "[sweep]\nseeds = [0]\n"), tmp_path)
    run.status_path.parent.mkdir()
    run.status_path.write_text(content)
    assert not run.is_done
    assert run.error == ""


class Ended:
    """A process that has ended with a line in its log, and some rounds in its journal."""

    commands: ClassVar[list[list[str]]] = []
    said = b"a doc has [S412] in its text"
    n_rounds = 0

    def __init__(self, command, stdout, **kwargs):
        self.commands.append(command)
        stdout.write(self.said)
        one = {
            "queried": [],
            "n_labelled": 1,
            "n_mixed": 0,
            "steps": 2,
            "scores": {},
            "seconds": {},
        }
        folder = Path(command[command.index("active") + 2])
        folder.mkdir(exist_ok=True)
        lines = [json.dumps({"round": n, "steps": 2, **one}) + "\n" for n in range(self.n_rounds)]
        (folder / "journal.jsonl").write_text("".join(lines))

    def poll(self):
        return self.returncode


@pytest.mark.parametrize(
    ("returncode", "n_rounds", "reason"),
    [
        (-9, 0, "killed by signal 9"),
        (-9, 1, "killed by signal 9"),
        (-15, 0, "killed by signal 15"),
        (-9, 2, "killed by signal 9"),
        (137, 1, "ended with exit code 137 and 1 round"),  # of a shell or a container
        (3, 0, "ended with exit code 3 and 0 rounds"),  # os._exit
        (1, 0, "ended with exit code 1 and 0 rounds"),
        (0, 0, "ended with exit code 0 and 0 rounds"),
        (0, 1, "ended with exit code 0 and 1 round"),
    ],
)
def test_run_sweep_does_not_take_a_run_that_ended_without_a_word_for_done(
    planned, tmp_path, monkeypatch, returncode, n_rounds, reason
):
    values = {"returncode": returncode, "n_rounds": n_rounds, "said": b"", "commands": []}
    monkeypatch.setattr(subprocess, "Popen", type("Process", (Ended,), values))
    sweep = planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n")
    for _ in range(2):  # what has failed is run again
        (run,) = run_sweep(sweep, tmp_path / "out", progress=False)
        assert (run.is_done, run.error) == (False, reason)
    assert len(Ended.commands) == 0
    assert len(subprocess.Popen.commands) == 2


def test_run_with_the_status_done_and_a_short_journal_is_run_again(planned, tmp_path):
    """Versions before this one wrote it when a run was killed."""
    sweep = planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n")
    write_arms(sweep, tmp_path / "out")
    (run,) = runs_of(sweep, tmp_path / "out")
    run.folder.parent.mkdir(parents=True)
    run.end(1.0)
    assert not run.is_done
    assert run_sweep(sweep, tmp_path / "out", progress=False) == []
    assert run.is_done
    assert len(journal(run.folder)) == 2


def test_sweep_command_says_that_a_run_was_killed(config_path, tmp_path, planned, monkeypatch):
    values = {"returncode": -9, "said": b"", "commands": []}
    monkeypatch.setattr(subprocess, "Popen", type("Process", (Ended,), values))
    planned(section="[sweep]\nseeds = [0]\n")
    code, output = command(config_path, tmp_path / "out", **QUICK)
    assert code == 1
    assert "config, seed 0: not finished: killed by signal 9" in output
    assert "Finished: 0 of 1 run in" in output


def test_run_sweep_refuses_a_folder_in_which_another_sweep_runs(planned, tmp_path):
    out = tmp_path / "out"
    sweep = planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n")
    (run,) = runs_of(sweep, out)
    run.folder.mkdir(parents=True)
    write_arms(sweep, out)
    run.log.write_text("the log of the first")
    with locked(out):
        with pytest.raises(SeqMixError, match=f"in use: process {os.getpid()} on ") as caught:
            run_sweep(sweep, out, progress=False)
        assert caught.value.code == "S412"
        assert run.log.read_text() == "the log of the first"
    assert not (out / "lock.tmp").exists()


@pytest.mark.parametrize("returncode", [1, LOCKED_EXIT_CODE])
def test_run_sweep_knows_a_locked_folder_by_its_exit_code(
    planned, tmp_path, monkeypatch, returncode
):
    process = type("Process", (Ended,), {"returncode": returncode, "commands": []})
    monkeypatch.setattr(subprocess, "Popen", process)
    sweep = planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n")
    (run,) = run_sweep(sweep, tmp_path / "out", code=tmp_path / "own.py", progress=False)
    assert run.status_path.exists() == (returncode == 1)
    (command,) = process.commands
    assert command[command.index("--code") + 1] == str(tmp_path / "own.py")


def test_durations_are_in_the_unit_that_people_use():
    texts = [duration(n) for n in (0, 1, 59.4, 59.6, 90, 5400, 3600, 36000, 982020)]
    assert texts == [
        *("0 seconds", "1 second", "59 seconds", "1 minute", "2 minutes"),
        *("1.5 hours", "1 hour", "10 hours", "11 days"),
    ]


NOBODY = """
from spacy.util import registry

registry.misc("waits.Nobody.v1")(lambda: lambda tasks: [])
"""


def test_run_sweep_says_that_an_oracle_waits(planned, tmp_path):
    code = tmp_path / "nobody.py"
    code.write_text(NOBODY)
    exec(NOBODY, {})
    try:
        sweep = planned(
            {**QUICK, "active.oracle.@misc": "waits.Nobody.v1"}, "[sweep]\nseeds = [0]\n"
        )
        (failed,) = run_sweep(sweep, tmp_path / "out", code=code, progress=False)
        error = " ".join(json.loads(failed.status_path.read_text())["error"].split())
        assert "Round 0 waits for 8 of 8 texts: answer them, then run the same command" in error
        assert "ended with exit code 13 and 0 rounds" in error
        with pytest.raises(SeqMixError, match=r"S616.*for answers\. Round 0 waits for 8 of 8"):
            try_out(sweep.arms[0], -1)
    finally:
        REGISTRY.pop(("spacy", "misc", "waits.Nobody.v1"))


def test_run_sweep_needs_a_number_of_rounds(planned):
    with pytest.raises(SeqMixError, match=r"S605.*active\.n_rounds is null"):
        planned({**QUICK, "active.n_rounds": None}, "[sweep]\nseeds = [0]\n")


def test_run_sweep_without_dev(planned, tmp_path):
    sweep = planned({**QUICK, "active.dev": None}, "[sweep]\nseeds = [0]\n")
    assert run_sweep(sweep, tmp_path / "out", progress=False) == []
    (run,) = runs_of(sweep, tmp_path / "out")
    assert [line["dev_docs"] for line in journal(run.folder)] == [1, 2]
    assert try_out(sweep.arms[0], -1).step >= 0


@pytest.mark.parametrize(("second", "expected"), [(0, 39), ([2, 0], 53)])
def test_estimate_counts_both_trainings_of_a_round(planned, second, expected):
    """Rounds of 8, 12 and 16 docs: 10 seconds to begin a training, a step for 4 docs."""
    values = {"active.mixing": None, "active.epochs": 1, "active.max_steps": None}
    sweep = planned({**values, "active.second_epochs": second}, "[sweep]\nseeds = [0]\n")
    trial = Trial(start=10, step=1, doc=0, mixing=0, steps_per_doc=0.25)
    assert seconds_of(sweep.arms[0], sweep.arms[0], trial) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labelled", "taken", "read"),
    [
        (range(10, 75), [*range(10, 60)], 60),  # as many as are wanted
        ([3, 70], [3, 70, *(i for i in range(49) if i != 3)], 80),  # read up to the limit
        ([900], [900, *range(49)], 901),  # beyond it, until there is one
        ([], [*range(50)], 1000),
    ],
)
def test_estimate_takes_labelled_docs_first(monkeypatch, labelled, taken, read):
    monkeypatch.setattr("spacy_seqmix.sweep.estimate.SEARCHED", 80)
    numbers = iter(range(1000))
    docs = some_docs(numbers, lambda number: {"PER"} if number in labelled else set())
    assert docs == taken
    assert next(numbers, 1000) == read


def test_estimate_tries_arms_that_train_twice(planned):
    values = {**QUICK, "active.max_steps": None, "active.second_epochs": 2, "active.mixing": None}
    sweep = planned(values, "[sweep]\nseeds = [0]\n")
    assert try_out(sweep.arms[0], -1).step >= 0


class Calls:
    """A cluster whose nodes have GPUs and four cores for each run; it does not start any."""

    n, threads, gpus = 3, 4, 0.5

    def __init__(self, *results):
        self.results, self.given = list(results), []

    def __call__(self, function, process, *given, stop):
        self.given.append((process, *given))
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def test_runner_gives_runs_to_a_cluster(planned, tmp_path):
    (run,) = runs_of(planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n"), tmp_path)
    run.log.parent.mkdir()
    run.log.write_text("of an earlier call")
    ends = (0, 7.5), (LOCKED_EXIT_CODE, 1.0)
    calls = Calls(Lost(3, "OutOfMemoryError: full"), OSError(28, "full"), *ends)
    runner = Runner(code=tmp_path / "own.py", calls=calls)
    assert not runner(run, None)
    assert run.error == "its worker of the Ray cluster died 3 times, last of OutOfMemoryError: full"
    assert json.loads(run.status_path.read_text())["error"] == run.error  # and no earlier log
    assert not runner(run, None)
    assert run.error == "OSError(28, 'full')"
    assert not runner(run, None)
    assert run.error == "ended with exit code 0 and 0 rounds"
    assert run.seconds == 7.5  # of the node
    assert not runner(run, None)  # another process has it
    assert not run.status_path.exists()
    process, needs, _, busy = calls.given[0]
    assert (process.threads, process.folder, process.log) == (4, Path.cwd(), run.log)
    assert process.words[process.words.index("--gpu-id") + 1] == "0"
    assert "--end-with-input" in process.words
    pool = Path(run.config().interpolate()["paths"]["pool"])
    assert {run.config_path, pool, tmp_path / "own.py"} <= {*needs}
    assert busy == LOCKED_EXIT_CODE
    calls.gpus, calls.results = 0, [(1, 1.0)]
    assert not runner(run, None)
    words = calls.given[-1][0].words
    assert words[words.index("--gpu-id") + 1] == "-1"


@pytest.mark.parametrize("code", ["S773", "S774", "S776"])
def test_runner_ends_with_errors_of_nodes(planned, tmp_path, code):
    (run,) = runs_of(planned({**QUICK, "active.mixing": None}, "[sweep]\nseeds = [0]\n"), tmp_path)
    with pytest.raises(SeqMixError, match=code):
        Runner(calls=Calls(SeqMixError(f"[{code}] of a node")))(run, None)
    assert not run.status_path.exists()
