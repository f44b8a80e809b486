"""The runs that are kept, and their table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import srsly

from spacy_seqmix.report.statistics import summarise

HEADER = ("arm", "seeds", "dev F1", "gain", "words", "training", "whole time")


class Key(NamedTuple):
    """What tells runs apart: the arm, the seed, the number of labelled sentences, and the steps."""

    arm: str
    seed: int
    n: int
    base_steps: int


class Run(NamedTuple):
    """F1 × 100 on dev, words of the labelled sentences, seconds of the training and before it."""

    f1: float
    tokens: int | None
    s: float
    prep: float


def read_runs(path: Path) -> dict[Key, Run]:
    """The runs of a file; of equal ones the last."""
    if not path.exists():
        return {}
    return {
        Key(*(row[name] for name in Key._fields)): Run(*(row.get(name) for name in Run._fields))
        for row in srsly.read_jsonl(path)
    }


def make_table(runs: Mapping[Key, Run], baseline: str) -> str:
    """A table in Markdown for each number of sentences and steps."""
    groups: dict[tuple[int, int], dict[str, dict[int, Run]]] = defaultdict(dict)
    for key, run in runs.items():
        groups[key.n, key.base_steps].setdefault(key.arm, {})[key.seed] = run
    parts = []
    for (n, steps), arms in sorted(groups.items()):
        lines = [f"| {' | '.join(cells)} |" for cells in (HEADER, *rows_of(arms, baseline))]
        lines.insert(1, "|---|" + "---:|" * (len(HEADER) - 1))
        parts.append(f"{n} labelled sentences, {steps} steps:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def rows_of(arms: Mapping[str, Mapping[int, Run]], baseline: str) -> Iterator[tuple[str, ...]]:
    """The cells of each arm: the baseline, then those that gain most."""
    base = arms.get(baseline, {})
    shared = {arm: sorted(runs.keys() & base.keys()) for arm, runs in arms.items()}
    gains = {
        arm: summarise([runs[seed].f1 - base[seed].f1 for seed in shared[arm]])
        for arm, runs in arms.items()
    }
    for arm in sorted(arms, key=lambda arm: (arm != baseline, -gains[arm].mean, arm)):
        runs, gain, seeds = arms[arm], gains[arm], shared[arm]
        gained = "" if arm == baseline or not seeds else f"{gain.mean:+.1f}"
        if gained and gain.n > 1:
            gained += f" ± {gain.deviation:.1f}"
        words = [run.tokens for run in runs.values() if run.tokens is not None]
        time = sum(runs[seed].s for seed in seeds)
        whole = time + sum(runs[seed].prep for seed in seeds)
        of_base = sum(base[seed].s + base[seed].prep for seed in seeds)
        yield (
            arm,
            ", ".join(map(str, sorted(runs))),
            f"{summarise([run.f1 for run in runs.values()]).mean:.1f}",
            gained,
            f"{sum(words) / len(words):.0f}" if words else "",
            *(f"{one / of_base:.1f}" if of_base else "" for one in (time, whole)),
        )
