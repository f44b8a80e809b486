"""Where the vectors of tokens come from: one builder for each kind of token table."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.corpus import Corpus

from ..errors import Errors, SeqMixError, SeqMixFileError
from ..models.encoder import Encoder
from ..types import Floats2d
from .token_table import Metric, TokenTable, by_frequency, same_script

HeldOut = tuple[NDArray[np.int64], Floats2d]
Text = tuple[str, ...]


class WordVectors(Protocol):
    """Vectors of words out of context: an ``Encoder``, or static vectors."""

    def embed(self, words: Sequence[str]) -> Floats2d:
        """Shape (n_words, width); zeros for a word of which nothing is known."""


class BuiltTable(Protocol):
    """A token table together with the vectors of the parents' tokens."""

    @property
    def table(self) -> TokenTable:
        """The words that may be found."""

    def of_docs(self, docs: Sequence[Doc]) -> list[Floats2d]:
        """The vectors of every token of each doc, shape (n_tokens, width)."""

    def held_out(self, docs: Sequence[Doc], vectors: Sequence[Floats2d]) -> HeldOut | None:
        """The words whose vectors change when these docs do not count, and those vectors."""


# (docs to mix, further corpus, pipeline of the last round) -> table
TableBuilder = Callable[[Sequence[Doc], Sequence[Doc], Language | None], BuiltTable]


@dataclass(frozen=True)
class StaticTable:
    """Vectors that do not depend on context: input embeddings."""

    table: TokenTable
    encoder: WordVectors

    def of_docs(self, docs: Sequence[Doc]) -> list[Floats2d]:
        flat = self.encoder.embed([t.text for doc in docs for t in doc])
        ends = np.cumsum([0, *(len(doc) for doc in docs)])
        return [flat[start:end] for start, end in pairwise(ends)]

    def held_out(self, docs: Sequence[Doc], vectors: Sequence[Floats2d]) -> HeldOut | None:
        return None


@dataclass(frozen=True)
class ContextualTable:
    """Averages, over a corpus, of each word's vectors in context.

    An average copies from the sentence it was taken in, so a plan's parents must not count in
    it: ``held_out`` takes their share away again.
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
        parents = {_words(doc): (doc, rows) for doc, rows in zip(docs, vectors, strict=True)}
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


def make_piece_table(
    encoder: str = "bert-base-cased",
    source: str = "pretrained",
    metric: Metric = "squared",
    same_script_only: bool = False,
) -> TableBuilder:
    """The encoder's word-piece vocabulary with its input embeddings: the paper's table.

    encoder (str): name or folder of a Hugging Face encoder.
    source (str): "pretrained", or "pipeline" to take the encoder of the pipeline at hand (in
        active learning that of the last round) as soon as there is one.
    metric (str): "squared" distance (the paper) or centred "cosine".
    same_script_only (bool): leave out pieces with characters that the docs never use.
    RETURNS (Callable): docs, further corpus, pipeline -> table.
    RAISES (SeqMixFileError): S220 when the encoder cannot be loaded; (ValueError): S222.
    """
    source_of = _EncoderSource(encoder, source)

    def build(docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        enc = source_of(nlp)
        words, vectors = enc.pieces()
        if same_script_only:
            letters = frozenset(c for d in (*docs, *corpus) for c in d.text.lower())
            kept = np.flatnonzero(same_script(words, letters))
            words, vectors = [words[i] for i in kept], vectors[kept]
        return StaticTable(TokenTable(words, vectors, metric), enc)

    return build


def make_word_table(
    encoder: str = "bert-base-cased",
    source: str = "pretrained",
    metric: Metric = "cosine",
    corpus: Path | None = None,
) -> TableBuilder:
    """The words of the corpora at hand, each with the mean input embedding of its pieces.

    corpus (Path | None): .spacy file or folder whose words are added to those of the docs.
    Other arguments, result and errors as in ``make_piece_table``.
    """
    source_of = _EncoderSource(encoder, source)

    def build(docs: Sequence[Doc], extra: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        enc = source_of(nlp)
        texts = _texts((*docs, *extra, *_read(corpus)))
        words = by_frequency([w for text in texts for w in text if not w.isspace()])
        vectors = enc.embed(words)
        kept = _known(vectors)
        return StaticTable(TokenTable([words[i] for i in kept], vectors[kept], metric), enc)

    return build


def make_contextual_table(
    encoder: str = "bert-base-cased",
    source: str = "pretrained",
    metric: Metric = "cosine",
    layer: int = -1,
    corpus: Path | None = None,
) -> TableBuilder:
    """The words of the corpora at hand, each with its mean vector in context; the parents' own
    sentences are held out.

    layer (int): which hidden state: 0 the embeddings, -1 the last.
    Other arguments, result and errors as in ``make_word_table``.
    """
    source_of = _EncoderSource(encoder, source)
    # The pass over the corpus costs most: kept while encoder and corpus stay the same.
    cached: tuple[Encoder, tuple[Text, ...], ContextualTable] | None = None

    def build(docs: Sequence[Doc], extra: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        nonlocal cached
        enc = source_of(nlp)
        # A doc may be both to mix and of the corpus: it is one sentence, not two.
        texts = _texts((*docs, *extra, *_read(corpus)))
        if cached is not None and cached[0] is enc and cached[1] == texts:
            return cached[2]
        words = by_frequency([w for text in texts for w in text if not w.isspace()])
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
        kept = _known(sums)
        sums, counts = sums[kept], counts[kept]
        means = (sums / np.maximum(counts, 1.0)[:, None]).astype("float32")
        table = TokenTable([words[i] for i in kept], means, metric)
        built = ContextualTable(table, enc, layer, sums, counts, frozenset(texts))
        cached = (enc, texts, built)
        return built

    return build


@dataclass
class _EncoderSource:
    """Loads the pretrained encoder once; takes the pipeline's own where told so."""

    name: str
    source: str
    loaded: Encoder | None = None

    def __post_init__(self) -> None:
        if self.source not in ("pretrained", "pipeline"):
            raise SeqMixError(Errors.E222.format(source=self.source))

    def __call__(self, nlp: Language | None) -> Encoder:
        if self.source == "pipeline" and nlp is not None:
            found = Encoder.of_pipeline(nlp)
            if found is not None:
                return found
        if self.loaded is None:
            self.loaded = Encoder.load(self.name)
        return self.loaded


def _known(vectors: Floats2d) -> list[int]:
    """The words that the encoder has pieces for: others have a vector of zeros, near to many."""
    return [int(i) for i in np.flatnonzero(vectors.any(axis=1))]


def _texts(docs: Sequence[Doc]) -> tuple[Text, ...]:
    """The distinct docs as words, sorted: a table must not depend on the order of its corpus."""
    return tuple(sorted({_words(doc) for doc in docs}))


def _words(doc: Doc) -> Text:
    return tuple(t.text for t in doc)


def _read(path: Path | None) -> list[Doc]:
    if path is None:
        return []
    if not os.path.exists(path):
        raise SeqMixFileError(Errors.E223.format(path=path))
    import spacy

    return [eg.reference for eg in Corpus(path)(spacy.blank("xx"))]
