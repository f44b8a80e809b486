"""`spacy seqmix active`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg
from wasabi.tables import table

from ._common import CodeOption, GpuOption, read_overrides, show_warnings

__all__ = ["active_cli", "rounds_table"]


def active_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config with [active]")],
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run")],
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars")] = False,
) -> None:
    """Run active learning: seed, augment, train, evaluate, query, repeat.

    CONFIG has an [active] section and training sections (or names a training config to lay over).
    Any of its values can be overridden: --active.n_seed 100 --paths.encoder bert-base-cased.
    Started again with the same RUN_DIR, it goes on from the last finished round.
    """
    from spacy.cli._util import import_code, setup_gpu

    from ..active.journal import LOCKED_EXIT_CODE
    from ..active.loop import ActiveRun
    from ..config import load_config

    overrides = read_overrides(ctx.args)
    import_code(code)
    try:
        with show_warnings():
            config = load_config(config_path, overrides)
            setup_gpu(use_gpu, silent=False)
            run = ActiveRun(config, run_dir, use_gpu=use_gpu, progress=not quiet)
            done = len(run.records)
            if done:
                msg.info(f"Going on in {run_dir}: {done} rounds are finished")
            records = run.run()
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err))
        locked = getattr(err, "code", None) == "S412"
        raise typer.Exit(LOCKED_EXIT_CODE if locked else 1) from None
    print(rounds_table(records))
    missing = run.active.n_rounds + 1 - len(records)
    if missing:
        msg.warn(f"The pool is used up: {missing} of the rounds asked for had nothing to query")
    msg.good(f"Last model: {run.folder.model(len(records) - 1)}")


def rounds_table(records: list[dict[str, Any]]) -> str:
    """The rounds of a journal as a table for the terminal; scores in percent, time in seconds."""
    name = (records[0]["scores"]["dev"].get("main") or {"name": "F1"})["name"] if records else "F1"
    header = ["Round", "Labelled", "Mixed", "Steps", f"Dev {name}", f"Test {name}", "Seconds"]
    rows = [
        [
            r["round"],
            r["n_labelled"],
            r["n_mixed"],
            r["steps"],
            *(_percent(r["scores"].get(split)) for split in ("dev", "test")),
            f"{sum(r['seconds'].values()):.0f}",
        ]
        for r in records
    ]
    return str(table(rows, header=header, divider=True, aligns=["r"] * len(header)))


def _percent(scores: dict[str, Any] | None) -> str:
    """The score of what was trained: entity F1, unless the journal names another."""
    if scores is None:
        return "-"
    value = scores["main"]["value"] if "main" in scores else scores["ents_f"]
    return f"{100 * (value or 0):.1f}"
