"""The corpus reader ``spacy-seqmix.Corpus.v1``: spaCy's own, but it carries soft labels along."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.corpus import Corpus

from . import soft_labels
from .mixing.origin import is_pretokenised


class SoftLabelCorpus(Corpus):
    """Like ``spacy.Corpus.v1``, with soft labels kept where docs are split into sentences.

    spaCy splits with ``Span.as_doc``, which drops user data. Mixed docs whose text would not
    tokenise back to their words are given with their words.
    """

    def _make_example(self, nlp: Language, reference: Doc, gold_preproc: bool) -> Example:
        made: Example = super()._make_example(
            nlp, reference, gold_preproc or is_pretokenised(reference)
        )
        return made

    def make_examples(self, nlp: Language, reference_docs: Iterable[Doc]) -> Iterator[Example]:
        """Split docs of ``max_length`` tokens or more into sentences, soft labels included."""
        for doc in reference_docs:
            if self.max_length and len(doc) >= self.max_length:
                if doc.has_annotation("SENT_START"):
                    yield from super().make_examples(nlp, soft_labels.split_sents(doc))
            else:
                yield from super().make_examples(nlp, [doc])

    def make_examples_gold_preproc(
        self, nlp: Language, reference_docs: Iterable[Doc]
    ) -> Iterator[Example]:
        """Sentences with gold tokens, soft labels included."""
        for doc in reference_docs:
            split = doc.has_annotation("SENT_START")
            for part in soft_labels.split_sents(doc) if split else [doc]:
                if len(part):
                    yield self._make_example(nlp, part, True)


def create_corpus(
    path: Path | None,
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Callable[..., Any] | None = None,
) -> Callable[[Language], Iterable[Example]]:
    """Create a reader of .spacy files; arguments and errors as ``spacy.Corpus.v1``."""
    from spacy.errors import Errors

    if path is None:
        raise ValueError(Errors.E913)
    return SoftLabelCorpus(
        path,
        gold_preproc=gold_preproc,
        max_length=max_length,
        limit=limit,
        augmenter=augmenter,
    )
