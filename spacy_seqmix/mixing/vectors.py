"""Token tables of vectors out of context: word pieces, words, spaCy's static vectors."""

import configparser
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.corpus import Corpus
from spacy.vectors import Vectors
from thinc.api import get_current_ops

from ..config import config_errors
from ..errors import Errors, SeqMixError, SeqMixFileError, Warnings
from ..models.encoder import Encoder
from ..types import Floats2d
from .token_table import Metric, TokenTable, by_frequency, same_script

# A share of the words of a corpus that an encoder does not know: then its script is another one.
MANY = 0.3
HeldOut = tuple[NDArray[np.int64], Floats2d]
Text = tuple[str, ...]


class WordVectors(Protocol):
    """Vectors of words out of context: an ``Encoder``, or static vectors."""

    def embed(self, words: Sequence[str]) -> Floats2d:
        """Shape (n_words, width); zeros for an unknown word."""


class BuiltTable(Protocol):
    """A token table together with the vectors of the parents' tokens."""

    @property
    def table(self) -> TokenTable:
        """The words that a look-up may return."""

    def of_docs(self, docs: Sequence[Doc]) -> list[Floats2d]:
        """The vectors of every token of each doc, shape (n_tokens, width)."""

    def held_out(self, docs: Sequence[Doc], vectors: Sequence[Floats2d]) -> HeldOut | None:
        """The words whose vectors change when these docs do not count, and the new vectors."""


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


def make_piece_table(
    encoder: str = "bert-base-cased",
    source: str = "pretrained",
    metric: Metric = "squared",
    same_script_only: bool = False,
) -> TableBuilder:
    """Create the paper's table: the encoder's word-piece vocabulary with its input embeddings.

    encoder (str): name or folder of a Hugging Face encoder.
    source (str): "pretrained", or "pipeline" for the encoder of the trained pipeline (in active
        learning, that of the last round) as soon as there is one.
    metric (str): "squared" distance (the paper) or centred "cosine".
    same_script_only (bool): leave out pieces with characters that the docs never use.
    RETURNS (Callable): docs, further corpus, pipeline -> table.
    RAISES (SeqMixFileError): S220 when the encoder cannot be loaded. (SeqMixError): S222 for
        another source.
    """
    source_of = EncoderSource(encoder, source)

    def build(docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        enc = source_of(nlp)
        source_of.check(enc, words_of((*docs, *corpus)))
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
    """Create a table of the corpora's words, each with the mean input embedding of its pieces.

    corpus (Path | None): .spacy file or folder whose words are added to those of the docs.
    Other arguments, result and errors as in ``make_piece_table``.
    """
    source_of = EncoderSource(encoder, source)

    def build(docs: Sequence[Doc], extra: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        enc = source_of(nlp)
        texts = texts_of((*docs, *extra, *read_corpus(corpus)))
        words = by_frequency([w for text in texts for w in text if not w.isspace()])
        source_of.check(enc, words)
        vectors = enc.embed(words)
        kept = known_rows(vectors)
        return StaticTable(TokenTable([words[i] for i in kept], vectors[kept], metric), enc)

    return build


@dataclass(frozen=True)
class VectorSource:
    """The static vectors of a pipeline as a source of vectors for words."""

    vectors: Vectors

    def embed(self, words: Sequence[str]) -> Floats2d:
        """The vector of each word, shape (n_words, width); zeros for a word without one."""
        if not words:
            return np.zeros((0, self.vectors.shape[1]), dtype="float32")
        rows = self.vectors.get_batch(list(words))
        return get_current_ops().to_numpy(rows).astype("float32")  # type: ignore[no-any-return, no-untyped-call]


def make_vectors_table(
    vectors: str | None = None, metric: Metric = "cosine", all_words: bool = False
) -> TableBuilder:
    """Create a table of the corpora's words, each with its static vector.

    vectors (str | None): name or folder of a pipeline with vectors; None for those of the pipeline
        that is trained ([initialize] vectors).
    metric (str): centred "cosine", or "squared" distance.
    all_words (bool): include every word with a vector, not only those of the corpora.
    RETURNS (Callable): docs, further corpus, pipeline -> table.
    RAISES (SeqMixError): S225 where there are no vectors; spaCy's E050 (an OSError) for a pipeline
        that does not exist.
    """

    def build(docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        if vectors is not None:
            with config_errors(Path(vectors), (configparser.Error,)):
                vocab = spacy.load(vectors, exclude=["tokenizer"], enable=[]).vocab
        else:
            every = [*docs, *corpus]
            vocab = every[0].vocab if every else spacy.blank("xx").vocab
            if every and not vocab.vectors.shape[1]:
                raise SeqMixError(Errors.E225.format(n=vocab.vectors.n_keys))
        source = VectorSource(vocab.vectors)
        words = words_of((*docs, *corpus))
        if all_words:
            known = set(words)
            others = sorted(vocab.strings[key] for key in vocab.vectors.keys())  # noqa: SIM118
            words += [word for word in others if word and not word.isspace() and word not in known]
        rows = source.embed(words)
        # A word without a vector has zeros, which are near to many.
        kept = np.flatnonzero(rows.any(axis=1))
        return StaticTable(TokenTable([words[int(i)] for i in kept], rows[kept], metric), source)

    return build


@dataclass
class EncoderSource:
    """A loader of the pretrained encoder, or of the pipeline's own where ``source`` says so."""

    name: str
    source: str
    loaded: Encoder | None = None
    warned: bool = False

    def __post_init__(self) -> None:
        if self.source not in ("pretrained", "pipeline"):
            raise SeqMixError(Errors.E222.format(source=self.source))

    def __call__(self, nlp: Language | None) -> Encoder:
        if self.source == "pipeline" and nlp is not None:
            own = Encoder.of_pipeline(nlp)
            if own is not None:
                return own
        if self.loaded is None:
            self.loaded = Encoder.load(self.name)
        return self.loaded

    def check(self, encoder: Encoder, words: Sequence[str]) -> None:
        """Warn with W581, once, where the encoder knows no part of many of the words."""
        unknown = encoder.count_unknown(words)
        if unknown > MANY * len(words) and not self.warned:
            self.warned = True
            name = self.name if encoder is self.loaded else "of the pipeline"
            text = Warnings.W581.format(name=name, unknown=unknown, words=len(words))
            warnings.warn(text, stacklevel=3)


def known_rows(vectors: Floats2d) -> list[int]:
    """The numbers of the words with a vector; one of zeros would be near to many."""
    return [int(i) for i in np.flatnonzero(vectors.any(axis=1))]


def words_of(docs: Sequence[Doc]) -> list[str]:
    """The distinct words of docs, the most frequent first."""
    return by_frequency([t.text for doc in docs for t in doc if not t.is_space])


def texts_of(docs: Sequence[Doc]) -> tuple[Text, ...]:
    """The words of the distinct docs, sorted: the order of a corpus must not change its table."""
    return tuple(sorted({text_of(doc) for doc in docs}))


def text_of(doc: Doc) -> Text:
    return tuple(t.text for t in doc)


def read_corpus(path: Path | None) -> list[Doc]:
    if path is None:
        return []
    if not os.path.exists(path):
        raise SeqMixFileError(Errors.E223.format(path=path))
    return [eg.reference for eg in Corpus(path)(spacy.blank("xx"))]
