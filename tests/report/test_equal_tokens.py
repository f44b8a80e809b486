"""Scores at equal numbers of labelled tokens, over hand-written journals."""

import json
from pathlib import Path

import pytest

from spacy_seqmix.report.arms import baselines_of, read_arms
from spacy_seqmix.report.equal_tokens import at_equal_tokens
from spacy_seqmix.report.summary import summarise_arms
from spacy_seqmix.report.tables import make_tables


def run_of(folder: Path, tokens, scores, seed=0, **fields):
    """A run whose rounds ask docs of so many tokens in all."""
    folder.mkdir(parents=True)
    rounds = [
        {
            "round": i,
            "queried": [10 * i, 10 * i + 1],
            "n_labelled": 2 * (i + 1),
            "n_mixed": 0,
            "steps": 10,
            "queried_tokens": [n - 1, 1] if n else [],
            "queried_entities": [1, 0],
            "seconds": {"query": 1.0, "mix": 0.0, "train": 1.0, "evaluate": 1.0},
            "scores": {} if f is None else {"dev": {"ents_p": f, "ents_r": f, "ents_f": f}},
            **fields,
        }
        for i, (n, f) in enumerate(zip(tokens, scores, strict=True))
    ]
    (folder / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rounds), "utf8")
    config = f"[active]\nseed = {seed}\npool_size = null\n"
    (folder / "config.cfg").write_text(config, "utf8")


def arms_of(tmp_path, **runs):
    """Arms by name, each a list of (tokens, scores), one a seed."""
    given = []
    for name, seeds in runs.items():
        for seed, (tokens, scores) in enumerate(seeds):
            folder = tmp_path / name / str(seed)
            run_of(folder, tokens, scores, seed)
            given.append(f"{name}={folder}")
    arms, _ = read_arms(given)
    return arms, baselines_of(arms, next(iter(runs)))


def test_equal_tokens_by_hand(tmp_path):
    """The arm that asks long docs is better at equal docs, and worse at equal tokens."""
    arms, baselines = arms_of(
        tmp_path,
        short=[([100, 50, 50, 50], [0.5, 0.6, 0.7, 0.8])],
        long=[([100, 150, 150, 100], [0.5, 0.66, 0.75, 0.82])],
    )
    found = at_equal_tokens(arms, baselines)
    assert found.tokens == [100, 130, 160, 190, 220, 250]
    short = [s.mean for s in found.curves["dev"]["short"]]
    long = [s.mean for s in found.curves["dev"]["long"]]
    assert short == pytest.approx([0.5, 0.56, 0.62, 0.68, 0.74, 0.8])
    assert long == pytest.approx([0.5, 0.532, 0.564, 0.596, 0.628, 0.66])
    gain = sum(b - a for a, b in zip(short, long, strict=True)) / 6
    assert found.comparisons["dev"]["long"].gain.mean == pytest.approx(gain)
    assert "test" not in found.curves
    table = next(t for t in make_tables(summarise_arms(arms, baselines)) if t.name == "tokens")
    assert table.head == ["tokens", "dev short", "dev long"]
    assert table.rows[1] == ["130", "56.0", "53.2"]
    assert table.rows[-3:] == [
        ["gain", "–", f"{100 * gain:+.1f}"],
        ["up to", "–", "250"],
        ["p (Holm)", "–", "–"],
    ]


def test_equal_tokens_of_two_arms_are_not_cut_short_by_a_third(tmp_path):
    arms, baselines = arms_of(
        tmp_path,
        base=[([100, 100], [0.5, 0.7])],
        long=[([100, 200], [0.5, 0.9])],
        short=[([100, 10], [0.5, 0.6])],
    )
    found = at_equal_tokens(arms, baselines)
    assert found.tokens == [100, 102, 104, 106, 108, 110]
    assert found.shared == {"long": 200, "short": 110}
    # at 100, 120, ..., 200 tokens both have the same
    assert found.comparisons["dev"]["long"].gain.mean == pytest.approx(0.0, abs=1e-6)
    assert found.comparisons["dev"]["short"].gain.mean == pytest.approx(0.04)


def test_equal_tokens_over_seeds(tmp_path):
    one = [([100 + k, 100], [0.5, 0.7 + k / 100]) for k in range(6)]
    other = [([100 + k, 50 + k], [0.5, 0.7 + k / 50]) for k in range(6)]
    arms, baselines = arms_of(tmp_path, one=one, other=other)
    found = at_equal_tokens(arms, baselines)
    assert (found.tokens[0], found.tokens[-1]) == (105, 150)
    comparison = found.comparisons["dev"]["other"]
    assert comparison.gain.n == 6
    assert comparison.p_holm == pytest.approx(2 / 64)
    assert comparison.gain.mean > 0
    last = found.curves["dev"]["one"][-1]
    assert last.n == 6
    assert last.mean == pytest.approx(
        sum(0.5 + (0.2 + k / 100) * (50 - k) / 100 for k in range(6)) / 6
    )


@pytest.mark.parametrize(
    "other",
    [
        [([0, 0], [0.5, 0.6])],  # an older journal
        [([300, 50], [0.5, 0.6])],  # more than the first arm ever has
    ],
)
def test_equal_tokens_are_left_out_where_they_are_not_known(tmp_path, other):
    arms, baselines = arms_of(tmp_path, one=[([100, 100], [0.5, 0.7])], other=other)
    assert at_equal_tokens(arms, baselines) is None
    assert "tokens" not in {t.name for t in make_tables(summarise_arms(arms, baselines))}
    assert at_equal_tokens(arms[:1], {}) is None


def test_equal_tokens_leave_out_runs_without_a_score(tmp_path):
    arms, baselines = arms_of(
        tmp_path,
        one=[([100, 100], [0.5, 0.7]), ([100, 100], [0.5, 0.7])],
        other=[([100, 100], [None, 0.7]), ([100, 100], [0.5, 0.9])],
    )
    found = at_equal_tokens(arms, baselines)
    assert found.curves["dev"]["other"][0].n == 1
    assert found.comparisons["dev"]["other"].gain.mean == pytest.approx(0.1)
