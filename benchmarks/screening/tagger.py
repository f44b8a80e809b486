"""A tagger on a pretrained encoder, in bare torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModel

from spacy_seqmix.annotation.iob import Chain, best_paths, spans_of, transition_scores

from .arms import Arm
from .batches import N_SHAPES, TAGS, Batch, Batcher, Sentence

N = len(TAGS)
START, MOVES = (torch.from_numpy(scores) for scores in transition_scores(TAGS))
SHAPE_WIDTH = 16
DROPOUT = 0.1
PREDICTED = 64  # sentences of a batch


class Mixing(NamedTuple):
    """The layer (from 1) whose output is mixed, and for each sentence its partner and share λ."""

    layer: int
    partners: Tensor
    shares: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """λ of each row, and 1 - λ of its partner's."""
        shares = self.shares[:, None, None]
        return shares * values + (1 - shares) * values[self.partners]


class Tagger(nn.Module):
    """Encoder, word shapes, and a softmax or CRF. Random numbers are drawn in this order."""

    def __init__(self, encoder: str, arm: Arm) -> None:
        super().__init__()
        self.arm = arm
        self.encoder: Any = AutoModel.from_pretrained(
            encoder, add_pooling_layer=False, attn_implementation="eager"
        )
        width = int(self.encoder.config.hidden_size)
        self.dropout = nn.Dropout(DROPOUT)
        if arm.shapes_out:
            self.shapes_out = nn.Embedding(N_SHAPES, SHAPE_WIDTH)
        if arm.shapes_in:
            self.shapes_in = nn.Embedding(N_SHAPES, width)
            nn.init.zeros_(self.shapes_in.weight)
        if arm.layers > 1:
            self.weights = nn.Parameter(torch.zeros(arm.layers))
        self.output = nn.Linear(width + 3 * SHAPE_WIDTH * arm.shapes_out, N)
        nn.init.zeros_(self.output.bias)
        if arm.crf:
            self.moves = nn.Parameter(torch.zeros(N, N))
            self.start = nn.Parameter(torch.zeros(N))

    def forward(self, batch: Batch, mixing: Mixing | None = None) -> Tensor:
        """The scores of tags (B, W, tags)."""
        encoded = self.encode(batch, mixing).float()
        sums = torch.zeros(batch.mask.numel(), encoded.shape[-1])
        sums = sums.index_add(0, batch.words, encoded.reshape(-1, encoded.shape[-1])[batch.pieces])
        words = (sums / batch.counts[:, None]).reshape(*batch.mask.shape, -1)
        if self.arm.shapes_out:
            own = self.shapes_out(batch.shapes)
            none = torch.zeros_like(own[:, :1])
            before, after = torch.cat([none, own[:, :-1]], 1), torch.cat([own[:, 1:], none], 1)
            words = torch.cat([words, own, before, after], -1)
        scores: Tensor = self.output(self.dropout(words))
        return scores

    def encode(self, batch: Batch, mixing: Mixing | None) -> Tensor:
        """The encoder's output (R, T, width). Pieces see only those of their own sentence."""
        inputs = self.encoder.embeddings.word_embeddings(batch.ids)
        if self.arm.shapes_in:
            inputs = inputs + self.shapes_in(batch.piece_shapes)
        hidden = self.encoder.embeddings(inputs_embeds=inputs, position_ids=batch.positions)
        other = batch.sentence[:, :, None] != batch.sentence[:, None, :]
        attention = other[:, None].float() * -1e4
        outputs: list[Tensor] = []
        for number, layer in enumerate(self.encoder.encoder.layer, 1):
            hidden = layer(hidden, attention_mask=attention)[0]
            if mixing is not None and mixing.layer == number:
                hidden = mixing(hidden)
            outputs.append(hidden)
        if self.arm.layers > 1:
            shares = self.weights.softmax(0)
            hidden = sum(share * out for share, out in zip(shares, reversed(outputs), strict=False))
        result: Tensor = hidden
        return result

    def loss(self, scores: Tensor, rows: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """The cross-entropy with the tag probabilities in rows, a mean over words.

        weights (Tensor): what the words of each sentence count (B,).
        """
        smoothing = self.arm.smoothing
        if smoothing:
            rows = rows * (1 - smoothing) + smoothing / N
        counts = mask * weights[:, None]
        if self.arm.crf:
            return (self.crf_losses(scores, rows, mask) * weights).sum() / counts.sum()
        return (-(rows * scores.log_softmax(-1)).sum(-1) * counts).sum() / counts.sum()

    def crf_losses(self, scores: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """Minus the expected log-likelihood of a path (B,): tags and moves by the rows' products.

        What IOB2 forbids is left out of the products.
        """
        tags = (scores * rows * mask[..., None]).sum((1, 2))
        pairs = rows[:, :-1, :, None] * rows[:, 1:, None, :] * (MOVES == 0)
        pairs = pairs / pairs.sum((2, 3), keepdim=True).clamp(min=1e-9)
        moves = ((pairs * self.moves).sum((2, 3)) * mask[:, 1:]).sum(1)
        starts = (rows[:, 0] * self.start).sum(1)
        return self.log_sum(scores, mask) - tags - moves - starts

    def log_sum(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The logarithm of the sum over all paths (B,), by the forward algorithm."""
        moves = self.moves + MOVES
        sums = scores[:, 0] + self.start + START
        for t in range(1, scores.shape[1]):
            longer = torch.logsumexp(sums[:, :, None] + moves, 1) + scores[:, t]
            sums = torch.where(mask[:, t : t + 1] > 0, longer, sums)
        return torch.logsumexp(sums, 1)

    def probs(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The probabilities of tags; those of a CRF are the gradient of ``log_sum``."""
        if not self.arm.crf:
            return scores.softmax(-1)
        with torch.enable_grad():
            scores = scores.detach().requires_grad_(True)
            (found,) = torch.autograd.grad(self.log_sum(scores, mask).sum(), scores)
        return found

    def paths(self, scores: Sequence[NDArray[np.float32]]) -> list[list[str]]:
        """The best valid tags of each sentence."""
        chain = None
        if self.arm.crf:
            start, moves = (part.detach().double().numpy() for part in (self.start, self.moves))
            chain = Chain(start, moves, np.zeros(N))
        return [[TAGS[i] for i in path] for path in best_paths(scores, TAGS, chain)[0]]


def predict_probs(
    tagger: Tagger, batcher: Batcher, sentences: Sequence[Sentence]
) -> list[NDArray[np.float32]]:
    """The probabilities of the tags of each sentence."""
    found: dict[int, NDArray[np.float32]] = {}
    for numbers, scores, mask in predict(tagger, batcher, sentences):
        for i, probs in zip(numbers, tagger.probs(scores, mask).numpy(), strict=True):
            found[i] = probs[: len(sentences[i].words)]
    return [found[i] for i in range(len(sentences))]


def predict_ents(
    tagger: Tagger, batcher: Batcher, sentences: Sequence[Sentence]
) -> list[list[tuple[int, int, str]]]:
    """The entities of each sentence."""
    found: dict[int, list[tuple[int, int, str]]] = {}
    for numbers, scores, _ in predict(tagger, batcher, sentences):
        if not tagger.arm.crf:
            scores = scores.log_softmax(-1)
        own = [s[: len(sentences[i].words)] for i, s in zip(numbers, scores.numpy(), strict=True)]
        found |= zip(numbers, map(spans_of, tagger.paths(own)), strict=True)
    return [found[i] for i in range(len(sentences))]


@torch.no_grad()
def predict(
    tagger: Tagger, batcher: Batcher, sentences: Sequence[Sentence]
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """The numbers, scores and masks of sentences in batches of similar length."""
    tagger.eval()
    order = sorted(range(len(sentences)), key=lambda i: len(batcher.pieces(sentences[i].words)[0]))
    for start in range(0, len(order), PREDICTED):
        numbers = order[start : start + PREDICTED]
        batch = batcher([sentences[i] for i in numbers])
        with torch.autocast("cpu", torch.bfloat16):
            scores = tagger(batch)
        yield numbers, scores.float(), batch.mask
