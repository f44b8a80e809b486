"""The discriminator: a filter of mixed docs by a language model. Imports no torch."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc
from spacy.util import registry

from ..errors import Errors, SeqMixError
from ..threads import single_threaded_forks
from ..types import Verdict
from .scores import TokenNlls, perplexity, window_nats
from .settings import LMSettings, Range, takes_lm_settings
from .spans import UNITS, Window, passage_of

if TYPE_CHECKING:
    from .causal_lm import CausalLM
    from .token_scores import LanguageModel

# The largest error of bfloat16 against float32 in a sum of nats, and an error per term. Measured
# with SmolLM2-135M over 700 sentences of CoNLL-03: the sum of a sentence is off by up to 5.3, by
# far the most of that on a text's second token (up to 4.8: activations are huge there); away from
# the beginning, five words are off by 2.8 in 10,000 windows. The mean is biased by 0.01.
START_ERROR = 6.0
INNER_ERROR = 3.0
TERM_ERROR = 0.02


class PerplexityDiscriminator:
    """A filter for docs by the ranges of perplexity (Eq. 9-10) and of nats in the mixed window.

    Each doc is scored by itself: its text without white space around it or, with the unit
    "sentence", the sentence of its mixed window. For a doc without a mixed window only the
    perplexity counts; a doc without text is never kept.

    With dtype "auto", most scores are computed in bfloat16. Texts so close to a limit that rounding
    could change the decision are scored again in float32, so decisions are those of float32.
    """

    def __init__(
        self,
        settings: LMSettings,
        *,
        min_window_nats: float = 0.0,
        max_window_nats: float | None = None,
        unit: str = "doc",
    ) -> None:
        """Arguments as in ``make_perplexity_discriminator``. Loads nothing yet."""
        if unit not in UNITS:
            raise SeqMixError(Errors.E315.format(unit=unit))
        single_threaded_forks()
        self.settings = settings
        self.window_nats = Range(min_window_nats, max_window_nats).checked(
            "nats in the mixed window"
        )
        self.unit = unit
        self._lm: CausalLM | None = None
        # What scores in place of a model in this process; see ``scored_by_workers``.
        self.remote: LanguageModel | None = None

    @property
    def lm(self) -> "CausalLM":
        """The language model, loaded at first use and shared by all objects with equal settings.

        RAISES (OSError, ValueError): as ``CausalLM.load``.
        """
        if self._lm is None:
            from .shared import get_shared

            self._lm = get_shared(
                self.settings.model,
                revision=self.settings.revision,
                start_token=self.settings.start_token,
                device=self.settings.device,
                trust_remote_code=self.settings.trust_remote_code,
            )
        return self._lm

    @lm.setter
    def lm(self, lm: "CausalLM") -> None:
        self._lm = lm

    @property
    def scorer(self) -> "LanguageModel":
        """What scores: the language model here, or workers."""
        return self.remote or self.lm

    @property
    def is_loaded(self) -> bool:
        """Whether the language model is in memory."""
        return self._lm is not None

    def __getstate__(self) -> dict[str, Any]:
        # Another process loads (or shares) its own model rather than unpickle half a gigabyte.
        return {**self.__dict__, "_lm": None, "remote": None}

    def __call__(self, docs: Sequence[Doc]) -> list[Verdict]:
        """Decide for each doc of a batch whether to keep it.

        docs (Sequence[Doc]): the docs, mixed or not.
        RETURNS (list[Verdict]): one for each doc; perplexity is nan for a doc without text.
        RAISES (SeqMixError): as ``CausalLM.load``; S309 if a mixed window does not fit its doc,
            S314 if its sentence is to be scored and is unknown.
        """
        passages = [passage_of(doc, self.unit) for doc in docs]
        windows = [passage.window for passage in passages]
        texts = [passage.text for passage in passages]
        scores = self.score(texts)
        verdicts = [self._verdict(*pair) for pair in zip(scores, windows, strict=True)]
        if self.settings.dtype == "auto" and texts and self.scorer.precision("auto") != "float32":
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
        """Score texts with this object's model, precision and batch sizes."""
        return self.scorer.token_nlls(
            texts,
            batch_size=self.settings.batch_size,
            max_batch_items=self.settings.max_batch_items,
            dtype=dtype or self.settings.dtype,
            progress=progress,
        )

    def _verdict(self, score: TokenNlls, window: Window | None) -> Verdict:
        whole = perplexity(score)
        nats = None if window is None else window_nats(score, *window[:3])
        keep = self.settings.perplexity.holds(whole) and (
            nats is None or self.window_nats.holds(nats)
        )
        return Verdict(whole, nats, keep)


def _is_doubtful(
    discriminator: PerplexityDiscriminator,
    score: TokenNlls,
    verdict: Verdict,
    window: Window | None,
) -> bool:
    """Whether the rounding of bfloat16 could have changed this verdict."""
    if not len(score):
        return False
    # In logarithms: rounding adds to the mean of nats.
    margin = TERM_ERROR + START_ERROR / len(score)
    measured = [(discriminator.settings.perplexity.log(), math.log(verdict.perplexity), margin)]
    if window is not None and verdict.window_nats is not None:
        error = START_ERROR if window.first else INNER_ERROR
        margin = TERM_ERROR + error / window.n_words
        measured.append((discriminator.window_nats, verdict.window_nats, margin))
    near = [inside.is_near(value, margin) for inside, value, margin in measured]
    # What is far outside one range is rejected, wherever it is in the other.
    out = [not inside.holds(value) for inside, value, _ in measured]
    return any(near) and not any(far and not close for far, close in zip(out, near, strict=True))


def _is_off(rough: TokenNlls, exact: TokenNlls) -> bool:
    """Whether bfloat16 missed float32 by more than the margins allow."""
    error = abs(float(rough.nlls.sum()) - float(exact.nlls.sum()))
    return error > START_ERROR + TERM_ERROR * len(exact)


@registry.misc("spacy-seqmix.PerplexityDiscriminator.v1")  # type: ignore[untyped-decorator]
@takes_lm_settings
def make_perplexity_discriminator(
    settings: LMSettings,
    min_window_nats: float = 0.0,
    max_window_nats: float | None = None,
    unit: str = "doc",
) -> PerplexityDiscriminator:
    """Build the discriminator of SeqMix Eq. 10, optionally on the mixed window too.

    settings (LMSettings): its fields, one by one.
    min_window_nats, max_window_nats (float, float | None): the range of nats per word inside the
        mixed window, given its context. None: no upper limit.
    unit (str): the part of a mixed doc that is scored: "doc", or "sentence" for the sentence of the
        mixed window; docs must have sentence boundaries then.
    RETURNS (PerplexityDiscriminator): docs to verdicts; loads the model at the first call.
    RAISES (SeqMixError): S307, S308, S311 or S315 for settings out of range.
    """
    return PerplexityDiscriminator(
        settings, min_window_nats=min_window_nats, max_window_nats=max_window_nats, unit=unit
    )
