"""The folder of a distillation: the texts with their labels, the student, and what was measured."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from spacy.language import Language
from spacy.tokens import Doc

from .. import __version__
from ..active.committee import save_model
from ..active.kept_settings import keep_settings
from ..annotation.docbins import write_docs
from ..config import problems_of
from ..errors import Errors, SeqMixError
from ..files import replacing

__all__ = ["DistillFolder", "Facts", "Measured"]

DIGITS = 1  # of points


class Measured(BaseModel):
    """What was measured of teacher and student.

    dev (str): the file of dev; dev_sha256 (str): of its content. Both are empty without dev.
    docs (int): its docs.
    score (str): spaCy's name of the score.
    teacher, student (float | None): their scores, 0 to 1; None without dev.
    teacher_speed, student_speed (float): texts per second of the whole pipelines.
    speed_texts (int): the texts for which these were measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dev: str
    dev_sha256: str
    docs: int
    score: str
    teacher: float | None
    student: float | None
    teacher_speed: float
    student_speed: float
    speed_texts: int

    @property
    def drop(self) -> float | None:
        """By how many points the student is worse than its teacher; None without dev.

        Rounded as the message shows it, so that --max-drop can take the number from there.
        """
        if self.teacher is None or self.student is None:
            return None
        return round(100.0 * (self.teacher - self.student), DIGITS)


class Facts(BaseModel):
    """``distill.json``: what was done. What follows ``training_seconds`` is known at the end.

    training (dict): what decides how the student comes out of the docs.
    seed, steps (int): of the training.
    training_seconds (float): how long it took.
    version (str): of this package.
    options (dict): what decides how the texts are labelled.
    teachers (list[str]): their names, as they were given.
    labels (list[str]): what is taught.
    texts, left_out, labelled (int): the texts that the teachers labelled, those that were left out
        since they are in dev or among the labelled docs, and the labelled docs.
    measured (Measured | None): what was measured.
    max_drop (float | None): the points that were allowed.
    shipped (bool | None): whether the student is in ``model-last``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    training: dict[str, Any]
    seed: int
    steps: int
    training_seconds: float
    version: str = __version__
    options: dict[str, Any] = {}
    teachers: list[str] = []
    labels: list[str] = []
    texts: int = 0
    left_out: int = 0
    labelled: int = 0
    measured: Measured | None = None
    max_drop: float | None = None
    shipped: bool | None = None


class DistillFolder:
    """The paths of a distillation. Each file or folder appears whole or not at all.

    A student is in one of three folders: ``trained`` until it is measured, then ``model-last`` or
    ``refused``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.json"
        self.taught = path / "taught"
        self.labelled = self.taught / "labelled.spacy"
        self.facts = path / "distill.json"
        self.work = path / "work"
        self.trained = path / "trained"
        self.last_model = path / "model-last"
        self.refused = path / "refused"

    def part(self, number: int) -> Path:
        """Texts with the labels of the teachers; parts are counted from 1."""
        return self.taught / f"part-{number:05d}.spacy"

    def open(self, settings: Mapping[str, Any]) -> None:
        """Begin, or go on with the same texts and labels. RAISES (SeqMixError): S747, S748."""
        keep_settings(self.settings, settings, Errors.E747, Errors.E748)

    def read_facts(self) -> Facts | None:
        """What was done before. RAISES (SeqMixError): S748 where the file is damaged."""
        if not self.facts.exists():
            return None
        try:
            return Facts.model_validate_json(self.facts.read_bytes())
        except ValueError as err:
            problems = problems_of(err) if isinstance(err, ValidationError) else err
            reason = f"{self.facts.name} is damaged ({problems})"
            raise SeqMixError(Errors.E748.format(path=self.path, reason=reason)) from err

    def write_facts(self, facts: Facts) -> None:
        """Write what was done."""
        with replacing(self.facts) as temporary:
            temporary.write_text(facts.model_dump_json(indent=1), encoding="utf8")

    def write_labelled(self, docs: Sequence[Doc]) -> None:
        """Put labelled docs beside the texts, or remove those of before."""
        if docs:
            write_docs(docs, self.labelled)
        else:
            self.labelled.unlink(missing_ok=True)

    def save(self, nlp: Language) -> None:
        """Keep a student that is to be measured."""
        save_model(nlp, self.trained)
        shutil.rmtree(self.work, ignore_errors=True)

    @property
    def student(self) -> Path | None:
        """The student that was trained last; None where it is gone."""
        places = (self.trained, self.last_model, self.refused) if self.facts.exists() else ()
        return next((path for path in places if path.exists()), None)

    def place(self, *, shipped: bool) -> Path:
        """Put the student where the verdict wants it. RETURNS (Path): its folder.

        A folder is moved, never copied or removed while it has the only good student: a kill at any
        time leaves one that a second run finds.
        """
        wanted, source = self.last_model if shipped else self.refused, self.student
        if source == self.trained:  # those that were judged are older
            for old in (self.last_model, self.refused):
                shutil.rmtree(old, ignore_errors=True)
        if source is not None and source != wanted:
            source.rename(wanted)
        return wanted
