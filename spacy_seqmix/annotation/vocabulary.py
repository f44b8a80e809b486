"""The words that a vocabulary gets while many texts are read, and how it loses them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from spacy.language import Language

__all__ = ["temporary_words"]


@contextmanager
def temporary_words(nlp: Language) -> Iterator[None]:
    """Forget the words that a pipeline's vocabulary gets in this block: each takes memory for good
    otherwise, some 600 bytes.

    Docs of this vocabulary that were made in the block must not be used after it, and no other
    thread may make docs with the pipeline meanwhile. Inside another such block, or a memory zone
    of spaCy, nothing is forgotten before that one ends.

    nlp (Language): the pipeline.
    """
    in_block: bool = nlp.vocab.in_memory_zone  # type: ignore[attr-defined]
    with nullcontext() if in_block else nlp.memory_zone():
        yield
