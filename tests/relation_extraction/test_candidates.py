"""Candidate pairs, and the rows that the reference gives them."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_array_equal
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import NONE, Relation, RelationLabels
from spacy_seqmix.relation_extraction.candidates import (
    aligned_offsets,
    candidate_pairs,
    target_rows,
)

COLUMNS = (NONE, "A", "B")


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


def spans_of(vocab, *offsets):
    doc = Doc(vocab, words=["w"] * 12)
    return [Span(doc, start, end, label=f"T{i}") for i, (start, end) in enumerate(offsets)]


def test_candidates_are_ordered_pairs_within_the_distance(vocab):
    spans = spans_of(vocab, (0, 2), (3, 4), (8, 10))
    assert candidate_pairs(spans, 4).pairs.tolist() == [
        [0, 2, 3, 4],
        [3, 4, 0, 2],
        [3, 4, 8, 10],
        [8, 10, 3, 4],
    ]
    assert len(candidate_pairs(spans, 6)) == 6
    assert candidate_pairs(spans, 1).tuples() == (((0, 2), (3, 4)), ((3, 4), (0, 2)))
    assert len(candidate_pairs(spans, 0)) == 0
    types = candidate_pairs(spans, 1).types
    assert types.tolist() == [[spans[0].label, spans[1].label], [spans[1].label, spans[0].label]]


@pytest.mark.parametrize("offsets", [[], [(2, 4)]])
def test_candidates_need_two_entities(vocab, offsets):
    found = candidate_pairs(spans_of(vocab, *offsets), 50)
    assert found.pairs.shape == (0, 4)
    assert found.types.shape == (0, 2)


def test_candidates_of_touching_and_overlapping_spans(vocab):
    assert len(candidate_pairs(spans_of(vocab, (0, 2), (2, 3)), 0)) == 2
    assert len(candidate_pairs(spans_of(vocab, (0, 4), (1, 2)), 0)) == 2


def example(vocab, words, reference_words, ents, found):
    reference = Doc(vocab, words=reference_words)
    reference.set_ents([Span(reference, *ent, label="T") for ent in ents])
    relations.put(reference, found)
    return Example(Doc(vocab, words=words), reference)


def test_target_rows_of_listed_and_other_pairs(vocab):
    eg = example(
        vocab, list("abcd"), list("abcd"), [(0, 1), (2, 3)], [Relation((0, 1), (2, 3), "B")]
    )
    rows = target_rows(eg, candidate_pairs(eg.reference.ents, 9), COLUMNS)
    assert_array_equal(rows, [[0, 0, 1], [1, 0, 0]])


def test_target_rows_of_what_is_not_annotated(vocab):
    eg = example(vocab, list("abcd"), list("abcd"), [(0, 1), (2, 3)], None)
    assert not target_rows(eg, candidate_pairs(eg.reference.ents, 9), COLUMNS).any()
    relations.put(eg.reference, [])
    assert_array_equal(
        target_rows(eg, candidate_pairs(eg.reference.ents, 9), COLUMNS), [[1, 0, 0], [1, 0, 0]]
    )


def test_target_rows_of_unknown_labels_are_missing(vocab):
    eg = example(
        vocab, list("abcd"), list("abcd"), [(0, 1), (2, 3)], [Relation((0, 1), (2, 3), "Z")]
    )
    rows = target_rows(eg, candidate_pairs(eg.reference.ents, 9), COLUMNS)
    assert_array_equal(rows, [[0, 0, 0], [1, 0, 0]])


def test_target_rows_are_soft(vocab):
    eg = example(vocab, list("abcd"), list("abcd"), [(0, 1), (2, 3)], None)
    probs = np.array([[0.25, 0.75]], dtype="float32")
    relations.put_labels(eg.reference, RelationLabels((((2, 3), (0, 1)),), ("A", NONE), probs))
    rows = target_rows(eg, candidate_pairs(eg.reference.ents, 9), COLUMNS)
    assert_array_equal(rows, [[1, 0, 0], [0.75, 0.25, 0]])


def test_target_rows_follow_the_predicted_tokens(vocab):
    # The tokenizer splits "New York" otherwise, and joins what the reference has as "x" and "y".
    eg = example(
        vocab,
        ["New", "York", "has", "xy", "z"],
        ["NewYork", "has", "x", "y", "z"],
        [(0, 1), (2, 3), (4, 5)],
        [Relation((0, 1), (4, 5), "A"), Relation((2, 3), (0, 1), "B")],
    )
    assert aligned_offsets(eg, (0, 1)) == (0, 2)
    assert aligned_offsets(eg, (2, 3)) is None
    ents = [Span(eg.predicted, 0, 2, label="T"), Span(eg.predicted, 4, 5, label="T")]
    assert_array_equal(target_rows(eg, candidate_pairs(ents, 9), COLUMNS), [[0, 1, 0], [1, 0, 0]])
