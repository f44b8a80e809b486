"""The oracle that asks people in a project of a Label Studio server."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import Literal

from spacy.language import Language

from ...annotation.layers import ENTS, RELATIONS
from ...errors import Errors, SeqMixError, Warnings, plural
from ...files import replacing
from ...query.diverse import text_clusters
from ...types import Answer, Oracle, Task
from ..annotators import is_joining
from ..place import Rules
from ..rows import Row
from ..sent import Sent
from .folder import State
from .names import FOLDER, NUDGED, STATE, TOKEN_ENV
from .project import SAMPLING, Project, by_enough_people, take_project
from .server import Server

__all__ = ["LabelStudioOracle", "make_label_studio_oracle"]

# Seconds between two looks at the server where nobody says that something has changed.
POLL = 5.0


@dataclass
class LabelStudioOracle(Oracle):
    """Sends the tasks of each round to a project, and reads what people labelled there.

    server (Server): where the project is.
    name (str | int): the project's title or number.
    sent (Sent): the texts that were asked.
    labels, relations (Sequence[str]): what people can mark.
    n_annotators (int): how many people label each text; an answer counts once all have.
    poll (float): seconds between two looks at the server, unless something is known to have
        changed.
    """

    server: Server
    name: str | int
    sent: Sent
    labels: Sequence[str] = ()
    relations: Sequence[str] = ()
    n_annotators: int = 1
    poll: float = POLL
    _folder: Path | None = None
    _words: bool = True
    _project: Project | None = None
    # The server's tasks of each text, None where they have to be looked up.
    _numbers: dict[str, list[int]] | None = None
    # All that was said, by task, and whether some of it was not yielded yet.
    _rows: dict[int, list[Row]] = field(default_factory=dict)
    _is_new: bool = False
    # The texts that are there, with the suggestions of the version, as far as they have any.
    _ready: set[str] = field(default_factory=set)
    _version: str | None = None
    _n_tasks: int | None = None  # of the whole project
    _looked: tuple[float, float] = (-1.0, -1.0)  # when, and the time of the nudge
    _problem: str = ""  # why the server can't be reached

    @property
    def layers(self) -> tuple[str, ...]:
        """People mark entities and relations."""
        return (ENTS, RELATIONS)

    @property
    def folder(self) -> Path:
        """What is kept of the run's tasks."""
        assert self._folder is not None
        return self._folder

    def begin(self, run_dir: Path, nlp: Language) -> None:
        """Read the texts that were asked before. Nothing is asked of the server yet."""
        self._folder = run_dir / FOLDER
        # In others a mark may begin and end anywhere.
        self._words = bool(nlp.vocab.writing_system["has_letters"])
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.glob("round-*.spacy")):
            self.sent.read(path, nlp)

    def advise(self, tasks: Sequence[Task]) -> str:
        """Say where to label."""
        if self._problem:
            return self._problem
        assert self._project is not None
        return f"label them at {self._project.where}{self.sent.left_out()}"

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Send tasks that the project lacks, and yield the answers that are there by now.

        Answers to tasks of earlier rounds are yielded, too: they may have been corrected. A server
        that can't be reached is asked again later.

        RAISES (SeqMixError): S600, S730 for a person that the server does not know, S782 to S787.

        Warns with W640 of spans that were moved or left out and of answers that can't be used, with
        W540 of tasks that can't be read, with W780 of a server of another version, with W781 of one
        that can't be reached, and with W782 of tasks that were deleted.
        """
        if self._problem and not self._is_due():
            return
        try:
            project = self._take()
            if any(task.key not in self._ready for task in tasks):
                self._send(project, tasks)
            elif not self._is_due():
                return
            yield from self._answers(project, tasks)
        except SeqMixError as err:
            if err.code != "S781":
                raise
            if not self._problem:
                warnings.warn(Warnings.W781.format(problem=err), stacklevel=2)
            self._problem = str(err)
            self._looked = (time.monotonic(), self._nudge())
            self._numbers = None  # the server may have done what it did not answer
        else:
            self._problem = ""

    def _take(self) -> Project:
        """The project: the one that the run has, or the one of the config."""
        if self._project is None:
            path = self.folder / STATE
            known = State.read(path)
            url = self.server.url
            if known is not None and (known.url, known.name) != (url, self.name):
                known = None  # the config names another one by now
            name = self.name if known is None else known.id
            self._project = take_project(
                self.server, name, self.labels, self.relations, words=self._words
            )
            who = self.sent.who
            if who is not None and who not in (people := self._project.people().values()):
                known_people = ", ".join(map(repr, people))
                raise SeqMixError(Errors.E730.format(name=who, known=known_people))
            if known is None:
                described = self._project.describe()
                most = max(described.get("maximum_annotations") or 1, self.n_annotators)
                self._project.change(sampling=SAMPLING, maximum_annotations=most)
            with replacing(path) as temporary:
                state = State(url=url, name=self.name, id=self._project.id)
                temporary.write_text(state.model_dump_json() + "\n", "utf8")
        return self._project

    def _send(self, project: Project, tasks: Sequence[Task]) -> None:
        """Add tasks that the project lacks, and the suggestions of the round's model to all.

        A run that was killed does it again: what is there already is not added twice.
        """
        if new := [task for task in tasks if not self.sent.has(task)]:
            self.sent.write(new, self._free_path(tasks[0].round))
        fresh = self._numbers is None
        numbers = self._found(project) if self._numbers is None else self._numbers
        lacking = [task for task in tasks if task.key not in numbers]
        for task, number in zip(lacking, project.add(lacking), strict=True):
            numbers[task.key] = [number]
        if self._n_tasks is not None:  # these are no reason to look them all up again
            self._n_tasks += len(lacking)
        self._numbers = numbers
        wanted = [task for task in tasks if task.suggestions is not None]
        version = wanted[0].model if wanted else self._version
        if wanted and (fresh or version != self._version):
            self._ready.clear()
            project.remove_predictions(n for some in numbers.values() for n in some)
        self._predict(project, [task for task in wanted if task.key not in self._ready])
        if wanted and version is not None:
            self._version = version
            self._name_version(project)
        self._ready |= {task.key for task in tasks}

    def _predict(self, project: Project, tasks: Sequence[Task]) -> None:
        """Add suggestions to tasks."""
        assert self._numbers is not None
        clusters = text_clusters([task.doc for task in tasks], isqrt(len(tasks)) + 1)
        for task, cluster in zip(tasks, clusters, strict=True):
            for number in self._numbers[task.key]:
                try:
                    project.predict(number, task, cluster)
                except SeqMixError as err:
                    if err.code not in ("S784", "S786"):
                        raise
                    self._n_tasks = None  # somebody has just deleted it

    def _name_version(self, project: Project) -> None:
        """Let the project order its tasks by the suggestions of the round's model."""
        try:
            project.change(model_version=self._version)
        except SeqMixError as err:
            # The server refuses a version that no task has: somebody has deleted the suggestions.
            if err.code != "S786":
                raise

    def _found(self, project: Project) -> dict[str, list[int]]:
        """Look up the project's tasks of the texts that were sent."""
        found: dict[str, list[int]] = {}
        for number, key, _ in project.tasks():
            if key in self.sent.docs:
                found.setdefault(key, []).append(number)
        return found

    def _answers(self, project: Project, tasks: Sequence[Task]) -> Iterator[Answer]:
        looked = (time.monotonic(), self._nudge())
        described = project.describe()
        project.interface.check(self.labels, project.where)
        named = described.get("model_version")
        if self._version is not None and named not in (None, "", self._version):
            # A backend that was connected puts its own name there, and tasks come at random.
            self._name_version(project)
        own = self.sent.docs.keys()
        for number, rows in project.changed(own=lambda key, text: key in own, skip=True):
            self._is_new |= rows != self._rows.get(number)
            self._rows[number] = rows
        before, self._n_tasks = self._n_tasks, described.get("task_number")
        if before != self._n_tasks or self._numbers is None:
            self._restore(project, tasks)
        if self._is_new:
            self.sent.notes.clear()
            yield from self.sent.answers(by_enough_people(self._rows, self.n_annotators))
            if self.n_annotators > 1 or self.sent.who is not None:  # that is as it was wanted
                self.sent.notes[:] = [one for one in self.sent.notes if one.kind != "replaced"]
            self.sent.warn()
            self._is_new = False
        self._looked = looked

    def _restore(self, project: Project, tasks: Sequence[Task]) -> None:
        """Send tasks again that somebody has deleted before they were labelled."""
        self._numbers = self._found(project)
        if lost := [task for task in tasks if task.key not in self._numbers]:
            text = Warnings.W782.format(n=plural(len(lost), "task"), where=project.where)
            warnings.warn(text, stacklevel=3)
            self._ready -= {task.key for task in lost}
            self._send(project, tasks)

    def _is_due(self) -> bool:
        """Whether to look at the server again."""
        at, nudge = self._looked
        return self._nudge() != nudge or time.monotonic() >= at + self.poll

    def _nudge(self) -> float:
        """When the last change was told."""
        path = self.folder / NUDGED
        return path.stat().st_mtime if path.exists() else 0.0

    def _free_path(self, number: int) -> Path:
        """A new file for tasks of a round, which may get more tasks in place of skipped ones."""
        more = 1
        while (path := self.folder / f"round-{number:02d}-{more:03d}.spacy").exists():
            more += 1
        return path


