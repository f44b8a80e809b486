"""A project of a Label Studio server: its tasks, their predictions, and what people said."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ...errors import Errors, SeqMixError, Warnings
from ...types import Task
from ..formats.label_studio import KEY_FIELD, prediction_of, rows_of, task_data
from ..rows import Row
from .interface import Interface, interface_xml, read_interface
from .server import Server

__all__ = ["Project", "take_project"]

# The versions that the tests run with.
TESTED = "1.23"
# Tasks in a request: 1000 of them took the server three seconds.
TOGETHER = 500
# Which tasks it serves first: those with the lowest score of the project's model version.
SAMPLING = "Uncertainty sampling"
# A change may be written later than one with a later time.
OVERLAP = timedelta(seconds=30)


class Placed(NamedTuple):
    """A task of a project: its number, the key that it was sent with, if any, and its text."""

    number: int
    key: str
    text: str


@dataclass
class Project:
    """A project.

    server (Server): where it is.
    id (int): its number.
    interface (Interface): the names of its tags, and its labels.
    """

    server: Server
    id: int
    interface: Interface
    _seen: datetime | None = None  # when the last change was made that was read
    _people: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Its address."""
        return f"{self.server.url}/projects/{self.id}"

    def describe(self) -> dict[str, Any]:
        """What the server says of it now: it may have been edited.

        RAISES (SeqMixError): S781 to S786.
        """
        found: dict[str, Any] = self.server.get(f"projects/{self.id}/")
        self.interface = _interface_of(found, self.where)
        return found

    def change(self, **values: Any) -> None:
        """Change its settings, such as ``sampling`` and ``model_version``."""
        self.server.patch(f"projects/{self.id}/", values)

    def tasks(self) -> Iterator[Placed]:
        """Its tasks. RAISES (SeqMixError): S781 to S786."""
        for task in self._pages(include="id,data"):
            data = task["data"]
            text = str(data.get(self.interface.key, ""))
            yield Placed(task["id"], str(data.get(KEY_FIELD, "")), text)

    def add(self, tasks: Sequence[Task]) -> None:
        """Add tasks, without suggestions."""
        for low in range(0, len(tasks), TOGETHER):
            rows = [
                {"data": task_data(task, self.interface.key)}
                for task in tasks[low : low + TOGETHER]
            ]
            self.server.post(f"projects/{self.id}/import", rows)

    def add_with_predictions(self, tasks: Sequence[Task]) -> None:
        """Add tasks with their suggestions, in few requests: such predictions have no cluster."""
        for low in range(0, len(tasks), TOGETHER):
            rows = [
                {
                    "data": task_data(task, self.interface.key),
                    "predictions": [self._prediction(task)] * (task.suggestions is not None),
                }
                for task in tasks[low : low + TOGETHER]
            ]
            self.server.post(f"projects/{self.id}/import", rows)

    def predict(self, number: int, task: Task, cluster: int) -> None:
        """Add the suggestions of a task to one of the project's tasks.

        cluster (int): of tasks that are alike. It serves those of the cluster first of which a
            person has done the fewest, and of these the one with the lowest score.
        """
        given = {**self._prediction(task), "task": number, "cluster": cluster}
        self.server.post("predictions/", given)

    def _prediction(self, task: Task) -> dict[str, Any]:
        return prediction_of(task, self.interface.place, self.interface.text)

    def remove_predictions(self, numbers: Iterable[int]) -> None:
        """Remove all predictions of some of its tasks: old ones would be shown beside new ones."""
        wanted = list(numbers)
        for low in range(0, len(wanted), TOGETHER):
            chosen = {"all": False, "included": wanted[low : low + TOGETHER]}
            given = {"id": "delete_tasks_predictions", "project": self.id}
            self.server.post("dm/actions", {"selectedItems": chosen}, **given)

    def changed(self) -> Iterator[tuple[int, list[Row]]]:
        """The tasks that changed since the last call, with a row for each annotation.

        YIELDS (tuple): the number of a task, and its rows, in which people have their e-mail
            address for a name.
        RAISES (SeqMixError): S646 and S781 to S786. The next call then begins again.
        """
        query: dict[str, Any] = {}
        if self._seen is not None:
            name, kind = "filter:tasks:updated_at", "Datetime"
            since = (self._seen - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            item = {"filter": name, "operator": "greater", "type": kind, "value": since}
            query["query"] = json.dumps({"filters": {"conjunction": "and", "items": [item]}})
        times = [] if self._seen is None else [self._seen]
        for task in self._pages(fields="all", **query):
            times.append(datetime.fromisoformat(task["updated_at"].replace("Z", "+00:00")))
            where = f"{self.where}, task {task['id']}"
            rows = rows_of(task, where, self.interface.key)
            yield task["id"], [self._named(row) for row in rows]
        self._seen = max(times, default=None)

    def _named(self, row: Row) -> Row:
        if row.who and row.who not in self._people:
            for one in self.server.get("users"):
                self._people[str(one["id"])] = one.get("email") or str(one["id"])
            self._people.setdefault(row.who, row.who)
        return replace(row, who=self._people.get(row.who, row.who))

    def _pages(self, **given: Any) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            answer = self.server.get(
                "tasks", project=self.id, page=page, page_size=TOGETHER, **given
            )
            tasks: list[dict[str, Any]] = answer["tasks"]
            yield from tasks
            if len(tasks) < TOGETHER or page * TOGETHER >= answer["total"]:
                return
            page += 1


def take_project(
    server: Server, name: str | int, labels: Sequence[str] = (), relations: Sequence[str] = ()
) -> Project:
    """Take a project of a server, or create it.

    name (str | int): its number, or its title. Where no project has the title, one is created.
    labels (Sequence[str]): what people can mark. A project that exists needs at least these.
    relations (Sequence[str]): the labels of relations, for a new project.
    RAISES (SeqMixError): S781 to S786, S787 where the title is that of several projects, or of none
        and there are no labels.

    Warns with W780 where the server has a version that was not tested.
    """
    _check_version(server)
    if isinstance(name, int) or name.isdecimal():
        found = server.get(f"projects/{int(name)}/")
    else:
        titled = server.get("projects/", title=name, page_size=1000)["results"]
        same = [one for one in titled if one["title"] == name]
        if len(same) > 1 or not (same or labels):
            shown = ", ".join(str(one["id"]) for one in same)
            reason = f"several have this title: {shown}" if same else "there is none"
            raise SeqMixError(Errors.E787.format(project=name, reason=reason))
        if same:
            found = server.get(f"projects/{same[0]['id']}/")
        else:
            given = {"title": name, "label_config": interface_xml(labels, relations)}
            found = server.post("projects/", {**given, "sampling": SAMPLING})
    where = f"{server.url}/projects/{found['id']}"
    interface = _interface_of(found, where)
    interface.check(labels, where)
    return Project(server, found["id"], interface)


def _interface_of(described: Mapping[str, Any], where: str) -> Interface:
    try:
        return read_interface(described["label_config"])
    except SeqMixError as err:
        raise SeqMixError(Errors.E785.format(where=where, reason=err)) from err


def _check_version(server: Server) -> None:
    found = server.get("version")
    release = found.get("release") if isinstance(found, Mapping) else None
    if not isinstance(release, str):
        reason = "its /api/version names no release"
        raise SeqMixError(Errors.E783.format(url=server.url, reason=reason))
    if not release.startswith(f"{TESTED}."):
        text = Warnings.W780.format(url=server.url, version=release, tested=f"{TESTED}.*")
        warnings.warn(text, stacklevel=3)
