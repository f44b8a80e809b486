"""Labelled docs beside the texts of a teacher, and whether labels agree."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..active.annotation import all_labels
from ..annotation.docbins import read_docs
from ..errors import Errors, SeqMixError, Warnings
from ..files import file_digest
from .student import Student
from .teachers import Teachers

__all__ = ["Labelled", "check_labels"]


@dataclass(frozen=True)
class Labelled:
    """A file of labelled docs; or none.

    path (Path | None): the file.
    docs (list[Doc]): its docs.
    sha256 (str): of the file; "" for none.
    """

    path: Path | None = None
    docs: list[Doc] = field(default_factory=list)
    sha256: str = ""

    @classmethod
    def read(cls, path: Path | None, student: Student, nlp: Language) -> Labelled:
        """RAISES (SeqMixError): S403, S582, and S431 without what the student learns."""
        if path is None:
            return cls()
        docs = read_docs(path, nlp, need_entities=False)
        if not all_labels(docs, student.labels_of):
            values = {"name": student.component, "factory": student.section["factory"]}
            raise SeqMixError(Errors.E431.format(path=path, **values))
        return cls(path, docs, file_digest(path))


def check_labels(
    student: Student,
    teachers: Teachers,
    gold: Labelled,
    held: Labelled,
    *,
    allow_untaught: bool = False,
) -> None:
    """Check that teachers and student have the same labels.

    The student knows those that its config gives it, else those of its labelled docs. Without
    both, it knows what the teachers know.

    gold, held (Labelled): what the student learns, and dev.
    allow_untaught (bool): let the student know labels that no teacher has.
    RAISES (SeqMixError): S742 for labels that the student does not know, S743 for those that no
        teacher has.

    Warns with W401 of labels of dev that nobody teaches.
    """
    of_config, of_gold = student.given_labels, all_labels(gold.docs, student.labels_of)
    known = of_gold if of_config is None else of_config
    where = f"'{student.path if of_config is not None else gold.path}'"
    taught, names = teachers.labels, teachers.targets.labels
    if known:
        # Who maps a label wants it, though it may be rare in labelled docs.
        wanted = known if of_config is not None else known | {*names.values()}
        if unknown := sorted(taught - wanted):
            own = next((label for label, name in names.items() if name == unknown[0]), unknown[0])
            more = f" --map {own}={own} teaches a label that no labelled doc has."
            values = {"where": where, "labels": unknown, "label": own, "known": sorted(known)}
            more = more if of_config is None else ""
            raise SeqMixError(Errors.E742.format(more=more, **values))
        if (untaught := sorted(known - taught)) and not allow_untaught:
            raise SeqMixError(Errors.E743.format(labels=untaught, where=where))
    unseen = sorted(all_labels(held.docs, student.labels_of) - taught - of_gold)
    if unseen:
        warnings.warn(Warnings.W401.format(corpus=held.path, labels=unseen), stacklevel=3)
