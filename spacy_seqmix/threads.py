"""How many threads the processes beside this one compute with.

Threads that wait for one another while other processes have the cores turn a step of a second into
one of ten. So processes that are started to run beside others get their share of the cores, and
those that are forked get one thread. What the user's environment says wins.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

__all__ = ["cores", "environment", "single_threaded_forks", "use_threads"]


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """The environment of a new process that runs beside others.

    torch and NumPy's BLAS read it. The number of threads changes the last digits of what torch
    computes, so it depends on nothing that changes from run to run, such as the load.

    threads (int): the least is 1.
    RETURNS (dict): the variables of this process, which win, and those that set the threads.
        RAY_ADDRESS is left out, so that the new process does not connect to the cluster itself.
    """
    ours = {"OMP_NUM_THREADS": str(max(1, threads)), "OMP_WAIT_POLICY": "PASSIVE"}
    return {name: x for name, x in {**ours, **os.environ}.items() if name != "RAY_ADDRESS"}


def use_threads(threads: int) -> None:
    """Let torch compute with so many threads in this process, unless the user's environment says
    otherwise. It must be imported by now.

    threads (int): the least is 1.
    """
    if "OMP_NUM_THREADS" not in os.environ and (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(max(1, threads))


@lru_cache
def single_threaded_forks() -> None:
    """Let torch use one thread in forks of this process, as of ``nlp.pipe(n_process=2)``.

    A fork has none of the threads that torch has started before, and would wait for them forever.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_use_one_thread)


def _use_one_thread() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for a torch that is imported later
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
