"""The types that pass between the rooms of the package: frozen, small, without torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True)
class Suggestion:
    """An entity that a model predicts: tokens ``start`` to ``end`` (exclusive) of a task's doc.

    confidence (float | None): 0 to 1; None where the model gives none.
    """

    start: int
    end: int
    label: str
    confidence: float | None = None


@dataclass(frozen=True)
class Task:
    """One text to label.

    key (str): names the text in every tool and file, see ``annotation.texts.task_key``.
    doc (Doc): the text, in the tokens of the pipeline. It has the annotation of the pool's file,
        where that has any: only the gold oracle looks at it.
    round (int): the round that asks for it.
    suggestions (tuple[Suggestion, ...] | None): what the last model predicts; None where there is
        no model yet, and for docs that are set aside to measure with.
    score (float | None): the policy's; higher ones are more wanted. None where it was drawn.
    model (str | None): the version of the model, such as "round-02".
    note (str): a line for the person who labels it; may be empty.
    """

    key: str
    doc: Doc
    round: int = 0
    suggestions: tuple[Suggestion, ...] | None = None
    score: float | None = None
    model: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """What a person, or a file, says of a task. A task without an answer is not labelled yet.

    key (str): that of the task.
    doc (Doc | None): the task's text in the same tokens, with its annotation: none at all where
        there is nothing in the text, and missing tags where it was labelled in part. None where
        the person skipped the text.
    who (str): who labelled it; may be empty.
    seconds (float | None): the time that the person spent.
    shown (tuple[Suggestion, ...] | None): the suggestions that the person saw; None without any.
    """

    key: str
    doc: Doc | None
    who: str = ""
    seconds: float | None = None
    shown: tuple[Suggestion, ...] | None = None

    @property
    def skipped(self) -> bool:
        """Whether the person refused to label the text."""
        return self.doc is None


# The least that an oracle can be. Everything else has the defaults of ``Oracle``.
AnswerFunction: TypeAlias = Callable[[Sequence[Task]], Iterable[Answer]]


@runtime_checkable
class Oracle(Protocol):
    """What labels texts: a person, a tool, or the gold annotation. Subclasses inherit the defaults.

    It may answer some tasks, in any order, or none yet: the loop asks again for those that lack.
    It may also answer tasks of earlier rounds again, which corrects them, and such as were not
    asked for yet.
    """

    @property
    def needs_gold(self) -> bool:
        """Whether the pool's own annotation is the answer."""
        return False

    @property
    def layers(self) -> tuple[str, ...] | None:
        """What it labels, such as ("ents", "relations"); None for everything."""
        return None

    def begin(self, run_dir: Path, nlp: Language) -> None:
        """Prepare for the run in a folder; called before the first tasks, also on resuming.

        nlp (Language): a blank pipeline with the tokenizer and the vocabulary of the tasks.
        """
        return

    def advise(self, tasks: Sequence[Task]) -> str:
        """Say what a person does to answer these tasks: the end of a sentence."""
        return "answer them"

    @abstractmethod
    def __call__(self, tasks: Sequence[Task]) -> Iterable[Answer]:
        """Yield the answers that there are by now; those of other tasks are taken too."""
