"""Windows over long texts, and batches of bounded size."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_seqmix.lm.batches import (
    Chunk,
    check_sizes,
    cut,
    few_shapes,
    few_widths,
    gather,
    position_limit,
)


def test_batches_cut_by_hand():
    assert list(cut(7, 0, 4)) == []
    assert list(cut(7, 3, 4)) == [Chunk(7, 0, 3, 0)]
    # Half a window back, and the last window is a full one.
    assert list(cut(7, 9, 4)) == [
        Chunk(7, 0, 4, 0),
        Chunk(7, 2, 6, 4),
        Chunk(7, 4, 8, 6),
        Chunk(7, 5, 9, 8),
    ]


@given(st.integers(1, 300), st.integers(2, 40))
def test_batches_cut_scores_each_target_once(size, window):
    pieces = list(cut(0, size, window))
    assert [i for p in pieces for i in range(p.first, p.end)] == list(range(size))
    assert all(p.end - p.start <= window for p in pieces)
    assert all(p.first - p.start >= min(window // 2, p.first) for p in pieces)


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 9), st.integers(1, 200))
def test_batches_gather_is_bounded_and_loses_nothing(sizes, most_rows, most_tokens):
    pieces = [Chunk(i, 0, size, 0) for i, size in enumerate(sizes)]
    batches = list(gather(pieces, most_rows, most_tokens))
    assert sorted(p for batch in batches for p in batch) == pieces
    for batch in batches:
        width = max(p.end for p in batch)
        assert width == batch[0].end
        assert len(batch) <= most_rows
        assert len(batch) * width <= most_tokens or len(batch) == 1
    widths = [batch[0].end for batch in batches]
    assert widths == sorted(widths, reverse=True)


def test_batches_check_sizes():
    check_sizes(batch_size=1, max_batch_items=1)
    for sizes in ({"a": 0, "b": 1}, {"b": 1, "a": 0}):
        with pytest.raises(ValueError, match=r"\[S311\] a must be at least 1, not 0"):
            check_sizes(**sizes)


@given(st.integers(1, 3000), st.sampled_from([10, 512, 2048]))
def test_batches_few_widths(size, window):
    size = min(size, window)
    width = few_widths(size, window)
    assert size <= width <= min(window, max(16, 2 * size))


def test_batches_few_shapes():
    widths = {few_widths(size, 2048) for size in range(1, 2049)}
    assert len(widths) == 14
    chunks = [Chunk(i, 0, 5, 0) for i in range(13)]
    parts = list(few_shapes([chunks]))
    assert [len(part) for part in parts] == [8, 4, 1]
    assert [chunk for part in parts for chunk in part] == chunks


def test_batches_gather_counts_the_padding():
    chunks = [Chunk(i, 0, 33, 0) for i in range(6)]
    sizes = [len(batch) for batch in gather(chunks, 16, 100, lambda size: 48)]
    assert sizes == [2, 2, 2]


@pytest.mark.parametrize("limit", [-1, 0, None])
def test_batches_position_limit_that_is_none(limit):
    assert position_limit(SimpleNamespace(max_position_embeddings=limit), 512) == 512


def test_batches_position_limit():
    assert position_limit(SimpleNamespace(), 512) == 512
    assert position_limit(SimpleNamespace(max_position_embeddings=40), 512) == 40
    assert position_limit(SimpleNamespace(max_position_embeddings=1024), 512) == 512
