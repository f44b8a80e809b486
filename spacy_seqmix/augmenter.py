"""The augmenter ``spacy-seqmix.SeqMix.v1`` turns ``spacy train`` into training with SeqMix."""

import sys
import warnings
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger

from . import recipes
from .errors import Errors, SeqMixError
from .learners import check_mixer
from .mixing.mix import BATCH, Mixer, MixRealiser, MixStrategy, MixStream
from .mixing.origin import is_pretokenised
from .mixing.passes import PassDetector
from .mixing.rates import Rate
from .mixing.reservoir import Reservoir
from .mixing.strategies import make_sub_sequence
from .types import Discriminator

# What ``nlp.initialize`` drew, by pipeline and ``SeqMixAugmenter.number``, until training draws:
# spaCy creates the augmenter of a config once for the one and once more for the other.
_shown: WeakKeyDictionary[Language, dict[int, Reservoir]] = WeakKeyDictionary()
# Components look at so many docs to size their layers, where their labels are known already.
SAMPLE = 10
# A token table is built again when so large a share of the parents is new.
GROWTH = 0.25


class SeqMixAugmenter:
    """Yields every original, and among them round(r·n) docs mixed from n originals.

    spaCy hands over one example at a time and never says when a pass ends. So mixed docs are made
    in batches ahead of need and given out whenever round(r·i) grows at the i-th original. Parents
    are the docs seen so far, or of a long stream a sample of them. ``nlp.initialize``, which draws
    the corpus before training does, gets the originals only; as a rule it has then shown them
    all. Where it has not (labels that come from a file, streams), parents become more during the
    first pass.

    A pass begins when the first originals come again (``PassDetector``). Each has new mixtures
    (``fresh``); once the pairs have run out, a further pass mixes them anew. Or it has those of
    the first pass again, as far as they reach.

    number (int): which one this is of the several that a config may have.
    """

    def __init__(
        self, mixer: Mixer, seed: int = 0, max_docs: int = 20_000, fresh: bool = True
    ) -> None:
        self.mixer = mixer
        self.seed = seed
        self.max_docs = max_docs
        self.fresh = fresh
        self.number = 0
        self._first: list[Doc] = []  # where not fresh: what the first pass gave
        self._docs = self._reservoir()
        self._rng = np.random.default_rng(seed)
        self._stream: MixStream | None = None
        self._spare: list[Doc] = []
        self._aside: list[Doc] = []
        self._passes = PassDetector()
        self._epoch = 0
        self._originals = 0
        self._n_shown = 0
        self._warned = False
        # round(base + rate · originals since) mixed docs are due; some of them are given.
        self._base, self._since, self._given = 0.0, 0, 0
        self._before = (0.0, 0, 0)  # base, since and epoch before the last pass began

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the example, then the mixed ones that are due.

        nlp (Language): the pipeline that is trained; its tokeniser reads the mixed texts.
        example (Example): an original; its reference holds the labels.
        YIELDS (Example): the original itself, and examples of mixed docs.
        """
        yield example
        if called_by_initialize():
            reservoirs = _shown.setdefault(nlp, {})
            reservoirs.setdefault(self.number, self._reservoir()).add(example.reference)
            return
        shown = _shown.get(nlp, {}).pop(self.number, None)
        if shown is not None:
            self._n_shown += shown.n_seen
            for doc in shown.docs():
                self._docs.add(doc)
        self._count(self._docs.add(example.reference), nlp)
        for doc in self._take(max(0, self._due() - self._given), nlp):
            self._given += 1
            yield make_example(nlp, doc)

    def _reservoir(self) -> Reservoir:
        return Reservoir(self.max_docs, self.mixer.strategy.eligible, self.seed)

    def _count(self, key: str, nlp: Language) -> None:
        """Count an original; a new pass may begin with it, or turn out not to have begun."""
        wrong, begins = self._passes.see(key)
        if wrong:
            base, since, self._epoch = self._before
            self._base, self._since = base, since + self._since
            if not self.fresh:
                self._spare = self._aside
        if begins:
            self._before = self._base, self._since, self._epoch
            self._begin_pass(nlp)
        self._originals += 1
        self._since += 1

    def _begin_pass(self, nlp: Language) -> None:
        # What an ended pass lacks is not made up for.
        lacking = self._due() > self._given
        self._base = float(self._given) if lacking else self._owed()
        self._since = 0
        self._epoch += 1
        if not self.fresh:
            self._aside, self._spare = self._spare, list(self._first)
        if self._stream is not None and self._stream.ran_out and not self._stream.hopeless:
            self._stream = self._new_stream(nlp, afresh=True)

    def _owed(self) -> float:
        return self._base + self.mixer.rate_at(self._epoch) * self._since

    def _due(self) -> int:
        return round(self._owed())

    def _take(self, n: int, nlp: Language) -> list[Doc]:
        if n > len(self._spare):
            self._refill(n, nlp)
        out, self._spare = self._spare[:n], self._spare[n:]
        if not self.fresh and self._epoch == 0:
            self._first += out
        return out

    def _refill(self, n: int, nlp: Language) -> None:
        """Have n docs to spare, mixed over all docs at hand, or most of them."""
        stream, complete = self._stream, self._seen_all()
        if stream is None or self._docs.n_changed > stream.counts.eligible * (
            0 if complete and not self._docs.full else GROWTH
        ):
            stream = self._stream = self._new_stream(nlp)
        if not stream.ran_out:
            # What one more pass over these docs needs. Where initialisation has not shown the
            # corpus, that is little at first, so that later docs become parents too.
            rate = self.mixer.rate_at(self._epoch)
            ahead = min(BATCH, round(rate * min(self._docs.n_seen, self.max_docs)))
            self._spare += stream.take(max(n - len(self._spare), ahead))
            logger.info("SeqMix: %s", stream.counts.counts())
        if len(self._spare) < n and (complete or self._docs.full) and not self._warned:
            self._warned = True
            warnings.warn(stream.shortage(self._due()), stacklevel=2)

    def _new_stream(self, nlp: Language, *, afresh: bool = False) -> MixStream:
        """A stream over the docs at hand that goes on from the last one."""
        if self._stream is None:
            check_mixer(self.mixer, nlp)
        docs = self._docs.docs()
        return MixStream(docs, self.mixer, self._rng, nlp, before=self._stream, afresh=afresh)

    def _seen_all(self) -> bool:
        """Whether a pass over the corpus has surely ended: only then can docs be said to lack."""
        known = self._docs.n_seen
        if SAMPLE < self._n_shown == known:  # initialisation has shown the corpus, not a sample
            return self._originals >= known
        return self._passes.n_certain > 0


def create_seqmix_augmenter(
    realiser: MixRealiser,
    strategy: MixStrategy | None = None,
    discriminator: Discriminator | None = None,
    rate: Rate = 0.2,
    labels: str = "soft",
    seed: int = 0,
    max_docs: int = 20_000,
    fresh: bool = True,
) -> SeqMixAugmenter:
    """Create the SeqMix augmenter.

    realiser (Callable): what mixed segments become, "spacy-seqmix.NearestToken.v1" or
        "spacy-seqmix.Interpolated.v1".
    strategy (Callable | None): which segments are paired; by default windows of 5 tokens, 3 of
        them in entities.
    discriminator (Callable | None): what keeps plausible docs; None keeps all.
    rate (float | Iterable[float]): r, mixed docs per original; a list or schedule has one for each
        pass over the corpus.
    labels (str): "soft", or "hard" for components (spaCy's own ``ner``) that train on nothing else.
    seed (int): of the augmenter's own generator.
    max_docs (int): how many originals to keep as parents at once; of more, a uniform sample.
    fresh (bool): new partners and λ in each pass over the corpus; otherwise those of the first.
    RETURNS (Callable): takes (nlp, example), yields examples.
    RAISES (SeqMixError): S212 for settings out of range.
    """
    if max_docs < 2:
        raise SeqMixError(Errors.E212.format(what=f"max_docs >= 2, not {max_docs}"))
    mixer = Mixer(strategy or make_sub_sequence(), realiser, discriminator, rate, labels)
    return SeqMixAugmenter(mixer, seed, max_docs, fresh)


def make_example(nlp: Language, doc: Doc) -> Example:
    """An example of a mixed doc, tokenised as spaCy's corpus reader would, with its recipe."""
    if is_pretokenised(doc):
        words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
        predicted = Doc(nlp.vocab, words=words, spaces=spaces)
    else:
        predicted = nlp.make_doc(doc.text)
    recipes.carry(doc, predicted)
    return Example(predicted, doc)


def called_by_initialize() -> bool:
    """Whether ``Language.initialize`` is drawing the corpus, to collect labels or a sample.

    Nothing in the arguments tells, and the passes it makes are partial ones, so neither does the
    order of the docs: the call stack is the one thing that is exact.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is Language.initialize.__code__:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
