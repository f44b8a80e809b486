"""The loss of a linear-chain CRF on soft rows, and its gradient.

A CRF gives probabilities to paths, soft rows to single tokens. The loss is the cross-entropy
log Z − E_q[score], where q is a distribution over valid paths whose tokens have the rows as their
marginals (see ``valid_targets``). One-hot rows make it the usual negative log-likelihood.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .crf_inference import Lattice, Transitions


class Run(NamedTuple):
    """Annotated tokens ``start`` to ``end`` (exclusive) of sequence ``row``."""

    row: int
    start: int
    end: int


def cross_entropy(lattice: Lattice, rows: Tensor) -> tuple[float, Tensor, Transitions]:
    """Cross-entropy of soft rows and its gradients.

    Where rows are missing, each run of annotated tokens between them counts by itself; the model's
    sums before and after the run are held fixed. So missing tokens, and moves from and to them,
    get no gradient.

    lattice (Lattice): the model's scores.
    rows (Tensor): shape (B, T, L), zeros where annotation is missing and behind a sequence's end.
    RETURNS (tuple): the loss in nats, summed (NaN if a score is not a number), and its gradients
        with respect to the emissions (B, T, L) and, summed over the batch, to the transitions.
    """
    known = rows.sum(dim=2) > 0
    whole = torch.equal(known, lattice.mask)
    runs = _runs(known, whole)
    part = lattice if whole else _cut(lattice, runs)
    lengths = lattice.lengths.tolist()
    at_start = _flags([run.start == 0 for run in runs], rows)
    at_end = _flags([run.end == lengths[run.row] for run in runs], rows)
    if not whole:
        rows = _pad([rows[run.row, run.start : run.end] for run in runs], rows)
    y, moves = valid_targets(rows, at_start)

    each, last = torch.arange(len(y), device=y.device), (part.lengths - 1).clamp(min=0)
    expected = (
        (y * part.emissions).sum()
        + (moves * _finite(part.moves)).sum()
        + (y[:, 0] * _finite(part.start)).sum()
        + (y[each, last] * part.end).sum()
    )
    d = (part.marginals - y) * part.mask[:, :, None]
    transitions = Transitions(
        (d[:, 0] * at_start[:, None]).sum(dim=0),
        part.move_counts() - moves,
        (d[each, last] * at_end[:, None]).sum(dim=0),
    )
    loss = float(part.log_z.sum() - expected)
    if not bool(torch.isfinite(lattice.log_z).all()):
        loss = float("nan")
    return loss, d if whole else _put_back(d, runs, lattice.emissions), transitions


def valid_targets(rows: Tensor, at_start: Tensor) -> tuple[Tensor, Tensor]:
    """Make a distribution over valid paths whose marginals are the soft rows.

    Mixed rows do not determine the joint distribution of neighbours. Independent neighbours would
    put weight on moves that IOB2 forbids (half "B-X I-X" and half "O O" gives O → I-X a
    quarter), and a loss which merely left that weight out would have no minimum: the remaining
    moves weigh less than 1, so lower scores for all of them lower it forever. So I-X at t + 1
    follows B-X and I-X at t, in proportion, and the other tags of t + 1 follow what is left of
    t, independently. Without weight on forbidden moves that is y_t y_t+1ᵀ.

    Where a row has more I-X than can follow (its entity's beginning was cut off), the surplus
    becomes B-X, the usual repair of IOB2.

    rows (Tensor): shape (B, T, L), rows of zeros behind a sequence's end.
    at_start (Tensor): which sequences start a text, where I-X cannot stand; shape (B,).
    RETURNS (tuple): the rows, repaired and normalised, and the moves Σ_t q(y_t = i, y_t+1 = j)
        summed over the batch, shape (L, L).
    """
    y = rows / rows.sum(dim=2, keepdim=True).clamp(min=1e-30)
    begin, inside = y[:, :, 1::2], y[:, :, 2::2]
    both = begin + inside
    first = torch.where(at_start[:, None], 0.0, inside[:, 0])
    surplus = (inside - torch.cat([first[:, None], both[:, :-1]], dim=1)).clamp(min=0.0)
    y = y.clone()
    y[:, :, 1::2] += surplus
    y[:, :, 2::2] -= surplus

    left, right = y[:, :-1], y[:, 1:]
    goes_on = right[:, :, 2::2] / both[:, :-1].clamp(min=1e-30)
    from_begin, from_inside = goes_on * left[:, :, 1::2], goes_on * left[:, :, 2::2]
    rest, new = left.clone(), right.clone()
    rest[:, :, 1::2] -= from_begin
    rest[:, :, 2::2] -= from_inside
    new[:, :, 2::2] = 0.0
    rest = rest / rest.sum(dim=2, keepdim=True).clamp(min=1e-30)
    moves = torch.einsum("bti,btj->ij", rest, new)
    at = torch.arange(1, y.shape[2], 2, device=y.device)
    moves[at, at + 1] += from_begin.sum(dim=(0, 1))
    moves[at + 1, at + 1] += from_inside.sum(dim=(0, 1))
    return y, moves


def _runs(known: Tensor, whole: bool) -> list[Run]:
    """The runs of annotated tokens; with complete annotation, one for each sequence."""
    if whole:
        return [Run(row, 0, n) for row, n in enumerate(known.sum(dim=1).tolist())]
    runs = []
    for row, on in enumerate(known.tolist()):
        edges = [t for t in range(len(on) + 1) if (t < len(on) and on[t]) != (t > 0 and on[t - 1])]
        runs += [Run(row, a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return runs


def _cut(lattice: Lattice, runs: list[Run]) -> Lattice:
    """Make a sequence of each run, with the model's sums before and after it."""
    starts, ends = [], []
    for row, start, end in runs:
        before = lattice.alphas[row, start] - lattice.emissions[row, start]
        starts.append(before if start else lattice.start[row])
        ends.append(lattice.betas[row, end - 1])
    emissions = [lattice.emissions[run.row, run.start : run.end] for run in runs]
    lengths = torch.tensor([run.end - run.start for run in runs], device=lattice.lengths.device)
    none = lattice.emissions[:0, 0]
    return Lattice(
        _pad(emissions, lattice.emissions),
        lengths.long(),
        torch.stack(starts) if starts else none,
        lattice.moves,
        torch.stack(ends) if ends else none,
    )


def _pad(parts: list[Tensor], like: Tensor) -> Tensor:
    return pad_sequence(parts, batch_first=True) if parts else like[:0]


def _flags(flags: list[bool], like: Tensor) -> Tensor:
    return torch.tensor(flags, dtype=torch.bool, device=like.device)


def _put_back(d: Tensor, runs: list[Run], like: Tensor) -> Tensor:
    out = torch.zeros_like(like)
    for part, (row, start, end) in zip(d, runs, strict=True):
        out[row, start:end] = part[: end - start]
    return out


def _finite(scores: Tensor) -> Tensor:
    """Set impossible scores to 0: their expected counts are 0."""
    return scores.masked_fill(torch.isneginf(scores), 0.0)
