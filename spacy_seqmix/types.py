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

    labels (tuple[str, ...]): L tag names: IOB2 tags ("O", "B-PER", "I-PER", ...), or, in the
        layer "tags", the tags of a tagger.
    probs (Floats2d): shape (n_tokens, L); every row sums to 1, or is all zeros where the
        annotation is missing.
    layer (str): the layer of annotation: "ents", "tags" or "spans:KEY".
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

    words (tuple[str, ...] | None): words to mix in instead of those of the right segment, for
        example a synonym; their labels are those of the segment.
    """

    left: Segment
    right: Segment
    lam: float
    words: tuple[str, ...] | None = None


@dataclass(frozen=True)
class MixPlan:
    """A plan to mix one doc: its left segments are mixed with the right ones.

    mixes (tuple[SegmentMix, ...]): at least one; their left segments lie in one doc, in order and
        without overlap.
    both_ways (bool): whether there are two candidates, with the mixed segment in the left doc and
        in the right doc, or only the first of them.
    layer (str): whose labels are mixed: "ents", "tags", "spans:KEY" or "relations".
    relations (tuple[int, int] | None): in the layer "relations", the numbers of the relation of
        the left doc and of the relation of the right doc that are mixed; both have the same λ.
    """

    mixes: tuple[SegmentMix, ...]
    both_ways: bool = True
    layer: str = "ents"
    relations: tuple[int, int] | None = None


@dataclass(frozen=True)
class Verdict:
    """The judgement of a discriminator on one doc.

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
    """A function that chooses segments to mix and draws λ. Subclasses inherit the defaults.

    layer (str): whose labels are mixed: "ents", "tags", "spans:KEY" or "relations".
    replaces (bool): whether segments are replaced whole, so that no embeddings are mixed.
    copies (bool): whether mixed docs may equal their parents word for word.
    keeps_labels (bool): whether mixed docs have the labels of their parents, which stay hard.
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
        """Whether plans can use the doc."""
        return len(doc) > 0

    def describe(self) -> str:
        """Describe what makes a doc eligible, for messages."""
        return "at least one token"

    @abstractmethod
    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans over these docs, each at most once."""


@runtime_checkable
class Realiser(Protocol):
    """A factory of functions that turn plans into docs. Subclasses inherit the default.

    interpolates (bool): whether its docs have a recipe, so that an encoder mixes embeddings.
    """

    @property
    def interpolates(self) -> bool:
        return False

    @abstractmethod
    def prepare(
        self, docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language, trained: Language | None
    ) -> Callable[[Sequence[MixPlan]], list[Doc]]:
        """Load and build what is needed to realise plans over these docs.

        docs (Sequence[Doc]): the labelled docs that plans refer to.
        corpus (Sequence[Doc]): further docs whose words may be used.
        nlp (Language): the pipeline whose tokeniser reads the mixed texts.
        trained (Language | None): the pipeline of the last round, for tables made from it.
        RETURNS (Callable): takes plans, returns candidate docs.
        """


Discriminator: TypeAlias = Callable[[Sequence[Doc]], list[Verdict]]
TokenProbs: TypeAlias = list[Floats2d]
# Perplexity, nats a word of the mixed window, whether the doc was kept.
Judged: TypeAlias = tuple[float, float | None, bool]
Oracle: TypeAlias = Callable[[Sequence[Doc]], list[Doc]]
