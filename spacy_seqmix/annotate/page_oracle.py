"""The oracle that reads what people label in the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from spacy.language import Language

from ..active.answers import AnswerFile
from ..annotation.texts import tokenise
from ..types import Answer, Oracle, Task

__all__ = ["PageOracle", "make_page_oracle"]


class PageOracle(Oracle):
    """Yields each answer of ``page/answers.jsonl`` once: the page's server appends to it."""

    def begin(self, run_dir: Path, nlp: Language) -> None:
        """Read from the beginning: the loop knows which answers it has."""
        self.run_dir, self.nlp = run_dir, nlp
        self.file = AnswerFile(run_dir / "page" / "answers.jsonl")
        self.n_read = 0

    def advise(self, tasks: Sequence[Task]) -> str:
        """What a person does."""
        return f"label them in the page that `spacy seqmix annotate {self.run_dir}` opens"

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answers that are new since the last call, those of other tasks too."""
        docs = {task.key: task.doc for task in tasks}
        lines = self.file.lines()
        for record in lines[self.n_read :]:
            doc = docs.get(record.key)
            if doc is None:
                doc = tokenise(self.nlp, record.text, f"{self.file.path}: {record.key}")
            yield record.answer(doc, self.nlp, self.file.path)
            self.n_read += 1


def make_page_oracle() -> PageOracle:
    """Create the oracle of the page."""
    return PageOracle()
