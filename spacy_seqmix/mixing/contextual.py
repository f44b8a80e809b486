"""The token table of vectors in context: means over a corpus, the parents held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..models.encoder import Encoder
from ..types import Floats2d
from .token_table import Metric, TokenTable, by_frequency
from .vectors import (
    BuiltTable,
    EncoderSource,
    HeldOut,
    TableBuilder,
    Text,
    known_rows,
    read_corpus,
    text_of,
    texts_of,
)


@dataclass(frozen=True)
class ContextualTable:
    """Averages, over a corpus, of each word's vectors in context.

    An average contains the sentences that it was taken over. The parents of a plan must not count
    in it, so ``held_out`` subtracts their share.
    """

    table: TokenTable
    encoder: Encoder
    layer: int
    sums: Floats2d
    counts: Floats2d
    seen: frozenset[Text]

    def of_docs(self, docs: Sequence[Doc]) -> list[Floats2d]:
        words = [[t.text for t in doc] for doc in docs]
        width = self.table.vectors.shape[1]
        out: list[Floats2d] = [np.zeros((0, width), dtype="float32") for _ in docs]
        for i, vectors in self.encoder.contextual(words, self.layer):
            out[i] = vectors
        return out

    def held_out(self, docs: Sequence[Doc], vectors: Sequence[Floats2d]) -> HeldOut | None:
        shares: dict[int, tuple[Floats2d, float]] = {}
        # A text counts once in the corpus, so twins are taken away once.
        parents = {text_of(doc): (doc, rows) for doc, rows in zip(docs, vectors, strict=True)}
        for words, (doc, rows) in parents.items():
            if words not in self.seen:
                continue
            for token, row in zip(doc, rows, strict=True):
                i = self.table.number.get(token.text)
                if i is not None:
                    total, count = shares.get(i, (np.zeros_like(row), 0.0))
                    shares[i] = (total + row, count + 1.0)
        if not shares:
            return None
        numbers = np.array(sorted(shares), dtype="int64")
        left = self.counts[numbers] - np.array([shares[int(i)][1] for i in numbers], "float32")
        sums = self.sums[numbers] - np.stack([shares[int(i)][0] for i in numbers])
        # What is left of a mean after its only sentence went is rounding noise: nothing.
        means = np.where(left[:, None] > 0.5, sums / np.maximum(left, 0.5)[:, None], np.nan)
        return numbers, means.astype("float32")


def make_contextual_table(
    encoder: str = "bert-base-cased",
    source: str = "pretrained",
    metric: Metric = "cosine",
    layer: int = -1,
    corpus: Path | None = None,
) -> TableBuilder:
    """Create a table of the corpora's words, each with its mean vector in context. The sentences of
    a plan's parents are held out.

    layer (int): which hidden state: 0 the embeddings, -1 the last.
    Other arguments, result and errors as in ``make_word_table``.
    """
    source_of = EncoderSource(encoder, source)
    # The pass over the corpus costs most: kept while encoder and corpus stay the same.
    cached: tuple[Encoder, tuple[Text, ...], ContextualTable] | None = None

    def build(docs: Sequence[Doc], extra: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        nonlocal cached
        enc = source_of(nlp)
        # A doc to mix may be in the corpus too: it counts once.
        texts = texts_of((*docs, *extra, *read_corpus(corpus)))
        if cached is not None and cached[0] is enc and cached[1] == texts:
            return cached[2]
        words = by_frequency([w for text in texts for w in text if not w.isspace()])
        source_of.check(enc, words)
        number = {word: i for i, word in enumerate(words)}
        sums: Floats2d | None = None
        counts = np.zeros(len(words), dtype="float32")
        for i, vectors in enc.contextual(texts, layer):
            if sums is None:
                sums = np.zeros((len(words), vectors.shape[1]), dtype="float32")
            at = [j for j, w in enumerate(texts[i]) if w in number]
            rows = [number[texts[i][j]] for j in at]
            np.add.at(sums, rows, vectors[at])
            np.add.at(counts, rows, 1.0)
        if sums is None:
            sums = np.zeros((0, 1), dtype="float32")
        kept = known_rows(sums)
        sums, counts = sums[kept], counts[kept]
        means = (sums / np.maximum(counts, 1.0)[:, None]).astype("float32")
        table = TokenTable([words[i] for i in kept], means, metric)
        built = ContextualTable(table, enc, layer, sums, counts, frozenset(texts))
        cached = (enc, texts, built)
        return built

    return build
