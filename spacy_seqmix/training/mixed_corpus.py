"""The corpus reader ``spacy-seqmix.MixedCorpus.v1``: originals and mixed docs, a pass at a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.training import Example

from ..mixing.mix import mix_docs
from ..mixing.mixer import Mixer, Rate
from ..mixing.strategies import make_sub_sequence
from ..types import Discriminator, PlanFunction, Realiser, Strategy
from .augmenter import is_initializing, make_example
from .checks import check_mixer
from .corpus import create_corpus


@dataclass
class MixedCorpus:
    """A reader of originals and docs mixed from all of them; each call is a pass."""

    reader: Callable[[Language], Iterable[Example]]
    mixer: Mixer
    seed: int = 0
    shuffle: bool = True
    fresh: bool = True
    n_passes: int = 0

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield the examples of one pass; during ``nlp.initialize``, the originals only."""
        if is_initializing(nlp):
            yield from self.reader(nlp)
            return
        number, self.n_passes = self.n_passes, self.n_passes + 1
        if not number:
            check_mixer(self.mixer, nlp)
        rng = np.random.default_rng([self.seed, number if self.fresh else 0])
        examples = list(self.reader(nlp))
        docs = [eg.reference for eg in examples]
        mixed, _ = mix_docs(docs, self.mixer, rng, nlp, number=number)
        examples += [make_example(nlp, doc) for doc in mixed]
        order = rng.permutation(len(examples)) if self.shuffle else range(len(examples))
        yield from (examples[int(i)] for i in order)


def create_mixed_corpus(
    path: Path | None,
    realiser: Realiser,
    strategy: Strategy | PlanFunction | None = None,
    discriminator: Discriminator | None = None,
    rate: Rate = 0.2,
    labels: str = "soft",
    seed: int = 0,
    shuffle: bool = True,
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Callable[..., Any] | None = None,
    fresh: bool = True,
) -> MixedCorpus:
    """Create a reader that holds the whole corpus and mixes it again in each pass.

    With ``max_epochs = -1``, spaCy makes a pass for each epoch; otherwise it makes a single pass.

    path, gold_preproc, max_length, limit, augmenter: as for ``spacy-seqmix.Corpus.v1``; what an
        augmenter adds counts as an original.
    realiser, strategy, discriminator, labels, seed: as for ``spacy-seqmix.SeqMix.v1``.
    rate (float | Iterable[float]): r, mixed docs per original, or a rate for each pass; the last
        rate holds for all passes that follow.
    fresh (bool): draw new partners and λ in each pass; otherwise those of the first are kept.
    shuffle (bool): yield a pass in random order; otherwise the mixed docs come last.
    RETURNS (Callable): takes nlp, yields examples.
    RAISES (SeqMixError): S212 for settings out of range, spaCy's E913 without a path.
    """
    reader = create_corpus(path, gold_preproc, max_length, limit, augmenter)
    mixer = Mixer(strategy or make_sub_sequence(), realiser, discriminator, rate, labels)
    return MixedCorpus(reader, mixer, seed, shuffle, fresh)
