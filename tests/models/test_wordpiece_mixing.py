"""How a partner's pieces are spread over a token's, and which pieces a word has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from spacy_seqmix.models.wordpiece_mixing import partner_pieces, resample

from .encoders import byte_level


@pytest.mark.parametrize(
    ("pieces", "size", "expected"),
    [
        ([5], 1, [[5]]),
        ([5, 6], 2, [[5], [6]]),
        ([5], 3, [[5], [5], [5]]),
        ([5, 6], 3, [[5], [5], [6]]),
        ([5, 6, 7], 5, [[5], [5], [6], [6], [7]]),
        ([5, 6, 7], 1, [[5, 6, 7]]),
        ([5, 6, 7], 2, [[5, 6], [7]]),
        ([1, 2, 3, 4, 5, 6, 7], 3, [[1, 2, 3], [4, 5], [6, 7]]),
    ],
)
def test_pieces_resample(pieces, size, expected):
    assert resample(pieces, size) == expected


@given(st.integers(1, 30), st.integers(1, 30))
def test_pieces_resample_keeps_order_and_loses_none(n, size):
    groups = resample(list(range(n)), size)
    flat = [i for group in groups for i in group]
    assert len(groups) == size
    assert flat == sorted(flat)
    assert set(flat) == set(range(n))
    sizes = [len(group) for group in groups]
    counts = np.bincount(flat)
    assert max(sizes) - min(sizes) <= 1
    assert max(counts) - min(counts) <= 1


def strings(tokenizer, words):
    found = partner_pieces(tokenizer, words)
    return {word: tokenizer.convert_ids_to_tokens(ids) for word, ids in found.items()}


def test_pieces_of_partners_word_pieces(tiny_encoder_dir):
    expected = {
        None: ["[PAD]"],
        "London": ["London"],
        "Kington": ["K", "##ing", "##ton"],
        "the": ["the"],
        "☃": ["[UNK]"],
    }
    for use_fast in (True, False):
        tokenizer = AutoTokenizer.from_pretrained(tiny_encoder_dir, use_fast=use_fast)
        assert strings(tokenizer, ["London", None, "Kington", "the", "London", "☃"]) == expected
    assert partner_pieces(tokenizer, []) == {}
    with pytest.raises(ValueError, match=r"S242.*'\\u200b'"):
        partner_pieces(tokenizer, ["Paris", "\u200b"])
    tokenizer.pad_token = None
    assert partner_pieces(tokenizer, ["t"]) == {"t": tokenizer.convert_tokens_to_ids(["t"])}
    with pytest.raises(ValueError, match="S243"):
        partner_pieces(tokenizer, ["t", None])


@pytest.mark.parametrize("trim_offsets", [True, False])
def test_pieces_of_partners_are_words_within_a_text(trim_offsets):
    tokenizer = byte_level(["to Oslo to Oslo to Oslo"], trim_offsets)
    # No piece "Ġq" was learnt: the space alone is not the word's.
    assert strings(tokenizer, ["Oslo", "qu"]) == {"Oslo": ["ĠOslo"], "qu": ["q", "u"]}
    assert tokenizer.tokenize(" qu") == ["Ġ", "q", "u"]
    assert tokenizer.tokenize("Oslo") == ["Os", "lo"]
