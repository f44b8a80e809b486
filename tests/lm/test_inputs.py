"""Chunks side by side, packed into one row, and what a model makes of either."""

import math
from functools import partial

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from torch.utils._python_dispatch import TorchDispatchMode

from spacy_seqmix.annotation.provenance import set_origin
from spacy_seqmix.lm.batches import Chunk, few_widths
from spacy_seqmix.lm.causal_lm import CausalLM
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.lm.inputs import MAX_PACKED, gather_packed, make_batches, packed, padded

from ..mixed import origin_of

START = "The Bank of Norway kept its"
TEXTS = [
    f"{START} main rate",
    "",
    "Friday",
    f"{START} old ferry on Friday.",
    "The end",
    f"{START} main rate",  # twice
    f"{START}",  # the beginning of others
    "The quick brown fox jumps over the lazy dog. " * 6,  # longer than the context
    "Café owners won't pay the 39 runs.",
]
WORDS = f"{START} main rate unchanged .".split()


@pytest.fixture
def lm(tiny_lm_dir):
    return CausalLM.load(str(tiny_lm_dir), dtype="float32")


def whole(ids):
    return [Chunk(i, 0, len(one), 0) for i, one in enumerate(ids)]


def test_inputs_packed_by_hand():
    ids = [[9, 1, 2], [9, 1, 3, 4], [9, 5]]
    batch = packed(whole(ids), ids, lambda size: size + 1, 0)
    assert batch.tokens.tolist() == [[9, 1, 2, 3, 4, 5, 0]]
    assert batch.positions.tolist() == [[0, 1, 2, 2, 3, 1, 0]]
    assert [place.tolist() for place in batch.places] == [[0, 1, 2], [0, 1, 3, 4], [0, 5]]
    assert batch.mask[0, 0].astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
    ]


def test_inputs_padded_by_hand():
    ids = [[9, 1, 2, 3], [9, 5]]
    batch = padded([Chunk(0, 1, 4, 2), Chunk(1, 0, 2, 0)], ids, 4, 0)
    assert batch.tokens.tolist() == [[1, 2, 3, 0], [9, 5, 0, 0]]
    assert batch.mask.astype(int).tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    assert batch.positions is None
    assert [place.tolist() for place in batch.places] == [[0, 1, 2], [4, 5]]


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), max_size=30),
    st.integers(1, 9),
    st.integers(1, 40),
)
def test_inputs_packed_batches_are_bounded_and_lose_nothing(ids, most_rows, most_tokens):
    batches = list(gather_packed(whole(ids), ids, most_rows, most_tokens))
    assert sorted(chunk for batch in batches for chunk in batch) == whole(ids)
    for batch in batches:
        inputs = packed(batch, ids, int, 0)
        assert len(batch) <= most_rows
        assert inputs.tokens.shape[1] <= most_tokens or len(batch) == 1
        for (text, *_), place in zip(batch, inputs.places, strict=True):
            assert inputs.tokens[0, place].tolist() == ids[text]
        # What is alike is there once: as many tokens as there are different beginnings.
        beginnings = {tuple(ids[c.text][:n]) for c in batch for n in range(1, c.end + 1)}
        assert inputs.tokens.shape[1] == len(beginnings)


@given(
    st.lists(st.integers(1, 300), max_size=20),
    st.booleans(),
    st.booleans(),
    st.sampled_from([20, 64, 400]),
)
def test_inputs_batches_hold_each_chunk_once(sizes, pack, few, most_tokens):
    ids = [[i, *range(size - 1)] for i, size in enumerate(sizes)]
    batches = list(make_batches(whole(ids), ids, 0, 4, most_tokens, 300, pack=pack, few=few))
    assert sorted(chunk for batch in batches for chunk in batch.chunks) == whole(ids)
    if pack and not few:  # no padding at all
        assert sum(batch.tokens.size for batch in batches) == sum(sizes)
    if few and most_tokens >= MAX_PACKED:  # else a longer chunk keeps its own width
        widths = {few_widths(n, 300) for n in range(1, 301)} | set(range(16, MAX_PACKED + 1, 16))
        assert {batch.tokens.shape[1] for batch in batches} <= widths
    for batch in batches:
        if batch.positions is not None:  # packed
            assert batch.tokens.size - sum(c.end for c in batch.chunks) < (16 if few else 1)


def scores_of(lm, texts, **options):
    return [score.nlls for score in lm.token_nlls(texts, **options)]


