"""`spacy seqmix active`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import row

from ._common import CodeOption, GpuOption, read_overrides, show_warnings

if TYPE_CHECKING:
    from ..active.journal import RoundRecord

__all__ = ["active_cli", "header_row", "round_row"]

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
WIDTHS = (5, 8, 6, 6, 14, 14, 7)


def active_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config with [active]")],
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run")],
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars")] = False,
) -> None:
    """Run active learning: seed, augment, train, evaluate, query, repeat.

    CONFIG has an [active] section and training sections (or extends a config that has them).
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
            for record in run.records:
                _show(record)
            records = run.run(on_round=_show)
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err))
        locked = getattr(err, "code", None) == "S412"
        raise typer.Exit(LOCKED_EXIT_CODE if locked else 1) from err
    missing = run.active.n_rounds + 1 - len(records)
    if missing:
        msg.warn(f"The pool is used up: {missing} of the rounds had nothing to query")
    msg.good(f"Last model: {run.folder.model(len(records) - 1)}")


def _show(record: RoundRecord) -> None:
    """Print a round at once, below the header if it is the first."""
    if record.round == 0:
        print(header_row(record))
        print(_row(["-" * width for width in WIDTHS]))
    print(round_row(record), flush=True)
    if record.mixing is not None:
        from ..mixing.mix import MixCounts

        print(MixCounts(**record.mixing.model_dump()).summary(), flush=True)


def header_row(record: RoundRecord) -> str:
    """The names of the columns; the score is that of the trained component."""
    main = record.scores["dev"].main
    name = "F1" if main is None else main.name
    return _row(["Round", "Labelled", "Mixed", "Steps", f"Dev {name}", f"Test {name}", "Seconds"])


def round_row(record: RoundRecord) -> str:
    """A round as a row for the terminal; scores in percent."""
    scores = [_percent(record, split) for split in ("dev", "test")]
    seconds = f"{record.seconds.total:.0f}"
    values = [record.round, record.n_labelled, record.n_mixed, record.steps, *scores, seconds]
    return _row([str(value) for value in values])


def _row(values: list[str]) -> str:
    return str(row(values, widths=WIDTHS, aligns=["r"] * len(WIDTHS)))


def _percent(record: RoundRecord, split: str) -> str:
    """A score in percent; "-" where the round was not scored on the split."""
    if split not in record.scores:
        return "-"
    return f"{100 * (record.score(split) or 0):.1f}"
