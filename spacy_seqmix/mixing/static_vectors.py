"""A token table from spaCy's static vectors: no encoder needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vectors import Vectors
from thinc.api import get_current_ops

from ..errors import Errors, SeqMixError
from ..types import Floats2d
from .token_table import Metric, TokenTable, by_frequency
from .vectors import BuiltTable, StaticTable, TableBuilder


@dataclass(frozen=True)
class VectorSource:
    """The static vectors of a pipeline as a source of vectors for words."""

    vectors: Vectors

    def embed(self, words: Sequence[str]) -> Floats2d:
        """The vector of each word, shape (n_words, width); zeros for a word without one."""
        if not words:
            return np.zeros((0, self.vectors.shape[1]), dtype="float32")
        found = self.vectors.get_batch(list(words))
        return get_current_ops().to_numpy(found).astype("float32")  # type: ignore[no-any-return, no-untyped-call]


def make_vectors_table(
    vectors: str | None = None, metric: Metric = "cosine", all_words: bool = False
) -> TableBuilder:
    """The words of the corpora at hand, each with its static vector.

    vectors (str | None): name or folder of a pipeline with vectors; None takes those of the
        pipeline that is trained ([initialize] vectors).
    metric (str): centred "cosine", or "squared" distance.
    all_words (bool): offer every word that has a vector, not only those of the corpora.
    RETURNS (Callable): docs, further corpus, pipeline -> table.
    RAISES (SeqMixError): S225 where there are no vectors; spaCy's E050 (an OSError) for a pipeline
        that cannot be found.
    """

    def build(docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language | None) -> BuiltTable:
        if vectors is not None:
            vocab = spacy.load(vectors, exclude=["tokenizer"], enable=[]).vocab
        else:
            every = [*docs, *corpus]
            vocab = every[0].vocab if every else spacy.blank("xx").vocab
            if every and not vocab.vectors.shape[1]:
                raise SeqMixError(Errors.E225.format(n=vocab.vectors.n_keys))
        source = VectorSource(vocab.vectors)
        words = by_frequency([t.text for doc in (*docs, *corpus) for t in doc if not t.is_space])
        if all_words:
            known = set(words)
            others = sorted(vocab.strings[key] for key in vocab.vectors.keys())  # noqa: SIM118
            words += [word for word in others if word and not word.isspace() and word not in known]
        rows = source.embed(words)
        # A word without a vector has zeros, which are near to many.
        kept = np.flatnonzero(rows.any(axis=1))
        return StaticTable(TokenTable([words[int(i)] for i in kept], rows[kept], metric), source)

    return build
