"""`spacy seqmix sweep`."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ..errors import plural
from ._common import CodeOption, GpuOption, read_overrides, show_warnings

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
        int, typer.Option("--n-process", "-n", min=1, help="Number of runs at the same time")
    ] = 1,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
    dry: Annotated[
        bool, typer.Option("--dry", help="Only print the plan and an estimate of the time")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar")] = False,
) -> None:
    """Run active learning over a grid of settings and seeds.

    CONFIG is a config of `spacy seqmix active` with a [sweep] section: named arms, lists of values,
    seeds, and controls. Any of its values can be overridden: --active.n_seed 100 --sweep.seeds [0].
    Start it again with the same OUT_DIR to run what is missing and what failed.
    """
    from spacy.cli._util import import_code

    from ..sweep import check_folder, read_sweep, run_sweep, runs_of

    overrides = read_overrides(ctx.args)
    import_code(code)
    try:
        with show_warnings():
            sweep = read_sweep(config_path, overrides, arms or ())
            check_folder(sweep, out_dir)
            if dry:
                from ..sweep.estimate import duration, estimate, plan_rows

                seconds = estimate(sweep, out_dir, use_gpu=use_gpu)
                rows, left = plan_rows(sweep, out_dir, seconds)
                header = ["Arm", "Runs", "Finished", "Rounds", "Time of a run"]
                print(table(rows, header=header, divider=True, aligns=["l", *"rrrr"]))
                at_once = f"{plural(n_process, 'run')} at a time"
                msg.info(f"About {duration(left / n_process)} with {at_once}")
                return
            before = {run.folder for run in runs_of(sweep, out_dir) if run.is_done}
            began = perf_counter()
            failed = run_sweep(
                sweep, out_dir, n_process=n_process, use_gpu=use_gpu, code=code, progress=not quiet
            )
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err), exits=1)
    for run in failed:
        msg.fail(f"{run.arm.name}, seed {run.seed}: see {run.log}", run.error)
    runs = runs_of(sweep, out_dir)
    msg.good(f"Finished: {len(runs) - len(failed)} of {plural(len(runs), 'run')} in {out_dir}")
    own = [run.seconds for run in runs if run.is_done and run.folder not in before]
    took = f"{perf_counter() - began:.0f} s"
    msg.info(f"{plural(len(own), 'new run')} took {took} ({sum(own):.0f} s one after the other)")
    if failed:
        raise typer.Exit(1)
