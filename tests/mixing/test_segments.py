"""Windows dense in valid labels."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_seqmix import SoftLabels, soft_labels
from spacy_seqmix.mixing.segments import all_windows, dense_windows

VOCAB = spacy.blank("en").vocab
TAGS = st.lists(st.sampled_from(["O", "B-PER", "B-LOC", ""]), max_size=14)


def doc_of(tags, **settings):
    return Doc(VOCAB, words=[f"w{i}" for i in range(len(tags))], ents=tags, **settings)


def starts(doc, window, density):
    return [seg.start for seg in dense_windows(doc, 0, window, density)]


def test_segments_density_has_a_tolerance():
    doc = doc_of(["B-PER", "I-PER", "O", "B-LOC", "O"])
    found = dense_windows(doc, 7, 5, 0.6)
    assert [(seg.doc, seg.start, seg.end, len(seg)) for seg in found] == [(7, 0, 5, 5)]
    assert starts(doc, 5, 0.61) == []


@pytest.mark.parametrize("window", range(1, 12))
def test_segments_every_exact_share_passes(window):
    for n in range(window + 1):
        doc = doc_of(["B-PER"] * n + ["O"] * (window - n))
        assert starts(doc, window, n / window) == [0]
        assert starts(doc, window, round(n / window, 6)) == [0]


def test_segments_not_across_a_sentence_start():
    tags = ["B-PER"] * 6
    doc = doc_of(tags, sent_starts=[True, False, False, True, False, False])
    assert starts(doc, 3, 1.0) == [0, 3]
    assert starts(doc_of(tags), 3, 1.0) == [0, 1, 2, 3]


def test_segments_leave_out_missing_and_whitespace():
    missing = doc_of(["B-PER", "B-PER", "", "B-PER", "B-PER"])
    assert starts(missing, 2, 0.5) == [0, 3]
    words = ["a", "b", "\n", "c", "d"]
    doc = Doc(VOCAB, words=words, ents=["B-PER", "B-PER", "O", "B-PER", "B-PER"])
    assert starts(doc, 2, 0.5) == [0, 3]


def test_segments_soft_labels_count_with_their_mass():
    doc = doc_of(["B-PER", "O"])
    probs = np.array([[0.3, 0.7, 0.0], [0.5, 0.25, 0.25]], dtype="float32")
    soft_labels.put(doc, SoftLabels(("O", "B-PER", "I-PER"), probs))
    assert starts(doc, 2, 0.6) == [0]
    assert starts(doc, 2, 0.61) == []


def test_segments_short_and_empty_docs():
    assert starts(doc_of([]), 1, 0.0) == []
    assert starts(doc_of(["B-PER"] * 4), 5, 0.0) == []


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


def test_segments_of_several_docs_are_numbered():
    docs = [doc_of(["O", "B-PER"]), doc_of(["O"]), doc_of(["B-PER"])]
    assert [(seg.doc, seg.start) for seg in all_windows(docs, 1, 1.0)] == [(0, 1), (2, 0)]
