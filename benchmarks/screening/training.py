"""The loop that trains a tagger."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spacy_seqmix.annotation.iob import entity_tags

from .arms import Arm
from .batches import LABELS, TAGS, Batcher, Sentence
from .tagger import Mixing, Tagger

BATCH = 16
WARM_UP = 0.1  # of the steps
DECAY = 0.01
REPLACED = 0.5  # of the sentences
SURE = 0.9  # that each token of a mention of the pool has its tag
CONSISTENCY = 0.4  # of the steps, until the mean teacher counts in full
TEACHER_DECAY = 0.98
LAMBDA = (60, 1.5)  # of the Beta distribution, as in the paper of LADA
Mentions = dict[str, list[tuple[str, ...]]]


class Cycle:
    """Items in random order, again and again."""

    def __init__(self, items: Sequence[Sentence], rng: random.Random) -> None:
        self.items, self.rng = list(items), rng
        self.left: list[Sentence] = []

    def take(self, n: int) -> list[Sentence]:
        """The next n."""
        while len(self.left) < n:
            new = self.items[:]
            self.rng.shuffle(new)
            self.left += new
        taken, self.left = self.left[:n], self.left[n:]
        return taken


@dataclass
class Training:
    """A tagger in training. The pool has a teacher's labels where the arm is taught."""

    encoder: str
    batcher: Batcher
    arm: Arm
    labelled: Sequence[Sentence]
    pool: Sequence[Sentence]
    seed: int
    steps: int

    def __post_init__(self) -> None:
        self.steps = int(self.steps * self.arm.times)
        torch.manual_seed(self.seed)
        self.rng = random.Random(self.seed + 1000)
        self.np_rng = np.random.default_rng(self.seed)
        self.tagger = Tagger(self.encoder, self.arm).train()
        self.average = self.first_average()
        self.cycle, self.pool_cycle = Cycle(self.labelled, self.rng), Cycle(self.pool, self.rng)
        sources = [*self.labelled, *(self.pool if self.arm.names == "pool" else ())]
        self.mentions = mentions_of(sources) if self.arm.names else {}

    def first_average(self) -> Tagger | None:
        """The moving average of the weights, before the first step."""
        if self.arm.mean_teacher:
            # Not a copy: the kept runs drew random numbers here.
            teacher = Tagger(self.encoder, self.arm)
            teacher.load_state_dict(self.tagger.state_dict())
            return teacher.eval()
        return copy.deepcopy(self.tagger) if self.arm.average is not None else None

    def run(self) -> Tagger:
        """Train, and return what is to be scored."""
        optimizer = self.optimizer()
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate_at)
        for step in range(1, self.steps + 1):
            loss: Any = self.supervised()
            if self.arm.mean_teacher:
                loss = loss + self.consistency(step)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.tagger.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            self.follow(step)
        if self.arm.average is None or self.average is None:
            return self.tagger
        return self.average

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW with the arm's rates."""
        arm, groups = self.arm, []
        for name, weights in self.tagger.named_parameters():
            rate = arm.rate if name.startswith("encoder.") else arm.head_rate or arm.rate
            if name.startswith("shapes_in."):
                rate = arm.shape_rate or arm.rate
            groups.append({"params": [weights], "lr": rate})
        return torch.optim.AdamW(groups, weight_decay=DECAY, fused=True)

    def rate_at(self, done: int) -> float:
        """The share of the learning rate after some steps: it rises, and falls to zero."""
        warm = max(1, int(WARM_UP * self.steps))
        falling = (self.steps - done - 1) / max(1, self.steps - warm)
        return min((done + 1) / warm, max(0.0, falling))

    def supervised(self) -> Tensor:
        """The loss of labelled sentences, and of as many that a teacher has labelled."""
        sentences = self.cycle.take(BATCH)
        weights = torch.ones(BATCH)
        if self.arm.names:
            for i, sentence in enumerate(sentences):
                if self.rng.random() < REPLACED:
                    sentences[i] = replaced(sentence, self.mentions, self.rng)
                    weights[i] = self.arm.names_weight
        if self.arm.self_training:
            sentences += self.pool_cycle.take(BATCH)
            weights = torch.cat([weights, torch.ones(BATCH)])
        # Hidden layers are mixed row by row.
        batch = self.batcher(sentences, packed=self.arm.mixed_layer is None)
        rows, mixing = batch.rows, None
        if self.arm.mixed_layer and self.rng.random() < self.arm.mixed_share:
            mixing = self.mixing(self.arm.mixed_layer, len(sentences))
            outside = torch.eye(len(TAGS))[0]
            rows = mixing(torch.where(batch.mask[..., None] > 0, rows, outside))
        with torch.autocast("cpu", torch.bfloat16):
            scores = self.tagger(batch, mixing)
        return self.tagger.loss(scores.float(), rows, batch.mask, weights)

    def mixing(self, layer: int, n: int) -> Mixing:
        """Random partners and shares."""
        partners = torch.from_numpy(self.np_rng.permutation(n))
        shares = self.np_rng.beta(*LAMBDA, n)
        return Mixing(layer, partners, torch.from_numpy(np.maximum(shares, 1 - shares)).float())

    def consistency(self, step: int) -> Tensor:
        """The cross-entropy with the mean teacher on sentences of the pool; its weight rises."""
        assert self.average is not None
        batch = self.batcher(self.pool_cycle.take(BATCH))
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                rows = self.average(batch).float().softmax(-1)
            scores = self.tagger(batch).float()
        of_words = -(rows * scores.log_softmax(-1)).sum(-1) * batch.mask
        ramp = min(1.0, step / (CONSISTENCY * self.steps)) ** 2
        loss: Tensor = ramp * of_words.sum() / batch.mask.sum()
        return loss

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move the average towards the weights."""
        if self.average is None:
            return
        decay = min(self.arm.average or TEACHER_DECAY, (1 + step) / (10 + step))
        for mean, own in zip(self.average.parameters(), self.tagger.parameters(), strict=True):
            mean.mul_(decay).add_(own, alpha=1 - decay)


def mentions_of(sentences: Sequence[Sentence]) -> Mentions:
    """The words of mentions by their label, where no tag of theirs is doubtful."""
    out: Mentions = {label: [] for label in LABELS}
    for sentence in sentences:
        for start, end, label in sentence.ents:
            if sentence.rows[start:end].max(axis=1).min() >= SURE:
                out[label].append(sentence.words[start:end])
    return out


def replaced(sentence: Sentence, mentions: Mentions, rng: random.Random) -> Sentence:
    """A sentence with other mentions of the same types."""
    words: list[str] = []
    tags: list[int] = []
    done = 0
    for start, end, label in [*sentence.ents, (len(sentence.words), 0, "")]:
        words += sentence.words[done:start]
        tags += [0] * (start - done)
        if label:
            mention = rng.choice(mentions[label])
            words += mention
            tags += entity_tags(LABELS.index(label), len(mention))
        done = end
    return Sentence(tuple(words), np.eye(len(TAGS), dtype="float32")[tags], ())