def make_label_studio_oracle(
    url: str,
    project: str | int,
    labels: list[str] | None = None,
    relations: list[str] | None = None,
    token_env: str = TOKEN_ENV,
    n_annotators: int = 1,
    annotators: str | None = None,
    cut: Literal["snap", "refuse"] = "snap",
    overlap: Literal["longest", "refuse"] = "longest",
    poll: float = POLL,
) -> LabelStudioOracle:
    """Create the oracle that asks people in a project of Label Studio.

    url (str): the server's address, such as "http://localhost:8080".
    project (str | int): the project's number, or its title. Where no project has the title, one is
        created, which needs labels.
    labels (list[str] | None): what people can mark; other labels are refused. None accepts all that
        the project has.
    relations (list[str] | None): the labels of relations, for a new project.
    token_env (str): the environment variable that has the token of a user.
    n_annotators (int): how many people label each text. An answer counts once all have, and the
        last one counts; ``ingest`` can join them.
    annotators (str | None): count the answers of this person only, by e-mail address.
    cut (str): "snap" moves the ends of spans that cut a token outwards, "refuse" refuses them.
    overlap (str): "longest" keeps the longest of overlapping spans, "refuse" refuses them.
    poll (float): seconds between two looks at the server; `spacy seqmix serve` lets it look at once
        where something has changed.
    RAISES (SeqMixError): S311 for less than one person, S731 for "soft" or "vote", which
        ``ingest`` knows, S781 for what is no address, S782 where the variable is not set.
    """
    if n_annotators < 1:
        raise SeqMixError(Errors.E311.format(what="n_annotators", value=n_annotators))
    if is_joining(annotators):
        raise SeqMixError(Errors.E731.format(how=annotators))
    sent = Sent(Rules(cut, overlap, labels), annotators)
    return LabelStudioOracle(
        Server(url, token_env), project, sent, labels or (), relations or (), n_annotators, poll
    )
