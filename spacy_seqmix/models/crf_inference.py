"""The maths of a linear-chain CRF over IOB2 tags, batched in torch: sums over paths.

The score of a path y_1 … y_n is start[y_1] + Σ_t e_t[y_t] + Σ_t moves[y_t, y_t+1] + end[y_n], and
its probability exp(score) / Z, with Z the sum over all *valid* paths: paths that IOB2 forbids have
the score −∞. Columns have the order of ``iob.tag_names``.

The N tokens of B sequences, none of them empty, lie side by side without padding (see
``annotation.packing``). All is computed in log space and double precision, gradients in closed form
(marginals minus targets), so torch records nothing. A sum over the tags before a token is a product
of matrices, exp(scores less their largest) times exp(moves), as long as the scores lie so close
together that none of it underflows; otherwise it is a log-sum-exp for each pair of tags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..annotation.iob import inside_after, plain_tags, transition_scores
from ..annotation.packing import Packing, Places

NEVER = float("-inf")
# Twice the span of the scores must stay well below 708, where exp underflows in double precision.
LARGEST_SPAN = 300.0


class Transitions(NamedTuple):
    """Scores of starting with a tag (L,), of moves, row to column (L, L), and of ending (L,)."""

    start: Tensor
    moves: Tensor
    end: Tensor


@dataclass(frozen=True)
class Lattice:
    """The scores of a batch of sequences, and the sums over their paths.

    emissions (Tensor): shape (N, L), tokens in their places.
    packing (Packing): the places of the tokens of each doc; docs without tokens are no sequences.
    start, end (Tensor): shape (B, L), sequences in the packing's order. moves (Tensor): (L, L).
    """

    emissions: Tensor
    packing: Packing
    start: Tensor
    moves: Tensor
    end: Tensor

    @cached_property
    def last(self) -> Tensor:
        """The place of the last token of each sequence; shape (B,)."""
        return index(self.packing.last, self.emissions)

    @cached_property
    def alphas(self) -> Tensor:
        """Log-sums over the paths that end with tag j at a token, e[j] included; shape (N, L)."""
        if not len(self.packing):
            return self.emissions
        alpha = self.start + self.emissions[self.packing.at(0)]
        alphas = [alpha]
        for t, n in enumerate(self.packing.sizes[1:], start=1):
            into = self._summed(alpha[:n], self.moves, self._factors)
            alpha = into + self.emissions[self.packing.at(t)]
            alphas.append(alpha)
        return torch.cat(alphas)

    @cached_property
    def betas(self) -> Tensor:
        """Log-sums over what may follow tag j of a token, e[j] left out; shape (N, L)."""
        beta = self.end[:0]
        betas = []
        for t in range(len(self.packing.sizes) - 1, -1, -1):
            if len(beta):
                after = self.emissions[self.packing.at(t + 1)] + beta
                beta = self._summed(after, self.moves.T, self._factors.T)
            beta = torch.cat([beta, self.end[len(beta) : self.packing.sizes[t]]])
            betas.append(beta)
        return torch.cat(betas[::-1]) if betas else self.emissions

    @cached_property
    def log_z(self) -> Tensor:
        """Log-sum over all paths; shape (B,)."""
        return torch.logsumexp(self.alphas[self.last] + self.end, dim=1)

    @cached_property
    def marginals(self) -> Tensor:
        """P(y_t = j); shape (N, L)."""
        return torch.softmax(self.alphas + self.betas, dim=1)

    def move_counts(self, weight: Tensor | None = None) -> Tensor:
        """Σ_t P(y_t = i, y_t+1 = j), summed over the batch; shape (L, L).

        weight (Tensor | None): the weight of each sequence, shape (B,); 1 by default.
        """
        size = len(self.log_z)
        if size == len(self.emissions):  # no sequence has a second token
            return torch.zeros_like(self.moves)
        logs = torch.zeros_like(self.log_z) if weight is None else weight.log()
        ranks = index(self.packing.ranks[size:], self.emissions)
        after = self.emissions[size:] + self.betas[size:] + (logs - self.log_z)[ranks, None]
        before = self.alphas[index(self.packing.previous, self.emissions)]
        if self._is_wide:
            pairs = zip(before, after, strict=True)
            moves = ((b[:, None] + self.moves + a).exp() for b, a in pairs)
            return sum(moves, torch.zeros_like(self.moves))
        largest = before.amax(dim=1, keepdim=True)
        sums = (before - largest).exp().T @ (after + largest).exp()
        return sums * self._factors

    @cached_property
    def _is_wide(self) -> bool:
        """Whether scores lie too far apart for products of matrices.

        A tag that IOB2 allows at most two tokens later than the likeliest one is at most two moves
        and two emissions less likely, so twice the span of all scores limits what may underflow.
        """
        least, largest = self.emissions.aminmax()
        moves = (self.moves, self.start, self.end)
        span = largest - least + sum(2.0 * finite(scores).abs().max() for scores in moves)
        return not bool(span < LARGEST_SPAN)  # nor where a score is not a number

    @cached_property
    def _factors(self) -> Tensor:
        """exp(moves)."""
        return self.moves.exp()

    def _summed(self, scores: Tensor, moves: Tensor, factors: Tensor) -> Tensor:
        """log Σ_i exp(scores[b, i] + moves[i, j]); shape (B, L)."""
        if self._is_wide:
            return torch.logsumexp(scores[:, :, None] + moves, dim=1)
        largest = scores.amax(dim=1, keepdim=True)
        return ((scores - largest).exp() @ factors).log() + largest

    def log_prob(self, doc: int, start: int, tags: Sequence[int]) -> Tensor:
        """log P(the tokens from start on have these tags, and an entity at their end ends there).

        tags (Sequence[int]): at least one.
        """
        places = self.packing.places[doc]
        rank = int(places[0])  # the place of a first token is the number of its sequence
        end, last = start + len(tags), tags[-1]
        score = self.alphas[int(places[start]), tags[0]]
        later = torch.as_tensor(tags[1:], device=score.device, dtype=torch.long)
        before = torch.as_tensor(tags[:-1], device=score.device, dtype=torch.long)
        score = score + self.emissions[index(places[start + 1 : end], later), later].sum()
        score = score + self.moves[before, later].sum()
        if end == len(places):
            score = score + self.end[rank, last]
        else:
            place = int(places[end])
            after = self.moves[last] + self.emissions[place] + self.betas[place]
            if last:
                after[inside_after(last)] = NEVER
            score = score + torch.logsumexp(after, dim=0)
        return score - self.log_z[rank]


def make_lattice(emissions: Tensor, lengths: Sequence[int], transitions: Transitions) -> Lattice:
    """Make the lattice of docs, over valid IOB2 sequences, with the same transitions for all.

    emissions (Tensor): the scores of all tokens, doc by doc, shape (N, L).
    lengths (Sequence[int]): the number of tokens of each doc.
    """
    packing = Packing(lengths)
    n_tags = emissions.shape[1]
    start, moves = (forbidden.to(emissions.device) for forbidden in _forbidden(n_tags))
    size = len(packing.order)
    return Lattice(
        packed(emissions, packing),
        packing,
        (transitions.start + start).expand(size, n_tags),
        transitions.moves + moves,
        transitions.end.expand(size, n_tags),
    )


def packed(values: Tensor, packing: Packing) -> Tensor:
    """Put the rows of tokens, which come doc by doc, into their places."""
    out = torch.empty_like(values)
    out[index(packing.flat, values)] = values
    return out


def index(places: Places, like: Tensor) -> Tensor:
    """Places as an index of a tensor, on its device."""
    return torch.from_numpy(places).to(like.device)


def finite(scores: Tensor) -> Tensor:
    """Impossible scores as 0."""
    return scores.masked_fill(torch.isneginf(scores), 0.0)


@lru_cache
def _forbidden(n_tags: int) -> tuple[Tensor, Tensor]:
    """Scores of starts and moves: 0 where IOB2 allows them, −∞ elsewhere."""
    start, moves = (torch.from_numpy(a).double() for a in transition_scores(plain_tags(n_tags)))
    return start.masked_fill(start < 0, NEVER), moves.masked_fill(moves < 0, NEVER)
