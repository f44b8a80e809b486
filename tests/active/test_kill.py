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
from catalogue import REGISTRY

from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.config import load_config

# case: what is called, on which call of it, and whether before it is done or after
CASES = {
    "before anything": ("os:replace:inputs.json", 1, "before"),
    "after inputs.json": ("os:replace:config.cfg", 1, "before"),
    "first training": ("spacy_seqmix.active.round_training:fit", 1, "before"),
    "query": ("spacy_seqmix.active.evidence:evidence", 1, "before"),
    "annotate": ("spacy_seqmix.active.labelling:Labelling.collect", 2, "before"),
    "mix": ("spacy_seqmix.active.round_mixing:mix_round", 2, "before"),
    "mixed docs half written": ("os:replace:round-01.spacy", 1, "before"),
    "mixed docs written": ("os:replace:round-01.spacy", 1, "after"),
    "train": ("spacy_seqmix.pipeline.ner:SeqMixNER.update", 6, "after"),
    "evaluate": ("spacy_seqmix.active.loop:evaluate", 2, "before"),
    "save": ("spacy.language:Language.to_disk", 2, "after"),
    "saved": ("os:replace:round-01", 1, "after"),
    "journal half written": ("os:replace:journal.jsonl", 2, "before"),
    "journal append": ("os:replace:journal.jsonl", 2, "after"),
    "tidy at the end": ("spacy_seqmix.active.run_folder:RunFolder.tidy", 2, "before"),
}
# the same with a committee of three: its members are trained in the first round
COMMITTEE_CASES = {
    "second member": ("spacy_seqmix.active.round_training:fit", 2, "before"),
    "member half written": ("os:replace:round-00-member-2", 1, "before"),
    "members written": ("os:replace:round-00-member-3", 1, "after"),
    "committee's query": ("spacy_seqmix.active.evidence:token_probs", 2, "before"),
    "members not tidied": ("spacy_seqmix.active.run_folder:RunFolder.tidy", 2, "before"),
}
# and with one by dropout, which has no models of its own
DROPOUT_CASES = {
    "dropout query": ("spacy_seqmix.active.evidence:dropout_probs", 1, "before"),
    "one pass done": ("spacy_seqmix.query.dropout:token_probs", 1, "after"),
    "queried by dropout": ("spacy_seqmix.active.querying:ranked", 1, "after"),
}
# and with a person who answers in parts, out of order, some twice, and skips some
PEOPLE_CASES = {
    "asked half written": ("os:replace:asked.jsonl", 1, "before"),
    "asked written": ("os:replace:asked.jsonl", 1, "after"),
    "waiting half told": ("os:replace:status.json", 2, "before"),
    "first answer not written": ("spacy_seqmix.active.answers:AnswerFile._write", 1, "before"),
    "answer not flushed": ("os:fsync", 6, "before"),
    "answer written": ("spacy_seqmix.active.answers:AnswerFile._write", 5, "after"),
    "answers complete": ("spacy_seqmix.active.loop:warn_of_unseen", 1, "before"),
    "next round asked": ("os:replace:asked.jsonl", 2, "after"),
    "next round's answer": ("spacy_seqmix.active.answers:AnswerFile._write", 11, "before"),
    "next round trains": ("spacy_seqmix.active.round_training:fit", 2, "before"),
    "agreement": ("spacy_seqmix.active.agreeing:agreement", 1, "after"),
    "people's journal": ("os:replace:journal.jsonl", 2, "after"),
}
GROUPS = {
    "plain": CASES,
    "seeds": COMMITTEE_CASES,
    "dropout": DROPOUT_CASES,
    "people": PEOPLE_CASES,
}
FINISHED = {
    **dict.fromkeys(list(PEOPLE_CASES)[:7], 0),
    **dict.fromkeys(list(CASES)[:3], 0),
    **dict.fromkeys(list(COMMITTEE_CASES)[:3], 0),
    **dict.fromkeys(
        ("journal append", "tidy at the end", "members not tidied", "people's journal"), 2
    ),
}

PERSON = """
from spacy.util import registry
from spacy_seqmix.types import Answer

def answers(tasks):
    given = [None if len(t.doc) % 4 == 0 else t.doc.copy() for t in tasks]
    pairs = [Answer(t.key, doc) for t, doc in zip(tasks, given)][::-1]
    return [*pairs[: max(1, len(pairs) // 2)], *pairs[:1]]

registry.misc("kill.Person.v1")(lambda: answers)
"""

