"""The mixer's filter: is a mixed text plausible to a language model? Imports no torch."""

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from spacy.tokens import Doc
from spacy.util import registry

from ..errors import Errors, SeqMixError
from ..types import Verdict
from .batches import MAX_BATCH_ITEMS, check_sizes
from .nlls import TokenNlls, perplexity, window_nats
from .windows import UNITS, Window, passage_of

if TYPE_CHECKING:
    from .causal_lm import CausalLM

# How far bfloat16 may be from float32 in a sum of nats, at most, and per term besides. Measured
# with SmolLM2-135M over 700 sentences of CoNLL-03: the sum of a sentence is off by up to 5.3, by
# far the most of that on a text's second token (up to 4.8: activations are huge there); away from
# the beginning, five words are off by 2.8 in 10,000 windows. The mean is biased by 0.01.
START_ERROR = 6.0
INNER_ERROR = 3.0
TERM_ERROR = 0.02
PROCESS = os.getpid()


class Range(NamedTuple):
    """``low`` <= x <= ``high``; without upper limit where ``high`` is None."""

    low: float
    high: float | None

    def holds(self, value: float) -> bool:
        """Whether the value is inside. Never for nan."""
        return value >= self.low and (self.high is None or value <= self.high)

    def is_near(self, value: float, margin: float) -> bool:
        """Whether a limit is within ``margin`` of the value. The limit 0 counts for nothing:
        no perplexity and no negative log-likelihood is below it."""
        limits = (limit for limit in (self.low or None, self.high) if limit is not None)
        return any(abs(value - limit) <= margin for limit in limits)

    def log(self) -> "Range":
        """The same range of logarithms, with 0 as the (harmless) log of a lower limit below 1."""
        low = math.log(self.low) if self.low > 1 else 0.0
        return Range(low, None if self.high is None else math.log(max(self.high, 1e-9)))


