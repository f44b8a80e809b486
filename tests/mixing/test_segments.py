"""Windows and sequences dense in valid labels."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.mixing.segments import Sequences, Windows

VOCAB = spacy.blank("en").vocab
TAGS = st.lists(st.sampled_from(["O", "B-PER", "B-LOC", ""]), max_size=14)


def doc_of(tags, **settings):
    return Doc(VOCAB, words=[f"w{i}" for i in range(len(tags))], ents=tags, **settings)


def starts(doc, window, density, **settings):
    return [found.start for found in Windows(window, density, **settings)(doc)]


def spans(doc, density):
    return [(found.start, found.end) for found in Sequences(density)(doc)]


def with_rows(doc, rows, tags=("O", "B-PER", "I-PER")):
    soft_labels.put(doc, SoftLabels(tags, np.array(rows, dtype="float32")))
    return doc


def test_segments_density_has_a_tolerance():
    doc = doc_of(["B-PER", "I-PER", "O", "B-LOC", "O"])
    assert Windows(5, 0.6)(doc) == [(0, 5, (), doc.text)]
    assert Sequences(0.6)(doc) == [(0, 5, 5, doc.text.rstrip())]
    assert starts(doc, 5, 0.61) == []
    assert spans(doc, 0.61) == []


@pytest.mark.parametrize("window", range(1, 12))
def test_segments_every_exact_share_passes(window):
    for n in range(window + 1):
        doc = doc_of(["B-PER"] * n + ["O"] * (window - n))
        for density in (n / window, round(n / window, 6)):
            assert starts(doc, window, density) == [0]
            assert spans(doc, density) == [(0, window)]


def test_segments_not_across_a_sentence_start():
    tags = ["B-PER"] * 6
    doc = doc_of(tags, sent_starts=[True, False, False, True, False, False])
    assert starts(doc, 3, 1.0) == [0, 3]
    assert spans(doc, 1.0) == [(0, 3), (3, 6)]
    assert starts(doc_of(tags), 3, 1.0) == [0, 1, 2, 3]
    assert spans(doc_of(tags), 1.0) == [(0, 6)]


def test_segments_leave_out_missing_and_whitespace():
    missing = doc_of(["B-PER", "B-PER", "", "B-PER", "B-PER"])
    assert starts(missing, 2, 0.5) == [0, 3]
    assert spans(missing, 0.0) == []
    words = ["a", "b", "\n", "c", "d"]
    doc = Doc(VOCAB, words=words, ents=["B-PER", "B-PER", "O", "B-PER", "B-PER"])
    assert starts(doc, 2, 0.5) == [0, 3]
    assert spans(doc, 0.0) == []


def test_segments_sequences_end_where_whitespace_begins():
    words = [" ", "a", "b", "\n", "\n", "c", "\n", " "]
    doc = Doc(VOCAB, words=words, ents=["O", "B-PER", "O", "O", "O", "B-PER", "O", "O"])
    for i, token in enumerate(doc):
        token.is_sent_start = i in (0, 4, 7)
    assert spans(doc, 0.5) == [(1, 3), (5, 6)]
    assert [found.text for found in Sequences(0.5)(doc)] == ["a b", "c"]
    assert spans(Doc(VOCAB, words=[" ", "\n"]), 0.0) == []


def test_segments_of_entities_that_begin_or_end_with_whitespace():
    words = ["\n", "Ann", "Lee", "\n", "ran"]
    doc = Doc(VOCAB, words=words, ents=["B-PER", "I-PER", "I-PER", "I-PER", "O"])
    # The entity is "Ann Lee": no segment has the whitespace, and its words are the whole of it.
    assert starts(doc, 2, 1.0, keep_entities=True) == [1]
    (found,) = Windows(2, 1.0, same_tags=True)(doc)
    assert found.key == ("B-PER", "I-PER")


def test_segments_soft_labels_count_with_their_mass():
    doc = with_rows(doc_of(["B-PER", "O"]), [[0.3, 0.7, 0.0], [0.5, 0.25, 0.25]])
    assert starts(doc, 2, 0.6) == [0]
    assert starts(doc, 2, 0.61) == []
    assert spans(doc, 0.6) == [(0, 2)]


def test_segments_kept_entities_are_not_cut():
    doc = doc_of(["O", "B-PER", "I-PER", "B-PER", "O", "B-LOC", "I-LOC"])
    assert starts(doc, 2, 0.0) == [0, 1, 2, 3, 4, 5]
    # not "O B-PER", which ends inside; not "I-PER B-PER", which begins inside
    assert starts(doc, 2, 0.0, keep_entities=True) == [1, 3, 5]
    # an entity that ends with the doc, or before a token without annotation, is whole
    assert starts(doc_of(["B-PER", "I-PER", ""]), 2, 0.0, keep_entities=True) == [0]


def test_segments_kept_entities_are_those_of_soft_labels():
    doc = doc_of(["O", "O", "O"])
    with_rows(doc, [[0.1, 0.9, 0.0], [0.2, 0.0, 0.8], [0.9, 0.1, 0.0]])
    assert not doc.ents
    assert starts(doc, 1, 0.0, keep_entities=True) == [2]


def test_segments_sequences_do_not_cut_entities():
    doc = doc_of(["O", "B-PER", "I-PER", "B-PER"], sent_starts=[True, False, True, False])
    assert spans(doc, 0.0) == []
    doc = doc_of(["O", "B-PER", "B-PER", "B-PER"], sent_starts=[True, False, True, False])
    assert spans(doc, 0.0) == [(0, 2), (2, 4)]


def test_segments_with_tags_have_them_as_key():
    doc = doc_of(["O", "B-PER", "I-PER", "B-a b: c"])
    found = Windows(2, 0.0, same_tags=True)(doc)
    assert [w.key for w in found] == [("O", "B-PER"), ("B-PER", "I-PER"), ("I-PER", "B-a b: c")]
    assert {w.key for w in Windows(2, 0.0)(doc)} == {()}


def test_segments_with_tags_have_no_soft_labels():
    rows = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.4, 0.6, 0.0], [1.0, 0.0, 0.0]]
    doc = with_rows(doc_of(["B-PER", "I-PER", "B-PER", "O"]), rows)
    assert starts(doc, 1, 0.0, same_tags=True) == [0, 1, 3]
    assert starts(doc, 1, 0.0) == [0, 1, 2, 3]
    # a row that repair overrules is no certain tag either
    doc = with_rows(doc_of(["O", "O"]), [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert starts(doc, 1, 0.0, same_tags=True) in ([0], [1])


def test_segments_short_and_empty_docs():
    for doc in (doc_of([]), Doc(VOCAB)):
        assert starts(doc, 1, 0.0) == []
        assert starts(doc, 1, 0.0, keep_entities=True, same_tags=True) == []
        assert spans(doc, 0.0) == []
    assert starts(doc_of(["B-PER"] * 4), 5, 0.0) == []
    assert starts(doc_of(["B-PER"] * 4), 10**9, 0.0) == []


@given(tags=TAGS, window=st.integers(1, 5), n=st.integers(0, 5), data=st.data())
def test_segments_equal_a_plain_count(tags, window, n, data):
    borders = data.draw(st.lists(st.booleans(), min_size=len(tags), max_size=len(tags)))
    doc = doc_of(tags, sent_starts=borders)
    density = min(n, window) / window
    expected = [
        i
        for i in range(len(tags) - window + 1)
        if "" not in tags[i : i + window]
        and sum(tag != "O" for tag in tags[i : i + window]) >= density * window - 1e-3
        and not any(doc[j].is_sent_start for j in range(i + 1, i + window))
    ]
    assert starts(doc, window, density) == expected


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        (Windows(3, 0.6), "a window of 3 tokens with at least 60% valid labels"),
        (
            Windows(4, 0.5, keep_entities=True),
            "a window of 4 tokens with at least 50% valid labels, no cut entity",
        ),
        (
            Windows(4, 0.5, keep_entities=True, same_tags=True),
            "a window of 4 tokens with at least 50% valid labels, no soft labels, no cut entity",
        ),
        (Sequences(0.25), "a sentence with at least 25% valid labels"),
    ],
)
def test_segments_descriptions(choose, expected):
    assert choose.describe() == expected
