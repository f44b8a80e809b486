"""What comes before the training of an arm: asking for sentences, and a teacher's labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any, TypeVar

from .arms import Arm
from .batches import Batcher, Sentence, with_probs
from .tagger import predict_probs
from .training import Training

T = TypeVar("T")
ROUNDS = 5
# A model that asks has the share of the steps that it has of the sentences, but so many at least.
ASKING_STEPS = 100


@dataclass
class Sample:
    """Sentences that are labelled, and others, of which an arm may only see the words."""

    labelled: list[Sentence]
    pool: list[Sentence]


@dataclass
class Preparation:
    """Prepares the arms of a seed. What several arms need is made once; each is charged for it."""

    encoder: str
    batcher: Batcher
    drawn: Sample
    seed: int
    steps: int
    made: dict[Any, tuple[Any, float]] = field(default_factory=dict)

    def __call__(self, arm: Arm) -> tuple[Sample, float]:
        """What an arm is trained on, and the processor seconds that it took to make it."""
        sample, seconds = self.drawn, 0.0
        if arm.ask:
            sample, seconds = self.once(("ask", arm.plain), lambda: self.ask(arm.plain))
        if not arm.taught:
            return sample, seconds
        key = ("teach", arm.ask, arm.plain)
        pool, more = self.once(key, lambda: self.teach(arm.plain, sample))
        return Sample(sample.labelled, pool), seconds + more

    def once(self, key: Any, make: Callable[[], T]) -> tuple[T, float]:
        """A result, and the seconds that it took when it was made."""
        if key not in self.made:
            began = process_time()
            result = make()
            self.made[key] = result, process_time() - began
        return self.made[key]

    def train(self, arm: Arm, sample: Sample, steps: int | None = None) -> Training:
        """A training of an arm on a sample."""
        n = self.steps if steps is None else steps
        return Training(self.encoder, self.batcher, arm, sample.labelled, sample.pool, self.seed, n)

    def teach(self, arm: Arm, sample: Sample) -> list[Sentence]:
        """The pool with the labels of a teacher."""
        teacher = self.train(arm, sample).run()
        probs = predict_probs(teacher, self.batcher, sample.pool)
        return [with_probs(one, rows) for one, rows in zip(sample.pool, probs, strict=True)]

    def ask(self, arm: Arm) -> Sample:
        """As many labelled sentences as were drawn: a fifth of these, then a fifth each round."""
        everything = [*self.drawn.labelled, *self.drawn.pool]
        n = len(self.drawn.labelled)
        chosen = list(range(max(1, n // ROUNDS)))
        each = len(chosen)
        while len(chosen) < n:
            sample = divided(everything, chosen)
            steps = max(ASKING_STEPS, self.steps * len(chosen) // n)
            asking = self.train(arm, sample, steps).run()
            rest = sorted(set(range(len(everything))) - set(chosen))
            probs = predict_probs(asking, self.batcher, sample.pool)
            expected = [float((1 - rows[:, 0]).sum()) for rows in probs]
            best = sorted(range(len(rest)), key=lambda i: -expected[i])
            chosen += [rest[i] for i in best[: min(each, n - len(chosen))]]
        return divided(everything, chosen)


def divided(sentences: Sequence[Sentence], chosen: Sequence[int]) -> Sample:
    """The chosen sentences, in the order in which they were, and the others."""
    taken = set(chosen)
    others = [one for i, one in enumerate(sentences) if i not in taken]
    return Sample([sentences[i] for i in chosen], others)