def assert_alone_is_the_same(lm, texts, **options):
    together = scores_of(lm, texts, **options)
    for got, text in zip(together, texts, strict=True):
        np.testing.assert_allclose(got, scores_of(lm, [text])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("limits", [{}, {"max_batch_items": 20}, {"batch_size": 3}])
def test_inputs_packed_texts_score_as_alone(lm, order, limits):
    assert lm._packs
    assert_alone_is_the_same(lm, TEXTS[::order], **limits)


def test_inputs_models_of_other_kinds_pack_too():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=60, num_attention_heads=4, num_key_value_heads=2, **sizes)
        assert CausalLM(LlamaForCausalLM(config), None, 0)._packs


def test_inputs_models_whose_attention_counts_places_are_padded():
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    config = GPTNeoConfig(
        vocab_size=60,
        hidden_size=32,
        num_layers=2,
        attention_types=[[["global", "local"], 1]],
        num_heads=2,
        window_size=8,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not CausalLM(GPTNeoForCausalLM(config), None, 0)._packs


@pytest.mark.parametrize("what", ["error", "silence"])
def test_inputs_models_without_positions_are_padded(lm, monkeypatch, what):
    forward = lm.model.forward

    def ignorant(*, input_ids, attention_mask, use_cache, **others):
        if others and what == "error":
            raise TypeError("unexpected keyword argument 'position_ids'")
        return forward(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)

    want = scores_of(lm, TEXTS)
    monkeypatch.setattr(lm.model, "forward", ignorant)
    del lm._packs
    assert not lm._packs
    for got, score in zip(scores_of(lm, TEXTS), want, strict=True):
        np.testing.assert_allclose(got, score, rtol=1e-4, atol=1e-4)


def test_inputs_on_other_devices_are_padded(lm):
    lm.device = torch.device("cuda")
    assert not lm._packs


def test_inputs_are_not_tried_for_a_single_text(lm):
    lm.token_nlls([TEXTS[0], ""])
    lm.token_nlls(TEXTS, batch_size=1)
    assert "_packs" not in vars(lm)


def test_inputs_packed_in_bfloat16_are_near(lm):
    rough = scores_of(lm, TEXTS, dtype="bfloat16")
    assert lm._packs  # was tried in float32
    for got, want in zip(rough, scores_of(lm, TEXTS), strict=True):
        np.testing.assert_allclose(got, want, atol=0.3)


class Casts(TorchDispatchMode):
    """Counts how often a weight is cast."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight.data_ptr()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "_to_copy" in str(func) and args[0].data_ptr() == self.weight:
            self.count += 1
        return func(*args, **kwargs or {})


def test_inputs_weights_are_cast_once_for_all_batches(lm):
    with Casts(lm.model.transformer.h[0].attn.c_attn.weight) as casts:
        lm.token_nlls(TEXTS, dtype="bfloat16", batch_size=2)
    assert casts.count == 1


def candidates(vocab):
    """Mixed docs of one parent, with windows at the beginning, inside and at the end."""
    rng = np.random.default_rng(0)
    for at in range(0, 3 * len(WORDS)):
        start, size = at % len(WORDS), 1 + at % 3
        end = min(start + size, len(WORDS))
        words = [*WORDS[:start], *rng.choice(WORDS, end - start), *WORDS[end:]]
        doc = Doc(vocab, words=list(map(str, words)))
        set_origin(doc, origin_of(start, end, words[start:end]))
        yield doc


@pytest.mark.parametrize("dtype", ["float32", "auto"])
def test_inputs_packed_decisions_are_those_of_one_by_one(tiny_lm_dir, monkeypatch, dtype):
    monkeypatch.setattr("spacy_seqmix.lm.causal_lm.fast_bfloat16", lambda device: True)
    nlp = spacy.blank("en")
    docs = [*candidates(nlp.vocab), Doc(nlp.vocab), *nlp.pipe(TEXTS)]
    make = partial(make_perplexity_discriminator, str(tiny_lm_dir))
    free = make(max_perplexity=None, dtype="float32", batch_size=1)(docs)
    values = [v.perplexity for v in free if not math.isnan(v.perplexity)]
    nats = [v.window_nats for v in free if v.window_nats is not None]
    # Between two of the scores each: rounding in float32 must not decide.
    limits = {
        "max_perplexity": float(np.mean(sorted(values)[-9:-7])),
        "max_window_nats": float(np.mean(sorted(nats)[-9:-7])),
    }
    together = make(dtype=dtype, **limits)(docs)
    alone = [make(dtype="float32", batch_size=1, **limits)([doc])[0] for doc in docs]
    assert [v.keep for v in together] == [v.keep for v in alone]
    assert 0 < sum(v.keep for v in alone) < len(docs)
    if dtype == "float32":
        for got, want in zip(together, alone, strict=True):
            assert got.perplexity == pytest.approx(want.perplexity, rel=1e-5, nan_ok=True)
