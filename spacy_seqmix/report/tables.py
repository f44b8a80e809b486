"""The tables and sentences of a report; Markdown and HTML only lay them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from ..errors import plural
from .equal_tokens import N_POINTS
from .statistics import ALPHA, MIN_PAIRS, Summary
from .summary import COUNTS, PHASES, ArmSummary, ReportSummary

__all__ = ["Table", "make_tables", "verdicts"]

NONE = "–"


@dataclass(frozen=True)
class Table:
    """A table with its name, a note on its figures, its head, and its rows."""

    name: str
    title: str
    note: str
    head: list[str]
    rows: list[list[str]]


def verdicts(report: ReportSummary) -> Iterator[str]:
    """Conclude on each arm against its baseline, in a sentence for each split.

    Where there is nothing to compare an arm with, the sentences say how its own score moved.
    """
    if len(report.arms) == 1:
        arm = report.arms[0]
        for split in report.splits:
            yield _movement(report.measure, arm, split)
        yield f"{arm.name} is the only arm: run a control to see what a setting gains."
    for split in report.splits:
        for arm in report.arms:
            if split in arm.comparisons:
                yield _verdict(report, arm, split)


def _movement(measure: str, arm: ArmSummary, split: str) -> str:
    """The first and the last score of an arm, and what the last labelled docs changed."""
    means = [100 * point.mean for point in arm.curves[split]]
    known = [(n, score) for n, score in zip(arm.points, means, strict=True) if not isnan(score)]
    (first_n, first), (last_n, last) = known[0], known[-1]
    what = f"{measure} on {split}: {last:.1f} with {last_n} labelled docs"
    if len(known) == 1:
        return f"{what}."
    before_n, before = known[-2]
    what += f", after {first:.1f} with {first_n}"
    return f"{what}. The last {last_n - before_n} docs changed it by {last - before:+.1f}."


def _verdict(report: ReportSummary, arm: ArmSummary, split: str) -> str:
    comparison = arm.comparisons[split]
    gain, n = comparison.gain, comparison.gain.n
    n_points = len(arm.gains[split])
    what = f"{arm.name} against {arm.against} on {split}"
    if len(arm.differing) > 1:
        what += f" ({len(arm.differing)} settings differ)"
    what += f": {100 * gain.mean:+.1f} points"
    if n_points > 1:
        what += f" on the mean of {n_points} data usage points"
    if n == 1:
        return f"{what}, one seed: nothing can be concluded."
    interval = f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
    if n < MIN_PAIRS:
        what += f", from {interval} over {n} seeds"
        return f"{what}: with fewer than {MIN_PAIRS} seeds nothing can be concluded."
    what += f", 95 % interval {interval} over {n} seeds"
    if gain.mean == 0 and gain.deviation == 0:
        return f"{what}: no difference at all."
    if not comparison.can_tell:
        n_arms = sum(split in other.comparisons for other in report.arms)
        least = f"with so few seeds and {plural(n_arms, 'comparison')} no p can be below {ALPHA}"
        return f"{what}: {least}, so nothing can be concluded."
    p = f"p = {comparison.p_holm:.3f} (Wilcoxon over seeds, Holm)"
    if comparison.p_holm >= ALPHA:
        return f"{what}; {p}: not a significant difference."
    return f"{what}; {p}: a {'gain' if gain.mean > 0 else 'loss'}."


def make_tables(report: ReportSummary) -> list[Table]:
    """All tables for which there are figures."""
    tables = [
        _scores(report),
        _statistics(report),
        _tokens(report),
        _minutes(report),
        _types(report),
        *(_confusion(arm) for arm in report.arms),
        _overlap(report),
        _mixed(report),
        _counts(report),
        _seconds(report),
    ]
    return [table for table in tables if table.rows]


def _scores(report: ReportSummary) -> Table:
    """A row a data usage point."""
    head = ["labelled", "steps", *(f"{s} {arm.name}" for s in report.splits for arm in report.arms)]
    rows = []
    for point in report.points:
        having = [arm for arm in report.arms if point in arm.points]
        steps = [_numbers(arm.steps[arm.points.index(point)]) for arm in having]
        row = [str(point), steps[0] if len(set(steps)) == 1 else " / ".join(steps)]
        for split in report.splits:
            for arm in report.arms:
                known = arm in having and split in arm.curves
                row.append(_spread(arm.curves[split][arm.points.index(point)]) if known else NONE)
        rows.append(row)
    if any(len(arm.points) > 1 for arm in report.arms):
        areas = [arm.areas.get(split) for split in report.splits for arm in report.arms]
        rows.append(["area", "", *(NONE if one is None else _spread(one) for one in areas)])
    if any(arm.seqeval for arm in report.arms):
        strict = [arm.seqeval.get(split) for split in report.splits for arm in report.arms]
        cells = [NONE if value is None else f"{100 * value:.1f}" for value in strict]
        rows.append(["seqeval", "", *cells])
    notes = [f"{report.measure} × 100, mean and sample deviation over seeds"]
    named = {row[0] for row in rows}
    if "area" in named:
        notes.append(
            "'area' is the mean height of the learning curve (area under it over its width)"
        )
    if "seqeval" in named:
        notes.append("'seqeval' is seqeval's strict F1 over IOB2 tags in the last round")
    return Table("scores", "Scores", "; ".join(notes) + ".", head, rows)


def _statistics(report: ReportSummary) -> Table:
    rows = []
    several = len({arm.against for arm in report.arms if arm.against is not None}) > 1
    for split in report.splits:
        for arm in report.arms:
            if split not in arm.comparisons:
                continue
            one = arm.comparisons[split]
            gain = one.gain
            interval = NONE if gain.n < 2 else f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
            cells = [_number(one.effect, 2)]
            cells += [_number(p, 3) for p in (one.p_seeds, one.p_holm, one.p_points)]
            names = [split, arm.name, *([str(arm.against)] if several else [])]
            rows.append([*names, _spread(gain, "+"), interval, str(gain.n), *cells])
    note = (
        f"Gain over {report.baseline} in points, on the mean over data usage points, of runs "
        f"with the same seed. Interval: 95 %, Student's t over seeds; with fewer than {MIN_PAIRS} "
        "seeds the lowest and the highest. d: Cohen's d of paired differences, with as many seeds. "
        "p: two-sided Wilcoxon signed-rank test over seeds. p (Holm): the same after Holm's "
        "correction over the comparisons of a split in this table. p (points): the test over data "
        "usage points of the means over seeds, which the SeqMix paper reports."
    )
    head = ["split", "arm", *(["over"] if several else []), "gain", "interval", "seeds", "d"]
    head += ["p", "p (Holm)", "p (points)"]
    return Table("statistics", f"Against {report.baseline}", note, head, rows)


def _tokens(report: ReportSummary) -> Table:
    """A row for each number of labelled tokens, and the mean gain over them."""
    found = report.tokens
    columns = [(s, arm.name) for s in report.splits for arm in report.arms]
    rows = []
    if found is not None:
        for k, n in enumerate(found.tokens):
            curves = [found.curves.get(split, {}).get(name) for split, name in columns]
            rows.append([str(n), *(NONE if one is None else _spread(one[k]) for one in curves)])
        gains = [found.comparisons.get(split, {}).get(name) for split, name in columns]
        rows.append(["gain", *(NONE if one is None else _spread(one.gain, "+") for one in gains)])
        last = [
            NONE if one is None else str(found.shared[name])
            for one, (_, name) in zip(gains, columns, strict=True)
        ]
        rows.append(["up to", *last])
        p = [NONE if one is None else _number(one.p_holm, 3) for one in gains]
        rows.append(["p (Holm)", *p])
    note = (
        f"{report.measure} × 100 at equal numbers of labelled tokens, mean and sample deviation "
        "over seeds: learning curves over tokens, by straight lines between the rounds. 'gain' is "
        f"that over {report.baseline} in points, on the mean over {N_POINTS} numbers of tokens "
        "that the two arms share, of runs with the same seed; 'up to' is the last of them. "
        "'p (Holm)' as in the table above."
    )
    head = ["tokens", *(f"{split} {name}" for split, name in columns)]
    return Table("tokens", "At equal labelled tokens", note, head, rows)


def _minutes(report: ReportSummary) -> Table:
    """A row for each number of labelled sentences."""
    arms = [arm for arm in report.arms if arm.minutes]
    rows = []
    for point in report.points:
        spent = [dict(zip(arm.points, arm.minutes, strict=True)).get(point) for arm in arms]
        if any(one is not None for one in spent):
            rows.append([str(point), *(NONE if one is None else f"{one:.1f}" for one in spent)])
    note = (
        "Minutes that people spent up to there on what they labelled or skipped, mean over seeds. "
        "Only of arms whose answers all have a time."
    )
    return Table("minutes", "Minutes", note, ["labelled", *(arm.name for arm in arms)], rows)


def _types(report: ReportSummary) -> Table:
    labels = sorted({label for arm in report.arms for label in arm.types})
    rows = [
        [label, *(_spread(a.types[label]) if label in a.types else NONE for a in report.arms)]
        for label in labels
    ]
    note = "Dev F1 × 100 of each type in the last round, mean and sample deviation over seeds."
    return Table("types", "By type", note, ["type", *(arm.name for arm in report.arms)], rows)


def _confusion(arm: ArmSummary) -> Table:
    """Gold types by row, predicted types by column."""
    gold = sorted({one for one, _ in arm.confusion})
    predicted = sorted({other for _, other in arm.confusion})
    rows = [
        [one or "(none)", *(str(arm.confusion.get((one, other), 0)) for other in predicted)]
        for one in gold
    ]
    note = (
        "Entities of dev in the last round, over all seeds: the annotated type by row, the "
        "predicted type by column, where the borders are the same. '(none)' in a column: no entity "
        "was predicted; '(none)' in a row: no entity is annotated."
    )
    head = ["gold", *(other or "(none)" for other in predicted)]
    return Table(f"confusion-{arm.name}", f"Confused types: {arm.name}", note, head, rows)


def _overlap(report: ReportSummary) -> Table:
    rows = [[a, b, f"{100 * share:.0f} %"] for (a, b), share in report.overlap.items()]
    note = (
        "The share of docs that both arms had queried by a round, among those that at least one "
        "had queried, without the seed set; mean over rounds and seeds."
    )
    return Table("overlap", "Overlap of queries", note, ["arm", "arm", "overlap"], rows)


def _mixed(report: ReportSummary) -> Table:
    """A row a data usage point."""
    having = [arm for arm in report.arms if any(arm.mixed)]
    rows = []
    for point in report.points if having else ():
        at = [arm.mixed[arm.points.index(point)] if point in arm.points else None for arm in having]
        rows.append([str(point), *(NONE if n is None else f"{n:.0f}" for n in at)])
    note = "Docs in the training set of a round beside the labelled ones; mean over seeds."
    return Table("mixed", "Docs added", note, ["labelled", *(arm.name for arm in having)], rows)


def _counts(report: ReportSummary) -> Table:
    having = [arm for arm in report.arms if arm.counts]
    rows = [[arm.name, *(str(arm.counts[name]) for name in COUNTS)] for arm in having]
    note = (
        "Sums over all rounds and seeds: docs that could be mixed, candidates, candidates that the "
        "discriminator rejected, and candidates that it kept, which may be more than are used."
    )
    return Table("counts", "Mixed docs", note, ["arm", *COUNTS], rows)


def _seconds(report: ReportSummary) -> Table:
    rows = []
    for arm in report.arms:
        n, total = len(arm.seeds), sum(arm.seconds.values())
        cells = [f"{arm.seconds[phase] / n:.0f}" for phase in PHASES]
        of_lm = NONE if arm.lm_seconds is None else f"{arm.lm_seconds / n:.0f}"
        rows.append([arm.name, *cells, f"{total / n:.0f}", of_lm])
    note = "Seconds of a run, mean over seeds. 'LM' is the language model's part of 'mix'."
    return Table("seconds", "Time", note, ["arm", *PHASES, "run", "LM"], rows)


def _number(value: float, digits: int) -> str:
    return NONE if isnan(value) else f"{value:.{digits}f}"


def _spread(one: Summary, sign: str = "") -> str:
    """Mean and deviation in percent."""
    if isnan(one.mean):
        return NONE
    tail = "" if isnan(one.deviation) else f" ± {100 * one.deviation:.1f}"
    return f"{100 * one.mean:{sign}.1f}{tail}"


def _numbers(values: Sequence[int]) -> str:
    """One number, or the range of those of several seeds."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}-{high}"
