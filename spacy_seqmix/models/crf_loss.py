"""The loss of a linear-chain CRF on soft rows, and its gradient.

A CRF gives probabilities to paths, soft rows to single tokens. The loss is the cross-entropy
log Z − E_q[score], where q is a distribution over valid paths whose tokens have the rows as their
marginals (see ``valid_targets``). One-hot rows make it the usual negative log-likelihood.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..annotation.packing import Packing
from .crf_inference import Lattice, Transitions, index, packed

NO_PLACES = np.zeros(0, dtype="int64")


class Run(NamedTuple):
    """Annotated tokens ``start`` to ``end`` (exclusive) of a doc; ``is_end``: its last tokens."""

    doc: int
    start: int
    end: int
    is_end: bool


def cross_entropy(lattice: Lattice, rows: Tensor) -> tuple[float, Tensor, Transitions]:
    """Cross-entropy of soft rows and its gradients.

    Where rows are missing, each run of annotated tokens between them counts by itself; the model's
    sums before and after the run are held fixed. So missing tokens, and moves from and to them,
    get no gradient.

    lattice (Lattice): the model's scores.
    rows (Tensor): shape (N, L), tokens in their places, zeros where annotation is missing.
    RETURNS (tuple): the loss in nats, summed (NaN if a score is not a number), and its gradients
        with respect to the emissions (N, L) and, summed over the batch, to the transitions.
    """
    runs = _runs(rows.sum(dim=1) > 0, lattice.packing)
    packing = Packing([run.end - run.start for run in runs])
    part, where = _cut(lattice, runs, packing)
    in_order = [runs[i] for i in packing.order.tolist()]
    at_start = _flags([run.start == 0 for run in in_order], rows)
    at_end = _flags([run.is_end for run in in_order], rows)
    y, moves = valid_targets(rows[where], at_start, packing)

    size = len(in_order)
    expected = (
        (y * part.emissions).sum()
        + (moves * _finite(part.moves)).sum()
        + (y[:size] * _finite(part.start)).sum()
        + (y[part.last] * part.end).sum()
    )
    d = part.marginals - y
    transitions = Transitions(
        (d[:size] * at_start[:, None]).sum(dim=0),
        part.move_counts() - moves,
        (d[part.last] * at_end[:, None]).sum(dim=0),
    )
    loss = float(part.log_z.sum() - expected)
    if not bool(torch.isfinite(lattice.log_z).all()):
        loss = float("nan")
    gradient = torch.zeros_like(lattice.emissions)
    gradient[where] = d
    return loss, gradient, transitions


def valid_targets(rows: Tensor, at_start: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
    """Make a distribution over valid paths whose marginals are the soft rows.

    Mixed rows do not determine the joint distribution of neighbours. Independent neighbours would
    put weight on moves that IOB2 forbids (half "B-X I-X" and half "O O" gives O → I-X a
    quarter), and a loss which merely left that weight out would have no minimum: the remaining
    moves weigh less than 1, so lower scores for all of them lower it forever. So I-X at t + 1
    follows B-X and I-X at t, in proportion, and the other tags of t + 1 follow what is left of
    t, independently. Without weight on forbidden moves that is y_t y_t+1ᵀ.

    Where a row has more I-X than can follow (its entity's beginning was cut off), the surplus
    becomes B-X, the usual repair of IOB2.

    rows (Tensor): shape (N, L), none missing, tokens in their places.
    at_start (Tensor): which sequences start a text, where I-X cannot stand; shape (B,), in the
        packing's order.
    packing (Packing): the places of the tokens.
    RETURNS (tuple): the rows, repaired and normalised, and the moves Σ_t q(y_t = i, y_t+1 = j)
        summed over the batch, shape (L, L).
    """
    y = rows / rows.sum(dim=1, keepdim=True).clamp(min=1e-30)
    begin, inside = y[:, 1::2], y[:, 2::2]
    both = begin + inside
    size, previous = len(at_start), index(packing.previous, y)
    first = torch.where(at_start[:, None], 0.0, inside[:size])
    surplus = (inside - torch.cat([first, both[previous]])).clamp(min=0.0)
    y = y.clone()
    y[:, 1::2] += surplus
    y[:, 2::2] -= surplus

    left, right = y[previous], y[size:]
    goes_on = right[:, 2::2] / both[previous].clamp(min=1e-30)
    from_begin, from_inside = goes_on * left[:, 1::2], goes_on * left[:, 2::2]
    rest, new = left.clone(), right.clone()
    rest[:, 1::2] -= from_begin
    rest[:, 2::2] -= from_inside
    new[:, 2::2] = 0.0
    rest = rest / rest.sum(dim=1, keepdim=True).clamp(min=1e-30)
    moves = rest.T @ new
    at = torch.arange(1, y.shape[1], 2, device=y.device)
    moves[at, at + 1] += from_begin.sum(dim=0)
    moves[at + 1, at + 1] += from_inside.sum(dim=0)
    return y, moves


def _runs(known: Tensor, packing: Packing) -> list[Run]:
    """The runs of annotated tokens."""
    flags = known.cpu().numpy()
    runs = []
    for doc, places in enumerate(packing.places):
        edges = np.flatnonzero(np.diff(flags[places], prepend=False, append=False)).tolist()
        n = len(places)
        runs += [Run(doc, a, b, b == n) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return runs


def _cut(lattice: Lattice, runs: list[Run], packing: Packing) -> tuple[Lattice, Tensor]:
    """Make a sequence of each run, with the model's sums before and after it.

    packing (Packing): that of the runs.
    RETURNS (tuple): the lattice, and the places of its tokens in the given one.
    """
    of_docs = [lattice.packing.places[run.doc][run.start : run.end] for run in runs]
    where = packed(index(np.concatenate([*of_docs, NO_PLACES]), lattice.emissions), packing)
    if torch.equal(where, torch.arange(len(lattice.packing), device=where.device)):
        return lattice, where  # all is annotated
    firsts, lasts = where[: len(packing.order)], where[index(packing.last, where)]
    # The first places are those of the sequences' first tokens, where start scores belong.
    before = lattice.alphas[firsts] - lattice.emissions[firsts]
    emissions = lattice.emissions[where]
    return Lattice(emissions, packing, before, lattice.moves, lattice.betas[lasts]), where


def _flags(flags: list[bool], like: Tensor) -> Tensor:
    return torch.tensor(flags, dtype=torch.bool, device=like.device)


def _finite(scores: Tensor) -> Tensor:
    """Set impossible scores to 0: their expected counts are 0."""
    return scores.masked_fill(torch.isneginf(scores), 0.0)
