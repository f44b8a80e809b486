"""Augmenters: ``spacy-seqmix.SeqMix.v1``, several of them in one run, and a chain of two."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger
from thinc.api import Model

from ..annotation import recipes, soft_labels
from ..annotation.alignment import carry
from ..annotation.provenance import doc_key, is_pretokenised
from ..errors import Errors, SeqMixError
from ..mixing.mix import BATCH, MixStream
from ..mixing.mixer import Mixer, Rate
from ..mixing.strategies import make_sub_sequence
from ..types import Discriminator, PlanFunction, Realiser, Strategy
from .checks import check_mixer

Augmenter: TypeAlias = Callable[[Language, Example], Iterable[Example]]

# A token table is built again when this share of the parents is new.
GROWTH = 0.25
# W210 comes when BEHIND mixed docs are missing, but not before PATIENCE originals have come.
BEHIND, PATIENCE = 5, 10


class Reservoir:
    """At most ``size`` docs, each once, drawn uniformly from all that were added (algorithm R)."""

    def __init__(self, size: int, eligible: Callable[[Doc], bool], seed: int) -> None:
        """size (int): the most docs to hold; eligible (Callable): whether a doc can be mixed."""
        self.size = size
        self.n_seen = 0
        self.n_changed = 0  # eligible docs that came since ``docs`` was last called
        self._eligible = eligible
        self._docs: dict[str, Doc] = {}
        self._keys: list[str] = []
        self._rng = np.random.default_rng([seed, 1])

    @property
    def full(self) -> bool:
        """Whether a further doc would replace another."""
        return len(self._docs) >= self.size

    def add(self, doc: Doc) -> None:
        """Add a doc, unless it is here already or the draw leaves it out."""
        key = doc_key(doc)
        if key in self._docs:
            return
        self.n_seen += 1
        if not self.full:
            self._keys.append(key)
        else:
            slot = int(self._rng.integers(self.n_seen))
            if slot >= self.size:
                return
            del self._docs[self._keys[slot]]
            self._keys[slot] = key
        self._docs[key] = doc
        self.n_changed += self._eligible(doc)

    def docs(self) -> list[Doc]:
        """The docs, in the order in which they came."""
        self.n_changed = 0
        return list(self._docs.values())


class SeqMixAugmenter:
    """An augmenter that yields every original, and mixed docs so that i originals get round(r·i).

    spaCy passes one example at a time and does not signal the end of a pass, so the parents are the
    docs seen so far (a sample of them in a long stream). Mixed docs are made ahead, in batches.
    ``MixedCorpus`` is for all that depends on passes over the corpus.
    """

    def __init__(self, mixer: Mixer, seed: int = 0, max_docs: int = 20_000) -> None:
        """Arguments as in ``create_seqmix_augmenter``."""
        self.mixer = mixer
        self.rate = mixer.rate_at(0)
        self.docs = Reservoir(max_docs, mixer.strategy.eligible, seed)
        self._rng = np.random.default_rng(seed)
        self._stream: MixStream | None = None
        self._spare: list[Doc] = []
        self._originals, self._given = 0, 0
        self._warned = False

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the example, then the mixed ones that are due.

        nlp (Language): the pipeline that is trained; its tokeniser reads the mixed texts.
        example (Example): an original; its reference holds the labels.
        YIELDS (Example): the original itself, and examples of mixed docs.
        """
        yield example
        if is_initializing(nlp):
            return
        self.docs.add(example.reference)
        self._originals += 1
        for doc in self._take(round(self.rate * self._originals) - self._given, nlp):
            self._given += 1
            yield make_example(nlp, doc)

    def _take(self, n: int, nlp: Language) -> list[Doc]:
        """The next n mixed docs, or fewer: missing ones stay due."""
        if n > len(self._spare):
            self._refill(n, nlp)
        out, self._spare = self._spare[:n], self._spare[n:]
        if self._is_late(n - len(out)) and self._stream is not None:
            self._warned = True
            text = self._stream.shortage(self._given + n)
            warnings.warn(f"{text} So far, {self._originals} originals have come.", stacklevel=2)
        return out

    def _is_late(self, n_missing: int) -> bool:
        return n_missing >= BEHIND and self._originals >= PATIENCE and not self._warned

    def _refill(self, n: int, nlp: Language) -> None:
        stream = self._stream
        if stream is None:
            check_mixer(self.mixer, nlp)
        # All docs so far are tried before the warning says that there are no more.
        last = stream is not None and stream.ran_out and self._is_late(n)
        if stream is None or last or self.docs.n_changed > GROWTH * stream.counts.eligible:
            docs = self.docs.docs()
            stream = self._stream = MixStream(docs, self.mixer, self._rng, nlp, before=stream)
        if not stream.ran_out:
            # A batch is cheaper than single docs. It is small while few docs are known, so that
            # later ones become parents too.
            ahead = min(BATCH, round(self.rate * GROWTH * self.docs.n_seen))
            self._spare += stream.take(max(n, ahead) - len(self._spare))
            logger.info("SeqMix: %s", stream.counts.summary())


