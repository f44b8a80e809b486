"""The maths of a linear-chain CRF over IOB2 tags, batched in torch: sums and maxima over paths.

The score of a path y_1 … y_n is start[y_1] + Σ_t e_t[y_t] + Σ_t moves[y_t, y_t+1] + end[y_n], and
its probability exp(score) / Z, with Z the sum over all *valid* paths: paths that IOB2 forbids have
the score −∞. Columns have the order of ``iob.tag_names``.

B sequences are padded to T positions of L tags. All is computed in log space and double precision,
gradients in closed form (marginals minus targets), so torch records nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..annotation.iob import plain_tags, transition_scores

NEVER = float("-inf")


class Transitions(NamedTuple):
    """Scores of starting with a tag (L,), of moves, row to column (L, L), and of ending (L,)."""

    start: Tensor
    moves: Tensor
    end: Tensor


@dataclass(frozen=True)
class Lattice:
    """The scores of a batch of sequences, and the sums over their paths.

    emissions (Tensor): shape (B, T, L); values behind a sequence's end are ignored.
    lengths (Tensor): shape (B,); an empty sequence has one path, of score 0.
    start, end (Tensor): shape (B, L). moves (Tensor): shape (L, L).
    """

    emissions: Tensor
    lengths: Tensor
    start: Tensor
    moves: Tensor
    end: Tensor

    @cached_property
    def mask(self) -> Tensor:
        """Which positions are tokens; shape (B, T)."""
        positions = torch.arange(self.emissions.shape[1], device=self.lengths.device)
        return positions < self.lengths[:, None]

    @cached_property
    def alphas(self) -> Tensor:
        """Log-sums over the paths that end at t with tag j, e_t[j] included; shape (B, T, L).

        Behind a sequence's end, those of its last token.
        """
        alpha = self.start + self.emissions[:, 0]
        alphas = [alpha]
        for t in range(1, self.emissions.shape[1]):
            new = torch.logsumexp(alpha[:, :, None] + self.moves, dim=1) + self.emissions[:, t]
            alpha = torch.where(self.mask[:, t, None], new, alpha)
            alphas.append(alpha)
        return torch.stack(alphas, dim=1)

    @cached_property
    def betas(self) -> Tensor:
        """Log-sums over what may follow tag j at t, e_t[j] left out; shape (B, T, L)."""
        beta = self.end
        betas = [beta]
        for t in range(self.emissions.shape[1] - 1, 0, -1):
            new = torch.logsumexp(self.moves + self._after(t, beta)[:, None, :], dim=2)
            beta = torch.where(self.mask[:, t, None], new, beta)
            betas.append(beta)
        return torch.stack(betas[::-1], dim=1)

    def _after(self, t: int, beta: Tensor) -> Tensor:
        return self.emissions[:, t] + beta

    @cached_property
    def log_z(self) -> Tensor:
        """Log-sum over all paths; shape (B,)."""
        total = torch.logsumexp(self.alphas[:, -1] + self.end, dim=1)
        return torch.where(self.lengths > 0, total, 0.0)

    @cached_property
    def marginals(self) -> Tensor:
        """P(y_t = j); shape (B, T, L)."""
        return torch.softmax(self.alphas + self.betas, dim=2)

    def move_counts(self) -> Tensor:
        """Σ_t P(y_t = i, y_t+1 = j), summed over the batch; shape (L, L)."""
        total = torch.zeros_like(self.moves)
        for t in range(1, self.emissions.shape[1]):
            after = self._after(t, self.betas[:, t]) - self.log_z[:, None]
            pairs = (self.alphas[:, t - 1, :, None] + self.moves + after[:, None, :]).exp()
            total += (pairs * self.mask[:, t, None, None]).sum(dim=0)
        return total

    def best(self) -> tuple[Tensor, Tensor]:
        """The best path of each sequence (Viterbi).

        RETURNS (tuple): tag numbers (B, T), of which the first ``lengths`` count, and scores (B,).
        """
        score = self.start + self.emissions[:, 0]
        stay = torch.arange(score.shape[1], device=score.device).expand_as(score)
        back = []
        for t in range(1, self.emissions.shape[1]):
            top, came_from = (score[:, :, None] + self.moves).max(dim=1)
            inside = self.mask[:, t, None]
            score = torch.where(inside, top + self.emissions[:, t], score)
            back.append(torch.where(inside, came_from, stay))
        top, tag = (score + self.end).max(dim=1)
        path = [tag]
        for came_from in reversed(back):
            tag = came_from.gather(1, tag[:, None])[:, 0]
            path.append(tag)
        return torch.stack(path[::-1], dim=1), torch.where(self.lengths > 0, top, 0.0)

    def forced_outside(self, tokens: Sequence[Sequence[int]]) -> "Lattice":
        """A copy in which some tokens of each sequence can only be O."""
        emissions = self.emissions.clone()
        for row, outside in zip(emissions, tokens, strict=True):
            row[list(outside), 1:] = NEVER
        return replace(self, emissions=emissions)

    def tempered(self, temperature: float) -> "Lattice":
        """A copy with every score divided by the temperature."""
        parts = (self.emissions, self.start, self.moves, self.end)
        emissions, start, moves, end = (part / temperature for part in parts)
        return replace(self, emissions=emissions, start=start, moves=moves, end=end)

    def span_log_prob(self, row: int, start: int, end: int, label: int) -> Tensor:
        """log P(the tokens start to end are one entity of this label, which ends there)."""
        begin, inside = 2 * label + 1, 2 * label + 2
        e = self.emissions[row]
        score = self.alphas[row, start, begin] + e[start + 1 : end, inside].sum()
        last = begin if end == start + 1 else inside
        if last == inside:
            score = score + self.moves[begin, inside]
            score = score + self.moves[inside, inside] * (end - start - 2)
        if end == int(self.lengths[row]):
            score = score + self.end[row, last]
        else:
            after = self.moves[last] + e[end] + self.betas[row, end]
            after[inside] = NEVER
            score = score + torch.logsumexp(after, dim=0)
        return score - self.log_z[row]


def make_lattice(emissions: Tensor, lengths: Sequence[int], transitions: Transitions) -> Lattice:
    """Make the lattice of docs, over valid IOB2 sequences, with the same transitions for all."""
    size, _, n_tags = emissions.shape
    start, moves = (forbidden.to(emissions.device) for forbidden in _forbidden(n_tags))
    return Lattice(
        emissions,
        torch.tensor(lengths, device=emissions.device),
        (transitions.start + start).expand(size, n_tags),
        transitions.moves + moves,
        transitions.end.expand(size, n_tags),
    )


@lru_cache
def _forbidden(n_tags: int) -> tuple[Tensor, Tensor]:
    """Scores of starts and moves: 0 where IOB2 allows them, −∞ elsewhere."""
    start, moves = (torch.from_numpy(a).double() for a in transition_scores(plain_tags(n_tags)))
    return start.masked_fill(start < 0, NEVER), moves.masked_fill(moves < 0, NEVER)
