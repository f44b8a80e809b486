"""`spacy seqmix sweep`."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ..errors import plural
from ._common import CodeOption, GpuOption, read_overrides, show_messages
from ._ray import CpusOption, GpusOption, RayAddressOption, WorkersOption, ray_options

if TYPE_CHECKING:
    from ..sweep import OneRun, Sweep

__all__ = ["sweep_cli"]


def sweep_cli(
    ctx: typer.Context,
    config_path: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="Config with [sweep] and [active]")
    ],
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder of the sweep")],
    arms: Annotated[
        list[str] | None,
        typer.Option("--arm", "-a", help="Run only this arm; may contain * and ?"),
    ] = None,
    n_process: Annotated[
        int | None,
        typer.Option(
            "--n-process", "-n", min=1, help="Number of runs at the same time; by default one"
        ),
    ] = None,
    ray_address: RayAddressOption = None,
    ray_workers: WorkersOption = None,
    ray_cpus: CpusOption = 1.0,
    ray_gpus: GpusOption = 0.0,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
    dry: Annotated[
        bool,
        typer.Option("--dry", help="Only print the plan and an estimate of the time"),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar")] = False,
) -> None:
    """Run active learning over a grid of settings and seeds.

    CONFIG is a config of `spacy seqmix active` with a [sweep] section: named arms, lists of values,
    seeds, and controls. Any of its values can be overridden: --active.n_seed 100 --sweep.seeds [0].
    Run the same command again to run what is missing and what failed.
    """
    from ..files import ProgressBar, progress_bar
    from ..parallel.ray_calls import ray_calls
    from ..sweep import check_folder, read_sweep, run_sweep, runs_of
    from ..sweep.estimate import duration
    from ..sweep.run import check_place

    overrides = read_overrides(ctx)
    with show_messages():
        ray = ray_options(ray_address, ray_workers, ray_cpus, ray_gpus)
        check_place(ray, n_process, -1 if dry else use_gpu)  # --dry tries a run here
        msg.info(f"Reading {config_path} and checking its arms")
        with progress_bar(None, "Checking", shown=not quiet):
            sweep = read_sweep(config_path, overrides, arms or ())
        check_folder(sweep, out_dir)
        runs = runs_of(sweep, out_dir)
        before = {run.folder for run in runs if run.is_done}
        msg.info(
            f"{plural(len(sweep.arms), 'arm')}, {plural(len(runs), 'run')}; {len(before)} finished"
        )
        if dry:
            with ray_calls(ray) as calls:
                n = (n_process or 1) if calls is None else calls.n
            _show_plan(sweep, out_dir, n, use_gpu=use_gpu, progress=not quiet)
            return

        def show_end(run: OneRun) -> None:
            state = f"finished in {duration(run.seconds)}" if run.is_done else "not finished"
            state += f": {run.error}" if run.error else ""
            ProgressBar.write(f"{run.arm.name}, seed {run.seed}: {state}")

        began = perf_counter()
        failed = run_sweep(
            sweep,
            out_dir,
            n_process=n_process,
            use_gpu=use_gpu,
            code=code,
            ray=ray,
            progress=not quiet,
            on_end=show_end,
        )
    for run in failed:
        msg.fail(f"{run.arm.name}, seed {run.seed}: see {run.log}", run.error)
    msg.good(f"Finished: {len(runs) - len(failed)} of {plural(len(runs), 'run')} in {out_dir}")
    own = [run.seconds for run in runs if run.is_done and run.folder not in before]
    took, summed = duration(perf_counter() - began), duration(sum(own))
    msg.info(f"{plural(len(own), 'new run')} took {took} ({summed} one after the other)")
    if failed:
        raise typer.Exit(1)


def _show_plan(
    sweep: Sweep, out_dir: Path, n_process: int, *, use_gpu: int, progress: bool
) -> None:
    """Print what a sweep would do, and how long it would take."""
    from ..sweep.estimate import duration, estimate, plan_rows

    msg.info("Estimating the time of a run, from finished runs or from a short trial")
    seconds = estimate(sweep, out_dir, use_gpu=use_gpu, progress=progress)
    rows, left = plan_rows(sweep, out_dir, seconds)
    header = ["Arm", "Runs", "Finished", "Rounds", "Time of a run"]
    print(table(rows, header=header, divider=True, aligns=["l", *"rrrr"]))
    msg.info(f"About {duration(left / n_process)} with {plural(n_process, 'run')} at a time")
