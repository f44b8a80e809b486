"""Everything that a report shows, in numbers: renderers only lay it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, combinations
from statistics import mean
from typing import Any, TypeAlias

from ..active.journal import RoundRecord
from ..types import Judged
from .arms import Arm
from .equal_tokens import EqualTokens, at_equal_tokens
from .runs import differing_settings, differs
from .statistics import Comparison, Summary, area, compare, holm, summarise

__all__ = ["ArmSummary", "Queried", "ReportSummary", "summarise_arms"]

SPLITS = ("dev", "test")
PHASES = ("query", "mix", "train", "committee", "evaluate", "save")
COUNTS = ("eligible", "tried", "rejected", "kept")

# of a split: the curve, a summary at each data usage point
Curve: TypeAlias = list[Summary]


@dataclass(frozen=True)
class Queried:
    """The docs queried at one data usage point, as means over seeds.

    tokens (float): length of a doc, in tokens.
    entities (float): entities over tokens.
    """

    point: int
    tokens: float
    entities: float


@dataclass
class ArmSummary:
    """One arm; dicts are by "dev" and "test", without a split that was not scored."""

    name: str
    against: str | None  # what it is compared with
    differing: list[str]  # names of the settings in which the two differ
    seeds: list[int | None]
    unfinished: int
    points: list[int]
    steps: list[list[int]]  # of each point, the different numbers of the seeds
    mixed: list[float]
    curves: dict[str, Curve] = field(default_factory=dict)
    areas: dict[str, Summary] = field(default_factory=dict)
    gains: dict[str, Curve] = field(default_factory=dict)
    gain_points: list[int] = field(default_factory=list)  # those of the baseline, too
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    seqeval: dict[str, float] = field(default_factory=dict)
    types: dict[str, Summary] = field(default_factory=dict)
    confusion: dict[tuple[str, str], int] = field(default_factory=dict)
    queried: list[Queried] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    lm_seconds: float | None = None  # of those of "mix"
    minutes: list[float] = field(default_factory=list)  # of people, up to each point, if known
    judged: list[Judged] = field(default_factory=list)
    ranges: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportSummary:
    """All arms; those that are compared with none first.

    overlap (dict): of two arms, the share of the docs queried after the seed set that both have
        by a round, of those that either has; the mean over rounds and seeds.
    tokens (EqualTokens | None): scores at equal numbers of labelled tokens, where known.
    """

    measure: str
    arms: list[ArmSummary]
    overlap: dict[tuple[str, str], float]
    tokens: EqualTokens | None

    @property
    def baseline(self) -> str:
        """What arms are compared with, in words."""
        names = {arm.against for arm in self.arms if arm.against is not None}
        if len(names) > 1:
            return "each arm's baseline"
        return names.pop() if names else self.arms[0].name

    @property
    def points(self) -> list[int]:
        """Numbers of labelled sentences at which any arm was trained."""
        return sorted({point for arm in self.arms for point in arm.points})

    @property
    def splits(self) -> list[str]:
        """Those that any arm was scored on."""
        return [split for split in SPLITS if any(split in arm.curves for arm in self.arms)]


def summarise_arms(arms: Sequence[Arm], baselines: Mapping[str, Arm]) -> ReportSummary:
    """Summarise arms, and compare each with its baseline over the seeds and points of both.

    baselines (Mapping[str, Arm]): by the name of the arm; some have none.
    """
    ordered = sorted(arms, key=lambda arm: arm.name in baselines)
    summaries = [_one(arm, baselines.get(arm.name)) for arm in ordered]
    for split in SPLITS:
        family = {}
        for arm, one in zip(ordered, summaries, strict=True):
            if arm.name not in baselines:
                continue
            baseline = baselines[arm.name]
            scored = baseline.scored(split)
            seeds = [seed for seed in arm.scored(split) if seed in scored]
            points = [point for point in arm.points if point in baseline.points]
            if not seeds or not points:
                continue
            ours = arm.scores(split, points, seeds)
            theirs = baseline.scores(split, points, seeds)
            family[arm.name] = compare(ours, theirs)
            one.gain_points = points
            one.gains[split] = [summarise(column) for column in (ours - theirs).T]
        corrected = holm(family)
        for one in summaries:
            if one.name in corrected:
                one.comparisons[split] = corrected[one.name]
    tokens = at_equal_tokens(ordered, baselines)
    return ReportSummary(ordered[0].runs[0].measure, summaries, _overlap(ordered), tokens)


def _one(arm: Arm, baseline: Arm | None) -> ArmSummary:
    """Summarise an arm's own runs."""
    rounds = {
        point: [r for run in arm.runs if (r := run.at(point)) is not None] for point in arm.points
    }
    one = ArmSummary(
        name=arm.name,
        against=baseline.name if baseline is not None else None,
        differing=differing_settings(arm.runs[0], baseline.runs[0]) if baseline else [],
        seeds=list(arm.seeds),
        unfinished=arm.unfinished,
        points=arm.points,
        steps=[sorted({r.steps for r in of_seeds}) for of_seeds in rounds.values()],
        mixed=[mean(r.n_mixed for r in of_seeds) for of_seeds in rounds.values()],
    )
    for split in SPLITS:
        scores = arm.scores(split, arm.points, arm.scored(split))
        if scores.size:
            one.curves[split] = [summarise(column) for column in scores.T]
            one.areas[split] = summarise([area(arm.points, row) for row in scores])
        last = [run.rounds[-1].scores.get(split) for run in arm.runs]
        strict = [scored.seqeval_f for scored in last if scored is not None]
        if strict and None not in strict:
            one.seqeval[split] = mean(value for value in strict if value is not None)
    one.types, one.confusion = _types([run.rounds[-1] for run in arm.runs])
    every = [r for run in arm.runs for r in run.rounds]
    one.queried = [q for point, of_seeds in rounds.items() if (q := _queried(point, of_seeds))]
    mixing = [r.mixing for r in every if r.mixing is not None]
    one.counts = {name: sum(getattr(m, name) for m in mixing) for name in COUNTS} if mixing else {}
    one.seconds = {name: sum(getattr(r.seconds, name) for r in every) for name in PHASES}
    parts = [r.seconds_mixing for r in every if r.seconds_mixing is not None]
    one.lm_seconds = sum(part.lm for part in parts) if parts else None
    one.minutes = _minutes(arm)
    one.judged = [judged for r in every for judged in r.judged or ()]
    one.ranges = _ranges(arm.runs[0].active)
    return one


