"""Sums and maxima over paths: against every path written out."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from spacy_seqmix.annotation.iob import Chain, best_paths, plain_tags, transition_scores
from spacy_seqmix.models import crf_inference
from spacy_seqmix.models.crf_inference import Transitions, make_lattice
from spacy_seqmix.models.crf_loss import cross_entropy

from .padded import lattice_of, unpack

L = 5  # O and two labels
START, MOVES = transition_scores(plain_tags(L))
LENGTHS = [4, 1, 3, 0, 2]


def random_lattice(seed, lengths=LENGTHS, scale=2.0):
    rng = np.random.default_rng(seed)
    e = torch.tensor(rng.normal(size=(len(lengths), max(lengths), L)) * scale)
    scores = [torch.tensor(rng.normal(size=s) * scale) for s in ((L,), (L, L), (L,))]
    return lattice_of(e, lengths, Transitions(*scores)), e, Transitions(*scores)


def best(e, lengths, transitions):
    """The best path of each sequence, and their scores."""
    arrays = [e[b, :n].numpy() for b, n in enumerate(lengths)]
    return best_paths(arrays, plain_tags(L), Chain(*(part.numpy() for part in transitions)))


def log_z(lattice):
    """Of each sequence, in the order of the docs; empty ones have one path, of score 0."""
    out = torch.zeros(len(lattice.packing.places), dtype=torch.float64)
    out[torch.from_numpy(lattice.packing.order)] = lattice.log_z
    return out


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
        paths, probs, expected = by_hand(e[b], transitions, n)
        assert float(log_z(lattice)[b]) == pytest.approx(expected, abs=1e-9)
        marginals = np.zeros((n, L))
        for path, p in zip(paths, probs, strict=True):
            for t, i in enumerate(path):
                marginals[t, i] += p
            for i, j in pairwise(path):
                counts[i, j] += p
        assert_allclose(unpack(lattice.marginals, LENGTHS)[b, :n], marginals, atol=1e-12)
    assert_allclose(lattice.move_counts(), counts, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_crf_best_path(seed):
    _, e, transitions = random_lattice(seed)
    path, top = best(e, LENGTHS, transitions)
    for b, n in enumerate(LENGTHS):
        paths, probs, log_z = by_hand(e[b], transitions, n)
        assert tuple(path[b].tolist()) == paths[probs.argmax()]
        assert np.exp(top[b] - log_z) == pytest.approx(probs.max(), rel=1e-9)


def test_crf_best_path_is_not_that_of_the_marginals():
    # O O wins by itself, but at the second place three paths with B-X outweigh it together.
    e = torch.zeros((1, 2, L), dtype=torch.float64)
    e[0, 0, 0], e[0, 1, 0] = 1.0, 1.0
    e[0, 1, 1] = 0.8
    moves = torch.zeros((L, L), dtype=torch.float64)
    moves[1, 1] = moves[3, 1] = 0.9
    transitions = Transitions(torch.zeros(L).double(), moves, torch.zeros(L).double())
    assert best(e, [2], transitions)[0][0].tolist() == [0, 0]
    assert lattice_of(e, [2], transitions).marginals[1].argmax() == 1


@pytest.mark.parametrize("seed", range(3))
def test_crf_probability_of_a_piece(seed):
    lattice, e, transitions = random_lattice(seed)
    checked = 0
    for b, n in enumerate(LENGTHS):
        paths, probs, _ = by_hand(e[b], transitions, n)
        for start, end in product(range(n), range(1, n + 1)):
            for tags in {path[start:end] for path in paths if start < end}:
                goes_on = {1: 2, 2: 2, 3: 4, 4: 4}.get(tags[-1])
                exact = sum(
                    p
                    for path, p in zip(paths, probs, strict=True)
                    if path[start:end] == tags and (end == n or path[end] != goes_on)
                )
                found = float(lattice.log_prob(b, start, list(tags)).exp())
                assert found == pytest.approx(exact, rel=1e-9)
                checked += 1
    assert checked > 400


def test_crf_sequences_side_by_side_are_as_alone():
    lattice, e, transitions = random_lattice(0)
    paths, tops = best(e, LENGTHS, transitions)
    for b, n in enumerate(LENGTHS):
        alone = lattice_of(e[b : b + 1], [n], transitions)
        assert_allclose(log_z(lattice)[b], log_z(alone)[0])
        assert_allclose(unpack(lattice.marginals, LENGTHS)[b, :n], alone.marginals)
        (path,), (top,) = best(e[b : b + 1], [n], transitions)
        assert (path.tolist(), top) == (paths[b].tolist(), tops[b])


def test_crf_holds_no_padding(monkeypatch):
    # One doc of 300 tokens among 30 of 2: padded, that would be 31 × 300 tokens.
    lengths = [2] * 15 + [300] + [2] * 15
    largest = 0
    allocate = torch.cat

    def spy(parts, *args, **kwargs):
        nonlocal largest
        out = allocate(parts, *args, **kwargs)
        largest = max(largest, out.numel())
        return out

    rng = np.random.default_rng(0)
    flat = torch.tensor(rng.normal(size=(sum(lengths), L)))
    transitions = Transitions(*(torch.zeros(s).double() for s in ((L,), (L, L), (L,))))
    monkeypatch.setattr(torch, "cat", spy)
    lattice = make_lattice(flat, lengths, transitions)
    cross_entropy(lattice, torch.full_like(flat, 1 / L))
    assert largest == sum(lengths) * L
    assert lattice.marginals.shape == (sum(lengths), L)


def test_crf_long_and_steep():
    # Sums over 400 tokens with far scores: no overflow, rows still sum to 1.
    e = torch.randn((2, 400, L), generator=torch.Generator().manual_seed(0)).double() * 300
    zeros = torch.zeros(L).double()
    transitions = Transitions(zeros, torch.zeros((L, L)).double(), zeros)
    lattice = lattice_of(e, [400, 37], transitions)
    assert torch.isfinite(lattice.log_z).all()
    assert_allclose(lattice.marginals.sum(dim=1), 1.0, atol=1e-12)
    path, top = best(e, [400, 37], transitions)
    assert (top <= lattice.log_z.numpy() + 1e-6).all()
    assert (np.exp(top - lattice.log_z.numpy()) > 0.1).all()
    tags = plain_tags(L)
    seen = ["O", *[tags[i] for i in path[0].tolist()]]
    assert all(b[0] != "I" or a[1:] == b[1:] for a, b in pairwise(seen))


@pytest.mark.parametrize("scale", [0.1, 2.0, 15.0, 40.0])
@pytest.mark.parametrize("seed", range(2))
def test_crf_products_of_matrices_give_the_sums_of_logs(monkeypatch, seed, scale):
    lengths = [30, 7, 1, 0, 12]
    weight = torch.tensor([0.5, 1.0, 0.0, 2.0], dtype=torch.float64)
    near, e, transitions = random_lattice(seed, lengths, scale)
    monkeypatch.setattr(crf_inference, "LARGEST_SPAN", 1e9)
    assert not near._is_wide
    sums = near.log_z, near.alphas, near.betas, near.marginals, near.move_counts(weight)
    monkeypatch.setattr(crf_inference, "LARGEST_SPAN", 0.0)
    far = lattice_of(e, lengths, transitions)
    assert far._is_wide
    for a, b in zip(
        sums,
        (far.log_z, far.alphas, far.betas, far.marginals, far.move_counts(weight)),
        strict=True,
    ):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_crf_steep_scores_are_summed_as_logs():
    # The entity's second token needs a first one that is e^-900 as likely as O.
    e = torch.zeros((1, 2, L), dtype=torch.float64)
    e[0, 0, 0], e[0, 1, 2] = 900.0, 2000.0
    zeros = torch.zeros(L).double()
    lattice = lattice_of(e, [2], Transitions(zeros, torch.zeros((L, L)).double(), zeros))
    assert lattice._is_wide
    assert_allclose(lattice.log_z, 2000.0)
    assert_allclose(lattice.marginals[:, 1:3].sum(dim=1), 1.0)
    assert_allclose(lattice.move_counts()[1, 2], 1.0)


def test_crf_of_scores_that_are_no_numbers_is_no_number():
    lattice, _, _ = random_lattice(0)
    lattice.emissions[0, 0] = torch.nan
    assert not torch.isfinite(lattice.log_z).all()
    loss, _, _ = cross_entropy(lattice, torch.full_like(lattice.emissions, 1 / L))
    assert np.isnan(loss)


def test_crf_of_single_tokens_has_no_moves():
    lattice, _, _ = random_lattice(0, [1, 0, 1])
    assert not lattice.move_counts().any()
