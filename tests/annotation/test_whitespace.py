"""Whitespace in tag sequences."""

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from spacy.tokens import Doc, Span

from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.iob import forbidden_tags, tag_names
from spacy_seqmix.annotation.whitespace import (
    is_blank,
    probs_of_tokens,
    rows_of_words,
    tags_of_tokens,
    trimmed,
    words_of,
)
from spacy_seqmix.types import SoftLabels

VOCAB = spacy.blank("en").vocab
TAGS = tag_names(["LOC", "PER"])
O, B_LOC, I_LOC, B_PER, I_PER = range(5)  # noqa: E741


def doc_of(*words):
    return Doc(VOCAB, words=words)


def test_whitespace_words():
    doc = doc_of("\n", "New", "  ", "York", " ")
    assert words_of(doc).tolist() == [1, 3]
    assert words_of(doc_of()).tolist() == []
    assert [is_blank(d) for d in (doc, doc_of(), doc_of(" ", "\n"))] == [False, True, True]


def test_whitespace_belongs_to_the_entity_that_the_next_word_continues():
    words = np.array([1, 3, 5, 7])
    path = np.array([B_LOC, I_LOC, B_LOC, O])
    assert tags_of_tokens(path, words, 9).tolist() == [O, B_LOC, I_LOC, I_LOC, O, B_LOC, O, O, O]
    assert tags_of_tokens(np.array([], dtype=int), np.array([], dtype=int), 2).tolist() == [O, O]


def test_whitespace_probabilities_are_those_of_going_on():
    p = np.array([[0.2, 0.5, 0.1, 0.1, 0.1], [0.3, 0.1, 0.4, 0.0, 0.2]], dtype="float32")
    out = probs_of_tokens(p, np.array([1, 3]), 5)
    assert_allclose(out[[1, 3]], p)
    assert_allclose(out[2], [0.4, 0.0, 0.4, 0.0, 0.2], atol=1e-6)
    # Nothing goes on at the start or at the end.
    assert out[[0, 4]].tolist() == [[1, 0, 0, 0, 0]] * 2
    assert probs_of_tokens(p[:0], np.array([], dtype=int), 2).tolist() == [[1, 0, 0, 0, 0]] * 2


def test_whitespace_rows_begin_with_the_first_word():
    eye = np.eye(5, dtype="float32")
    rows = eye[[B_LOC, I_LOC, I_LOC, I_LOC, O, B_PER, I_PER]]
    # "\n\n Port Said \n Bob \n": the first entity begins with whitespace, the last ends with it.
    found = rows_of_words(rows, np.array([2, 3, 5]))
    assert found.argmax(axis=1).tolist() == [B_LOC, I_LOC, B_PER]
    # Between words of an entity nothing changes, whatever the whitespace has.
    for inner in (I_LOC, O):
        found = rows_of_words(eye[[B_LOC, inner, I_LOC]], np.array([0, 2]))
        assert found.argmax(axis=1).tolist() == [B_LOC, I_LOC]


def test_whitespace_rows_begin_in_the_share_that_began():
    # Half of the weight on the entity began before the whitespace, half with it.
    rows = np.array(
        [[0.6, 0.4, 0, 0, 0], [0.2, 0.4, 0.4, 0, 0], [0.4, 0, 0.6, 0, 0]], dtype="float32"
    )
    found = rows_of_words(rows, np.array([0, 2]))
    assert_allclose(found, [[0.6, 0.4, 0, 0, 0], [0.4, 0.3, 0.3, 0, 0]], atol=1e-6)
    # A row that is missing says nothing about it.
    rows[1] = 0.0
    assert_allclose(rows_of_words(rows, np.array([0, 2])), rows[[0, 2]])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-A", "I-A", "I-A"], ["O", "B-A", "O"]),
        (["B-A", "I-A", None], ["O", "B-A", None]),
        ([None, "B-A", "I-A"], [None, "B-A", "O"]),
        (["B-A", "B-A", "B-B"], ["O", "B-A", "O"]),
        (["O", "O", "O"], ["O", "O", "O"]),
    ],
)
def test_whitespace_is_trimmed(tags, expected):
    assert trimmed(tags, doc_of("\n", "Oslo", " ")) == expected


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["O", "", "B-A", "I-A"])), max_size=9))
@settings(max_examples=150, deadline=None)
def test_whitespace_is_at_no_end_of_what_is_read(tokens):
    words = ["\n" if blank else "x" for blank, _ in tokens]
    tags: list[str] = []
    for _, tag in tokens:
        alone = tag == "I-A" and (not tags or tags[-1] in ("O", ""))
        tags.append("B-A" if alone else tag)
    doc = Doc(VOCAB, words=words, ents=tags)
    found = layers.read(doc)
    read = Doc(VOCAB, words=words, ents=[tag or "" for tag in found])
    assert not [e for e in read.ents if e[0].is_space or e[-1].is_space]
    assert [t.i for t in read if t.ent_type_ and not t.is_space] == [
        t.i for t in doc if t.ent_type_ and not t.is_space
    ]


def test_whitespace_of_soft_labels_is_trimmed_as_well():
    doc = doc_of("\n", "Oslo", " ")
    rows = np.array([[0.1, 0.9, 0], [0.2, 0, 0.8], [0.3, 0, 0.7]], dtype="float32")
    soft = SoftLabels(tag_names(["LOC"]), rows)
    soft_labels.annotate(doc, soft)
    assert [(e.text, e.label_) for e in doc.ents] == [("Oslo", "LOC")]
    soft_labels.put(doc, soft)
    assert soft_labels.hard_tags(doc) == ["O", "B-LOC", "O"]


def test_forbidden_tags_of_entities_that_stand():
    doc = doc_of("Bo", " ", "Kim", "left", "Oslo")
    words = words_of(doc)
    assert forbidden_tags(doc, words, 5) is None
    doc.set_ents([Span(doc, 4, 5, "X")], default="missing")
    expected = np.zeros((4, 5), dtype=bool)
    expected[3, 1:] = True
    assert forbidden_tags(doc, words, 5).tolist() == expected.tolist()
    # An entity cannot go on after whitespace that is taken.
    doc.set_ents([], blocked=[doc[1:2]], default="missing")
    expected = np.zeros((4, 5), dtype=bool)
    expected[1, 2::2] = True
    assert forbidden_tags(doc, words, 5).tolist() == expected.tolist()


def test_whitespace_rows_have_no_negative_numbers():
    rows = np.random.default_rng(0).dirichlet([0.1] * 2, 2000).astype("float32")
    probs = np.zeros((2000, len(TAGS)), dtype="float32")
    probs[:, [I_LOC, I_PER]] = rows
    found = probs_of_tokens(probs, np.arange(1, 4000, 2), 4000)
    assert found.min() >= 0.0
    assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
