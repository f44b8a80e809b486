"""The words that a vocabulary gets while many texts are read, and how it loses them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from weakref import WeakSet

from spacy.language import Language

__all__ = ["can_forget", "is_known", "temporary_words"]

# Packages whose components keep neither docs nor new names from one text to the next.
KNOWN = {"spacy", "spacy_seqmix", "spacy_transformers", "spacy_curated_transformers"}
# Pipelines that have tokenised some texts.
_warm: WeakSet[Language] = WeakSet()


@contextmanager
def temporary_words(nlp: Language, *, tokenises: bool = False) -> Iterator[None]:
    """Free the lexemes and strings that this block adds to a pipeline's vocabulary (together some
    400 bytes a word), by a memory zone of spaCy.

    Docs of this vocabulary that were made in the block must not be used after it, and no other
    thread may make docs with the pipeline meanwhile. If a component is of another package, nothing
    is freed, see ``can_forget``. Inside another memory zone, all is freed when that one ends.

    nlp (Language): the pipeline.
    tokenises (bool): whether its tokenizer runs in the block. The first such block is no memory
        zone: the tokenizer fills its cache only outside of one, and is slow without it.
    """
    inside = nlp.vocab.in_memory_zone  # type: ignore[attr-defined]
    cold = tokenises and nlp not in _warm
    if tokenises:
        _warm.add(nlp)
    with nullcontext() if cold or inside or not can_forget(nlp) else nlp.memory_zone():
        yield


def can_forget(nlp: Language) -> bool:
    """Whether all parts of a pipeline are of known packages. Parts of other packages may keep docs,
    or strings that they add to the vocabulary at the first text: a memory zone would free them."""
    return all(map(is_known, [nlp.tokenizer, *(component for _, component in nlp.pipeline)]))


def is_known(part: object) -> bool:
    """Whether a component or a function is of a package that keeps neither docs nor names."""
    module = getattr(part, "__module__", None) or type(part).__module__
    return module.partition(".")[0] in KNOWN
