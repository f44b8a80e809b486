"""Decoding: always a valid IOB2 sequence, and the most probable one."""

import tracemalloc
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from spacy.tokens import Doc
from spacy.training import iob_utils
from spacy.vocab import Vocab

from spacy_seqmix.annotation.iob import (
    Chain,
    best_paths,
    spans_of,
    split_tag,
    tag_names,
    transition_scores,
    viterbi,
)

VOCAB = Vocab()
TAGS = tag_names(["LOC", "PER"])
rows = arrays(
    "float32",
    st.tuples(st.integers(0, 7), st.just(len(TAGS))),
    # Tiny and zero probabilities too: the floor must not open a forbidden path.
    elements=st.sampled_from([0.0, 1e-30, 1e-22, 1e-3, 0.25, 0.5, 0.99, 1.0])
    | st.floats(0, 1, width=32),
)


def is_valid(tags):
    return all(
        not tag.startswith("I-") or before[2:] == tag[2:]
        for before, tag in zip(["O", *tags], tags, strict=False)
    )


def test_decoding_tag_names():
    assert tag_names([]) == ("O",)
    assert tag_names(["B", "A"]) == ("O", "B-B", "I-B", "B-A", "I-A")
    # A new label appends and moves nothing.
    assert tag_names(["B", "A", "C"])[:5] == tag_names(["B", "A"])


def test_decoding_split_tag_keeps_hyphens_of_labels():
    assert split_tag("B-Life-Die") == ("B", "Life-Die")
    assert split_tag("O") == ("O", "")


def test_decoding_transition_scores():
    start, moves = transition_scores(("O", "B-A", "I-A", "B-B", "I-B"))
    assert (start == 0).tolist() == [True, True, False, True, False]
    assert (moves == 0).tolist() == [
        [True, True, False, True, False],
        [True, True, True, True, False],
        [True, True, True, True, False],
        [True, True, False, True, True],
        [True, True, False, True, True],
    ]


@given(st.lists(rows, max_size=4))
@settings(max_examples=200, deadline=None)
def test_decoding_is_always_valid(docs):
    paths = viterbi(docs, TAGS)
    assert [len(path) for path in paths] == [len(doc) for doc in docs]
    for path in paths:
        tags = [TAGS[i] for i in path]
        assert is_valid(tags)
        # spaCy takes the spans as they are: no overlap, none empty.
        doc = Doc(VOCAB, words=["x"] * len(tags), ents=tags)
        assert [(e.start, e.end, e.label_) for e in doc.ents] == spans_of(tags)
        assert iob_utils.biluo_to_iob(iob_utils.doc_to_biluo_tags(doc)) == tags


@pytest.mark.parametrize("seed", range(5))
def test_decoding_finds_the_best_valid_path(seed):
    rng = np.random.default_rng(seed)
    tags = tag_names(["X"])
    probs = rng.dirichlet(np.ones(len(tags)) / 2, size=5).astype("float32")
    best = max(
        (path for path in product(range(3), repeat=5) if is_valid([tags[i] for i in path])),
        key=lambda path: sum(np.log(probs[t, i]) for t, i in enumerate(path)),
    )
    assert tuple(viterbi([probs], tags)[0]) == best


def test_decoding_does_not_mix_docs_of_a_batch():
    rng = np.random.default_rng(0)
    docs = [rng.dirichlet(np.ones(5), size=n).astype("float32") for n in (3, 0, 7, 1)]
    alone = [viterbi([doc], TAGS)[0].tolist() for doc in docs]
    assert [path.tolist() for path in viterbi(docs, TAGS)] == alone


def test_decoding_keeps_a_valid_arg_max():
    probs = np.eye(5, dtype="float32")[[0, 1, 2, 3, 3, 4, 0]]
    assert viterbi([probs], TAGS)[0].tolist() == [0, 1, 2, 3, 3, 4, 0]


@pytest.mark.parametrize("seed", range(3))
def test_best_paths_with_transitions(seed):
    rng = np.random.default_rng(seed)
    tags = tag_names(["X"])
    # Small whole numbers: many paths score the same, and the first of them must win.
    scores = rng.integers(-2, 3, size=(4, 3)).astype("float64")
    chain = Chain(*(rng.integers(-2, 3, size=s).astype("float64") for s in ((3,), (3, 3), (3,))))

    def total(path):
        inside = sum(scores[t, i] for t, i in enumerate(path))
        moves = sum(chain.moves[i, j] for i, j in pairwise(path))
        return chain.start[path[0]] + inside + moves + chain.end[path[-1]]

    valid = [p for p in product(range(3), repeat=4) if is_valid([tags[i] for i in p])]
    best = max(map(total, valid))
    (path,), (top,) = best_paths([scores], tags, chain)
    # Backwards, each tag is the lowest one that leads on.
    assert tuple(path) == min((p for p in valid if total(p) == best), key=lambda p: p[::-1])
    assert top == best


def test_decoding_holds_no_padding():
    # One doc of 4,000 tokens among 100 of 3: padded, that would be 404,000 tokens.
    docs = [np.full((n, 5), 0.2, dtype="float32") for n in [3] * 50 + [4000] + [3] * 50]
    n_cells = sum(doc.size for doc in docs)
    tracemalloc.start()
    try:
        viterbi(docs, TAGS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60 * n_cells  # bytes


def test_decoding_nothing():
    assert viterbi([], TAGS) == []
    assert [len(p) for p in viterbi([np.zeros((0, 5), "float32")] * 2, TAGS)] == [0, 0]
    assert spans_of([]) == []


def test_decoding_spans():
    assert spans_of(["B-A", "I-A", "B-A", "O", "B-B-C"]) == [
        (0, 2, "A"),
        (2, 3, "A"),
        (4, 5, "B-C"),
    ]
