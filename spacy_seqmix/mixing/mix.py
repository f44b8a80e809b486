"""``mix_docs``: plan, realise, filter, count. Nothing else in the package mixes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import TypeAlias

import numpy as np
from spacy.language import Language
from spacy.strings import get_string_id
from spacy.tokens import Doc
from spacy.util import logger

from ..annotation import recipes
from ..annotation.provenance import get_origin, set_origin
from ..errors import Warnings
from ..types import Judged, MixPlan, SegmentMix
from .build_doc import to_hard_labels
from .mixer import Mixer

# Plans made at once: enough for one matrix product and for language-model batches of one length.
BATCH = 64
# A filter that passes fewer than one candidate in this many is taken to pass none.
MAX_TRIES_PER_DOC = 50
# The most rejected candidates that are kept for people to look at.
MAX_THROWN_OUT = 20
# The identity of a mixture, which is never made twice: segments by the hash of their parent's text
# and their start, and further words that are mixed in.
Pair: TypeAlias = tuple[frozenset[tuple[int, int]], tuple[str, ...] | None]


@dataclass
class MixCounts:
    """The counts of one run of mixing.

    docs, eligible (int): docs to mix from, and how many of them can be mixed.
    tried, repeated, rejected, kept (int): candidates; those whose text came before; those that
        the discriminator rejected; the rest.
    seconds_table, seconds_mixing, seconds_lm (float): spent on the token table, on mixing, and in
        the language model.
    judged (list[Judged]): the discriminator's scores of each candidate.
    thrown_out (list[Doc]): the first candidates that it rejected, to look at.
    """

    docs: int = 0
    eligible: int = 0
    tried: int = 0
    repeated: int = 0
    rejected: int = 0
    kept: int = 0
    seconds_table: float = 0.0
    seconds_mixing: float = 0.0
    seconds_lm: float = 0.0
    judged: list[Judged] = field(default_factory=list)
    thrown_out: list[Doc] = field(default_factory=list)

    def __add__(self, other: MixCounts) -> MixCounts:
        """Add the counts of two mixers over the same docs; the caller sets ``eligible``."""
        summed = {name: value + vars(other)[name] for name, value in vars(self).items()}
        return MixCounts(**{**summed, "docs": max(self.docs, other.docs)})

    def summary(self) -> str:
        """A summary in one line."""
        return (
            f"{self.eligible} of {self.docs} docs eligible, {self.tried} candidates, "
            f"{self.rejected} rejected, {self.kept} kept"
        )

    def counts(self) -> dict[str, int]:
        """The integer counts, which are equal in all runs with the same seed."""
        return {k: v for k, v in vars(self).items() if isinstance(v, int)}

    def seconds(self) -> dict[str, float]:
        """The seconds spent on each step."""
        spent = {k.split("_")[1]: v for k, v in vars(self).items() if k.startswith("seconds")}
        return {k: round(v, 2) for k, v in spent.items()}


class MixStream:
    """A stream of mixed docs over one set of parents, made on demand; no pair is mixed twice.

    A stream over more parents can continue an earlier one: it repeats neither pairs nor texts, and
    its counts include those of the earlier one.
    """

    def __init__(
        self,
        docs: Sequence[Doc],
        mixer: Mixer,
        rng: np.random.Generator,
        nlp: Language,
        *,
        corpus: Sequence[Doc] = (),
        trained: Language | None = None,
        progress: Callable[[int], object] | None = None,
        before: MixStream | None = None,
    ) -> None:
        """Collect the eligible docs; nothing is loaded or built before the first ``take``.

        before (MixStream | None): the stream to continue.
        """
        self.mixer = mixer
        known = before.counts if before else MixCounts()
        self.counts: MixCounts = replace(
            known, docs=len(docs), judged=[*known.judged], thrown_out=[*known.thrown_out]
        )
        self._parents = [doc for doc in docs if mixer.strategy.eligible(doc)]
        self.counts.eligible = len(self._parents)
        self._ids = [get_string_id(doc.text) for doc in self._parents]
        self._plans = mixer.strategy(self._parents, rng)
        # Hashes: a stream may go on for as long as a training does.
        self._seen: set[int] = {get_string_id(doc.text) for doc in docs}
        self._seen |= before._seen if before else set()
        self._pairs: set[tuple[Pair, ...]] = before._pairs if before else set()
        # Words of all docs may be used, but plans number the eligible ones.
        self._prepare = partial(
            mixer.realiser.prepare, self._parents, [*docs, *corpus], nlp, trained
        )
        self._realise: Callable[[Sequence[MixPlan]], list[Doc]] | None = None
        self._spare: list[Doc] = [*before._spare] if before else []
        self._planned: int = before._planned if before else 0
        self._progress = progress
        self.ran_out = False

    def take(self, n: int) -> list[Doc]:
        """The next n mixed docs; fewer, with ``ran_out`` set, when there are no more."""
        while len(self._spare) < n and not self.ran_out:
            self._more(n - len(self._spare))
        out, self._spare = self._spare[:n], self._spare[n:]
        return out

    def _more(self, need: int) -> None:
        # As many candidates as the share kept so far makes likely to be enough.
        passed = (self.counts.kept + 1) / (self.counts.tried + 1)
        plans = self._draw(min(2 * BATCH, int(np.ceil(need / passed))))
        # Candidates planned are counted, not made: a poor table may make none of most plans.
        hopeless = self._planned > MAX_TRIES_PER_DOC * (self.counts.kept + need)
        if not plans or hopeless:
            self.ran_out = True
            return
        self._planned += sum(1 + plan.both_ways for plan in plans)
        began = perf_counter()
        if self._realise is None:
            self._realise = self._prepare()
            self.counts.seconds_table += perf_counter() - began
            began = perf_counter()
        candidates = self._realise(plans)
        fresh = []
        copies = self.mixer.strategy.copies
        for doc in candidates:
            # Docs of equal text may have different mixtures in mind.
            text = get_string_id(f"{doc.text}{recipes.get(doc) or ''}")
            if copies or text not in self._seen:
                self._seen.add(text)
                fresh.append(doc)
        self.counts.tried += len(candidates)
        self.counts.repeated += len(candidates) - len(fresh)
        self.counts.seconds_mixing += perf_counter() - began
        began = perf_counter()
        kept = self._judge(fresh)
        self.counts.seconds_lm += perf_counter() - began
        self.counts.rejected += len(fresh) - len(kept)
        self.counts.kept += len(kept)
        self._spare += kept
        if self._progress is not None:
            self._progress(min(need, len(kept)))

    def _draw(self, n: int) -> list[MixPlan]:
        """Plans for n candidates, or one more; fewer when the plans run out."""
        plans: list[MixPlan] = []
        for plan in self._new_plans():
            plans.append(plan)
            n -= 1 + plan.both_ways
            if n <= 0:
                break
        return plans

    def _new_plans(self) -> Iterator[MixPlan]:
        for plan in self._plans:
            pairs = tuple(self._pair(mix) for mix in plan.mixes)
            if pairs not in self._pairs:
                self._pairs.add(pairs)
                yield plan

    def _pair(self, mix: SegmentMix) -> Pair:
        sides = frozenset((self._ids[seg.doc], seg.start) for seg in (mix.left, mix.right))
        return sides, mix.words

    def _judge(self, docs: list[Doc]) -> list[Doc]:
        """Keep the candidates that the discriminator accepts, each judged by itself (Eq. 9-10)."""
        if self.mixer.labels == "hard":
            for doc in docs:
                to_hard_labels(doc)
        if self.mixer.discriminator is None or not docs:
            return docs
        kept = []
        for doc, verdict in zip(docs, self.mixer.discriminator(docs), strict=True):
            self.counts.judged.append((verdict.perplexity, verdict.window_nats, verdict.keep))
            origin = get_origin(doc)
            if origin is None:
                continue
            set_origin(doc, origin.scored(verdict.perplexity, verdict.window_nats))
            if verdict.keep:
                kept.append(doc)
            elif len(self.counts.thrown_out) < MAX_THROWN_OUT:
                self.counts.thrown_out.append(doc)
        return kept

    def shortage(self, wanted: int) -> str:
        """The warning W210: why there are fewer docs than wanted, and what to change."""
        counts, strategy = self.counts, self.mixer.strategy
        if strategy.copies:
            reason = (
                f"{counts.eligible} of {counts.docs} docs have {strategy.describe()}, and each is "
                "copied at most once; lower 'rate' or 'min_labels', or give more docs"
            )
        elif counts.eligible < 2:
            reason = (
                f"only {counts.eligible} of {counts.docs} docs have {strategy.describe()}, and two "
                "are needed; lower the strategy's 'density', or 'window' where it has one"
            )
        elif not self._planned:
            reason = (
                f"{counts.eligible} of {counts.docs} docs have {strategy.describe()}, but no two "
                "texts match: WholeSequence needs the same length, LabelConstrained the same tags; "
                "lower 'density', or 'window' where there is one"
            )
        elif counts.tried == 0:
            reason = "no pairs of windows, or no words in the token table, were left"
        elif counts.rejected > counts.kept:
            reason = (
                f"the discriminator rejected {counts.rejected} of {counts.tried} candidates; "
                "widen its range"
            )
        else:
            reason = "the pairs of windows ran out; lower 'rate' or 'density'"
        return Warnings.W210.format(wanted=wanted, kept=counts.kept, reason=reason)


def mix_docs(
    docs: Sequence[Doc],
    mixer: Mixer,
    rng: np.random.Generator,
    nlp: Language,
    *,
    corpus: Sequence[Doc] = (),
    trained: Language | None = None,
    number: int = 0,
    n_docs: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[list[Doc], MixCounts]:
    """Mix a set of labelled docs into exactly round(r·n) new docs, or fewer with a warning.

    docs (Sequence[Doc]): n labelled docs.
    mixer (Mixer): strategy, realiser, discriminator and rate r.
    rng (Generator): a private generator; the same one gives the same docs.
    nlp (Language): the pipeline whose tokeniser reads the mixed texts.
    corpus (Sequence[Doc]): further docs whose words the token table may contain.
    trained (Language | None): the pipeline of the last round, for tables made from it.
    number (int): the number of the round or epoch, for rates with a schedule.
    n_docs (int | None): the number of docs that the rate refers to; n by default.
    progress (Callable | None): called with the number of docs that were kept.
    RETURNS (tuple): the mixed docs, each with soft labels and origin, and the counts.
    """
    wanted = round(mixer.rate_at(number) * (len(docs) if n_docs is None else n_docs))
    stream = MixStream(docs, mixer, rng, nlp, corpus=corpus, trained=trained, progress=progress)
    mixed = stream.take(wanted)
    if len(mixed) < wanted:
        warnings.warn(stream.shortage(wanted), stacklevel=2)
    logger.info("SeqMix: %s", stream.counts.summary())
    return mixed, stream.counts
