"""Distillation: teachers label texts, a student learns these labels, and both are measured."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from ..active.fit import FitSettings, count_batches, fit
from ..active.run_folder import locked
from ..annotation.docbins import iter_docs
from ..errors import Errors, SeqMixError, Warnings, plural
from ..files import check_output, progress_bar
from ..parallel.workers import RayOptions
from .folder import DistillFolder, Facts, Measured
from .labelled import Labelled, check_labels
from .measure import SPEED_TEXTS, score_student, score_teachers, speed
from .student import Student
from .teachers import Teachers
from .teaching import teach_texts
from .texts import RawTexts, read_raw

__all__ = ["Distilled", "distill"]

# Texts that are enough to tell whether there are fewer than a batch.
LOOK = 2000
LOG_DOCS = 20


@dataclass(frozen=True)
class Distilled:
    """What a distillation came to.

    facts (Facts): with what was measured.
    path (Path): the folder of the student.
    kept (bool): whether it was trained by an earlier command.
    """

    facts: Facts
    path: Path
    kept: bool

    def check(self) -> None:
        """RAISES (SeqMixError): S749 for a student that is too much worse than its teacher."""
        measured = self.facts.measured
        if self.facts.shipped:
            return
        assert measured is not None  # what was not measured is shipped
        assert measured.student is not None and measured.teacher is not None
        message = Errors.E749.format(
            score=measured.score,
            student=100.0 * measured.student,
            teacher=100.0 * measured.teacher,
            dev=measured.dev,
            drop=measured.drop,
            allowed=self.facts.max_drop,
            path=self.path,
        )
        raise SeqMixError(message)


def distill(
    student: Student,
    teachers: Teachers,
    texts: Path,
    out: Path,
    *,
    labelled: Path | None = None,
    dev: Path | None = None,
    max_drop: float = 0.0,
    allow_untaught: bool = False,
    use_gpu: int = -1,
    progress: bool = True,
    ray: RayOptions | None = None,
) -> Distilled:
    """Let teachers label texts, and train a student on these labels.

    The labels are kept in parts, so that a second call goes on after the last part. A student that
    was trained on the same docs by the same config is not trained again.

    student (Student): what is trained. Its last model is taken, none is chosen on dev.
    teachers (Teachers): what labels the texts.
    texts (Path): a .txt, .jsonl, .parquet or .spacy file, or a folder of them. Texts that are in
        dev or labelled are left out.
    out (Path): the folder of all results.
    labelled (Path | None): docs that the student learns as well.
    dev (Path | None): labelled docs on which teachers and student are measured.
    max_drop (float): by how many points the student may be worse than its teachers on dev. A worse
        one is not placed in ``model-last``.
    allow_untaught (bool): let the student learn labels that no teacher has from ``labelled``.
    use_gpu (int): GPU id, -1 for the CPU.
    progress (bool): show progress bars.
    ray (RayOptions | None): let a Ray cluster label the texts, see ``teach_texts``.
    RETURNS (Distilled): see ``Distilled.check``.
    RAISES (SeqMixError): S403, S405, S412, S431, S549, S742, S743, S747, S748, and those of the
        training.

    Warns with W740 of fewer texts than a batch, with W401 of labels of dev that are not taught.
    """
    folder = DistillFolder(out)
    given = [texts, student.path, *(Path(one.name) for one in teachers.members)]
    check_output(out, [*given, *(path for path in (labelled, dev) if path is not None)])
    blank = student.blank()
    gold, held = (Labelled.read(path, student, blank) for path in (labelled, dev))
    check_labels(student, teachers, gold, held, allow_untaught=allow_untaught)
    known = (doc.text for doc in chain(gold.docs, held.docs))
    raw = read_raw(texts, blank, known, out)
    _warn_of_few(student, raw)
    options: dict[str, Any] = {
        "texts": raw.digest,
        "teachers": [[one.digest(), one.component] for one in teachers.members],
        "map": dict(teachers.targets.labels),
        "labels": "hard" if teachers.targets.hard else "soft",
        "temperature": teachers.targets.temperature,
        **{name: student.config["nlp"].get(name) for name in ("lang", "tokenizer")},
    }
    training = {**student.settings, "labelled": gold.sha256}
    with locked(folder.path):
        folder.open(options)
        teach_texts(folder, raw, teachers, student, ray=ray, progress=progress)
        facts = folder.read_facts()
        kept = facts is not None and facts.training == training and folder.student is not None
        if facts is None or not kept:
            facts = _train(folder, student, gold, training, blank, use_gpu, progress=progress)
        measured = facts.measured
        if measured is None or measured.dev_sha256 != held.sha256:
            measured = _measure(folder, student, teachers, held, raw, progress=progress)
        shipped = measured.drop is None or measured.drop <= max_drop
        path = folder.place(shipped=shipped)
        facts = facts.model_copy(
            update={
                "options": options,
                "teachers": [one.name for one in teachers.members],
                "labels": sorted(teachers.labels),
                "texts": len(raw),
                "left_out": raw.left_out,
                "labelled": len(gold.docs),
                "measured": measured,
                "max_drop": max_drop,
                "shipped": shipped,
            }
        )
        folder.write_facts(facts)
    return Distilled(facts, path, kept)


def _warn_of_few(student: Student, raw: RawTexts) -> None:
    """Warn (W740) where all texts are one batch."""
    if len(raw) < LOOK and count_batches(student.config, raw.take(0, LOOK)) < 2:
        warnings.warn(Warnings.W740.format(n=plural(len(raw), "text")), stacklevel=3)


def _train(
    folder: DistillFolder,
    student: Student,
    gold: Labelled,
    training: dict[str, Any],
    nlp: Language,
    use_gpu: int,
    *,
    progress: bool,
) -> Facts:
    """Train a student on all that was labelled, and keep it with what is known of it."""
    folder.facts.unlink(missing_ok=True)  # they are of another student
    folder.write_labelled(gold.docs)
    steps = student.steps(_docs_of(folder, nlp))
    settings = FitSettings(
        student.component, student.seed, steps, 0.0, use_gpu=use_gpu, progress=progress
    )
    # What spaCy's log scores while it trains; nothing is chosen by it.
    some = list(islice(_docs_of(folder, nlp), LOG_DOCS))
    start = time.perf_counter()
    trained, _ = fit(student.config, folder.taught, some, folder.work, settings, None)
    seconds = time.perf_counter() - start
    folder.save(trained)
    facts = Facts(
        training=training, seed=student.seed, steps=steps, training_seconds=round(seconds, 1)
    )
    folder.write_facts(facts)
    return facts


def _docs_of(folder: DistillFolder, nlp: Language) -> Iterator[Doc]:
    """All docs that the student learns, one file in memory at a time."""
    for path in sorted(folder.taught.glob("*.spacy")):
        yield from iter_docs(path, nlp.vocab)


def _measure(
    folder: DistillFolder,
    student: Student,
    teachers: Teachers,
    held: Labelled,
    raw: RawTexts,
    *,
    progress: bool,
) -> Measured:
    """Measure the scores on dev, if there is one, and the speeds."""
    assert folder.student is not None  # it was trained just now, or looked for
    nlp, name = spacy.load(folder.student), student.component
    pipelines = [one.nlp for one in teachers.members]
    texts = [doc.text for doc in raw.take(0, SPEED_TEXTS)]
    of_teacher = of_student = None
    score, total = "", len(held.docs) * (len(pipelines) + 1)
    with progress_bar(total, "Measuring", shown=progress, unit="text") as bar:
        if held.docs:
            score, of_student = score_student(nlp, name, held.docs, bar.update)
            _, of_teacher = score_teachers(teachers, nlp, name, held.docs, bar.update)
        return Measured(
            dev="" if held.path is None else held.path.name,
            dev_sha256=held.sha256,
            docs=len(held.docs),
            score=score,
            teacher=of_teacher,
            student=of_student,
            teacher_speed=round(speed(pipelines, texts), 1),
            student_speed=round(speed([nlp], texts), 1),
            speed_texts=len(texts),
        )
