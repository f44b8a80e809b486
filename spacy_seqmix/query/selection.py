"""Which of the best docs are asked: within a budget, unlike each other, near-duplicates once."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from spacy.tokens import Doc

from ..annotation.lazy_docs import docs_of
from ..types import Floats1d, Floats2d
from .diverse import one_per_cluster

# Docs -> their vectors, shape (n_docs, width).
Vectors: TypeAlias = Callable[[Sequence[Doc]], Floats2d]
# An id and its doc.
NumberedDoc: TypeAlias = tuple[int, Doc]

# So many units in a row are a shingle.
SHINGLE = 3
# Diverse docs are chosen among so many times the docs wanted.
AMONG = 10
# Thai to Lao, Burmese, Khmer, kana, Chinese characters: no blanks between words.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_PUNCTUATION = (
    r"!-/:-@\[-`{-~\u00a1-\u00bf\u2000-\u206f\u3000-\u303f\u060c\u061b\u061f\u06d4\u0964\u0965"
)
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\s{_PUNCTUATION}{_UNSPACED}]+")


@dataclass(frozen=True)
class Budget:
    """How much may be asked: the limits that are not None hold.

    docs (int | None): the number of docs.
    tokens (int | None): the number of their tokens. A single doc may have more.
    """

    docs: int | None = None
    tokens: int | None = None

    def take(self, docs: Iterable[NumberedDoc]) -> list[NumberedDoc]:
        """Take docs in their order, up to the first that is beyond the budget.

        A shorter doc further on may still fit, but to look for one would prefer short docs.
        """
        taken: list[NumberedDoc] = []
        tokens = 0
        for number, doc in islice(docs, self.docs):
            tokens += len(doc)
            if self.tokens is not None and tokens > self.tokens and taken:
                break
            taken.append((number, doc))
        return taken if self.tokens != 0 else []


class NearDuplicates:
    """Texts that were asked, and whether another text is nearly one of them.

    Two texts are near-duplicates where the Jaccard similarity of their shingles reaches a threshold
    (Broder 1997): the number that both have over the number that either has. A shingle is three
    words in a row, or three characters in scripts without blanks; case, punctuation and blanks do
    not count. A text of n words in which one was replaced has the similarity (n − 5)/(n + 1): 0.8
    from 29 words on. Shorter texts that differ in a word are not near-duplicates: the word may be
    the entity.
    """

    def __init__(self, threshold: float = 0.8, texts: Iterable[str] = ()) -> None:
        """Remember some texts.

        threshold (float): above 0, up to 1: with 1, only texts with the same shingles.
        """
        self.threshold = threshold
        self._texts: set[str] = set()
        self._sizes: list[int] = []
        # The numbers of the texts that have a shingle: other texts are not looked at.
        self._having: dict[tuple[str, ...], list[int]] = {}
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Remember a text that is asked."""
        if text in self._texts:
            return
        found = shingles(text)
        self._texts.add(text)
        for shingle in found:
            self._having.setdefault(shingle, []).append(len(self._sizes))
        self._sizes.append(len(found))

    def __contains__(self, text: str) -> bool:
        """Whether a text is one of those, or nearly."""
        if text in self._texts:
            return True
        found = shingles(text)
        shared = Counter(i for shingle in found for i in self._having.get(shingle, ()))
        return any(
            n >= self.threshold * (len(found) + self._sizes[i] - n) for i, n in shared.items()
        )


def shingles(text: str) -> set[tuple[str, ...]]:
    """The runs of three words of a text, or of three characters in scripts without blanks; the
    whole of a shorter text."""
    units = _UNIT.findall(unicodedata.normalize("NFKC", text).casefold())
    if len(units) < SHINGLE:
        return {tuple(units) or (text.strip(),)}
    return set(zip(*(units[i:] for i in range(SHINGLE)), strict=False))


def ranked(scores: Floats1d, pool: Sequence[int], rng: np.random.Generator) -> list[int]:
    """The ids of docs, those with the highest scores first; ties are in random order.

    scores (Floats1d): shape (n_docs,).
    pool (Sequence[int]): the id of each doc.
    """
    shuffled = rng.permutation(len(pool))
    order = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    return [pool[int(i)] for i in order]


def select(
    ranking: Sequence[int],
    docs: Mapping[int, Doc],
    budget: Budget,
    asked: NearDuplicates | None = None,
    vectors: Vectors | None = None,
    seed: int = 0,
) -> list[int]:
    """Choose docs to ask.

    Call it again with the rest of the ranking, and with the same ``asked``, for those that are
    asked next.

    ranking (Sequence[int]): ids, the most wanted first, see ``ranked``.
    docs (Mapping[int, Doc]): the docs of these ids.
    budget (Budget): how much may be asked.
    asked (NearDuplicates | None): texts that are labelled or asked already, to which those chosen
        are added: near-duplicates of them, and of each other, are not chosen. None: no text is
        compared with any other.
    vectors (Callable | None): vectors of docs; then the docs chosen are the best of each of n
        k-means clusters among the best 10n, for the n docs that the budget allows.
    seed (int): the seed of the clusters.
    RETURNS (list[int]): ids, the most wanted first; fewer than allowed where the rest are
        near-duplicates.
    """
    chosen = budget.take(_unlike(ranking, docs, asked))
    if vectors is not None and chosen:
        best = list(islice(_unlike(ranking, docs, asked), AMONG * len(chosen)))
        spread = one_per_cluster(vectors([doc for _, doc in best]), len(chosen), seed)
        chosen = budget.take(best[i] for i in spread)
    if asked is not None:
        for _, doc in chosen:
            asked.add(doc.text)
    return [number for number, _ in chosen]


def _unlike(
    ranking: Sequence[int], docs: Mapping[int, Doc], asked: NearDuplicates | None
) -> Iterator[NumberedDoc]:
    """The docs of a ranking without near-duplicates of what was asked, and of each other."""
    numbered = zip(ranking, docs_of(docs, ranking), strict=True)
    if asked is None:
        yield from numbered
        return
    seen = NearDuplicates(asked.threshold)
    for number, doc in numbered:
        if doc.text not in asked and doc.text not in seen:
            seen.add(doc.text)
            yield number, doc
