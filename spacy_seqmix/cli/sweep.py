"""`spacy seqmix sweep`."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ._warnings import told_warnings

__all__ = ["sweep_cli"]


def sweep_cli(
    ctx: typer.Context,
    config_path: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="Config with [sweep] and [active]")
    ],
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder of the sweep")],
    arms: Annotated[
        list[str] | None,
        typer.Option("--arm", "-a", help="Run this arm alone; * and ? stand for any letters"),
    ] = None,
    n_process: Annotated[int, typer.Option("--n-process", "-n", min=1, help="Runs at once")] = 1,
    use_gpu: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU id, or -1 for the CPU")] = -1,
    dry: Annotated[
        bool, typer.Option("--dry", help="Print the plan and an estimate of the time alone")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar")] = False,
) -> None:
    """Run active learning over a grid of settings and seeds.

    CONFIG is a config of `spacy seqmix active` with a [sweep] section: named arms, lists of values,
    seeds, and controls. Any of its values can be overridden: --active.n_seed 100 --sweep.seeds [0].
    Started again with the same OUT_DIR, it goes on with the runs that lack, or failed.
    """
    from spacy.cli._util import parse_config_overrides

    from ..sweep import read_sweep, run_sweep
    from ..sweep.run import check_folder, runs_of

    overrides = parse_config_overrides(ctx.args)
    try:
        with told_warnings():
            sweep = read_sweep(config_path, overrides, arms or ())
            check_folder(sweep, out_dir)
            if dry:
                from ..sweep.estimate import estimate, plan_rows, seconds_left

                seconds = estimate(sweep, out_dir, use_gpu=use_gpu)
                header = ["Arm", "Runs", "Finished", "Rounds", "Minutes a run"]
                rows = plan_rows(sweep, out_dir, seconds)
                print(table(rows, header=header, divider=True, aligns=["l", *"rrrr"]))
                left = seconds_left(sweep, out_dir, seconds) / n_process / 60
                msg.info(f"About {left:.0f} minutes with {n_process} runs at once")
                return
            before = {run.folder for run in runs_of(sweep, out_dir) if run.is_done}
            began = perf_counter()
            failed = run_sweep(
                sweep, out_dir, n_process=n_process, use_gpu=use_gpu, progress=not quiet
            )
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err), exits=1)
    for run in failed:
        msg.fail(f"{run.arm.name}, seed {run.seed}: see {run.log}", run.error)
    runs = runs_of(sweep, out_dir)
    msg.good(f"{len(runs) - len(failed)} of {len(runs)} runs are finished in {out_dir}")
    own = [run.seconds for run in runs if run.is_done and run.folder not in before]
    msg.info(f"{len(own)} runs of {sum(own):.0f} s took {perf_counter() - began:.0f} s")
    if failed:
        raise typer.Exit(1)
