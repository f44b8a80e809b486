"""Several people's answers to the same texts become one annotation, by votes or posteriors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias, TypeGuard, get_args

import numpy as np
from numpy.typing import NDArray
from spacy.scorer import PRFScore
from spacy.tokens import Doc, Span

from ..annotation import layers, soft_labels
from ..annotation.iob import spans_of, split_tag, viterbi
from ..annotation.posteriors import annotate_rows
from ..types import SoftLabels
from .dawid_skene import NO_ANSWER, Array, DawidSkene, Votes, fit, vote_shares
from .place import REJECTED

__all__ = ["Annotator", "Answered", "Confusion", "Joining", "is_joining", "join_answers"]

# How answers are joined: posteriors as soft labels, or the majority's tags.
Joining: TypeAlias = Literal["soft", "vote"]
# What posteriors weigh beside votes. It decides ties, and only these: of a thousand people one vote
# weighs more.
TIE = 1e-4
# Confusions of fewer expected tokens are not told.
SHOWN_TOKENS = 0.5


@dataclass(frozen=True)
class Answered:
    """A text, and what each person says of it.

    doc (Doc): the text in tokens.
    by (Mapping[str, Doc]): a copy with the labels of each person, by the person's name.
    """

    doc: Doc
    by: Mapping[str, Doc]


@dataclass(frozen=True)
class Confusion:
    """A label that a person gives in place of the true one.

    share (float): the share of the true label's tokens.
    tokens (float): their expected number.
    """

    true: str
    given: str
    share: float
    tokens: float


@dataclass(frozen=True)
class Annotator:
    """A person's answers beside those of the others.

    texts, shared (int): how many texts the person labelled, and how many of them others did, too.
    agreement (PRFScore | None): of the person's entities with those that the posteriors of the
        others' answers decide for; None without a shared text.
    labels (tuple[str, ...]): "" for no entity, then the labels of entities.
    counts (Array): the expected number of tokens by their true label (row) and the given one.
    """

    who: str
    texts: int
    shared: int
    agreement: PRFScore | None
    labels: tuple[str, ...]
    counts: Array

    @property
    def missed(self) -> float:
        """The share of entities' tokens that the person leaves outside."""
        return _share(self.counts[1:, 0], self.counts[1:])

    @property
    def added(self) -> float:
        """The share of other tokens that the person gives to an entity."""
        return _share(self.counts[0, 1:], self.counts[0])

    @property
    def mistyped(self) -> float:
        """The share of entities' tokens that get another label."""
        inside = self.counts[1:, 1:]
        return _share(inside - np.diag(np.diag(inside)), self.counts[1:])

    @property
    def confusions(self) -> list[Confusion]:
        """Which labels of entities are confused, the most frequent first."""
        found = [
            Confusion(true, given, _share(self.counts[i, j], self.counts[i]), self.counts[i, j])
            for i, true in enumerate(self.labels)
            for j, given in enumerate(self.labels)
            if i and j and i != j and self.counts[i, j] >= SHOWN_TOKENS
        ]
        return sorted(found, key=lambda one: -one.tokens)


def _share(part: Array, whole: Array) -> float:
    return float(np.sum(part) / max(np.sum(whole), 1.0))


def is_joining(annotators: str | None) -> TypeGuard[Joining]:
    """Whether a value of the option joins answers, and does not name a person."""
    return annotators in get_args(Joining)


def join_answers(texts: Sequence[Answered], how: Joining) -> tuple[list[Doc], list[Annotator]]:
    """Make one annotation of several people's answers to each text.

    Tokens are items, their IOB2 tags are classes, and missing tags are no answers. See
    ``dawid_skene`` for the posteriors.

    how (str): "soft" sets the posteriors as soft labels, and the best valid tags under them as
        entities. "vote" sets the best valid tags under the shares of the votes. Where these are
        tied, the tag with the higher posterior wins.
    RETURNS (tuple): the docs, and what is to be said of each person. No tag is known of a token
        that nobody labelled.
    """
    people = list(dict.fromkeys(who for text in texts for who in text.by))
    tags, votes = _votes(texts, people)
    model = fit(votes, len(tags))
    rows = model.posteriors
    if how == "vote":
        rows = (1.0 - TIE) * vote_shares(votes, len(tags)) + TIE * rows
    rows = np.where((votes != NO_ANSWER).any(axis=1)[:, None], rows, 0.0)
    docs = []
    for text, of_doc in zip(texts, _by_text(rows, texts), strict=True):
        if how == "soft":
            annotate_rows(text.doc, tags, of_doc)
        else:
            soft_labels.annotate(text.doc, SoftLabels(tags, of_doc.astype("float32")))
        _put_rejected(text)
        docs.append(text.doc)
    return docs, [_annotator(n, who, texts, votes, model, tags) for n, who in enumerate(people)]


