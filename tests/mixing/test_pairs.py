"""The index of segments, and pairs drawn from it."""

import tracemalloc
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_seqmix.mixing import pairs as pairs_module
from spacy_seqmix.mixing.pairs import _pair, index_segments, shuffled
from spacy_seqmix.mixing.segments import Chosen

VOCAB = Vocab()


def docs_of(segments):
    """Docs for the index of these segments, and the function that finds them again."""
    docs = [Doc(VOCAB, words=[str(i)]) for i in range(len(segments))]
    return docs, lambda doc: [Chosen(*found) for found in segments[int(doc[0].text)]]


SEGMENTS = st.lists(
    st.lists(
        st.tuples(st.just(0), st.just(1), st.integers(0, 3), st.sampled_from("ab")), max_size=4
    ),
    max_size=6,
).map(
    # the start tells the segments of a doc apart
    lambda docs: [[(i, i + 1, key, text) for i, (_, _, key, text) in enumerate(d)] for d in docs]
)


@settings(max_examples=100, deadline=None)
@given(segments=SEGMENTS, seed=st.integers(0, 9), small=st.sampled_from([0, 3, 16]))
def test_pairs_are_all_that_match_and_each_once(segments, seed, small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "SMALL", small)
        drawn = list(index_segments(*docs_of(segments)).draw(np.random.default_rng(seed)))
    flat = [(d, *found) for d, doc in enumerate(segments) for found in doc]
    expected = {
        frozenset({(a[0], a[1], a[2]), (b[0], b[1], b[2])})
        for a in flat
        for b in flat
        if a[0] < b[0] and a[3] == b[3] and a[4] != b[4]
    }
    found = [frozenset((s.doc, s.start, s.end) for s in pair) for pair in drawn]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_pairs_of_all_groups_are_equally_likely():
    # three pairs of key 0 and one of key 1
    segments = [
        [(0, 1, 0, "a"), (1, 2, 1, "a")],
        [(0, 1, 0, "b"), (1, 2, 1, "b")],
        [(0, 1, 0, "c")],
    ]
    index = index_segments(*docs_of(segments))
    counts: dict[tuple, int] = {}
    for seed in range(4000):
        pair = next(index.draw(np.random.default_rng(seed)))
        counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 8  # either way round
    assert all(abs(n / 4000 - 1 / 8) < 0.02 for n in counts.values())


def test_pairs_over_docs_are_equally_likely():
    # docs of one, one, two and eight segments, which all match
    sizes = (1, 1, 2, 8)
    segments = [
        [(i, i + 1, 0, name) for i in range(n)] for n, name in zip(sizes, "abcd", strict=True)
    ]
    index = index_segments(*docs_of(segments))
    counts: dict[frozenset, int] = {}
    for seed in range(3000):
        pair = next(index.draw_over_docs(np.random.default_rng(seed)))
        docs = frozenset(one.doc for one in pair)
        counts[docs] = counts.get(docs, 0) + 1
    assert len(counts) == 6
    assert all(abs(n / 3000 - 1 / 6) < 0.03 for n in counts.values())
    both = [index.draw(np.random.default_rng(0)), index.draw_over_docs(np.random.default_rng(0))]
    found = [[frozenset(pair) for pair in draw] for draw in both]
    assert len(found[0]) == len(found[1])
    assert set(found[0]) == set(found[1])


def test_pairs_end_at_once_where_none_can_be_made():
    # a long doc alone, or a text that comes again and again, has a million pairs of no use
    long_doc = [[(i, i + 1, 0, f"text {i}") for i in range(1500)]]
    again = [[(0, 1, 0, "the same")]] * 1500
    for segments in (long_doc, again, [], [[]]):
        index = index_segments(*docs_of(segments))
        assert not len(index.n_pairs)
        assert list(index.draw(np.random.default_rng(0))) == []


@pytest.mark.parametrize("owner", ["doc", "text"])
def test_pairs_of_a_long_doc_or_a_frequent_text_cost_no_more(owner):
    # nearly all pairs are of no use: two thousand segments of one owner, and three others
    many = [(i, i + 1, 0, "many" if owner == "text" else f"many {i}") for i in range(2000)]
    segments = [many] if owner == "doc" else [[one] for one in many]
    segments += [[(0, 1, 0, f"other {i}")] for i in range(3)]
    index = index_segments(*docs_of(segments))
    pairs = list(index.draw(np.random.default_rng(0)))
    assert len(set(pairs)) == len(pairs) == index.n_pairs[-1] == 2000 * 3 + 3
    sides = [left.doc == 0 if owner == "doc" else left.doc < 2000 for left, _ in pairs]
    assert 0.4 < np.mean(sides) < 0.6


def test_pairs_are_drawn_without_a_list_of_them():
    segments = [[(i, i + 1, i % 2, f"text {d}") for i in range(20)] for d in range(300)]
    index = index_segments(*docs_of(segments))
    assert index.n_pairs[-1] == 2 * (3_000 * 2_999 // 2)
    tracemalloc.start()
    pairs = list(islice(index.draw(np.random.default_rng(0)), 100))
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()
    assert len(set(pairs)) == 100
    assert all(left.start % 2 == right.start % 2 for left, right in pairs)


def test_pair_numbers_are_a_bijection():
    expected = [(i, j) for i in range(1, 60) for j in range(i)]
    assert [_pair(k) for k in range(len(expected))] == expected


@given(st.integers(1, 10**12), st.data())
def test_pair_of_large_numbers(i, data):
    j = data.draw(st.sampled_from([0, i // 2, i - 1]))
    assert _pair(i * (i - 1) // 2 + j) == (i, j)


@given(st.integers(0, 200), st.integers(0, 3))
def test_shuffled_is_a_permutation(n, seed):
    assert sorted(shuffled(n, np.random.default_rng(seed))) == list(range(n))


def test_shuffled_is_uniform_and_lazy():
    rng = np.random.default_rng(0)
    seen = np.zeros((4, 4))
    for _ in range(2000):
        for place, item in enumerate(shuffled(4, rng)):
            seen[place, item] += 1
    assert np.abs(seen / 2000 - 0.25).max() < 0.04
    assert len(list(islice(shuffled(10**12, rng), 5))) == 5
