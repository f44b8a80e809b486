"""The corpus reader ``spacy-seqmix.Corpus.v1``: spaCy's own, with soft labels, relations and, if
wanted, gold entities for the pipeline."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.corpus import FILE_TYPE, Corpus
from spacy.vocab import Vocab

from ..annotation import recipes, relations, soft_labels
from ..annotation.docbins import iter_docs
from ..annotation.provenance import is_pretokenised
from ..relation_extraction.candidates import aligned_ents


class SoftLabelCorpus(Corpus):
    """A reader like ``spacy.Corpus.v1`` that keeps soft labels, recipes and relations.

    spaCy splits docs with ``Span.as_doc``, which drops user data. Mixed docs whose text tokenises
    to other words are yielded with their words.
    """

    def __init__(self, path: Path, *, gold_ents: bool = False, **settings: Any) -> None:
        """gold_ents: see ``create_corpus``; settings: of spaCy's reader."""
        super().__init__(path, **settings)
        self.gold_ents = gold_ents

    def _make_example(self, nlp: Language, reference: Doc, gold_preproc: bool) -> Example:
        made: Example = super()._make_example(
            nlp, reference, gold_preproc or is_pretokenised(reference)
        )
        recipes.carry(reference, made.predicted)
        if self.gold_ents and reference.has_annotation("ENT_IOB"):
            made.predicted.set_ents(aligned_ents(made))
        return made

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """Yield the docs of some files, as spaCy's reader does, once what they store is checked."""
        paths = [Path(loc) for loc in locs if str(loc).endswith(FILE_TYPE)]
        docs = (doc for path in paths for doc in iter_docs(path, vocab) if len(doc))
        yield from islice(docs, self.limit if self.limit > 0 else None)

    def make_examples(self, nlp: Language, reference_docs: Iterable[Doc]) -> Iterator[Example]:
        """Split docs of ``max_length`` tokens or more into sentences, with all labels."""
        for doc in reference_docs:
            if self.max_length and len(doc) >= self.max_length:
                if doc.has_annotation("SENT_START"):
                    yield from super().make_examples(nlp, split_sents(doc))
            else:
                yield from super().make_examples(nlp, [doc])

    def make_examples_gold_preproc(
        self, nlp: Language, reference_docs: Iterable[Doc]
    ) -> Iterator[Example]:
        """Yield examples of sentences with gold tokens, soft labels and relations."""
        for doc in reference_docs:
            split = doc.has_annotation("SENT_START")
            for part in split_sents(doc) if split else [doc]:
                if len(part):
                    yield self._make_example(nlp, part, True)


def create_corpus(
    path: Path | None,
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Callable[..., Any] | None = None,
    gold_ents: bool = False,
) -> Callable[[Language], Iterable[Example]]:
    """Create a reader of .spacy files; errors as ``spacy.Corpus.v1``.

    path, gold_preproc, max_length, limit, augmenter: as for ``spacy.Corpus.v1``.
    gold_ents (bool): set the reference's entities on the docs for the pipeline, for pipelines that
        need entities but predict none, for example ``seqmix_relations`` alone. Scores of entities
        are meaningless then.
    """
    from spacy.errors import Errors

    if path is None:
        raise ValueError(Errors.E913)
    return SoftLabelCorpus(
        path,
        gold_preproc=gold_preproc,
        max_length=max_length,
        limit=limit,
        augmenter=augmenter,
        gold_ents=gold_ents,
    )


def split_sents(doc: Doc) -> list[Doc]:
    """Make a doc of each sentence, with soft labels, recipe and the relations inside it
    (``Span.as_doc`` drops them)."""
    soft = soft_labels.get(doc)
    parts = []
    for sent in doc.sents:
        part = sent.as_doc()
        if soft is not None:
            soft_labels.put(part, replace(soft, probs=soft.probs[sent.start : sent.end]))
        recipes.carry(doc, part, sent.start)
        relations.carry(doc, part, sent.start)
        parts.append(part)
    return parts
