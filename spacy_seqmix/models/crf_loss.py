"""The loss of a linear-chain CRF on soft rows, and its gradient.

A CRF gives probabilities to paths, soft rows to single tokens. The loss is the cross-entropy
−E_q[log P(tags of the annotated tokens)], where q is a distribution over valid paths whose tokens
have the rows as their marginals (see ``valid_targets``), and P sums over all tags of the other
tokens. One-hot rows make it the negative log-likelihood: log Z less the log-sum over the paths that
agree with what is known (Tsuboi et al. 2008).
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ..annotation.packing import Packing, Places
from .crf_inference import Lattice, Transitions, finite, index, packed

NO_PLACES = np.zeros(0, dtype="int64")


class Run(NamedTuple):
    """Tokens ``start`` to ``end`` (exclusive) of a doc, whose tokens have these places."""

    places: Places
    start: int
    end: int

    @property
    def at_start(self) -> bool:
        """Whether these are the doc's first tokens."""
        return self.start == 0

    @property
    def at_end(self) -> bool:
        """Whether these are the doc's last tokens."""
        return self.end == len(self.places)


class Gaps(NamedTuple):
    """Tokens without annotation, as a sequence for each pair of tags that may enclose them.

    Moves from the tag before and to the tag after are the sequence's scores of start and end.

    lattice (Lattice): the scores of the sequences.
    where (Tensor): the places of their tokens, shape (N,).
    weight (Tensor): the probability of the pair of tags, shape (B,).
    left, right (Tensor): the tags before and after, shape (B,); L beyond the ends of a doc.
    """

    lattice: Lattice
    where: Tensor
    weight: Tensor
    left: Tensor
    right: Tensor


def cross_entropy(lattice: Lattice, rows: Tensor) -> tuple[float, Tensor, Transitions]:
    """Cross-entropy of soft rows and its gradients.

    Where rows are missing, the loss sums over the tags that the tokens may have: they learn what
    the model makes of the tags around them. Rows on the two sides of missing ones are independent
    in q. Docs without any row do not count.

    lattice (Lattice): the model's scores.
    rows (Tensor): shape (N, L), tokens in their places, zeros where annotation is missing.
    RETURNS (tuple): the loss in nats, summed (NaN if a score is not a number), and its gradients
        with respect to the emissions (N, L) and, summed over the batch, to the transitions.
    """
    n_tags = lattice.emissions.shape[1]
    gradient = torch.zeros_like(lattice.emissions)
    counts = lattice.emissions.new_zeros((n_tags + 1, n_tags + 1))
    loss = 0.0
    part, inside = _annotated(lattice, rows.sum(dim=1) > 0)
    if len(part.packing):
        # Moves between tags, and, in the last row and column, from the start and to the end.
        scores = pad(part.moves, (0, 1, 0, 1))
        scores[-1, :-1], scores[:-1, -1] = part.start[0], part.end[0]
        y, moves, gaps = _targets(part, rows[inside], scores)
        outside = torch.full_like(part.last, n_tags)
        d = part.marginals - y
        counts += _counts(part, torch.ones_like(part.log_z), outside, outside) - moves
        # Impossible moves count as 0: nobody expects them.
        loss = float(part.log_z.sum() - (y * part.emissions).sum() - (moves * finite(scores)).sum())
        if gaps is not None:
            loss -= float((gaps.weight * gaps.lattice.log_z).sum())
            weight = gaps.weight[index(gaps.lattice.packing.ranks, y)]
            d.index_add_(0, gaps.where, -weight[:, None] * gaps.lattice.marginals)
            counts -= _counts(gaps.lattice, gaps.weight, gaps.left, gaps.right)
        gradient[inside] = d
    if not bool(torch.isfinite(lattice.log_z).all()):
        loss = float("nan")
    return loss, gradient, Transitions(counts[-1, :-1], counts[:-1, :-1], counts[:-1, -1])


def _annotated(lattice: Lattice, known: Tensor) -> tuple[Lattice, Tensor]:
    """The docs with any row, and the places of their tokens in the given lattice."""
    flags = known.cpu().numpy()
    docs = [places for places in lattice.packing.places if flags[places].any()]
    packing = Packing([len(places) for places in docs])
    where = packed(index(np.concatenate([*docs, NO_PLACES]), lattice.emissions), packing)
    if len(packing) == len(lattice.packing):
        return lattice, where
    ranks = where[: len(packing.order)]  # the first token's place is the number of its sequence
    start, end = lattice.start[ranks], lattice.end[ranks]
    return Lattice(lattice.emissions[where], packing, start, lattice.moves, end), where


