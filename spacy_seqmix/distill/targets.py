"""What a student learns: the probabilities of teachers over its own labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..annotation.iob import split_tag, tag_names
from ..annotation.layers import is_iob
from ..errors import Errors, SeqMixError
from ..types import Floats2d

__all__ = ["Targets", "mean_rows", "read_map", "tag_matrix", "tempered"]

OUTSIDE = "O"


@dataclass(frozen=True)
class Targets:
    """How the probabilities of teachers become labels.

    labels (Mapping[str, str]): the student's name of each label of the teachers that has another
        one for the student; "" for what is no entity to it.
    temperature (float): see ``tempered``.
    hard (bool): the most probable tags alone; the temperature is 1.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    temperature: float = 1.0
    hard: bool = False

    def __post_init__(self) -> None:
        """RAISES (SeqMixError): S746 for a temperature that can't be used."""
        reason = ""
        if not 0.0 < self.temperature < np.inf:
            reason = "it must be a number above 0"
        elif self.hard and self.temperature != 1.0:
            reason = "no temperature changes the most probable tags, which --labels hard teaches"
        if reason:
            raise SeqMixError(Errors.E746.format(temperature=self.temperature, reason=reason))

    def renamed(self, labels: Iterable[str]) -> set[str]:
        """The student's labels for those of a teacher."""
        return {self.labels.get(label, label) for label in labels} - {""}


def read_map(given: Iterable[str]) -> dict[str, str]:
    """Read the values of --map: "TEACHER_LABEL=STUDENT_LABEL". RAISES (SeqMixError): S745."""
    labels: dict[str, str] = {}
    for text in given:
        # Labels may have "=" in them: the last one counts.
        label, mark, name = (part.strip() for part in text.rpartition("="))
        if not mark or not label:
            raise SeqMixError(
                Errors.E745.format(given=text, reason="a label or its '=' is missing")
            )
        if label in labels:
            raise SeqMixError(Errors.E745.format(given=text, reason=f"{label} is mapped twice"))
        labels[label] = name
    return labels


def tag_matrix(
    tags: Sequence[str], targets: Sequence[str], labels: Mapping[str, str], layer: str
) -> Floats2d:
    """The matrix M with which rows over a teacher's tags become rows over the student's: p M.

    The probabilities of labels that are one label to the student are added; those of a label that
    is none to it go to "O".

    tags (Sequence[str]): the n tags of the teacher.
    targets (Sequence[str]): the L tags of the student.
    labels (Mapping[str, str]): see ``Targets``.
    layer (str): the layer of the tags.
    RETURNS (Floats2d): zeros and ones, shape (n, L), one 1 in each row.
    """
    matrix = np.zeros((len(tags), len(targets)), dtype="float32")
    for i, tag in enumerate(tags):
        iob, label = split_tag(tag) if is_iob(layer) else ("", tag)
        name = labels.get(label, label)
        target = name if not is_iob(layer) else f"{iob}-{name}" if name else OUTSIDE
        matrix[i, list(targets).index(target)] = 1.0
    return matrix


def mean_rows(members: Sequence[Floats2d]) -> Floats2d:
    """The mean of the rows that several teachers give the same tokens, over the same columns."""
    return np.asarray(np.mean([np.asarray(p, dtype="float64") for p in members], axis=0))


def tempered(rows: Floats2d, temperature: float) -> Floats2d:
    """Rows p^(1/T) / Σ p^(1/T), as a softmax of log p / T (Hinton, Vinyals and Dean 2015, Eq. 1).

    T > 1 makes rows more even, so that the tags that the teacher finds second best count more;
    T < 1 makes them sharper, and T → 0 leaves the most probable tag. Rows of certainty stay as they
    are. Hinton et al. also divide the student's logits by T while it trains. Here the student
    learns the tempered rows as its own probabilities: with T > 1 it comes out less sure than its
    teacher.

    RETURNS (Floats2d): float32, the sums of the rows are 1; rows of zeros stay zeros.
    """
    p = np.asarray(rows, dtype="float64")
    top = p.max(axis=1, keepdims=True, initial=0.0)
    # In proportion to the largest value of a row, which no power makes 0.
    powers = np.divide(p, top, out=np.zeros_like(p), where=top > 0.0) ** (1.0 / temperature)
    sums = powers.sum(axis=1, keepdims=True)
    np.divide(powers, sums, out=powers, where=sums > 0.0)
    return np.asarray(powers, dtype="float32")


def target_tags(labels: Iterable[str], layer: str) -> tuple[str, ...]:
    """The columns of what is taught: the tags of sorted labels."""
    names = sorted(labels)
    return tag_names(names) if is_iob(layer) else tuple(names)
