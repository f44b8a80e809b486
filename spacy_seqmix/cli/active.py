"""`spacy seqmix active`."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import row

from ..errors import plural
from ._common import CodeOption, GpuOption, read_overrides, show_messages
from ._ray import CpusOption, GpusOption, RayAddressOption, WorkersOption, ray_options

if TYPE_CHECKING:
    from ..active.asking import Waiting
    from ..active.journal import RoundRecord

__all__ = ["active_cli", "header_row", "round_row"]

WIDTHS = (5, 8, 6, 6, 14, 14, 7)


def active_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config with [active]")],
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of the run")],
    use_gpu: GpuOption = -1,
    ray_address: RayAddressOption = None,
    ray_workers: WorkersOption = None,
    ray_cpus: CpusOption = 1.0,
    ray_gpus: GpusOption = 0.0,
    code: CodeOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for answers, and ask for them every second")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars")] = False,
    end_with_input: Annotated[
        bool, typer.Option("--end-with-input", help="End when standard input does", hidden=True)
    ] = False,
) -> None:
    """Run active learning: seed, augment, train, evaluate, query, repeat.

    CONFIG has an [active] section and training sections (or extends a config that has them).
    Any of its values can be overridden: --active.n_seed 100 --paths.encoder bert-base-cased.
    Run the same command again to resume after the last finished round. Where people have yet to
    label texts, the command says so and ends with exit code 13, unless it is to --wait.
    """
    from spacy.cli._util import setup_gpu

    from ..active.journal import WAITING_EXIT_CODE
    from ..active.loop import ActiveRun
    from ..config import load_config

    if end_with_input:
        Thread(target=_end_with_input, daemon=True).start()
    overrides = read_overrides(ctx)
    with show_messages():
        config = load_config(config_path, overrides)
        setup_gpu(use_gpu, silent=False)
        ray = ray_options(ray_address, ray_workers, ray_cpus, ray_gpus, code)
        run = ActiveRun(config, run_dir, use_gpu=use_gpu, progress=not quiet, ray=ray)
        if done := len(run.records):
            msg.info(f"Resuming {run_dir} after {plural(done, 'finished round')}")
        for record in run.records:
            _show(record)
        shown: set[int] = set()

        def on_wait(waiting: Waiting) -> None:
            if wait and waiting.round not in shown:
                shown.add(waiting.round)
                msg.info(f"{waiting}: {waiting.advice}")

        records = run.run(on_round=_show, wait=1.0 if wait else None, on_wait=on_wait)
    if run.waiting is not None:
        msg.info(f"{run.waiting}: {run.waiting.advice}, then run the same command again")
        raise typer.Exit(WAITING_EXIT_CODE)
    if not records:
        msg.warn("There is no model: every text was skipped")
        return
    if records[-1].end == "pool exhausted" and run.active.n_rounds is not None:
        missing = run.active.n_rounds + 1 - len(records)
        msg.warn(f"The pool ran out: {plural(missing, 'round')} had nothing to query")
    msg.good(f"Last model: {run.folder.last_model}")


def _end_with_input() -> None:
    """End this process when standard input ends: when a sweep is killed, its runs end as well."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _show(record: RoundRecord) -> None:
    """Print a round, below the header if it is the first."""
    if record.round == 0:
        if record.dev_docs is not None:
            print("Dev is set aside: docs drawn at random, whose number is in brackets.")
        print(header_row(record))
        print(_row(["-" * width for width in WIDTHS]))
    print(round_row(record), flush=True)
    if record.mixing is not None:
        from ..mixing.mix import MixCounts

        print(MixCounts(**record.mixing.model_dump()).summary(), flush=True)


def header_row(record: RoundRecord) -> str:
    """The names of the columns; the score is that of the trained component."""
    mains = [scores.main.name for scores in record.scores.values() if scores.main is not None]
    name = mains[0] if mains else "F1"
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
    scored = split in record.scores
    score = f"{100 * (record.score(split) or 0):.1f}" if scored else "-"
    if split == "dev" and record.dev_docs is not None:
        score += f" ({plural(record.dev_docs, 'doc')})"
    return score
