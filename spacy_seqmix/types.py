"""The types that pass between the rooms of the package: frozen, small, without torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

if TYPE_CHECKING:
    from spacy.language import Language

Floats1d: TypeAlias = NDArray[np.float32]
Floats2d: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class SoftLabels:
    """A distribution over tags for every token of a Doc.

    labels (tuple[str, ...]): L tag names, IOB2 ("O", "B-PER", "I-PER", ...) but in the layer of a
        tagger's tags.
    probs (Floats2d): shape (n_tokens, L); every row sums to 1, or is all zeros where the
        annotation is missing.
    layer (str): the annotation that they are of: "ents", "tags" or "spans:KEY".
    """

    labels: tuple[str, ...]
    probs: Floats2d
    layer: str = "ents"


@dataclass(frozen=True)
class Segment:
    """Tokens ``start`` to ``end`` (exclusive) of document number ``doc`` of a batch."""

    doc: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class SegmentMix:
    """Two segments and the weight ``lam`` in [0, 1] of the left one.

    words (tuple[str, ...] | None): what is mixed in instead of the right segment's own words: a
        synonym, whose labels are those of the segment.
    """

    left: Segment
    right: Segment
    lam: float
    words: tuple[str, ...] | None = None


@dataclass(frozen=True)
class MixPlan:
    """What becomes of one doc: the left segments are mixed with the right ones.

    mixes (tuple[SegmentMix, ...]): at least one; their left segments lie in one doc, in order and
        apart.
    both_ways (bool): whether the one mixed segment takes the place of either in turn, which gives
        two candidates, or of the left one alone.
    layer (str): whose labels are mixed: "ents", "tags", "spans:KEY" or "relations".
    relations (tuple[int, int] | None): of that last layer: which relation of the left doc is mixed
        with which of the right one; both have one λ.
    """

    mixes: tuple[SegmentMix, ...]
    both_ways: bool = True
    layer: str = "ents"
    relations: tuple[int, int] | None = None


@dataclass(frozen=True)
class Verdict:
    """What a discriminator says of one doc.

    perplexity (float): exp of the mean negative log-likelihood of the language model's tokens.
    window_nats (float | None): the summed negative log-likelihood (nats) of the mixed window in
        its context, over the number of words in it; None where the doc has no mixed window.
    keep (bool): whether every range that is set holds.
    """

    perplexity: float
    window_nats: float | None
    keep: bool


# The least that a strategy can be. Everything else has the defaults of ``Strategy``.
PlanFunction: TypeAlias = Callable[[Sequence[Doc], np.random.Generator], Iterable[MixPlan]]


@runtime_checkable
class Strategy(Protocol):
    """Chooses which segments are mixed and draws λ. Derive a class from it to have its defaults.

    layer (str): whose labels are mixed: "ents", "tags", "spans:KEY" or "relations".
    replaces (bool): whether segments give way as they are, so that no embeddings are mixed.
    copies (bool): whether mixed docs may equal their parents word for word.
    keeps_labels (bool): whether mixed labels are their parents' own, and so never soft.
    """

    @property
    def layer(self) -> str:
        return "ents"

    @property
    def replaces(self) -> bool:
        return False

    @property
    def copies(self) -> bool:
        return False

    @property
    def keeps_labels(self) -> bool:
        return False

    def eligible(self, doc: Doc) -> bool:
        """Whether the doc can be planned with."""
        return len(doc) > 0

    def describe(self) -> str:
        """What an eligible doc has, for messages."""
        return "at least one token"

    @abstractmethod
    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans over these docs, none twice."""


@runtime_checkable
class Realiser(Protocol):
    """Turns plans into docs. Derive a class from it to have its default.

    interpolates (bool): whether its docs have a recipe, by which an encoder mixes embeddings.
    """

    @property
    def interpolates(self) -> bool:
        return False

    @abstractmethod
    def prepare(
        self, docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language, trained: Language | None
    ) -> Callable[[Sequence[MixPlan]], list[Doc]]:
        """Load and build what it takes to realise plans over these docs.

        docs (Sequence[Doc]): the labelled docs that plans refer to.
        corpus (Sequence[Doc]): further docs whose words may be used.
        nlp (Language): whose tokeniser reads the mixed texts.
        trained (Language | None): the pipeline of the last round, for tables made from it.
        """


Discriminator: TypeAlias = Callable[[Sequence[Doc]], list[Verdict]]
TokenProbs: TypeAlias = list[Floats2d]
# Perplexity, nats a word of the mixed window, whether the doc was kept.
Judged: TypeAlias = tuple[float, float | None, bool]
Oracle: TypeAlias = Callable[[Sequence[Doc]], list[Doc]]
