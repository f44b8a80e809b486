"""The CRF's loss: hard, soft and missing rows, and gradients by finite differences."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from spacy_seqmix.annotation.iob import plain_tags, transition_scores
from spacy_seqmix.annotation.packing import Packing
from spacy_seqmix.models.crf_inference import Transitions
from spacy_seqmix.models.crf_loss import cross_entropy, valid_targets

from .padded import lattice_of, pack, unpack

L = 5
START, MOVES = transition_scores(plain_tags(L))
OO, BX, IX, BY, IY = range(L)
YES, NO = torch.tensor([True]), torch.tensor([False])


def scores(seed, lengths, scale=1.0):
    rng = np.random.default_rng(seed)
    e = torch.tensor(rng.normal(size=(len(lengths), max(lengths), L)) * scale)
    return e, Transitions(*(torch.tensor(rng.normal(size=s) * scale) for s in ((L,), (L, L), (L,))))


def hot(*paths):
    """One-hot rows; None where annotation is missing."""
    rows = torch.zeros((len(paths), max(map(len, paths)), L), dtype=torch.float64)
    for row, path in zip(rows, paths, strict=True):
        for t, i in enumerate(path):
            if i is not None:
                row[t, i] = 1.0
    return rows


def soft(seed, lengths):
    rng = np.random.default_rng(seed)
    rows = torch.tensor(rng.dirichlet(np.ones(L) / 2, size=(len(lengths), max(lengths))))
    for row, n in zip(rows, lengths, strict=True):
        row[n:] = 0.0
    return rows


def log_probs(e, transitions):
    """Every valid path of one sequence with its log-probability."""
    start, moves, end = (t.numpy() for t in transitions)
    found = {}
    for path in product(range(L), repeat=len(e)):
        steps = list(pairwise(path))
        if START[path[0]] == 0 and not any(MOVES[i, j] for i, j in steps):
            inside = sum(float(e[t, i]) for t, i in enumerate(path))
            found[path] = (
                start[path[0]] + inside + sum(moves[i, j] for i, j in steps) + end[path[-1]]
            )
    log_z = np.log(np.exp(list(found.values())).sum())
    return {path: score - log_z for path, score in found.items()}


def loss_of(e, transitions, lengths, rows):
    loss, d_e, d = cross_entropy(lattice_of(e, lengths, transitions), pack(rows, lengths))
    return loss, unpack(d_e, lengths), d


def targets(rows, at_start, lengths=None):
    lengths = lengths or [rows.shape[1]]
    y, moves = valid_targets(pack(rows, lengths), at_start, Packing(lengths))
    return unpack(y, lengths), moves


def test_crf_loss_of_hard_rows_is_the_negative_log_likelihood():
    paths = [(OO, BX, IX, IX), (BY,), (), (BX, BX, OO)]
    lengths = [len(path) for path in paths]
    e, transitions = scores(0, lengths)
    loss, _, _ = loss_of(e, transitions, lengths, hot(*paths))
    exact = [log_probs(e[b, :n], transitions)[paths[b]] for b, n in enumerate(lengths) if n]
    assert loss == pytest.approx(-sum(exact), rel=1e-9)


@pytest.mark.parametrize("kind", ["hard", "soft", "hard, partly", "soft, partly"])
def test_crf_loss_gradients(kind):
    lengths = [4, 1, 0, 2]
    e, transitions = scores(1, lengths)
    rows = soft(1, lengths)
    if "hard" in kind:
        rows = hot((OO, BX, IX, IX), (BY,), (), (BX, OO))
    if "partly" in kind:  # a gap in the middle, a doc of nothing else, and gaps at both ends
        rows[0, 1:3] = rows[1, 0] = rows[3, 0] = 0.0
    _, d_e, d = loss_of(e, transitions, lengths, rows)

    def numeric(tensor):
        out = torch.zeros_like(tensor)
        flat, result = tensor.view(-1), out.view(-1)
        for i in range(len(flat)):
            old, values = float(flat[i]), []
            for step in (1e-5, -1e-5):
                flat[i] = old + step
                values.append(loss_of(e, transitions, lengths, rows)[0])
            flat[i] = old
            result[i] = (values[0] - values[1]) / 2e-5
        return out

    assert_allclose(d_e, numeric(e), atol=1e-7)
    for found, parameter in zip(d, transitions, strict=True):
        assert_allclose(found, numeric(parameter), atol=1e-7)
    assert float(d.moves.abs().max()) > 0.1


def test_crf_loss_gradient_is_marginals_minus_rows():
    # Half of "B-X I-X" and half of "O O": the rows are the marginals of a valid distribution.
    rows = torch.zeros((1, 2, L), dtype=torch.float64)
    rows[0, 0, [OO, BX]] = rows[0, 1, [OO, IX]] = 0.5
    e, transitions = scores(2, [2])
    lattice = lattice_of(e, [2], transitions)
    loss, d_e, d = cross_entropy(lattice, rows[0])
    assert_allclose(d_e, lattice.marginals - rows[0], atol=1e-12)
    # … namely that of the two paths themselves: no weight on O → I-X, none on B-X → O.
    both = log_probs(e[0], transitions)
    assert loss == pytest.approx(-0.5 * (both[BX, IX] + both[OO, OO]), rel=1e-9)
    assert_allclose((lattice.move_counts() - d.moves)[[OO, BX], [OO, IX]], [0.5, 0.5], atol=1e-12)


def test_crf_loss_has_a_minimum_at_the_rows():
    rows = torch.zeros((1, 3, L), dtype=torch.float64)
    rows[0, 0, [OO, BX]] = rows[0, 1, [OO, IX]] = rows[0, 2, [OO, IX]] = 0.5
    e, transitions = scores(3, [3])
    for _ in range(4000):
        loss, d_e, d = loss_of(e, transitions, [3], rows)
        e -= 0.5 * d_e
        for parameter, gradient in zip(transitions, d, strict=True):
            parameter -= 0.5 * gradient
    assert_allclose(lattice_of(e, [3], transitions).marginals, rows[0], atol=0.01)
    # The entropy of a coin: which of the two parents.
    assert loss == pytest.approx(np.log(2), abs=0.01)


TAGS = st.sampled_from([None, None, *range(L)])


@given(paths=st.lists(st.lists(TAGS, min_size=1, max_size=5), max_size=3), seed=st.integers(0, 9))
def test_crf_loss_of_missing_rows_sums_over_the_paths_that_agree(paths, seed):
    lengths = [len(path) for path in paths]
    e, transitions = scores(seed, [*lengths, 1])
    exact = 0.0
    expected = torch.zeros_like(e)
    for b, path in enumerate(paths):
        each = log_probs(e[b, : len(path)], transitions)
        same = {found: p for found, p in each.items() if agrees(found, path)}
        assume(same)
        total = np.log(np.exp(list(same.values())).sum())
        exact -= total
        for some, z in ((each, 0.0), (same, total)) if any(t is not None for t in path) else ():
            sign = 1.0 if some is each else -1.0
            for found, p in some.items():
                for t, tag in enumerate(found):
                    expected[b, t, tag] += sign * np.exp(p - z)
    loss, d_e, _ = (
        loss_of(e[: len(paths)], transitions, lengths, hot(*paths)) if paths else (0, 0, 0)
    )
    assert loss == pytest.approx(exact, abs=1e-9)
    assert_allclose(d_e, expected[: len(paths), : max(lengths)] if paths else 0, atol=1e-9)


def agrees(found, path):
    return all(wanted is None or wanted == tag for tag, wanted in zip(found, path, strict=True))


def test_crf_loss_of_an_entity_whose_end_is_unknown():
    """B-X is known, and nothing of what follows."""
    e, transitions = scores(4, [3])
    loss, d_e, d = loss_of(e, transitions, [3], hot((BX, None, None)))
    each = log_probs(e[0], transitions)
    total = sum(np.exp(p) for found, p in each.items() if found[0] == BX)
    assert loss == pytest.approx(-np.log(total), rel=1e-9)
    assert d_e[0, 1:].any()
    assert float(d.moves.sum()) == pytest.approx(0.0, abs=1e-12)
    assert float(d.moves[BX].sum()) < -0.5


def test_crf_loss_of_soft_rows_on_both_sides_of_a_gap():
    e, transitions = scores(5, [4, 2])
    rows = soft(5, [4, 2])
    rows[0, 1:3] = 0.0
    rows[1] = 0.0
    loss, _, _ = loss_of(e, transitions, [4, 2], rows)
    each = log_probs(e[0], transitions)
    (y, _), last = targets(rows[:1, :1], YES), rows[0, 3]
    exact = 0.0
    for i, j in product(range(L), range(L)):
        if y[0, 0, i]:
            total = sum(np.exp(p) for found, p in each.items() if (found[0], found[3]) == (i, j))
            exact -= float(y[0, 0, i] * last[j]) * np.log(total)
    assert loss == pytest.approx(exact, rel=1e-9)


def test_crf_loss_of_partly_known_docs_does_not_touch_others():
    e, transitions = scores(5, [4, 3, 2])
    paths = [(BX, None, OO, OO), (None, None, None), (OO, BY)]
    loss, d_e, _ = loss_of(e, transitions, [4, 3, 2], hot(*paths))
    alone = [
        loss_of(e[b : b + 1, :n], transitions, [n], hot(paths[b])) for b, n in ((0, 4), (2, 2))
    ]
    assert loss == pytest.approx(sum(one[0] for one in alone), rel=1e-9)
    assert_allclose(d_e[0], alone[0][1][0], atol=1e-12)
    assert_allclose(d_e[2, :2], alone[1][1][0], atol=1e-12)
    assert not d_e[1].any()


def test_crf_loss_of_nothing_known():
    e, transitions = scores(6, [3, 2])
    loss, d_e, d = loss_of(e, transitions, [3, 2], torch.zeros_like(e))
    assert loss == 0.0
    assert not d_e.any()
    assert not any(part.any() for part in d)
    empty = cross_entropy(lattice_of(e, [0, 0], transitions), torch.zeros_like(e[0, :0]))
    assert empty[0] == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("path", [(OO, OO, OO), (None, None, OO), (None, None, None)])
def test_crf_loss_of_broken_scores(bad, path):
    e, transitions = scores(7, [3])
    e[0, 0, 0] = bad
    assert np.isnan(loss_of(e, transitions, [3], hot(path))[0])


# Targets

ROWS = st.lists(
    st.lists(st.sampled_from([0.0, 0.0, 0.2, 0.5, 1.0]), min_size=L, max_size=L).filter(any),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, at_start=st.booleans())
@settings(max_examples=200, deadline=None)
def test_crf_loss_targets_are_a_distribution_over_valid_paths(rows, at_start):
    given_rows = torch.tensor([rows], dtype=torch.float64)
    y, moves = targets(given_rows, YES if at_start else NO)
    assert_allclose(y.sum(dim=2), 1.0, atol=1e-12)
    assert (y > -1e-12).all()
    assert (moves > -1e-12).all()
    assert_allclose(moves.numpy()[MOVES < 0], 0.0, atol=1e-12)
    assert_allclose(moves.sum(dim=1), y[0, :-1].sum(dim=0), atol=1e-9)
    assert_allclose(moves.sum(dim=0), y[0, 1:].sum(dim=0), atol=1e-9)
    if at_start:
        assert_allclose(y[0, 0, [IX, IY]], 0.0, atol=1e-12)
    # Only I- turns into B-, and only where it must.
    wanted = given_rows / given_rows.sum(dim=2, keepdim=True)
    assert_allclose(y[:, :, OO], wanted[:, :, OO], atol=1e-12)
    assert (y[:, :, 2::2] <= wanted[:, :, 2::2] + 1e-12).all()


@given(rows=ROWS, seed=st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_crf_loss_is_never_negative(rows, seed):
    e, transitions = scores(seed, [len(rows)], scale=5.0)
    assert loss_of(e, transitions, [len(rows)], torch.tensor([rows]).double())[0] > -1e-9


def test_crf_loss_targets_without_forbidden_weight_are_independent():
    rows = torch.tensor([[0.3, 0.5, 0.0, 0.2, 0.0], [0.6, 0.0, 0.0, 0.4, 0.0]]).double()
    y, moves = targets(rows[None], YES)
    assert_allclose(y[0], rows)
    assert_allclose(moves, torch.outer(*rows))
    rows = torch.tensor([[0.0, 0.7, 0.3, 0.0, 0.0], [0.1, 0.0, 0.5, 0.4, 0.0]]).double()
    y, moves = targets(rows[None], NO)
    assert_allclose(y[0], rows)
    assert_allclose(moves, torch.outer(*rows))


def test_crf_loss_targets_mend_an_entity_without_its_beginning():
    # As where a window of a mixed sentence begins inside an entity.
    rows = torch.zeros((1, 3, L), dtype=torch.float64)
    rows[0, 0, OO] = 1.0
    rows[0, 1, [OO, IX]] = rows[0, 2, [OO, IX]] = torch.tensor([0.4, 0.6]).double()
    y, moves = targets(rows, YES)
    assert_allclose(y[0, 1], [0.4, 0.6, 0, 0, 0])
    assert_allclose(y[0, 2], [0.4, 0, 0.6, 0, 0])
    assert_allclose(moves[[OO, OO, BX], [OO, BX, IX]], [0.4 + 0.4, 0.6, 0.6])


def test_crf_loss_targets_of_one_sequence_do_not_touch_another():
    rows = soft(8, [4, 2])
    y, moves = targets(rows, torch.tensor([True, False]), [4, 2])
    alone = [targets(rows[b : b + 1, :n], flag) for b, n, flag in ((0, 4, YES), (1, 2, NO))]
    assert_allclose(moves, alone[0][1] + alone[1][1])
    assert_allclose(y[1, :2], alone[1][0][0])
    assert not y[1, 2:].any()


def test_crf_loss_keeps_the_lattice():
    e, transitions = scores(9, [3])
    lattice = lattice_of(e, [3], transitions)
    before = replace(lattice, emissions=lattice.emissions.clone())
    cross_entropy(lattice, hot((None, OO, OO))[0])
    assert torch.equal(lattice.emissions, before.emissions)
    assert torch.equal(lattice.betas, before.betas)
