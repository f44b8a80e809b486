"""The mixer's filter: ranges, windows, rounding, laziness."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.annotation.provenance import set_origin
from spacy_seqmix.lm.causal_lm import CausalLM, TokenNlls, perplexity, window_nats
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.lm.settings import Range

from ..mixed import origin_of

TEXT = "The Bank of Norway kept its main rate unchanged , a spokesman said ."
WORDS = TEXT.split(" ")


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


def mixed(vocab, words=WORDS, start=3, end=6):
    doc = Doc(vocab, words=words)
    set_origin(doc, origin_of(start, end, words[start:end]))
    return doc


class FakeLM:
    """Gives each text one token of the nats that the text says; bfloat16 is off by ``error``."""

    def __init__(self, error=0.0):
        self.error = error
        self.calls = []

    def precision(self, dtype=None):
        return "bfloat16" if dtype == "auto" else dtype

    def token_nlls(self, texts, *, dtype, **others):
        self.calls.append((dtype, list(texts)))
        off = 0.0 if dtype == "float32" else self.error
        return [
            TokenNlls(
                np.full(len(text.split()), float(text.split()[0]) + off, dtype="float32"),
                np.array([(0, len(text))] * len(text.split())),
            )
            for text in texts
        ]


def discriminator_with(lm, **settings):
    discriminator = make_perplexity_discriminator("fake", **settings)
    discriminator.lm = lm
    return discriminator


def test_discriminator_verdicts_equal_direct_scores(tiny_lm_dir, vocab):
    discriminator = make_perplexity_discriminator(
        str(tiny_lm_dir), dtype="float32", max_perplexity=None
    )
    docs = [mixed(vocab), Doc(vocab, words=WORDS), mixed(vocab, start=0, end=1)]
    lm = CausalLM.load(str(tiny_lm_dir), dtype="float32")
    (want,) = lm.token_nlls([" ".join(WORDS)])
    verdicts = discriminator(docs)
    assert [v.perplexity for v in verdicts] == pytest.approx([perplexity(want)] * 3, rel=1e-4)
    assert verdicts[0].window_nats == pytest.approx(window_nats(want, 12, 27, 3), rel=1e-4)
    assert verdicts[1].window_nats is None
    assert verdicts[2].window_nats == pytest.approx(window_nats(want, 0, 3, 1), rel=1e-4)
    assert all(v.keep for v in verdicts)


def test_discriminator_ranges(tiny_lm_dir, vocab):
    docs = [mixed(vocab), Doc(vocab, words=WORDS)]
    free = make_perplexity_discriminator(str(tiny_lm_dir), dtype="float32", max_perplexity=None)
    found = free(docs)[0]

    def keeps(**settings):
        discriminator = make_perplexity_discriminator(
            str(tiny_lm_dir), dtype="float32", **{"max_perplexity": None, **settings}
        )
        return [verdict.keep for verdict in discriminator(docs)]

    assert keeps(max_perplexity=found.perplexity * 1.01) == [True, True]
    assert keeps(max_perplexity=found.perplexity * 0.99) == [False, False]
    assert keeps(min_perplexity=found.perplexity * 1.01) == [False, False]
    # Only the mixed doc has a window to be judged.
    assert keeps(max_window_nats=found.window_nats * 0.99) == [False, True]
    assert keeps(max_window_nats=found.window_nats * 1.01) == [True, True]
    assert keeps(min_window_nats=found.window_nats * 1.01) == [False, True]


def test_discriminator_empty_docs_and_trailing_space(tiny_lm_dir, vocab):
    discriminator = make_perplexity_discriminator(str(tiny_lm_dir), max_perplexity=None)
    blank, space, spaced, plain = discriminator(
        [
            Doc(vocab),
            Doc(vocab, words=[" "]),
            Doc(vocab, words=["a", "b"]),
            Doc(vocab, words=["a", "b"], spaces=[True, False]),
        ]
    )
    assert math.isnan(blank.perplexity)
    assert math.isnan(space.perplexity)
    assert not blank.keep
    assert not space.keep
    assert spaced == plain
    assert discriminator([]) == []


def test_discriminator_stale_window_is_an_error(tiny_lm_dir, vocab):
    discriminator = make_perplexity_discriminator(str(tiny_lm_dir))
    with pytest.raises(ValueError, match=r"\[S309\].*12 to 99"):
        discriminator([mixed(vocab, start=12, end=99)])


@pytest.mark.parametrize("error", [-0.5, 0.5])
def test_discriminator_auto_scores_doubtful_docs_again(vocab, error):
    lm = FakeLM(error)
    discriminator = discriminator_with(lm, max_perplexity=math.exp(6.0))
    values = [3.0, 5.7, 6.3, 9.0]
    docs = [Doc(vocab, words=[str(v), *"abcdefg"]) for v in values]
    keeps = [verdict.keep for verdict in discriminator(docs)]
    assert keeps == [True, True, False, False]
    assert lm.calls[1][0] == "float32"
    assert 1 <= len(lm.calls[1][1]) < len(docs)


def test_discriminator_auto_scores_doubtful_windows_again(vocab):
    lm = FakeLM(0.1)
    discriminator = discriminator_with(lm, max_perplexity=None, max_window_nats=8.05 / 3)
    docs = [mixed(vocab, words=[n, *"bcdefgh"], start=0, end=3) for n in ("1.0", "9.0")]
    assert [verdict.keep for verdict in discriminator(docs)] == [True, False]
    assert lm.calls[1] == ("float32", ["1.0 b c d e f g h"])


@pytest.mark.parametrize(("log_limit", "again"), [(2.0, 0), (2.5, 1)])
def test_discriminator_auto_leaves_clear_rejections_alone(vocab, log_limit, again):
    lm = FakeLM(0.1)
    limits = {"max_perplexity": math.exp(log_limit), "max_window_nats": 8.05}
    discriminator = discriminator_with(lm, **limits)
    # The window is at its limit; what the text's perplexity is far above needs no second look.
    (verdict,) = discriminator([mixed(vocab, words=["3.0", *"bcdefgh"], start=0, end=3)])
    assert not verdict.keep
    assert [len(texts) for _, texts in lm.calls] == [1, again]


def test_discriminator_auto_gives_up_on_bfloat16_if_it_is_worse_than_measured(vocab):
    lm = FakeLM(1.9)
    discriminator = discriminator_with(lm, max_perplexity=math.exp(6.0))
    docs = [Doc(vocab, words=[str(v), *"abcdefg"]) for v in (5.9, 5.0, 4.3)]
    assert [verdict.keep for verdict in discriminator(docs)] == [True, True, True]
    assert [len(texts) for _, texts in lm.calls] == [3, 1, 3]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_discriminator_fixed_dtype_scores_once(vocab, dtype):
    lm = FakeLM(0.5)
    discriminator_with(lm, dtype=dtype)([Doc(vocab, words=["6.2", "x"])])
    assert [call[0] for call in lm.calls] == [dtype]


def test_discriminator_range_is_near():
    assert Range(0.0, None).is_near(0.0, 9.0) is False
    assert Range(0.0, 5.0).is_near(4.0, 1.5)
    assert not Range(0.0, 5.0).is_near(3.0, 1.5)
    assert Range(2.0, None).is_near(3.0, 1.5)
    assert not Range(0.0, 5.0).holds(math.nan)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"min_perplexity": -1.0}, "S308"),
        ({"min_perplexity": 9.0, "max_perplexity": 8.0}, "S308"),
        ({"max_window_nats": math.nan}, "S308"),
        ({"min_window_nats": math.nan}, "S308"),
        ({"dtype": "half"}, "S307"),
        ({"batch_size": 0}, "S311"),
        ({"unit": "word"}, "S315"),
    ],
)
def test_discriminator_bad_settings(settings, code):
    with pytest.raises(ValueError, match=rf"\[{code}\]"):
        make_perplexity_discriminator(**settings)


def test_discriminator_unknown_model_fails_at_first_call(vocab):
    discriminator = make_perplexity_discriminator("/no/such/model")
    with pytest.raises(OSError, match=r"\[S301\].*/no/such/model"):
        discriminator([Doc(vocab, words=["x"])])


def test_discriminator_is_shared_registered_and_pickled(tiny_lm_dir, vocab):
    block = {
        "discriminator": {
            "@misc": "spacy-seqmix.PerplexityDiscriminator.v1",
            "model": str(tiny_lm_dir),
            "max_perplexity": None,
        }
    }
    first = spacy.registry.resolve(block)["discriminator"]
    second = spacy.registry.resolve(block)["discriminator"]
    assert first.lm is second.lm
    again = pickle.loads(pickle.dumps(first))
    assert again._lm is None
    assert again([mixed(vocab)]) == first([mixed(vocab)])


def test_discriminator_modules_import_no_torch():
    code = (
        "import sys, spacy, builtins\n"
        "import thinc.compat\n"  # thinc itself imports torch where it is installed
        "torch = {m for m in sys.modules if m.split('.')[0] in ('torch', 'transformers')}\n"
        "import spacy_seqmix.lm.discriminator, spacy_seqmix.pipeline.discriminator\n"
        "new = {m for m in sys.modules if m.split('.')[0] in ('torch', 'transformers')} - torch\n"
        "assert not new, sorted(new)[:5]\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.models
@pytest.mark.slow
def test_discriminator_bfloat16_decides_like_float32(smollm2_path, vocab):
    """Forty docs, mixed and plain, with limits put right into the middle of their scores."""
    rng = np.random.default_rng(0)
    docs = []
    for size in range(2, len(WORDS) + 1):
        for _ in range(3):
            words = [str(w) for w in rng.choice(WORDS, size, replace=False)]
            docs.append(mixed(vocab, words=words, start=size // 3, end=size // 3 + 1))

    def discriminator(**settings):
        return make_perplexity_discriminator(smollm2_path, **settings)(docs)

    exact = discriminator(max_perplexity=None, dtype="float32")
    perplexities, nats = np.array([(v.perplexity, v.window_nats) for v in exact]).T
    for share in (0.25, 0.6):
        most = np.quantile(perplexities, share), np.quantile(nats, share)
        keeps = [v.keep for v in discriminator(max_perplexity=most[0], max_window_nats=most[1])]
        assert keeps == [bool(k) for k in (perplexities <= most[0]) & (nats <= most[1])]
        assert 0 < sum(keeps) < len(docs)
