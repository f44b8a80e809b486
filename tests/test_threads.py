"""Threads of the processes beside this one."""

import os
import subprocess
import sys

import pytest

from spacy_seqmix import threads
from spacy_seqmix.threads import cores, environment, use_threads

# A fork of a process that has used two threads multiplies; without our hook, it may wait forever.
FORK = """
import os, torch
from thinc.api import Linear
from spacy_seqmix.models.crf import build_crf_tagger
torch.set_num_threads(2)
matrix = torch.rand(500, 500)
matrix @ matrix
build_crf_tagger(Linear(4, 4))
pid = os.fork()
if not pid:
    matrix @ matrix
    os._exit(torch.get_num_threads())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), torch.get_num_threads())
"""


def test_threads_of_a_new_process_are_its_share(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTHER", "stays")
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    shown = environment(3)
    assert (shown["OMP_NUM_THREADS"], shown["OMP_WAIT_POLICY"]) == ("3", "PASSIVE")
    assert shown["OTHER"] == "stays"
    assert "RAY_ADDRESS" not in shown  # the process gives no work away
    assert environment(0)["OMP_NUM_THREADS"] == "1"


def test_threads_that_the_user_sets_win(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert environment(1)["OMP_NUM_THREADS"] == "7"


def test_threads_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3, 5}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_threads_are_left_alone_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(os, "environ", {})
    threads._use_one_thread()
    assert os.environ == {"OMP_NUM_THREADS": "1"}  # for one that is imported later


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_threads_of_a_fork_are_one():
    command = [sys.executable, "-W", "ignore", "-c", FORK]  # later versions warn of forks
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=env)
    assert done.stdout.split() == ["1", "2"]


@pytest.mark.parametrize(("variable", "wanted"), [(None, (3, 1)), ("2", (0, 0))])
def test_threads_of_this_process_are_limited_unless_the_user_says_otherwise(
    monkeypatch, variable, wanted
):
    import torch

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    set_to = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    use_threads(3)
    use_threads(0)
    assert set_to == [number for number in wanted if number]