def _targets(part: Lattice, rows: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Gaps | None]:
    """What the annotation says: distributions of the annotated tokens' tags, zeros for others,
    (N, L); counts of moves between them, (L + 1, L + 1); and the tokens without annotation."""
    known = rows.sum(dim=1) > 0
    runs = list(_runs(known, part.packing))
    packing, where = _sequences(runs, rows)
    in_order = [runs[i] for i in packing.order.tolist()]
    at_start, at_end = (
        torch.tensor(flags, dtype=torch.bool, device=rows.device)
        for flags in ([r.at_start for r in in_order], [r.at_end for r in in_order])
    )
    of_runs, moves = valid_targets(rows[where], at_start, packing)
    y = torch.zeros_like(rows)
    y[where] = of_runs
    counts = pad(moves, (0, 1, 0, 1))
    counts[-1, :-1] = of_runs[: len(in_order)][at_start].sum(dim=0)
    counts[:-1, -1] = of_runs[index(packing.last, rows)][at_end].sum(dim=0)
    return y, counts, _gaps(part, y, list(_runs(~known, part.packing)), scores)


def _gaps(part: Lattice, y: Tensor, runs: list[Run], scores: Tensor) -> Gaps | None:
    """Make sequences of tokens without annotation; None where there are none."""
    if not runs:
        return None
    beyond = np.eye(y.shape[1] + 1)[-1]
    given = np.pad(y.cpu().numpy(), ((0, 0), (0, 1)))
    sequences: list[Run] = []
    enclosed: list[tuple[float, int, int]] = []
    for run in runs:
        before = beyond if run.at_start else given[run.places[run.start - 1]]
        after = beyond if run.at_end else given[run.places[run.end]]
        for i, j in product(np.flatnonzero(before).tolist(), np.flatnonzero(after).tolist()):
            sequences.append(run)
            enclosed.append((before[i] * after[j], i, j))
    packing, where = _sequences(sequences, y)
    in_order = np.array(enclosed)[packing.order]
    weight = torch.from_numpy(in_order[:, 0]).to(y)
    left, right = (torch.from_numpy(in_order[:, k].astype("int64")).to(y.device) for k in (1, 2))
    start, end = scores[left, :-1], scores[:-1, right].T
    lattice = Lattice(part.emissions[where], packing, start, part.moves, end)
    return Gaps(lattice, where, weight, left, right)


def _sequences(runs: list[Run], like: Tensor) -> tuple[Packing, Tensor]:
    """Make a sequence of each run: their packing, and the places that its tokens have now."""
    packing = Packing([run.end - run.start for run in runs])
    of_runs = [run.places[run.start : run.end] for run in runs]
    return packing, packed(index(np.concatenate([*of_runs, NO_PLACES]), like), packing)


def _counts(lattice: Lattice, weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Expected counts of the moves of weighted sequences, from the tag before to the tag after
    them; shape (L + 1, L + 1)."""
    out = pad(lattice.move_counts(weight), (0, 1, 0, 1))
    first, last = lattice.marginals[: len(weight)], lattice.marginals[lattice.last]
    out[:, :-1].index_add_(0, left, weight[:, None] * first)
    out[:-1].index_add_(1, right, (weight[:, None] * last).T)
    return out


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


def _runs(flags: Tensor, packing: Packing) -> Iterator[Run]:
    """The runs of tokens of each doc with a flag."""
    lengths = [len(places) for places in packing.places]
    begins = np.cumsum([0, *lengths]) + np.arange(len(lengths) + 1)
    # Docs one after the other, with a place without a flag before each of them.
    padded = np.zeros(begins[-1] + 1, dtype=bool)
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    padded[np.arange(len(numbers)) + numbers + 1] = flags.cpu().numpy()[packing.flat]
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    docs = np.searchsorted(begins, edges[::2], side="right") - 1
    starts, ends = edges[::2] - begins[docs], edges[1::2] - begins[docs]
    for doc, start, end in zip(docs.tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield Run(packing.places[doc], start, end)
