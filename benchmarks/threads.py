"""Time of training where several processes share the cores, by the threads of each.

    python benchmarks/threads.py [--processes 1 --processes 2] [--threads 1 --threads 2]

Each process trains the transformer of benchmarks/training_step.py for some steps. Prints the wall
seconds of a step in the slowest process, and the seconds of the processor that all of them used for
it: threads that wait for others burn them. Also a digest of the weights: whether the number of
threads changes the result.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import typer
from training_step import PACKAGED, batches_of, our_pipeline, steps_of


def main(
    processes: Annotated[list[int], typer.Option(help="Processes at the same time")] = [1, 2],  # noqa: B006
    threads: Annotated[list[int], typer.Option(help="Threads of each")] = [1, 2],  # noqa: B006
    kind: Annotated[str, typer.Option(help="Of configs: transformer_crf or cnn_crf")] = (
        "transformer_crf"
    ),
    steps: Annotated[int, typer.Option(help="Steps of each process")] = 5,
    repeats: Annotated[int, typer.Option(help="Runs of each, in turn; the best counts")] = 1,
    work: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Train in several processes at once."""
    if work:
        print(*trained(kind, steps))
        return
    print(f"{date.today()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {kind}.cfg")
    best: dict[tuple[int, int], tuple[float, float, str]] = {}
    for _ in range(repeats):
        for n in processes:
            for t in threads:
                rows = list(at_once(n, t, kind, steps))
                found = max(row[0] for row in rows), sum(row[1] for row in rows), rows[0][2]
                best[n, t] = min(best.get((n, t), found), found)
    print("processes  threads  s a step  CPU s a step  weights")
    for (n, t), (wall, cpu, digest) in best.items():
        print(f"{n:9} {t:8} {wall / steps:9.2f} {cpu / steps:13.2f}  {digest}")


def at_once(n: int, threads: int, kind: str, steps: int) -> Iterator[tuple[float, float, str]]:
    """Run some processes. YIELDS (tuple): of each, wall and CPU seconds, and the digest."""
    command = [sys.executable, __file__, "--work", "--kind", kind, "--steps", str(steps)]
    env = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env=env) for _ in range(n)]
    for process in running:
        wall, cpu, digest = process.communicate()[0].split()
        yield float(wall), float(cpu), digest.decode()


def trained(kind: str, steps: int) -> tuple[float, float, str]:
    """Train for some steps. RETURNS (tuple): wall and CPU seconds of the steps, and a digest."""
    nlp, resolved, examples = our_pipeline(kind, PACKAGED, batches_of(32, steps + 1), 0)
    loop = steps_of(nlp, resolved, examples)
    next(loop)
    wall, cpu = perf_counter(), process_time()
    for _ in range(steps):
        next(loop)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return wall, cpu, digest_of(nlp)


def digest_of(nlp: Any) -> str:
    """A digest of every weight of a pipeline."""
    sums = hashlib.blake2b(digest_size=4)
    for _, proc in nlp.pipeline:
        for node in proc.model.walk():
            for name in node.param_names:
                sums.update(np.ascontiguousarray(node.get_param(name)).tobytes())
            for shim in node.shims:
                for tensor in shim._model.state_dict().values():
                    sums.update(tensor.numpy().tobytes())
    return sums.hexdigest()


if __name__ == "__main__":
    typer.run(main)
