"""The augmenter ``spacy-seqmix.SeqMix.v1`` turns ``spacy train`` into training with SeqMix."""

import sys
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger, registry

from .mixing.mix import BATCH, Mixer, MixStream
from .mixing.origin import doc_key
from .mixing.realise import NearestToken
from .mixing.strategies import SubSequence
from .types import Discriminator


class SeqMixAugmenter:
    """Yields every original, and among them round(r·n) docs mixed from n originals.

    spaCy hands over one example at a time and never says when a pass ends. So mixed docs are made
    in batches ahead of need and given out whenever round(r·i) grows at the i-th original. Parents
    are all docs seen so far; ``nlp.initialize``, which draws the corpus before training does, has
    then shown them all, and gets the originals only.
    """

    def __init__(self, mixer: Mixer, seed: int = 0) -> None:
        self.mixer = mixer
        self.seed = seed
        self._docs: dict[str, Doc] = {}
        self._rng = np.random.default_rng(seed)
        self._stream: MixStream | None = None
        self._stream_size = 0
        self._spare: list[Doc] = []
        self._originals = 0
        self._given = 0
        self._initialized = False
        self._warned = False

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the example, then the mixed ones that are due.

        nlp (Language): the pipeline that is trained; its tokeniser reads the mixed texts.
        example (Example): an original; its reference holds the labels.
        YIELDS (Example): the original itself, and examples of mixed docs.
        """
        yield example
        if self.mixer.strategy.eligible(example.reference):
            self._docs.setdefault(doc_key(example.reference), example.reference)
        if _called_by_initialize():
            self._initialized = True
            return
        self._originals += 1
        for doc in self._take(round(self.mixer.rate * self._originals) - self._given, nlp):
            self._given += 1
            yield make_example(nlp, doc)

    def _take(self, n: int, nlp: Language) -> list[Doc]:
        if n > len(self._spare):
            self._refill(n - len(self._spare), nlp)
        out, self._spare = self._spare[:n], self._spare[n:]
        return out

    def _refill(self, need: int, nlp: Language) -> None:
        """Mix a batch ahead, over all docs seen by now."""
        stale = self._stream is None or self._stream_size < len(self._docs)
        if stale:
            self._stream = MixStream(list(self._docs.values()), self.mixer, self._rng, nlp)
            self._stream_size = len(self._docs)
        stream = self._stream
        assert stream is not None
        # Before initialisation has shown the corpus, a batch would be made of its first few docs.
        ahead = BATCH if self._initialized else min(BATCH, len(self._docs))
        self._spare += stream.take(max(need, ahead))
        logger.info("SeqMix: %s", stream.counts.counts())
        if len(self._spare) < need and self._initialized and not self._warned:
            self._warned = True
            wanted = round(self.mixer.rate * self._originals)
            warnings.warn(stream.shortage(wanted), stacklevel=2)


@registry.augmenters("spacy-seqmix.SeqMix.v1")
def create_seqmix_augmenter(
    realiser: NearestToken,
    strategy: SubSequence | None = None,
    discriminator: Discriminator | None = None,
    rate: float = 0.2,
    labels: str = "soft",
    seed: int = 0,
) -> Callable[[Language, Example], Iterator[Example]]:
    """Create the SeqMix augmenter.

    realiser (NearestToken): how mixed segments become words, "spacy-seqmix.NearestToken.v1".
    strategy (SubSequence | None): which segments are paired; by default windows of 5 tokens, 3 of
        them in entities.
    discriminator (Callable | None): what keeps plausible docs; None keeps all.
    rate (float): r, mixed docs per original.
    labels (str): "soft", or "hard" for components (spaCy's own ``ner``) that train on entities.
    seed (int): of the augmenter's own generator.
    RETURNS (Callable): takes (nlp, example), yields examples.
    """
    mixer = Mixer(strategy or SubSequence(), realiser, discriminator, rate, labels)
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
