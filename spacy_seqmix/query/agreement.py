"""Agreement of successive models, and what it says about stopping."""

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.tokens import Doc

from ..types import Suggestion

# Bloodgood and Vijay-Shanker 2009 stop where kappa was this high three times in a row.
THRESHOLD, ROUNDS = 0.99, 3


@dataclass(frozen=True)
class Agreement:
    """How far two models agree on the same docs, none of which needs labels.

    kappa (float | None): Cohen's kappa of the tokens' tags, agreement beyond that by chance. None
        where both models give every token the same tag, as models do that find nothing.
    same (float | None): the F1 score of one model's spans against the other's, in 0..1; None where
        neither predicts any.
    """

    kappa: float | None
    same: float | None

    @property
    def bound(self) -> float | None:
        """The most by which the F1 scores of the two models, in 0..1, can differ on these docs,
        whatever their gold spans are: 4(1 − A)/(2 − A) for A = ``same``.

        With s = A/(2 − A) the Jaccard similarity of the two sets of spans: 1 − s is a metric, so
        that the models' similarities to the gold spans differ by 1 − s at most, and
        F1 = 2s/(1 + s) grows at most twice as fast as s. Bloodgood and Grothendieck (2013) bound
        the difference for two classes by 4(1 − κ)/κ; since κ ≤ A for two classes, that is more.
        For other docs it holds as far as these are a random sample of the same kind, and enough.
        """
        if self.same is None:
            return None
        return min(1.0, 4.0 * (1.0 - self.same) / (2.0 - self.same))


def agreement(
    docs: Sequence[Doc],
    first: Sequence[Sequence[Suggestion]],
    second: Sequence[Sequence[Suggestion]],
) -> Agreement:
    """Compare what two models predict of the same docs.

    docs (Sequence[Doc]): the docs, the same in every round.
    first, second (Sequence): each model's spans of each doc, see ``suggest``.
    """
    tags = [
        [tag for doc, spans in zip(docs, of_model, strict=True) for tag in _tags(len(doc), spans)]
        for of_model in (first, second)
    ]
    sets = [
        {(i, s.start, s.end, s.label) for i, spans in enumerate(of_model) for s in spans}
        for of_model in (first, second)
    ]
    n_spans = sum(map(len, sets))
    return Agreement(
        _kappa(tags[0], tags[1]), 2 * len(sets[0] & sets[1]) / n_spans if n_spans else None
    )


def should_stop(
    history: Sequence[Agreement], threshold: float = THRESHOLD, rounds: int = ROUNDS
) -> bool:
    """Whether more labels would hardly change the model: an advice, for a person to follow or not.

    history (Sequence[Agreement]): those of each round's model with that of the round before, the
        last round's at the end.
    RETURNS (bool): whether kappa was as high as the threshold in each of the last rounds.
    """
    last = [one.kappa for one in history[-rounds:]]
    return len(last) == rounds and all(kappa is not None and kappa >= threshold for kappa in last)


def _tags(length: int, spans: Sequence[Suggestion]) -> list[str]:
    """The tag of each token: IOB2; those of all spans where spans overlap."""
    tags: list[list[str]] = [[] for _ in range(length)]
    for span in sorted(spans, key=lambda s: (s.start, s.end, s.label)):
        for i in range(span.start, span.end):
            tags[i].append(f"{'B' if i == span.start else 'I'}-{span.label}")
    return [" ".join(some) or "O" for some in tags]


def _kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    from sklearn.metrics import cohen_kappa_score  # slow to import

    return None if len({*first, *second}) < 2 else float(cohen_kappa_score(first, second))
