"""Candidate pairs of entities, and what a training corpus says about them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy.training import Example
from spacy.vocab import Vocab

from ..annotation import relations, soft_labels
from ..annotation.relations import NONE, Offsets, Pair
from ..errors import Errors, SeqMixError, Warnings
from ..types import Floats2d

SAMPLE_SIZE = 10

# (head type, label, tail type)
Kinds = set[tuple[str, str, str]]


@dataclass(frozen=True)
class CandidatePairs:
    """Ordered pairs of entities of a doc.

    pairs (NDArray[int32]): shape (n, 4): start and end of head and of tail, in tokens.
    types (NDArray[uint64]): shape (n, 2): the entity labels of head and tail, as spaCy hashes them.
    """

    pairs: NDArray[np.int32]
    types: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.pairs)

    def tuples(self) -> tuple[Pair, ...]:
        """The pairs as ``RelationLabels`` has them."""
        return tuple(((a, b), (c, d)) for a, b, c, d in self.pairs.tolist())


def candidate_pairs(spans: Sequence[Span], max_distance: int) -> CandidatePairs:
    """Pair each entity with every other one at a limited distance, in both directions.

    spans (Sequence[Span]): the entities of a doc.
    max_distance (int): the most tokens between two of them.
    RETURNS (CandidatePairs): ordered by head, then tail.
    """
    starts = np.array([span.start for span in spans], dtype="int32")
    ends = np.array([span.end for span in spans], dtype="int32")
    kinds = np.array([span.label for span in spans], dtype="uint64")
    near: list[NDArray[np.int64]] = []
    for i in range(len(spans)):  # not all pairs at once: a long doc has millions
        between = np.maximum(starts[i], starts) - np.minimum(ends[i], ends)
        between[i] = max_distance + 1
        near.append(np.flatnonzero(between <= max_distance))
    heads = np.repeat(np.arange(len(spans)), [len(tails) for tails in near])
    tails = np.concatenate([*near, np.zeros(0, dtype="int64")])
    pairs = np.stack([starts[heads], ends[heads], starts[tails], ends[tails]], axis=1)
    return CandidatePairs(pairs, np.stack([kinds[heads], kinds[tails]], axis=1))


def aligned_ents(example: Example) -> list[Span]:
    """The reference's entities aligned with ``example.predicted``, where they fit."""
    spans: list[Span] = example.get_aligned_spans_y2x(example.reference.ents)
    return spans


def aligned_offsets(example: Example, offsets: Offsets) -> Offsets | None:
    """A span of the reference aligned with ``example.predicted``; None where that fails."""
    start, end = offsets
    spans = example.get_aligned_spans_y2x([example.reference[start:end]], allow_overlap=True)
    return (spans[0].start, spans[0].end) if spans else None


def target_rows(example: Example, pairs: CandidatePairs, columns: Sequence[str]) -> Floats2d:
    """The target rows of candidate pairs of ``example.predicted``.

    columns (Sequence[str]): the L labels, "no_relation" among them.
    RETURNS (Floats2d): shape (n_pairs, L): the rows of pairs that the reference lists, and
        "no_relation" for others; all zeros for pairs with labels that have no column, and for all
        pairs if the reference is not annotated.
    """
    rows = np.zeros((len(pairs), len(columns)), dtype="float32")
    gold = relations.of(example.reference)
    if gold is None:
        return rows
    rows[:, list(columns).index(NONE)] = 1.0
    number = {pair: i for i, pair in enumerate(pairs.tuples())}
    for pair, row in zip(
        aligned_pairs(example, gold.pairs), relations.with_columns(gold, columns), strict=True
    ):
        if pair in number:
            rows[number[pair]] = row
    return rows


def aligned_pairs(example: Example, pairs: Sequence[Pair]) -> list[Pair | None]:
    """Pairs of the reference aligned with ``example.predicted``; None where a span does not fit."""
    spans = {span for pair in pairs for span in pair}
    place = {span: aligned_offsets(example, span) for span in spans}
    out: list[Pair | None] = []
    for head, tail in pairs:
        h, t = place[head], place[tail]
        out.append(None if h is None or t is None else (h, t))
    return out


@dataclass
class Survey:
    """The summary of a training corpus for ``seqmix_relations``.

    labels (list[str]): the labels with any weight, sorted.
    kinds (Kinds): the types of the entities that each label connects.
    sample (list[Example]), pairs (list[CandidatePairs]): a few examples with their candidate pairs.
    """

    labels: list[str] = field(default_factory=list)
    kinds: Kinds = field(default_factory=set)
    sample: list[Example] = field(default_factory=list)
    pairs: list[CandidatePairs] = field(default_factory=list)


def survey(examples: Iterable[Example], name: str, max_distance: int) -> Survey:
    """Summarise a corpus; warns (W250) of relations between spans that are not candidate pairs.

    name (str): the name of the component, for messages.
    RAISES (SeqMixError): S253 without annotated docs, S255 without candidate pairs.
    """
    out = Survey()
    labels: set[str] = set()
    annotated = False
    total = no_entity = far = 0
    for eg in examples:
        gold = relations.of(eg.reference)
        if gold is None:
            continue
        annotated = True
        ents = aligned_ents(eg)
        pairs = candidate_pairs(ents, max_distance)
        if len(pairs) and len(out.sample) < SAMPLE_SIZE:
            out.sample.append(eg)
            out.pairs.append(pairs)
        types = {(ent.start, ent.end): ent.label_ for ent in ents}
        near = set(pairs.tuples())
        for pair, row in zip(aligned_pairs(eg, gold.pairs), gold.probs, strict=True):
            given = {gold.labels[i] for i in np.flatnonzero(row).tolist()} - {NONE}
            labels |= given
            total += bool(given)
            if pair is None or pair[0] not in types or pair[1] not in types:
                no_entity += bool(given)
            else:
                far += bool(given) and pair not in near
                out.kinds |= {(types[pair[0]], label, types[pair[1]]) for label in given}
    if not annotated:
        raise SeqMixError(Errors.E253.format(name=name))
    if not out.sample:
        raise SeqMixError(Errors.E255.format(name=name, distance=max_distance))
    if no_entity + far:
        counts = {"lost": no_entity + far, "all": total, "no_entity": no_entity, "far": far}
        warnings.warn(
            Warnings.W250.format(name=name, distance=max_distance, **counts), stacklevel=3
        )
    out.labels = sorted(labels)
    return out


def used_labels(eg: Example) -> set[str]:
    """The labels, "no_relation" included, to which an example's reference gives any weight."""
    gold = relations.of(eg.reference)
    return set() if gold is None else soft_labels.used(gold.labels, gold.probs)


def allowed(
    probs: Floats2d, pairs: CandidatePairs, labels: Sequence[str], kinds: Kinds, vocab: Vocab
) -> Floats2d:
    """Set the probability of labels that never connect entities of these types to 0.

    probs (Floats2d): shape (n_pairs, 1 + L): "no relation", then the labels.
    RETURNS (Floats2d): rows that sum to 1 again.
    """
    mask = np.ones(probs.shape, dtype="float32")
    for row, types in zip(mask, pairs.types.tolist(), strict=True):
        head, tail = (vocab.strings[kind] if kind else "" for kind in types)
        row[1:] = [(head, label, tail) in kinds for label in labels]
    masked = probs * mask
    return np.asarray(masked / np.maximum(masked.sum(axis=1, keepdims=True), 1e-30))