CHILDREN = (
    PERSON
    + """
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

def run(name, overrides):
    config = load_config(Path(folder) / "active.cfg", overrides)
    loop.ActiveRun(config, Path(folder) / name, progress=False).run()

folder, groups = json.loads(sys.argv[1])
run("first", groups[0][0])
ended = {}
for name, case, overrides in [(n, c, o) for o, cases in groups for n, c in cases.items()]:
    pid = os.fork()
    if pid == 0:
        signal.alarm(120)  # one that hangs ends, and fails its own test alone
        code = 1
        try:
            kill_at(*case)
            run(name, overrides)
            code = 0
        finally:
            os._exit(code)
    ended[name] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(ended))
"""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def overrides(folder, write_files):
    """The settings of plain runs, and of those with a committee, by group of cases."""
    # every phase asks for the model: the table comes from the last round's pipeline
    source = "active.mixing.realiser.table.source"
    plain = {**write_files(folder), "active.n_rounds": 1, source: "pipeline"}
    seeds = {**plain, "active.policy.@misc": "spacy-seqmix.QBC.v1"}
    qbc = {"active.policy.@misc": "spacy-seqmix.QBC.v1", "active.policy.mode": "kl"}
    qbc |= {"active.committee.kind": "dropout"}
    people = {"active.oracle.@misc": "kill.Person.v1", "active.dev": None, "active.dev_min": 2}
    return {
        "plain": plain,
        "seeds": seeds,
        "dropout": {**plain, **qbc},
        "people": {**plain, **people},
    }


def run_script(script, *arguments, timeout):
    """Run a script with arguments. RETURNS: what its last line says."""
    # A process with threads can't be forked safely.
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(arguments)],
        env={**os.environ, **single, "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def ended(folder, overrides):
    """How each of the processes ended that were to be killed."""
    groups = [(overrides[group], cases) for group, cases in GROUPS.items()]
    # A busy machine is slow; a hanging child is not seen otherwise.
    return run_script(CHILDREN, str(folder), groups, timeout=600)


@pytest.fixture(scope="module")
def go_on(folder, overrides, encoders_once):
    """A function that starts a run (again) in this process."""
    exec(PERSON, {})

    def start(name, group):
        config = load_config(folder / "active.cfg", overrides[group])
        return ActiveRun(config, folder / name, progress=False).run()

    yield start
    REGISTRY.pop(("spacy", "misc", "kill.Person.v1"))


@pytest.fixture(scope="module")
def uninterrupted(go_on, folder):
    """The folder of a whole run of each group."""
    for group in GROUPS:
        go_on(group, group)
    return {group: folder / group for group in GROUPS}


def journal(path):
    records = [json.loads(line) for line in (path / "journal.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if not k.startswith("seconds")} for r in records]


def answers(path):
    lines = AnswerFile(path / "answers.jsonl").lines()
    return [(line.key, line.state, line.spans) for line in lines]


def files(path):
    last = os.readlink(path / "model-last")
    return {last, *(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())}


@pytest.mark.parametrize(("group", "case"), [(g, c) for g, cases in GROUPS.items() for c in cases])
def test_kill_and_start_again(group, case, ended, go_on, uninterrupted, folder):
    assert ended[case] == -signal.SIGKILL
    path, expected = folder / case, uninterrupted[group]
    before = answers(path)
    finished = len(journal(path)) if (path / "journal.jsonl").exists() else 0
    assert finished == FINISHED.get(case, 1)
    go_on(case, group)
    assert journal(path) == journal(expected)
    assert files(path) == files(expected)
    # nothing that was answered is lost, nor asked again
    assert answers(path)[: len(before)] == before
    assert sorted(answers(path)) == sorted(answers(expected))
    for number in range(2):
        mixed = f"mixed/round-{number:02d}.spacy"
        assert (path / mixed).read_bytes() == (expected / mixed).read_bytes()


RANDOM = (
    PERSON
    + """
import json, os, random, signal, sys, time
from pathlib import Path
from spacy_seqmix.active import loop
from spacy_seqmix.config import load_config

folder, group, overrides, trials = json.loads(sys.argv[1])

def run(name):
    config = load_config(Path(folder) / "active.cfg", overrides)
    return loop.ActiveRun(config, Path(folder) / name, progress=False).run()

run(f"{group}-whole")
began = time.monotonic()
run(f"{group}-timed")
seconds = time.monotonic() - began
rng, kills, names = random.Random(0), 0, []
while kills < trials:
    names.append(f"{group}-random-{len(names)}")
    code, longest = -signal.SIGKILL, 0.7 * seconds
    while code:
        pid = os.fork()
        if pid == 0:
            signal.alarm(120)
            code = 1
            try:
                run(names[-1])
                code = 0
            finally:
                os._exit(code)
        time.sleep(rng.uniform(0.0, longest))
        longest *= 1.05  # where the machine got slower, a round may take longer than the first time
        os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, -signal.SIGKILL), code
        kills += code != 0
print(json.dumps([kills, names]))
"""
)


@pytest.mark.slow
@pytest.mark.timeout(0)  # it has its own, which grows with the trials
@pytest.mark.parametrize("group", ["plain", "people"])
def test_kill_at_random_moments_and_start_again(group, folder, overrides):
    """KILL_TRIALS in the environment is the least number of kills."""
    trials = int(os.environ.get("KILL_TRIALS", "2"))
    settings = {**overrides[group], "active.n_rounds": 4 if group == "plain" else 2}
    kills, names = run_script(
        RANDOM, str(folder), group, settings, trials, timeout=600 + 20 * trials
    )
    print(f"{kills} kills, {len(names)} runs")
    assert kills >= trials
    whole = folder / f"{group}-whole"
    for path in (folder / name for name in names):
        assert journal(path) == journal(whole)
        assert files(path) == files(whole)
        assert sorted(answers(path)) == sorted(answers(whole))
