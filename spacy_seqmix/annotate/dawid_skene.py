"""What several people's answers say together, by how often each of them errs.

Dawid and Skene (1979), Maximum likelihood estimation of observer error-rates using the EM
algorithm, Applied Statistics 28 (1). Each person has a matrix of confusions: the probability of
each answer, given the true class. EM finds these matrices, the frequency of the classes, and the
posterior of each item's class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

__all__ = ["NO_ANSWER", "DawidSkene", "fit", "vote_shares"]

NO_ANSWER = -1
# Probabilities are not lower than this, so that one answer never rules out a class.
FLOOR = 1e-10
Array = NDArray[np.float64]
Votes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class DawidSkene:
    """A fitted model of A people and L classes.

    prior (Array): the frequency of each class, (L,).
    confusions (Array): the probability of each answer (last axis), given the person (first) and the
        true class, (A, L, L).
    posteriors (Array): of each item, (N, L). Where nobody answered, the prior.
    steps (int): how many steps EM took.
    """

    prior: Array
    confusions: Array
    posteriors: Array
    steps: int

    def without(self, votes: Votes, person: int) -> Array:
        """The posteriors (N, L) from the answers of all others.

        votes (Votes): the answers that the model was fitted to.
        """
        others = np.delete(votes, person, axis=1)
        patterns, inverse = np.unique(others, axis=0, return_inverse=True)
        confusions = np.delete(self.confusions, person, axis=0)
        return _posteriors(patterns, self.prior, confusions)[inverse.ravel()]


def fit(
    votes: Votes,
    n_classes: int,
    *,
    smoothing: float = 10.0,
    tolerance: float = 1e-4,
    max_steps: int = 500,
) -> DawidSkene:
    """Find confusions and posteriors by EM, which starts from the shares of the votes.

    votes (Votes): the class that each person (column) gives to each item (row), (N, A);
        ``NO_ANSWER`` where there is none.
    n_classes (int): L.
    smoothing (float): so many answers are added to each row of a person's confusions, distributed
        as those of all people. So a person with few answers errs as people on average do. With 0
        the result is that of the paper.
    tolerance (float): EM ends once no posterior changes by more.
    max_steps (int): it ends after so many steps in any case.
    RETURNS (DawidSkene): the model.
    """
    # Items with the same answers have the same posterior, and most items have the same answers.
    patterns, inverse, counts = np.unique(votes, axis=0, return_inverse=True, return_counts=True)
    answered = (patterns != NO_ANSWER).any(axis=1)
    weights = np.where(answered, counts, 0).astype("float64")
    found = vote_shares(patterns, n_classes)
    steps, change = 0, np.inf
    prior, confusions = _estimates(patterns, weights, found, smoothing)
    while steps < max_steps and change > tolerance:
        new = _posteriors(patterns, prior, confusions)
        change = float(np.abs(new - found)[answered].max(initial=0.0))
        found, steps = new, steps + 1
        prior, confusions = _estimates(patterns, weights, found, smoothing)
    return DawidSkene(prior, confusions, found[inverse.ravel()], steps)


def vote_shares(votes: Votes, n_classes: int) -> Array:
    """The share of the answers that each class has, (N, L); zeros where nobody answered."""
    shares = np.zeros((len(votes), n_classes))
    for column in votes.T:
        given = np.flatnonzero(column != NO_ANSWER)
        shares[given, column[given]] += 1.0
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0))


def _posteriors(votes: Votes, prior: Array, confusions: Array) -> Array:
    """The E-step: the posterior of each row of votes, (N, L)."""
    scores = np.tile(np.log(prior), (len(votes), 1))
    for column, confusion in zip(votes.T, confusions, strict=True):
        given = np.flatnonzero(column != NO_ANSWER)
        scores[given] += np.log(confusion)[:, column[given]].T
    return np.asarray(softmax(scores, axis=1))


def _estimates(
    votes: Votes, weights: Array, posteriors: Array, smoothing: float
) -> tuple[Array, Array]:
    """The M-step: the frequency of the classes (L,) and the confusions (A, L, L).

    weights (Array): how many items each row of votes is, (N,).
    """
    weighted = weights[:, None] * posteriors
    n_classes = posteriors.shape[1]
    counts = np.zeros((votes.shape[1], n_classes, n_classes))
    for column, count in zip(votes.T, counts, strict=True):
        given = np.flatnonzero(column != NO_ANSWER)
        np.add.at(count.T, column[given], weighted[given])
    if smoothing:
        counts += smoothing * _rows(counts.sum(axis=0))
    return _rows(weighted.sum(axis=0)), _rows(counts)


def _rows(counts: Array) -> Array:
    """Counts as distributions over the last axis; without any, all classes are as likely."""
    floored = np.maximum(counts, FLOOR)
    return np.asarray(floored / floored.sum(axis=-1, keepdims=True))