def _by_text(rows: Array, texts: Sequence[Answered]) -> list[Array]:
    """The rows of each text, of those of all tokens."""
    return np.split(rows, list(accumulate(len(text.doc) for text in texts))[:-1])


def _votes(texts: Sequence[Answered], people: Sequence[str]) -> tuple[tuple[str, ...], Votes]:
    """The tags that anybody gave, and the number of each person's tag (column) of each token."""
    given = [{who: layers.read(doc) for who, doc in text.by.items()} for text in texts]
    known = {tag for one in given for read in one.values() for tag in read if tag is not None}
    tags = layers.columns(layers.ENTS, known)
    number = {tag: n for n, tag in enumerate(tags)}
    column = {who: n for n, who in enumerate(people)}
    votes = np.full((sum(len(text.doc) for text in texts), len(people)), NO_ANSWER, dtype="int16")
    start = 0
    for text, one in zip(texts, given, strict=True):
        end = start + len(text.doc)
        for who, read in one.items():
            votes[start:end, column[who]] = [number.get(tag or "", NO_ANSWER) for tag in read]
        start = end
    return tags, votes


def _put_rejected(text: Answered) -> None:
    """Keep what people rejected, where it did not become an entity."""
    rejected = {_place(span) for doc in text.by.values() for span in doc.spans.get(REJECTED, ())}
    if left := sorted(rejected - {_place(ent) for ent in text.doc.ents}):
        spans = [Span(text.doc, start, end, label=label) for start, end, label in left]
        text.doc.spans[REJECTED] = spans


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label_


def _annotator(
    column: int,
    who: str,
    texts: Sequence[Answered],
    votes: Votes,
    model: DawidSkene,
    tags: tuple[str, ...],
) -> Annotator:
    own = [text for text in texts if who in text.by]
    shared = [text for text in own if len(text.by) > 1]
    agreement = _agreement(column, who, texts, votes, model, tags) if shared else None
    labels = tuple(dict.fromkeys(split_tag(tag)[1] for tag in tags))
    of_tag = np.array([[split_tag(tag)[1] == label for label in labels] for tag in tags])
    counts = _counts(votes[:, column], model.posteriors, of_tag)
    return Annotator(who, len(own), len(shared), agreement, labels, counts)


def _agreement(
    column: int,
    who: str,
    texts: Sequence[Answered],
    votes: Votes,
    model: DawidSkene,
    tags: tuple[str, ...],
) -> PRFScore:
    """Compare a person's entities with those of the others, on tokens that both labelled."""
    given = votes != NO_ANSWER
    both = given[:, column] & np.delete(given, column, axis=1).any(axis=1)
    rows = model.without(votes, column)
    rows[~both] = np.eye(len(tags))[tags.index("O")]
    score = PRFScore()
    parts = zip(texts, _by_text(rows, texts), _by_text(both, texts), strict=True)
    compared = [(text, of_doc, there) for text, of_doc, there in parts if there.any()]
    paths = viterbi([of_doc.astype("float32") for _, of_doc, _ in compared], tags)
    for (text, _, there), path in zip(compared, paths, strict=True):
        read = [tag or "O" for tag in layers.read(text.by[who])]
        ours = {span for span in spans_of(read) if there[span[0] : span[1]].all()}
        score.score_set(ours, set(spans_of([tags[i] for i in path])))
    return score


def _counts(own: Votes, posteriors: Array, of_tag: NDArray[np.bool_]) -> Array:
    """The expected tokens by true and given label: the tags B and I of a label are one.

    of_tag (NDArray): whether a tag (row) is of a label (column).
    """
    given = np.flatnonzero(own != NO_ANSWER)
    counts = np.zeros((of_tag.shape[1], of_tag.shape[1]))
    np.add.at(counts.T, of_tag.argmax(axis=1)[own[given]], posteriors[given] @ of_tag)
    return counts
