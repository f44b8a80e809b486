"""The Markdown table of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from .runs import Round, Run

__all__ = ["Facts", "Machine", "make_table", "usage_points"]

PHASES = ("query", "mix", "train", "evaluate")
SPLITS = ("dev", "test")
NONE = "–"


class Machine(TypedDict):
    """Where the report was made."""

    processor: str
    cores: int
    system: str
    python: str
    spacy: str
    torch: str


class Facts(TypedDict):
    """What a reader needs to run it again."""

    title: str
    command: str
    seed: int | None
    date: str
    machine: Machine
    models: list[str]


def usage_points(runs: Sequence[Run]) -> list[int]:
    """The numbers of labelled sentences at which any of the runs was trained, ascending."""
    return sorted({r.n_labelled for run in runs for r in run.rounds})


def make_table(runs: Sequence[Run], facts: Facts, notes: Sequence[str] = ()) -> str:
    """Write the report as Markdown: scores, scores by type, time, and how it was made.

    runs (Sequence[Run]): the runs; differences are taken from the first.
    facts (Facts): the title, command, seed, date and machine.
    notes (Sequence[str]): warnings to show above the table.
    RETURNS (str): the Markdown.
    """
    parts = [f"# {facts['title']}", *(f"> **Note:** {note}." for note in notes)]
    parts += [
        f"{runs[0].measure} × 100; a difference is against *{runs[0].name}*.",
        _markdown(*_score_rows(runs)),
        "![Learning curves](curves.png)",
    ]
    kinds, rows = _type_rows(runs)
    if rows:
        parts += ["## Dev F1 by type, last round", _markdown(kinds, rows)]
    parts += [
        "## Time",
        "Seconds of each phase of a round; *LM*, the language model, is part of *mix*. The last "
        "column is the share of the round that mixing took without it.",
        _markdown(*_time_rows(runs)),
        "## How it was made",
        _fact_list(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _score_rows(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    head = ["labelled", "mixed", "steps"]
    for split in SPLITS:
        head += [f"{split} {runs[0].name}"]
        for run in runs[1:]:
            head += [f"{split} {run.name}", "diff."]
    rows = []
    for point in usage_points(runs):
        rounds = [run.at(point) for run in runs]
        row = [str(point), _joined(rounds, "n_mixed"), _joined(rounds, "steps", merge=True)]
        for split in SPLITS:
            base, *others = [None if r is None else r.score(split) for r in rounds]
            row += [_percent(base)]
            for other in others:
                row += [_percent(other), _difference(base, other)]
        rows.append(row)
    return head, rows


def _type_rows(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    last = [run.rounds[-1].scores.get("dev") for run in runs]
    scores = [{} if s is None else s.ents_per_type or {} for s in last]
    kinds = sorted({kind for by_type in scores for kind in by_type})
    rows = []
    for kind in kinds:
        values = [s[kind].f if kind in s else None for s in scores]
        rows.append([kind, *map(_percent, values)])
    return ["type", *(run.name for run in runs)], rows


def _time_rows(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for point in usage_points(runs):
        for run in runs:
            found = run.at(point)
            if found is None:
                continue
            seconds = found.seconds
            phases = [f"{getattr(seconds, phase):.1f}" for phase in PHASES]
            row = [str(point), run.name, *phases, f"{seconds.total:.1f}"]
            rows.append([*row, *_mixing_cells(found)])
    return ["labelled", "run", *PHASES, "round", "LM", "mixing"], rows


def _mixing_cells(found: Round) -> list[str]:
    """Seconds in the language model, and the share of the round in mixing without it."""
    spent, total = found.seconds_mixing, found.seconds.total
    if spent is None or not total:
        return [NONE, NONE]
    return [f"{spent.lm:.1f}", f"{100 * (spent.table + spent.mixing) / total:.1f} %"]


def _fact_list(facts: Facts) -> str:
    machine = facts["machine"]
    seed = "not stated" if facts["seed"] is None else str(facts["seed"])
    lines = [
        f"- Command: `{facts['command']}`",
        f"- Seed: {seed}",
        f"- Models: {'; '.join(facts['models']) or 'not stated'}",
        f"- Date: {facts['date']}",
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}",
        f"- Versions: Python {machine['python']}, spaCy {machine['spacy']}, "
        f"torch {machine['torch']}",
    ]
    return "\n".join(lines)


def _joined(rounds: Sequence[Round | None], field: str, *, merge: bool = False) -> str:
    """One number for each run, or a single one where `merge` finds them equal."""
    values = [NONE if r is None else str(getattr(r, field)) for r in rounds]
    return values[0] if merge and len(set(values)) == 1 else " / ".join(values)


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


def _difference(base: float | None, other: float | None) -> str:
    return NONE if base is None or other is None else f"{100 * (other - base):+.1f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table whose columns also line up as plain text."""
    cells = [[_cell(text) for text in row] for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
