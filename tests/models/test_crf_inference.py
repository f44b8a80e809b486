"""Sums and maxima over paths: against every path written out."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from spacy_seqmix.annotation.iob import plain_tags, transition_scores
from spacy_seqmix.models.crf_inference import Transitions, make_lattice

L = 5  # O and two labels
START, MOVES = transition_scores(plain_tags(L))
LENGTHS = [4, 1, 3, 0, 2]


def random_lattice(seed, lengths=LENGTHS, scale=2.0):
    rng = np.random.default_rng(seed)
    e = torch.tensor(rng.normal(size=(len(lengths), max(lengths), L)) * scale)
    scores = [torch.tensor(rng.normal(size=s) * scale) for s in ((L,), (L, L), (L,))]
    return make_lattice(e, lengths, Transitions(*scores)), e, Transitions(*scores)


def valid_paths(n):
    """Every path of n tags that IOB2 allows."""
    for path in product(range(L), repeat=n):
        moves = [MOVES[i, j] for i, j in pairwise(path)]
        if not n or (START[path[0]] == 0 and not any(moves)):
            yield path


def score(path, e, transitions):
    if not path:
        return 0.0
    start, moves, end = (t.numpy() for t in transitions)
    inside = sum(moves[i, j] for i, j in pairwise(path))
    return start[path[0]] + sum(e[t, i] for t, i in enumerate(path)) + inside + end[path[-1]]


def by_hand(e, transitions, n):
    """All valid paths of one sequence, their probabilities, and log Z."""
    paths = list(valid_paths(n))
    scores = np.array([score(path, e.numpy(), transitions) for path in paths])
    log_z = np.log(np.exp(scores).sum())
    return paths, np.exp(scores - log_z), log_z


@pytest.mark.parametrize("seed", range(3))
def test_crf_sums_over_valid_paths(seed):
    lattice, e, transitions = random_lattice(seed)
    counts = np.zeros((L, L))
    for b, n in enumerate(LENGTHS):
        paths, probs, log_z = by_hand(e[b], transitions, n)
        assert float(lattice.log_z[b]) == pytest.approx(log_z, abs=1e-9)
        marginals = np.zeros((n, L))
        for path, p in zip(paths, probs, strict=True):
            for t, i in enumerate(path):
                marginals[t, i] += p
            for i, j in pairwise(path):
                counts[i, j] += p
        assert_allclose(lattice.marginals[b, :n], marginals, atol=1e-12)
    assert_allclose(lattice.move_counts(), counts, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_crf_best_path(seed):
    lattice, e, transitions = random_lattice(seed)
    path, best = lattice.best()
    for b, n in enumerate(LENGTHS):
        paths, probs, log_z = by_hand(e[b], transitions, n)
        assert tuple(path[b, :n].tolist()) == paths[probs.argmax()]
        assert float((best[b] - log_z).exp()) == pytest.approx(probs.max(), rel=1e-9)


def test_crf_best_path_is_not_that_of_the_marginals():
    # O O wins by itself, but at the second place three paths with B-X outweigh it together.
    e = torch.zeros((1, 2, L), dtype=torch.float64)
    e[0, 0, 0], e[0, 1, 0] = 1.0, 1.0
    e[0, 1, 1] = 0.8
    moves = torch.zeros((L, L), dtype=torch.float64)
    moves[1, 1] = moves[3, 1] = 0.9
    lattice = make_lattice(
        e, [2], Transitions(torch.zeros(L).double(), moves, torch.zeros(L).double())
    )
    assert lattice.best()[0][0].tolist() == [0, 0]
    assert lattice.marginals[0, 1].argmax() == 1


@pytest.mark.parametrize("seed", range(3))
def test_crf_outside_tokens(seed):
    lattice, e, transitions = random_lattice(seed)
    taken = [[1], [], [0, 2], [], [1]]
    path, _ = lattice.forced_outside(taken).best()
    for b, n in enumerate(LENGTHS):
        left = [p for p in valid_paths(n) if all(p[t] == 0 for t in taken[b])]
        assert tuple(path[b, :n].tolist()) == max(
            left, key=lambda p, b=b: score(p, e[b].numpy(), transitions)
        )
    # The lattice itself is as it was.
    assert torch.equal(lattice.emissions, e)


@pytest.mark.parametrize("seed", range(3))
def test_crf_span_probability(seed):
    lattice, e, transitions = random_lattice(seed)
    checked = 0
    for b, n in enumerate(LENGTHS):
        paths, probs, _ = by_hand(e[b], transitions, n)
        for start, end, label in product(range(n), range(1, n + 1), range(2)):
            if start >= end:
                continue
            begin, inside = 2 * label + 1, 2 * label + 2
            tags = (begin, *[inside] * (end - start - 1))
            exact = sum(
                p
                for path, p in zip(paths, probs, strict=True)
                if path[start:end] == tags and (end == n or path[end] != inside)
            )
            found = float(lattice.span_log_prob(b, start, end, label).exp())
            assert found == pytest.approx(exact, rel=1e-9)
            checked += 1
    assert checked == 2 * (10 + 1 + 6 + 3)


def test_crf_padding_changes_nothing():
    _, e, transitions = random_lattice(0)
    wild = e.clone()
    for b, n in enumerate(LENGTHS):
        wild[b, n:] = 1e6
    one, two = (make_lattice(x, LENGTHS, transitions) for x in (e, wild))
    assert_allclose(one.log_z, two.log_z)
    for b, n in enumerate(LENGTHS):
        assert_allclose(one.marginals[b, :n], two.marginals[b, :n])
        assert one.best()[0][b, :n].tolist() == two.best()[0][b, :n].tolist()


def test_crf_long_and_steep():
    # Sums over 400 tokens with far scores: no overflow, rows still sum to 1.
    e = torch.randn((2, 400, L), generator=torch.Generator().manual_seed(0)).double() * 300
    zeros = torch.zeros(L).double()
    lattice = make_lattice(e, [400, 37], Transitions(zeros, torch.zeros((L, L)).double(), zeros))
    assert torch.isfinite(lattice.log_z).all()
    assert_allclose(lattice.marginals[0].sum(dim=1), 1.0, atol=1e-12)
    path, best = lattice.best()
    assert (best <= lattice.log_z + 1e-6).all()
    assert ((best - lattice.log_z).exp() > 0.1).all()
    tags = plain_tags(L)
    seen = ["O", *[tags[i] for i in path[0].tolist()]]
    assert all(b[0] != "I" or a[1:] == b[1:] for a, b in pairwise(seen))
