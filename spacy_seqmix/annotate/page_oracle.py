"""The oracle that reads what people label in the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..active.answers import AnswerFile
from ..annotation.layers import ENTS
from ..types import Answer, Oracle, Task
from .page.folder import PageFolder
from .page.rows import PageAnswer
from .page.watched import Watched

__all__ = ["PageOracle", "make_page_oracle"]


class PageOracle(Oracle):
    """Yields each answer of ``page/answers.jsonl`` once: the page's server appends to it."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The page has entities."""
        return (ENTS,)

    def begin(self, run_dir: Path, nlp: Language) -> None:
        """Read from the beginning: the loop knows which answers it has."""
        self.run_dir, self.nlp = run_dir, nlp
        self.file = AnswerFile(PageFolder(run_dir).answers_path, PageAnswer)
        self.watched = Watched(self.file.path)
        self.seen: dict[str, PageAnswer] = {}

    def advise(self, tasks: Sequence[Task]) -> str:
        """What a person does."""
        return f"label them in the page of `spacy seqmix annotate {self.run_dir}`"

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answers that are new since the last call, those of other tasks too."""
        if not self.watched.changed():
            return
        docs = {task.key: task.doc for task in tasks}
        for key, record in self.file.read().items():
            if self.seen.get(key) != record:
                doc = docs.get(key)
                doc = _doc_of(record, self.nlp) if doc is None else doc
                yield record.answer(doc, self.nlp, self.file.path)
                self.seen[key] = record


def _doc_of(record: PageAnswer, nlp: Language) -> Doc:
    """The doc that the page showed, of its tokens."""
    starts = [start for start, _ in record.tokens]
    words = [record.text[start:end] for start, end in record.tokens]
    follows = zip((end for _, end in record.tokens), [*starts[1:], len(record.text)], strict=True)
    return Doc(nlp.vocab, words=words, spaces=[start > end for end, start in follows])


def make_page_oracle() -> PageOracle:
    """Create the oracle of the page."""
    return PageOracle()