def _minutes(arm: Arm) -> list[float]:
    """The minutes that people spent up to each point, mean over seeds; none where a run of the arm
    does not say."""
    spent = [[one.seconds_of_people for one in run.rounds] for run in arm.runs]
    totals = [
        dict(zip((r.n_labelled for r in run.rounds), accumulate(map(float, seconds)), strict=True))
        for run, of_run in zip(arm.runs, spent, strict=True)
        if len(seconds := [one for one in of_run if one is not None]) == len(of_run)
    ]
    if len(totals) < len(arm.runs):
        return []
    having = [[of[point] for of in totals if point in of] for point in arm.points]
    return [mean(of_seeds) / 60 for of_seeds in having]


def _types(last: Iterable[RoundRecord]) -> tuple[dict[str, Summary], dict[tuple[str, str], int]]:
    """Dev F1 by type, and confused types over all seeds, in the last round."""
    values: dict[str, list[float]] = {}
    confused: Counter[tuple[str, str]] = Counter()
    for one in last:
        scores = one.scores.get("dev")
        if scores is None:
            continue
        for label, by_type in (scores.ents_per_type or {}).items():
            values.setdefault(label, []).append(by_type.f)
        for gold, predicted, n in scores.confusion:
            confused[gold, predicted] += n
    return {label: summarise(values[label]) for label in sorted(values)}, dict(confused)


def _queried(point: int, rounds: Sequence[RoundRecord]) -> Queried | None:
    """Sizes of what was queried, where journals say so."""
    tokens = [n for one in rounds for n in one.queried_tokens]
    entities = [n for one in rounds for n in one.queried_entities]
    if not sum(tokens):
        return None
    return Queried(point, mean(tokens), sum(entities) / sum(tokens))


def _overlap(arms: Sequence[Arm]) -> dict[tuple[str, str], float]:
    """Average over rounds, while the sets grow: by the end, a small pool is in both."""
    overlap = {}
    for one, other in combinations(arms, 2):
        shares = []
        for seed in one.seeds:
            both = [run for arm in (one, other) for run in arm.runs if run.seed == seed]
            if len(both) < 2 or any(map(differs, both[0].pool, both[1].pool)):
                continue
            a: set[int | str] = set()
            b: set[int | str] = set()
            for ours, theirs in zip(*(run.rounds[1:] for run in both), strict=False):
                a |= set(ours.queried)
                b |= set(theirs.queried)
                if a | b:
                    shares.append(len(a & b) / len(a | b))
        if shares:
            overlap[one.name, other.name] = mean(shares)
    return overlap


def _ranges(active: Any) -> dict[str, float]:
    """The range of a run's discriminator: its numbers by name."""
    mixing = active.get("mixing") or {}
    section = mixing.get("discriminator") if isinstance(mixing, dict) else None
    if not isinstance(section, dict):  # one that names another section is not followed
        return {}
    names = ("min_perplexity", "max_perplexity", "min_window_nats", "max_window_nats")
    limits = {name: section.get(name) for name in names}
    return {name: float(v) for name, v in limits.items() if isinstance(v, int | float)}
