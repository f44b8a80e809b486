"""A whole report: HTML, Markdown with its pictures, JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import srsly

from ..config import choose
from ..errors import Errors, SeqMixError, plural
from ..files import check_output, replacing
from .arms import Arm, baselines_of, check_arms, parted, read_arms
from .examples import mixed_examples
from .facts import Facts, make_facts
from .figures import draw, save_picture, to_svg
from .markdown import to_markdown
from .page import to_html
from .summary import ReportSummary, summarise_arms

__all__ = ["write_report"]


def write_report(
    given: Sequence[str],
    out_dir: Path,
    title: str,
    command: str,
    *,
    baseline: str | None = None,
    shown: Sequence[str] = (),
    allow_different: bool = False,
) -> Path:
    """Compare runs of active learning, with one seed or several.

    Each file appears whole, and none where making one of them fails.

    given (Sequence[str]): RUN_DIR, NAME=RUN_DIR, or the folder of a sweep; runs of one name and
        several seeds are one arm.
    out_dir (Path): where to write; made if need be.
    title (str): the heading.
    command (str): the command that made the runs, as a reader should type it.
    baseline (str | None): the arm that all others are compared with; by default an arm of a sweep
        with the same arm without mixing, and any other with the one called "none", else the first.
    shown (Sequence[str]): names of arms, with "*" and "?"; these and what they are compared with
        are shown. All by default.
    allow_different (bool): also compare runs of other pools, seed sets, rounds or optimiser
        steps; the report then says what differs.
    RETURNS (Path): the HTML file.
    RAISES (SeqMixError): S510 to S514, S521 to S523, S549.
    """
    arms, unfinished = read_arms(given)
    folders = [run.folder for arm in arms for run in arm.runs if run.folder is not None]
    check_output(out_dir, [*(Path(parted(text)[1]) for text in given), *folders])
    chosen = choose([arm.name for arm in arms] + unfinished, shown)
    every = baselines_of(arms, baseline)
    baselines = {name: every[name] for name in chosen if name in every}
    wanted = {*chosen, *(arm.name for arm in baselines.values())}
    arms = [arm for arm in arms if arm.name in wanted]
    unfinished = [name for name in unfinished if name in wanted]
    if not arms:
        raise SeqMixError(Errors.E511.format(name=", ".join(unfinished), path=", ".join(given)))
    notes = check_arms(arms, baselines, allow_different=allow_different)
    notes += [f"no run of {name!r} is finished: it is left out" for name in unfinished]
    notes += [
        f"{plural(n, 'run')} of {arm.name!r} {'is' if n == 1 else 'are'} not finished"
        for arm in arms
        if (n := arm.unfinished)
    ]
    notes += [note for arm in arms for note in arm.notes()]
    report = summarise_arms(arms, baselines)
    facts = make_facts(title, command, arms)
    figures = draw(report)
    examples, unread = mixed_examples(arms)
    notes += unread
    with ExitStack() as stack:

        def path(name: str) -> Path:
            return stack.enter_context(replacing(out_dir / name))

        for name, figure in figures.items():
            for kind in ("png", "svg"):
                save_picture(figure, path(f"{name}.{kind}"), kind)
        pictures = {name: to_svg(figure, name) for name, figure in figures.items()}
        for name, figure in draw(report, tall=True).items():
            pictures[name] += to_svg(figure, name, tall=True)
        page = to_html(report, facts, notes, pictures, examples)
        path("report.html").write_text(page, "utf8")
        path("report.md").write_text(to_markdown(report, facts, notes, figures), "utf8")
        with path("scores.csv").open("w", newline="", encoding="utf8") as file:
            csv.writer(file).writerows(_scores(arms))
        srsly.write_json(path("results.json"), _as_json(arms, report, facts, notes))
    return out_dir / "report.html"


def _scores(arms: Sequence[Arm]) -> Iterator[tuple[str | int | float | None, ...]]:
    """A head, and a row for each score of a run, 0 to 1."""
    yield "arm", "seed", "round", "labelled", "steps", "mixed", "split", "score"
    for arm in arms:
        for run in arm.runs:
            for one in run.rounds:
                for split in one.scores:
                    numbers = one.round, one.n_labelled, one.steps, one.n_mixed
                    yield arm.name, run.seed, *numbers, split, one.score(split)


def _as_json(
    arms: Sequence[Arm], report: ReportSummary, facts: Facts, notes: Sequence[str]
) -> dict[str, Any]:
    """Every figure of the report, and the rounds that they come from."""
    summaries = {arm.name: _plain(asdict(arm)) for arm in report.arms}
    return {
        **facts,
        "notes": list(notes),
        "measure": report.measure,
        "baseline": report.baseline,
        "overlap": [[*pair, share] for pair, share in report.overlap.items()],
        "tokens": _plain(asdict(report.tokens)) if report.tokens is not None else None,
        "arms": [
            {
                **summaries[arm.name],
                "runs": [
                    {"seed": run.seed, "rounds": [_plain(r.model_dump()) for r in run.rounds]}
                    for run in arm.runs
                ],
            }
            for arm in arms
        ],
    }


def _plain(value: Any) -> Any:
    """JSON has neither NaN and infinity nor keys of two parts."""
    if isinstance(value, dict):
        if any(isinstance(key, tuple) for key in value):
            return [[*key, _plain(v)] for key, v in value.items()]
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value
