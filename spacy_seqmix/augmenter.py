"""The augmenter ``spacy-seqmix.SeqMix.v1`` turns ``spacy train`` into training with SeqMix."""

import sys
import warnings
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger

from .mixing.mix import BATCH, Mixer, MixStrategy, MixStream
from .mixing.origin import doc_key
from .mixing.realise import NearestToken
from .mixing.strategies import make_sub_sequence
from .types import Discriminator

# The docs that ``nlp.initialize`` drew, by pipeline, until training draws: spaCy creates the
# augmenter of a config once for the one and once more for the other.
_shown: WeakKeyDictionary[Language, dict[str, Doc]] = WeakKeyDictionary()
# Components look at so many docs to size their layers, where their labels are known already.
SAMPLE = 10
# A token table is built again when the parents have become this many times more.
GROWTH = 1.25


class SeqMixAugmenter:
    """Yields every original, and among them round(r·n) docs mixed from n originals.

    spaCy hands over one example at a time and never says when a pass ends. So mixed docs are made
    in batches ahead of need and given out whenever round(r·i) grows at the i-th original. Parents
    are all docs seen so far. ``nlp.initialize``, which draws the corpus before training does, gets
    the originals only; as a rule it has then shown them all. Where it has not (labels that come
    from a file), parents become more during the first pass.
    """

    def __init__(self, mixer: Mixer, seed: int = 0) -> None:
        self.mixer = mixer
        self.seed = seed
        self._docs: dict[str, Doc] = {}
        self._eligible = 0
        self._rng = np.random.default_rng(seed)
        self._stream: MixStream | None = None
        self._spare: list[Doc] = []
        self._originals = 0
        self._given = 0
        self._n_shown = 0
        self._warned = False

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the example, then the mixed ones that are due.

        nlp (Language): the pipeline that is trained; its tokeniser reads the mixed texts.
        example (Example): an original; its reference holds the labels.
        YIELDS (Example): the original itself, and examples of mixed docs.
        """
        yield example
        if _called_by_initialize():
            _shown.setdefault(nlp, {}).setdefault(doc_key(example.reference), example.reference)
            return
        shown = _shown.pop(nlp, {})
        self._n_shown += len(shown)
        for doc in (*shown.values(), example.reference):
            self._remember(doc)
        self._originals += 1
        for doc in self._take(round(self.mixer.rate * self._originals) - self._given, nlp):
            self._given += 1
            yield make_example(nlp, doc)

    def _remember(self, doc: Doc) -> None:
        key = doc_key(doc)
        if key not in self._docs:
            self._docs[key] = doc
            self._eligible += self.mixer.strategy.eligible(doc)

    def _take(self, n: int, nlp: Language) -> list[Doc]:
        if n > len(self._spare):
            self._refill(n, nlp)
        out, self._spare = self._spare[:n], self._spare[n:]
        return out

    def _refill(self, n: int, nlp: Language) -> None:
        """Have n docs to spare, mixed over all docs seen by now, or most of them."""
        stream, complete = self._stream, self._seen_all()
        if stream is None or self._eligible > stream.counts.eligible * (1 if complete else GROWTH):
            docs = list(self._docs.values())
            stream = MixStream(docs, self.mixer, self._rng, nlp, before=stream)
            self._stream = stream
        if not stream.ran_out:
            # What one more pass over these docs needs. Where initialisation has not shown the
            # corpus, that is little at first, so that later docs become parents too.
            ahead = min(BATCH, round(self.mixer.rate * len(self._docs)))
            self._spare += stream.take(max(n - len(self._spare), ahead))
            logger.info("SeqMix: %s", stream.counts.counts())
        if len(self._spare) < n and complete and not self._warned:
            self._warned = True
            wanted = round(self.mixer.rate * self._originals)
            warnings.warn(stream.shortage(wanted), stacklevel=2)

    def _seen_all(self) -> bool:
        """Whether a pass over the corpus has surely ended: only then can docs be said to lack."""
        known = len(self._docs)
        if SAMPLE < self._n_shown == known:  # initialisation has shown the corpus, not a sample
            return self._originals >= known
        return self._originals >= 1.5 * known  # a few docs may be twins


def create_seqmix_augmenter(
    realiser: NearestToken,
    strategy: MixStrategy | None = None,
    discriminator: Discriminator | None = None,
    rate: float = 0.2,
    labels: str = "soft",
    seed: int = 0,
) -> Callable[[Language, Example], Iterator[Example]]:
    """Create the SeqMix augmenter.

    realiser (NearestToken): how mixed segments become words, "spacy-seqmix.NearestToken.v1".
    strategy (Callable | None): which segments are paired; by default windows of 5 tokens, 3 of
        them in entities.
    discriminator (Callable | None): what keeps plausible docs; None keeps all.
    rate (float): r, mixed docs per original.
    labels (str): "soft", or "hard" for components (spaCy's own ``ner``) that train on entities.
    seed (int): of the augmenter's own generator.
    RETURNS (Callable): takes (nlp, example), yields examples.
    """
    mixer = Mixer(strategy or make_sub_sequence(), realiser, discriminator, rate, labels)
    return SeqMixAugmenter(mixer, seed)


def make_example(nlp: Language, doc: Doc) -> Example:
    """An example of a mixed doc, tokenised as spaCy's corpus reader would."""
    if doc.has_unknown_spaces:
        words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
        return Example(Doc(nlp.vocab, words=words, spaces=spaces), doc)
    return Example(nlp.make_doc(doc.text), doc)


def _called_by_initialize() -> bool:
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
