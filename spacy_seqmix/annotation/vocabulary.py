"""The words that a vocabulary gets while many texts are read, and how it loses them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from weakref import WeakSet

from spacy.language import Language

__all__ = ["can_forget", "temporary_words"]

# Packages whose components keep neither docs nor new names from one text to the next.
KNOWN = {"spacy", "spacy_seqmix", "spacy_transformers", "spacy_curated_transformers"}
# Pipelines that have tokenised some texts.
_warm: WeakSet[Language] = WeakSet()


@contextmanager
def temporary_words(nlp: Language, *, tokenises: bool = False) -> Iterator[None]:
    """Forget the words that a pipeline's vocabulary gets in this block, and the names that are
    added to it: each takes memory for good otherwise, some 600 bytes.

    Docs of this vocabulary that were made in the block must not be used after it, and no other
    thread may make docs with the pipeline meanwhile. Nothing is forgotten where a component is of
    another package, see ``can_forget``, and inside another such block, or a memory zone of spaCy,
    nothing before that one ends.

    nlp (Language): the pipeline.
    tokenises (bool): whether its tokenizer reads texts. The words of the first such block stay:
        the tokenizer keeps its results in no other, and would be slow for ever.
    """
    inside = nlp.vocab.in_memory_zone  # type: ignore[attr-defined]
    cold = tokenises and nlp not in _warm
    if tokenises:
        _warm.add(nlp)
    with nullcontext() if cold or inside or not can_forget(nlp) else nlp.memory_zone():
        yield


def can_forget(nlp: Language) -> bool:
    """Whether all of a pipeline is of known packages. Others may keep docs, or names that they add
    to the vocabulary at the first text: what was made in a block can't be used after it."""
    parts = [nlp.tokenizer, *(component for _, component in nlp.pipeline)]
    modules = (getattr(one, "__module__", None) or type(one).__module__ for one in parts)
    return all(module.partition(".")[0] in KNOWN for module in modules)