class PerplexityDiscriminator:
    """Keeps docs whose perplexity (Eq. 9-10) and whose mixed window's nats are in their ranges.

    Each doc is judged alone, by its text without white space at the end; with the unit
    "sentence", a mixed doc by the sentence of its window. A doc without a mixed window is judged
    by its perplexity only; one without text is never kept.

    With dtype "auto" bfloat16 scores are the rule, but what lies so close to a limit that rounding
    could turn the decision is scored again in float32: decisions are those of float32.
    """

    def __init__(
        self,
        model: str = "gpt2",
        revision: str | None = None,
        min_perplexity: float = 0.0,
        max_perplexity: float | None = 500.0,
        min_window_nats: float = 0.0,
        max_window_nats: float | None = None,
        unit: str = "doc",
        batch_size: int = 16,
        max_batch_items: int = MAX_BATCH_ITEMS,
        dtype: str = "auto",
        start_token: str | None = None,
        device: str | None = None,
        trust_remote_code: Sequence[str] = (),
    ) -> None:
        """Arguments as in ``make_perplexity_discriminator``. Loads nothing yet.

        RAISES (SeqMixError): for a negative or inverted range, an unknown unit or dtype, an empty
            batch.
        """
        self.model = model
        self.revision = revision
        self.perplexity = _range("perplexity", min_perplexity, max_perplexity)
        self.window_nats = _range("nats in the mixed window", min_window_nats, max_window_nats)
        if dtype not in ("auto", "bfloat16", "float32"):
            raise SeqMixError(Errors.E307.format(dtype=dtype, known="auto, bfloat16, float32"))
        if unit not in UNITS:
            raise SeqMixError(Errors.E315.format(unit=unit))
        check_sizes(batch_size, max_batch_items)
        self.unit = unit
        self.batch_size = batch_size
        self.max_batch_items = max_batch_items
        self.dtype = dtype
        self.start_token = start_token
        self.device = device
        self.trust_remote_code = trust_remote_code
        self._lm: CausalLM | None = None

    @property
    def lm(self) -> "CausalLM":
        """The language model, loaded at the first use and shared by all of the same settings.

        RAISES (OSError, ValueError): as ``CausalLM.load``.
        """
        if os.getpid() != PROCESS:
            # Forked, by nlp.pipe(n_process=...): torch would wait for ever for the threads of the
            # process that it was.
            import torch

            torch.set_num_threads(1)
        if self._lm is None:
            from .causal_lm import get_shared

            self._lm = get_shared(
                self.model,
                revision=self.revision,
                start_token=self.start_token,
                device=self.device,
                trust_remote_code=self.trust_remote_code,
            )
        return self._lm

    @lm.setter
    def lm(self, lm: "CausalLM") -> None:
        self._lm = lm

    @property
    def is_loaded(self) -> bool:
        """Whether the language model is in memory."""
        return self._lm is not None

    def __getstate__(self) -> dict[str, Any]:
        # Another process loads (or shares) its own model rather than unpickle half a gigabyte.
        return {**self.__dict__, "_lm": None}

    def __call__(self, docs: Sequence[Doc]) -> list[Verdict]:
        """Judge a batch of docs.

        docs (Sequence[Doc]): the docs, mixed or not.
        RETURNS (list[Verdict]): one for each doc; perplexity is nan for a doc without text.
        RAISES (OSError, ValueError): if the language model cannot be loaded; if a mixed window
            does not fit its doc, or its sentence is wanted and unknown.
        """
        passages = [passage_of(doc, self.unit) for doc in docs]
        windows = [passage.window for passage in passages]
        texts = [passage.text for passage in passages]
        scores = self.score(texts)
        verdicts = [self._verdict(*pair) for pair in zip(scores, windows, strict=True)]
        if self.dtype == "auto" and texts and self.lm.precision("auto") != "float32":
            every = range(len(texts))
            doubtful = [i for i in every if _is_doubtful(self, scores[i], verdicts[i], windows[i])]
            exact = self.score([texts[i] for i in doubtful], dtype="float32")
            if any(_is_off(scores[i], score) for i, score in zip(doubtful, exact, strict=True)):
                # This model rounds worse than the one that the margins were measured with.
                doubtful, exact = list(every), self.score(texts, dtype="float32")
            for i, score in zip(doubtful, exact, strict=True):
                verdicts[i] = self._verdict(score, windows[i])
        return verdicts

    def score(
        self,
        texts: Sequence[str],
        *,
        dtype: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[TokenNlls]:
        """The scores of texts under this object's model, precision and batch sizes."""
        return self.lm.token_nlls(
            texts,
            batch_size=self.batch_size,
            max_batch_items=self.max_batch_items,
            dtype=dtype or self.dtype,
            progress=progress,
        )

    def _verdict(self, score: TokenNlls, window: Window | None) -> Verdict:
        whole = perplexity(score)
        nats = None if window is None else window_nats(score, *window[:3])
        keep = self.perplexity.holds(whole) and (nats is None or self.window_nats.holds(nats))
        return Verdict(whole, nats, keep)


def _range(what: str, low: float, high: float | None) -> Range:
    if not low >= 0 or (high is not None and not high >= low):
        raise SeqMixError(Errors.E308.format(what=what, low=low, high=high))
    return Range(low, high)


def _is_doubtful(
    judge: PerplexityDiscriminator, score: TokenNlls, verdict: Verdict, window: Window | None
) -> bool:
    """Whether bfloat16's rounding could have turned this verdict."""
    if not len(score):
        return False
    # In logarithms: rounding adds to the mean of nats.
    margin = TERM_ERROR + START_ERROR / len(score)
    if judge.perplexity.log().is_near(math.log(verdict.perplexity), margin):
        return True
    if window is None or verdict.window_nats is None:
        return False
    error = START_ERROR if window.first else INNER_ERROR
    return judge.window_nats.is_near(verdict.window_nats, TERM_ERROR + error / window.n_words)


def _is_off(rough: TokenNlls, exact: TokenNlls) -> bool:
    """Whether bfloat16 missed float32 by more than the margins allow."""
    error = abs(float(rough.nlls.sum()) - float(exact.nlls.sum()))
    return error > START_ERROR + TERM_ERROR * len(exact)


@registry.misc("spacy-seqmix.PerplexityDiscriminator.v1")  # type: ignore[untyped-decorator]
def make_perplexity_discriminator(
    model: str = "gpt2",
    revision: str | None = None,
    min_perplexity: float = 0.0,
    max_perplexity: float | None = 500.0,
    min_window_nats: float = 0.0,
    max_window_nats: float | None = None,
    unit: str = "doc",
    batch_size: int = 16,
    max_batch_items: int = MAX_BATCH_ITEMS,
    dtype: str = "auto",
    start_token: str | None = None,
    device: str | None = None,
    trust_remote_code: Sequence[str] = (),
) -> PerplexityDiscriminator:
    """Build the discriminator of SeqMix Eq. 10, optionally on the mixed window too.

    model (str): a causal LM: a name on the Hugging Face hub, a folder, or a ``.gguf`` file.
    revision (str | None): branch, tag or commit on the hub.
    min_perplexity, max_perplexity (float, float | None): the range s1 to s2 of the whole text's
        perplexity; the paper's is 0 to 500. None: no upper limit.
    min_window_nats, max_window_nats (float, float | None): the range of nats per word inside the
        mixed window, given its context. None: no upper limit.
    unit (str): what of a mixed doc is judged: "doc", or "sentence" for the sentence of the mixed
        window, scored by itself. The docs must have sentence boundaries then.
    batch_size (int): the most texts that the language model scores at a time.
    max_batch_items (int): the most tokens at a time, padding included; see ``token_nlls``.
    dtype (str): "float32", "bfloat16", or "auto": bfloat16 where that cannot change a decision.
    start_token (str | None): see ``CausalLM.load``.
    device (str | None): a torch device; None for the one that thinc uses.
    trust_remote_code (Sequence[str]): names of models whose own code may run; none unless told.
    RETURNS (PerplexityDiscriminator): docs to verdicts; it loads the model when first called.
    RAISES (SeqMixError): for a negative or inverted range, unknown units or dtypes, an empty batch.
    """
    return PerplexityDiscriminator(
        model=model,
        revision=revision,
        min_perplexity=min_perplexity,
        max_perplexity=max_perplexity,
        min_window_nats=min_window_nats,
        max_window_nats=max_window_nats,
        unit=unit,
        batch_size=batch_size,
        max_batch_items=max_batch_items,
        dtype=dtype,
        start_token=start_token,
        device=device,
        trust_remote_code=trust_remote_code,
    )
