"""The causal LM against direct computations, and the packaged SmolLM2 against known figures."""

import math
import random

import numpy as np
import pytest
import torch

from spacy_seqmix.lm.causal_lm import MAX_WINDOW, CausalLM, TokenNlls, perplexity, window_nats

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "",
    "Friday",
    "Café owners won't pay the 39 runs.",
    "Harbour Steel closed its mill in Antwerp on Friday.",
    "a b",
]


def direct_nlls(lm, text):
    """One text, the whole window at once, log-softmax in float32."""
    ids = [lm.start_id, *lm.tokenizer(text, add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        logits = lm.model(torch.tensor([ids])).logits[0].float()
    rows = torch.log_softmax(logits, -1)
    return np.array([-rows[i, ids[i + 1]].item() for i in range(len(ids) - 1)], dtype="float32")


def scores(nlls, offsets):
    return TokenNlls(np.array(nlls, dtype="float32"), np.array(offsets).reshape(-1, 2))


@pytest.fixture(scope="module")
def lm(tiny_lm_dir):
    return CausalLM.load(str(tiny_lm_dir), dtype="float32")


@pytest.fixture(scope="module")
def wide_lm(tiny_lm_dir):
    """The same weights with a window that is cut to 12 tokens."""
    lm = CausalLM.load(str(tiny_lm_dir), dtype="float32")
    lm.window = 12
    return lm


def test_causal_lm_equals_direct_computation(lm):
    for text, got in zip(TEXTS, lm.token_nlls(TEXTS), strict=True):
        want = direct_nlls(lm, text) if text else []
        assert got.nlls.dtype == np.float32
        assert got.offsets.shape == (len(got), 2)
        np.testing.assert_allclose(got.nlls, want, rtol=1e-4, atol=1e-4)


def test_causal_lm_perplexity_is_exp_of_mean(lm):
    (got,) = lm.token_nlls(TEXTS[:1])
    assert perplexity(got) == pytest.approx(math.exp(direct_nlls(lm, TEXTS[0]).mean()), rel=1e-4)
    assert math.isnan(perplexity(scores([], [])))
    assert perplexity(scores([1e4], [(0, 1)])) == math.inf


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_causal_lm_batches_change_nothing(lm, batch_size):
    order = [4, 0, 5, 1, 3, 2]
    shuffled = lm.token_nlls([TEXTS[i] for i in order], batch_size=batch_size)
    for i, got in zip(order, shuffled, strict=True):
        (alone,) = lm.token_nlls([TEXTS[i]])
        np.testing.assert_allclose(got.nlls, alone.nlls, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(got.offsets, alone.offsets)


def test_causal_lm_batches_are_sorted_and_bounded(lm, monkeypatch):
    monkeypatch.setattr("spacy_seqmix.lm.token_scores.MAX_LOGITS", 64 * lm.model.config.vocab_size)
    shapes = []
    logits = lm._logits
    monkeypatch.setattr(lm, "_logits", lambda x, *m: shapes.append(tuple(x.shape)) or logits(x, *m))
    monkeypatch.setitem(vars(lm), "_packs", False)
    lm.token_nlls(TEXTS * 5)
    assert all(rows * width <= 64 for rows, width in shapes)
    assert [width for _, width in shapes] == sorted((w for _, w in shapes), reverse=True)
    assert sum(rows for rows, _ in shapes) >= 25


def test_causal_lm_strided_windows_score_each_token_once(wide_lm):
    text = " ".join(TEXTS)
    ids = [wide_lm.start_id, *wide_lm.tokenizer(text, add_special_tokens=False)["input_ids"]]
    (got,) = wide_lm.token_nlls([text], batch_size=3)
    assert len(got) == len(ids) - 1 > 4 * wide_lm.window
    n, window = len(got), wide_lm.window
    for i in range(n):  # every token from a window that reaches back at least half a window
        candidates = []
        for start in {0} if i < window else range(i - window + 1, i - window // 2 + 1):
            part = torch.tensor([ids[start : i + 1]])
            with torch.no_grad():
                row = torch.log_softmax(wide_lm.model(part).logits[0, -1], -1)
            candidates.append(-row[ids[i + 1]].item())
        assert np.isclose(candidates, got.nlls[i], rtol=1e-3, atol=1e-3).any(), i


@pytest.mark.parametrize("limit", [-1, 0, None])
def test_causal_lm_positions_without_limit(lm, monkeypatch, limit):
    monkeypatch.setattr(lm.model.config, "n_positions", limit)
    assert CausalLM(lm.model, lm.tokenizer, lm.start_id).window == MAX_WINDOW


def test_causal_lm_text_of_exactly_one_window(lm):
    (probe,) = lm.token_nlls(["x" * 100])
    assert len(probe) > lm.window
    text = "x" * lm.window
    (got,) = lm.token_nlls([text])
    assert len(got) == lm.window
    np.testing.assert_allclose(got.nlls, direct_nlls_no_last(lm, text), rtol=1e-4, atol=1e-4)


def direct_nlls_no_last(lm, text):
    """As ``direct_nlls`` where the start token and the whole text exceed the positions by one."""
    ids = [lm.start_id, *lm.tokenizer(text, add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        rows = torch.log_softmax(lm.model(torch.tensor([ids[:-1]])).logits[0], -1)
    return [-rows[i, ids[i + 1]].item() for i in range(len(ids) - 1)]


def test_causal_lm_offsets_leave_out_leading_space(lm):
    text = "The quick  brown\nfox"
    (got,) = lm.token_nlls([text])
    pieces = [text[start:end] for start, end in got.offsets]
    assert all(piece.strip() == piece or not piece.strip() for piece in pieces)
    assert "".join(pieces).replace(" ", "").replace("\n", "") == "Thequickbrownfox"


def test_causal_lm_window_nats_is_hand_sum():
    hand = scores([1, 2, 4, 8, 16], [(0, 3), (4, 7), (7, 9), (10, 12), (12, 13)])
    assert window_nats(hand, 4, 9, 1) == 6
    assert window_nats(hand, 4, 9, 2) == 3
    assert window_nats(hand, 3, 10, 1) == 6  # the spaces around it belong to nobody
    assert window_nats(hand, 5, 6, 1) == 2
    assert window_nats(hand, 8, 11, 2) == 6
    assert window_nats(hand, 0, 13, 1) == 31
    with pytest.raises(ValueError, match=r"\[S311\].*n_words"):
        window_nats(hand, 0, 13, 0)


def test_causal_lm_window_nats_of_words(lm):
    text = "The quick brown fox"
    (got,) = lm.token_nlls([text])
    words = [(0, 3), (4, 9), (10, 15), (16, 19)]
    assert sum(window_nats(got, *word, 1) for word in words) == pytest.approx(got.nlls.sum())


def test_causal_lm_is_deterministic_and_leaves_generators_alone(tiny_lm_dir):
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    runs = [CausalLM.load(str(tiny_lm_dir)).token_nlls(TEXTS) for _ in range(2)]
    assert all(np.array_equal(a.nlls, b.nlls) for a, b in zip(*runs, strict=True))
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == np.random.get_state()[1].tolist()
    assert states[2] == random.getstate()


def test_causal_lm_progress_counts_each_text_once(wide_lm):
    done = []
    wide_lm.token_nlls([*TEXTS, " ".join(TEXTS)], batch_size=2, progress=done.append)
    assert sum(done) == len(TEXTS) + 1


def test_causal_lm_no_texts(lm):
    assert lm.token_nlls([]) == []
    (got,) = lm.token_nlls([""])
    assert got.nlls.shape == (0,)
    assert got.offsets.shape == (0, 2)


def test_causal_lm_bfloat16_is_near_and_weights_stay(lm):
    assert lm.precision() == "float32"
    rough = lm.token_nlls(TEXTS, dtype="bfloat16")
    exact = lm.token_nlls(TEXTS)
    assert any(not np.array_equal(a.nlls, b.nlls) for a, b in zip(rough, exact, strict=True))
    for a, b in zip(rough, exact, strict=True):
        np.testing.assert_allclose(a.nlls, b.nlls, atol=0.3)
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}


def test_causal_lm_bad_arguments(lm):
    with pytest.raises(ValueError, match=r"\[S307\].*float16.*auto"):
        lm.token_nlls(TEXTS, dtype="float16")
    with pytest.raises(ValueError, match=r"\[S311\].*batch_size"):
        lm.token_nlls(TEXTS, batch_size=0)


@pytest.fixture(scope="module")
def smollm2(smollm2_path):
    return CausalLM.load(smollm2_path)


@pytest.mark.models
@pytest.mark.slow
def test_smollm2_known_perplexities(smollm2):
    assert smollm2.start_id == 0
    plain = "The harbour master closed both piers after the storm tore a ferry from its moorings."
    words = plain.split()
    random.Random(0).shuffle(words)
    texts = ["The quick brown fox jumps over the lazy dog.", plain, " ".join(words)]
    fox, one, shuffled = map(perplexity, smollm2.token_nlls(texts, dtype="float32"))
    assert fox == pytest.approx(9.5, abs=0.1)
    assert shuffled > 5 * one


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_causal_lm_sees_few_shapes_where_they_are_compiled(lm, monkeypatch, dtype):
    shapes = []
    plain = lm._logits

    def logits(inputs, mask, *positions):
        shapes.append(tuple(inputs.shape))
        return plain(inputs, mask, *positions)

    monkeypatch.setattr(lm, "_logits", logits)
    monkeypatch.setitem(vars(lm), "_packs", False)
    rng = random.Random(0)
    texts = [["ab " * rng.randint(1, 60)] * rng.randint(1, 16) for _ in range(60)]
    for some in texts:
        lm.token_nlls(some, dtype=dtype)
    rows, widths = zip(*shapes, strict=True)
    if dtype == "float32":
        assert min(widths) < 16  # nothing is padded for nothing
        assert 3 in rows
    else:
        assert {*widths} <= {16, 32}
        assert {*rows} <= {1, 2, 4, 8, 16, 32}


def test_causal_lm_padding_changes_no_score(lm):
    exact = lm.token_nlls(TEXTS)
    padded = [lm.token_nlls([text], dtype="bfloat16")[0] for text in TEXTS]
    together = lm.token_nlls(TEXTS, dtype="bfloat16")
    for one, other, want in zip(padded, together, exact, strict=True):
        np.testing.assert_allclose(one.nlls, want.nlls, atol=0.1)
        np.testing.assert_allclose(other.nlls, want.nlls, atol=0.1)
