"""Posteriors and confusions of several people's answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spacy_seqmix.annotate.dawid_skene import NO_ANSWER, DawidSkene, Votes, fit, vote_shares

# Four items and three people, of whom the last errs once.
BY_HAND = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 1, 1]])


def simulated(n_items: int = 400, n_classes: int = 4, seed: int = 0) -> tuple[np.ndarray, Votes]:
    """True classes, and the votes of a careful person, a hasty one, and one who labels little."""
    rng = np.random.default_rng(seed)
    true = rng.choice(n_classes, n_items, p=[0.7, 0.1, 0.1, 0.1])
    votes = np.stack([true, true, true], axis=1)
    for column, share in enumerate((0.05, 0.3, 0.5)):
        wrong = rng.random(n_items) < share
        votes[wrong, column] = rng.integers(n_classes, size=wrong.sum())
    votes[rng.random(votes.shape) < (0.0, 0.2, 0.8)] = NO_ANSWER
    return true, votes


def slow(votes: Votes, n_classes: int, n_steps: int) -> list[list[float]]:
    """The paper's equations 2.3 to 2.5, item by item, in plain probabilities."""
    items, people, classes = range(len(votes)), range(votes.shape[1]), range(n_classes)
    posteriors = vote_shares(votes, n_classes).tolist()
    for _ in range(n_steps):
        prior = [sum(posteriors[i][c] for i in items) / len(items) for c in classes]
        rows = {}
        for a in people:
            for c in classes:
                of = [
                    sum(posteriors[i][c] for i in items if votes[i][a] == given)
                    for given in classes
                ]
                rows[a, c] = [count / sum(of) for count in of]
        for i in items:
            joint = list(prior)
            for a in people:
                if votes[i][a] != NO_ANSWER:
                    joint = [joint[c] * rows[a, c][votes[i][a]] for c in classes]
            posteriors[i] = [p / sum(joint) for p in joint]
    return posteriors


def test_dawid_skene_one_step_by_hand() -> None:
    # Shares of the third item: 2/3 and 1/3. So the prior is (2/3, 1/3), and where the class is 1,
    # the first two answer 0 in a quarter of cases; where it is 0, the last answers 1 in a quarter.
    model = fit(BY_HAND, 2, smoothing=0.0, max_steps=1)
    assert model.steps == 1
    # 2/3 · 1 · 1 · 1/4 against 1/3 · 1/4 · 1/4 · 1
    assert_allclose(model.posteriors[2], [8 / 9, 1 / 9], atol=1e-8)
    assert_allclose(model.posteriors[[0, 1, 3]], [[1, 0], [1, 0], [0, 1]], atol=1e-8)
    # The confusions are those under the new posteriors.
    assert_allclose(model.confusions[2, 0], [2 / (2 + 8 / 9), 8 / 9 / (2 + 8 / 9)], atol=1e-8)
    assert_allclose(model.prior, [(2 + 8 / 9) / 4, (1 + 1 / 9) / 4], atol=1e-8)


@pytest.mark.parametrize("n_steps", [1, 2, 20])
def test_dawid_skene_is_that_of_the_paper(n_steps: int) -> None:
    _, votes = simulated(n_items=100)
    votes[::3, 2] = 0  # who labels too little has no row to compare for a class without answers
    votes[1::7, 2] = np.arange(len(votes[1::7])) % 4
    model = fit(votes, 4, smoothing=0.0, tolerance=0.0, max_steps=n_steps)
    assert_allclose(model.posteriors, slow(votes, 4, n_steps), atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # it uses what its own dependencies deprecate
def test_dawid_skene_is_that_of_crowd_kit() -> None:
    pandas = pytest.importorskip("pandas", reason="crowd-kit is not installed")
    aggregation = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")
    _, votes = simulated()
    model = fit(votes, 4, smoothing=0.0, tolerance=1e-9)
    rows = [
        (item, person, int(given))
        for item, answers in enumerate(votes)
        for person, given in enumerate(answers)
        if given != NO_ANSWER
    ]
    table = pandas.DataFrame(rows, columns=["task", "worker", "label"])
    theirs = aggregation.DawidSkene(n_iter=model.steps, tol=-1.0).fit_predict_proba(table)
    ours = model.posteriors[theirs.index.to_numpy()][:, theirs.columns.to_numpy()]
    assert_allclose(ours, theirs.to_numpy(), atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_dawid_skene_finds_out_who_overlooks_what(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.choice(3, 1000, p=[0.6, 0.2, 0.2])
    votes = np.stack([true, true, true], axis=1)
    for column, missed in enumerate((0.05, 0.5, 0.6)):
        votes[rng.random(1000) < missed, column] = 0
    model = fit(votes, 3)
    right = (model.posteriors.argmax(axis=1) == true).mean()
    assert right > 0.97
    assert right > (vote_shares(votes, 3).argmax(axis=1) == true).mean() + 0.1
    assert_allclose(model.confusions[:, 1:, 0].mean(axis=1), (0.05, 0.5, 0.6), atol=0.1)


def test_dawid_skene_takes_a_person_with_one_answer_for_one_of_all() -> None:
    _, votes = simulated()
    votes[:, 2] = NO_ANSWER
    votes[0, 2] = votes[0, 0]
    model = fit(votes, 4)
    pooled = (model.confusions[0] + model.confusions[1]) / 2
    assert np.abs(model.confusions[2] - pooled).max() < 0.15
    assert np.diag(fit(votes, 4, smoothing=0.0).confusions[2]).min() < 0.3


def test_dawid_skene_leaves_out_what_nobody_answered() -> None:
    _, votes = simulated(n_items=100)
    more = np.concatenate([votes, np.full((900, 3), NO_ANSWER)])
    model, other = fit(votes, 4), fit(more, 4)
    assert_allclose(other.posteriors[:100], model.posteriors)
    assert_allclose(other.posteriors[100:], np.tile(model.prior, (900, 1)), atol=1e-4)
    assert not vote_shares(more, 4)[100:].any()


def test_dawid_skene_without_one_person() -> None:
    _, votes = simulated()
    model = fit(votes, 4)
    confusions = np.delete(model.confusions, 1, axis=0)
    alone = DawidSkene(model.prior, confusions, model.posteriors, 0)
    for item in (0, 7, 23):
        joint = model.prior.copy()
        for given, of_person in zip(np.delete(votes[item], 1), alone.confusions, strict=True):
            joint *= 1.0 if given == NO_ANSWER else of_person[:, given]
        assert_allclose(model.without(votes, 1)[item], joint / joint.sum())


def test_dawid_skene_is_deterministic_and_ends() -> None:
    _, votes = simulated()
    one, two = fit(votes, 4), fit(votes.copy(), 4)
    assert_array_equal(one.posteriors, two.posteriors)
    assert one.steps < 500
    assert fit(votes, 4, max_steps=3).steps == 3


@pytest.mark.parametrize("votes", [np.zeros((0, 2), "int16"), np.zeros((3, 1), "int16")])
def test_dawid_skene_of_few(votes: Votes) -> None:
    model = fit(votes, 3)
    assert model.posteriors.shape == (len(votes), 3)
    assert_allclose(model.posteriors[:, 0], 1.0, atol=1e-6)
