"""Trained pipelines that teach: one, or a committee."""

from __future__ import annotations

import configparser
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from ..active.pseudo_labels import tag_columns, with_rows
from ..active.remarks import without_remarks
from ..annotation.layers import ENTS, learned_layer
from ..config import config_errors
from ..errors import Errors, SeqMixError
from ..files import file_digest
from ..query.probabilities import SOURCES, TOKEN_FACTORIES, check_needs, token_probs
from ..types import SoftLabels, TokenProbs
from .student import Student
from .targets import Targets, mean_rows, tag_matrix, target_tags, tempered

__all__ = ["Teacher", "Teachers", "check_same_pipeline", "load_teachers", "pipeline_digest"]

WHAT = {ENTS: "entities"}


@dataclass(frozen=True)
class Teacher:
    """A trained pipeline, and the component whose probabilities are taught.

    name (str): its folder or package, as it was given.
    nlp (Language): the pipeline.
    component (str): the component.
    """

    name: str
    nlp: Language
    component: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The columns of its probabilities."""
        return tag_columns(self.nlp, self.component)[1]

    @property
    def labels(self) -> set[str]:
        """What the component can find."""
        return {*map(str, self.nlp.get_pipe(self.component).labels)}  # type: ignore[attr-defined]

    def digest(self) -> str:
        """SHA-256 of all files of the pipeline."""
        return pipeline_digest(self.nlp)


@dataclass(frozen=True)
class Teachers:
    """Teachers of one student.

    members (tuple[Teacher, ...]): one or more.
    layer (str): the layer of annotation that they label.
    targets (Targets): how their probabilities become labels.
    """

    members: tuple[Teacher, ...]
    layer: str
    targets: Targets

    @property
    def tags(self) -> tuple[str, ...]:
        """The columns of what is taught."""
        return target_tags(self.labels, self.layer)

    @property
    def labels(self) -> set[str]:
        """The labels that are taught, by the student's names."""
        return self.targets.renamed(self.members[0].labels)

    def teach(
        self, docs: Sequence[Doc], nlp: Language, progress: Callable[[int], object] | None = None
    ) -> list[Doc]:
        """Copies of docs with the labels that the teachers give them.

        Each teacher's probabilities are those of the student's labels first, then their mean is
        taken, and the temperature changes the mean: what a committee is sure of depends on what its
        members say together, and for T → 0 the tag with the highest mean is left. Tempered before
        that, they would vote, however unsure a member is.

        nlp (Language): the copies have its vocabulary.
        progress (Callable | None): called with the number of docs done, for each teacher.
        RAISES (SeqMixError): those of ``token_probs``.
        """
        tags, of_members = self.tags, []
        for one in self.members:
            matrix = tag_matrix(one.tags, tags, self.targets.labels, self.layer)
            of_docs = _quietly(one, docs, progress)
            of_members.append([p @ matrix for p in of_docs])
        out = []
        for doc, members in zip(docs, zip(*of_members, strict=True), strict=True):
            rows = tempered(mean_rows(members), self.targets.temperature)
            soft = SoftLabels(tags, rows, self.layer)
            out.append(with_rows(nlp, doc, soft, hard=self.targets.hard))
        return out


def load_teachers(
    names: Sequence[str], student: Student, targets: Targets, component: str | None = None
) -> Teachers:
    """Load pipelines that teach a student.

    names (Sequence[str]): folders or installed packages.
    component (str | None): the component of each; by default the one with the name of the student's
        component, else the only one with probabilities of what the student learns.
    RAISES (SeqMixError): S401, S570 and S741 for teachers that can't teach, S744 where they have
        different labels, S745 where the map names a label that no teacher has; OSError if one can't
        be loaded.
    """
    members = []
    for name in names:
        with config_errors(Path(name), (configparser.Error,)):
            nlp = spacy.load(name)
        members.append(Teacher(name, nlp, _component(name, nlp, student, component)))
    made = Teachers(tuple(members), student.layer, targets)
    _check_map(made)
    first = members[0]
    for one in members[1:]:
        other = targets.renamed(one.labels)
        if other != made.labels:
            values = {"first": first.name, "labels": sorted(made.labels), "path": one.name}
            raise SeqMixError(Errors.E744.format(other=sorted(other), **values))
    return made


def _check_map(teachers: Teachers) -> None:
    """RAISES (SeqMixError): S745."""
    known = {label for one in teachers.members for label in one.labels}
    for label, name in teachers.targets.labels.items():
        reason = ""
        if label not in known:
            reason = f"no teacher has this label; known: {sorted(known)}"
        elif not name and teachers.layer != ENTS:
            reason = "a token has one tag, so a tag can't be left out"
        if reason:
            raise SeqMixError(Errors.E745.format(given=f"{label}={name}", reason=reason))


def _component(name: str, nlp: Language, student: Student, component: str | None) -> str:
    """The component of a teacher. RAISES (SeqMixError): S401, S570, S741."""
    factories = {n: nlp.get_pipe_meta(n).factory for n in nlp.pipe_names}
    able = [n for n, factory in factories.items() if _fits(factory, student.layer)]
    if component is not None:
        check_needs("tokens", nlp, component)
        chosen = [component] if component in able else []
        reason = f"'{component}' ({factories[component]}) has other probabilities"
    else:
        if not any(factory in SOURCES for factory in factories.values()):
            check_needs("tokens", nlp, student.component)
        chosen = [student.component] if student.component in able else able
        reason = f"{' and '.join(able)} can teach" if able else "none of its components can teach"
    if len(chosen) == 1:
        return chosen[0]
    what = WHAT.get(student.layer, "tags")
    values = {"student": student.component, "layer": what, "able": able or "none"}
    raise SeqMixError(Errors.E741.format(path=name, reason=reason, **values))


def _fits(factory: str, layer: str) -> bool:
    return factory in TOKEN_FACTORIES and learned_layer({"factory": factory}) == layer


def _quietly(
    teacher: Teacher, docs: Sequence[Doc], progress: Callable[[int], object] | None
) -> TokenProbs:
    """The probabilities of a teacher, without torch's remarks."""
    with without_remarks():
        return token_probs(teacher.nlp, teacher.component, docs, progress=progress, whitespace=True)


def pipeline_digest(nlp: Language) -> str:
    """SHA-256 of all files of a pipeline that was loaded."""
    folder, whole = nlp.path, sha256()
    if folder is None:  # of a package that makes its pipeline by itself
        return sha256(repr(nlp.meta).encode("utf8")).hexdigest()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        whole.update(f"{path.relative_to(folder)} {file_digest(path)}\n".encode())
    return whole.hexdigest()


def check_same_pipeline(nlp: Language, name: str, digest: str) -> None:
    """RAISES (SeqMixError): S779 where this machine has another pipeline of the name."""
    if pipeline_digest(nlp) != digest:
        raise SeqMixError(Errors.E779.format(node=platform.node(), name=name))
