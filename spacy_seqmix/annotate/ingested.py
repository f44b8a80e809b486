"""What the exports of annotation tools said, in docs and in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from spacy.tokens import Doc

from ..annotation import soft_labels
from .annotators import Annotator
from .place import Note

__all__ = ["Ingested"]


@dataclass
class Ingested:
    """What exports said.

    format (str): their format, or formats.
    docs (list[Doc]): the labelled texts, the empty ones too. Their user data have the key of each
        text and the other keys of its line.
    skipped, not_yet (int): the texts that were refused, and those that nobody has labelled yet.
    left_out (int): the labelled texts that can't be used, each with a warning.
    notes (list[Note]): what was moved or left out, by file and line.
    annotators (list[Annotator]): what is to be said of each person, where answers were joined.
    """

    format: str
    docs: list[Doc] = field(default_factory=list)
    skipped: int = 0
    not_yet: int = 0
    left_out: int = 0
    notes: list[Note] = field(default_factory=list)
    annotators: list[Annotator] = field(default_factory=list)

    @property
    def empty(self) -> int:
        """The labelled texts in which there is nothing."""
        return sum(not doc.ents and _is_whole(doc) for doc in self.docs)

    @property
    def partial(self) -> int:
        """The texts that are labelled in part."""
        return sum(not _is_whole(doc) for doc in self.docs)

    @property
    def entities(self) -> int:
        """The entities of all docs."""
        return sum(len(doc.ents) for doc in self.docs)

    @property
    def tokens(self) -> int:
        """The tokens of all docs."""
        return sum(map(len, self.docs))

    @property
    def soft(self) -> int:
        """The tokens whose labels are uncertain."""
        labels = [soft_labels.get(doc) for doc in self.docs]
        return sum(int(soft_labels.is_soft(one).sum()) for one in labels if one is not None)

    def counts(self) -> str:
        """The number of texts in each state, as part of a sentence."""
        of = [f"{self.empty} of them empty"] * bool(self.empty)
        of += [f"{self.partial} in part"] * bool(self.partial)
        labelled = f"{len(self.docs)} labelled" + (f" ({', '.join(of)})" if of else "")
        kinds = Counter(note.kind for note in self.notes)
        rest = [f"{self.skipped} skipped", f"{self.not_yet} not yet"]
        rest += [f"{self.left_out} left out"] * bool(self.left_out)
        rest += [f"{n} {kind}" for kind, n in sorted(kinds.items()) if kind == "not placed"]
        return ", ".join([labelled, *rest])


def _is_whole(doc: Doc) -> bool:
    """Whether no tag of a labelled doc is missing."""
    return all(token.ent_iob for token in doc)
