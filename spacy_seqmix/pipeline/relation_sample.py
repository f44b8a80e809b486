"""What ``seqmix_relations`` has to know of a training corpus, and keeps of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from spacy.training import Example
from spacy.vocab import Vocab

from .. import relations
from ..candidates import Candidates, aligned_ents, aligned_pairs, candidates
from ..errors import Errors, SeqMixError, Warnings
from ..relations import NONE
from ..types import Floats2d

SAMPLE_SIZE = 10

# (head type, label, tail type)
Kinds = set[tuple[str, str, str]]


@dataclass
class Survey:
    """What a corpus has to teach.

    labels (list[str]): those that have any weight, sorted.
    kinds (Kinds): between entities of which types they stand.
    sample (list[Example]), pairs (list[Candidates]): a few examples with their candidate pairs.
    """

    labels: list[str] = field(default_factory=list)
    kinds: Kinds = field(default_factory=set)
    sample: list[Example] = field(default_factory=list)
    pairs: list[Candidates] = field(default_factory=list)


def survey(examples: Iterable[Example], name: str, max_distance: int) -> Survey:
    """Go through a corpus; warns (W250) of relations that are no candidates.

    name (str): the component's, for messages.
    RAISES (SeqMixError): S253 where nothing is annotated, S255 where there is no candidate.
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
        pairs = candidates(ents, max_distance)
        if len(pairs) and len(out.sample) < SAMPLE_SIZE:
            out.sample.append(eg)
            out.pairs.append(pairs)
        types = {(ent.start, ent.end): ent.label_ for ent in ents}
        candidate_pairs = set(pairs.tuples())
        for pair, row in zip(aligned_pairs(eg, gold.pairs), gold.probs, strict=True):
            told = {gold.labels[i] for i in np.flatnonzero(row).tolist()} - {NONE}
            labels |= told
            total += bool(told)
            if pair is None or pair[0] not in types or pair[1] not in types:
                no_entity += bool(told)
            else:
                far += bool(told) and pair not in candidate_pairs
                out.kinds |= {(types[pair[0]], label, types[pair[1]]) for label in told}
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


def known_labels(eg: Example) -> set[str]:
    """The labels, "no relation" included, that an example's reference gives any weight."""
    gold = relations.of(eg.reference)
    if gold is None:
        return set()
    used = gold.probs.sum(axis=0) > 0
    return {label for label, on in zip(gold.labels, used, strict=True) if on}


def allowed(
    probs: Floats2d, pairs: Candidates, labels: Sequence[str], kinds: Kinds, vocab: Vocab
) -> Floats2d:
    """The rows with nothing on labels that do not stand between such types, normalised again.

    probs (Floats2d): shape (n_pairs, 1 + L): "no relation", then the labels.
    """
    mask = np.ones(probs.shape, dtype="float32")
    for row, types in zip(mask, pairs.types.tolist(), strict=True):
        head, tail = (vocab.strings[kind] if kind else "" for kind in types)
        row[1:] = [(head, label, tail) in kinds for label in labels]
    masked = probs * mask
    out: Floats2d = masked / np.maximum(masked.sum(axis=1, keepdims=True), 1e-30)
    return out