def create_seqmix_augmenter(
    realiser: Realiser,
    strategy: Strategy | PlanFunction | None = None,
    discriminator: Discriminator | None = None,
    rate: Rate = 0.2,
    labels: str = "soft",
    seed: int = 0,
    max_docs: int = 20_000,
) -> SeqMixAugmenter:
    """Create the SeqMix augmenter.

    realiser (Callable): turns plans into docs, "spacy-seqmix.NearestToken.v1" or
        "spacy-seqmix.Interpolated.v1".
    strategy (Callable | None): chooses the segments to mix; by default windows of 5 tokens, 3 of
        them in entities.
    discriminator (Callable | None): keeps plausible docs; None keeps all.
    rate (float): r, mixed docs per original. Rates by epoch: "spacy-seqmix.MixedCorpus.v1".
    labels (str): "soft", or "hard" for components (spaCy's own ``ner``) that train on nothing else.
    seed (int): the seed of the augmenter's own generator.
    max_docs (int): the most originals to keep as parents, a uniform sample of all.
    RETURNS (Callable): takes (nlp, example), yields examples.
    RAISES (SeqMixError): S212 for settings out of range.
    """
    if max_docs < 2:
        raise SeqMixError(Errors.E212.format(what=f"max_docs >= 2, not {max_docs}"))
    if not isinstance(rate, int | float):
        what = "one rate, a number: rates by epoch are for spacy-seqmix.MixedCorpus.v1"
        raise SeqMixError(Errors.E212.format(what=what))
    mixer = Mixer(strategy or make_sub_sequence(), realiser, discriminator, rate, labels)
    return SeqMixAugmenter(mixer, seed, max_docs)


@dataclass(frozen=True)
class MultiSeqMix:
    """See ``create_multi_seqmix``."""

    mixers: list[SeqMixAugmenter]

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the example once, then the mixed docs of each augmenter, which are independent."""
        yield example
        for augmenter in self.mixers:
            yield from (one for one in augmenter(nlp, example) if one is not example)


def create_multi_seqmix(mixers: dict[str, Augmenter]) -> MultiSeqMix:
    """Mix in more than one way in one run, for example by SeqMix and SegMix.

    mixers (dict[str, Callable]): "spacy-seqmix.SeqMix.v1" in sections of any name, each with its
        strategy, realiser, rate and seed. They are called in the order of their names.
    RETURNS (MultiSeqMix): takes (nlp, example), yields examples.
    RAISES (SeqMixError): S263 for another augmenter, or no section.
    """
    for name, augmenter in mixers.items():
        if not isinstance(augmenter, SeqMixAugmenter):
            raise SeqMixError(Errors.E263.format(name=f"mixers.{name}"))
    if not mixers:
        raise SeqMixError(Errors.E263.format(name="mixers"))
    return MultiSeqMix(
        [one for _, one in sorted(mixers.items()) if isinstance(one, SeqMixAugmenter)]
    )


@dataclass(frozen=True)
class Chain:
    """See ``create_chain``."""

    first: Augmenter
    then: Augmenter

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the results of the second augmenter on those of the first."""
        for one in _through(self.first, nlp, example):
            yield from _through(self.then, nlp, one)


def create_chain(first: Augmenter, then: Augmenter) -> Chain:
    """Chain two augmenters, for example spaCy's lower-casing and SeqMix, in either order.

    spaCy's augmenters rebuild the reference and drop its user data. Soft labels, recipes,
    relations and origins are restored where the text is known to be the same.

    first, then (Callable): augmenters, each in its own section of the config.
    RETURNS (Callable): takes (nlp, example), yields examples.
    """
    return Chain(first, then)


def _through(augmenter: Augmenter, nlp: Language, example: Example) -> Iterator[Example]:
    if isinstance(augmenter, SeqMixAugmenter | MultiSeqMix | Chain):  # they drop nothing
        yield from augmenter(nlp, example)
        return
    for one in augmenter(nlp, _without_marks(example)):
        carry(example.reference, one.reference)
        yield make_example(nlp, one.reference) if recipes.KEY in one.reference.user_data else one


def _without_marks(example: Example) -> Example:
    """The example without the marks of soft labels: spaCy can't rebuild spans where words
    change."""
    if soft_labels.get(example.reference) is None:
        return example
    bare = example.reference.copy()
    soft_labels.clear(bare)
    return Example(example.predicted, bare)


def make_example(nlp: Language, doc: Doc) -> Example:
    """Make an example of a mixed doc, tokenised as by spaCy's corpus reader, with its recipe."""
    if is_pretokenised(doc):
        words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
        predicted = Doc(nlp.vocab, words=words, spaces=spaces)
    else:
        predicted = nlp.make_doc(doc.text)
    recipes.carry(doc, predicted)
    return Example(predicted, doc)


def is_initializing(nlp: Language) -> bool:
    """Whether ``nlp.initialize`` draws the corpus, to collect labels and a sample.

    spaCy does not say so. But before ``initialize`` ends, a pipeline has no optimiser, and some of
    its parameters have no values. Both conditions are needed: a loaded pipeline has no optimiser
    either, and a model may have an unused parameter without a value. One case remains: with
    sourced components that are trained further, ``resume_training`` has set an optimiser before
    ``initialize``. Then its sample is mixed too, which costs time but changes no results, since
    spaCy creates the corpus again for training.
    """
    if nlp._optimizer is not None:
        return False
    models = [getattr(proc, "model", None) for _, proc in nlp.pipeline]
    nodes = [node for model in models if isinstance(model, Model) for node in model.walk()]
    return any(node.has_param(name) is None for node in nodes for name in node.param_names)
