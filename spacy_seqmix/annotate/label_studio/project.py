"""A project of a Label Studio server: its tasks, their predictions, and what people said."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from ...convert.files import attempt
from ...errors import Errors, SeqMixError, Warnings
from ...types import Task
from ..formats.label_studio import KEY_FIELD, prediction_of, rows_of, task_data
from ..rows import CharSpan, Row
from .interface import Interface, interface_xml, read_interface
from .server import Server, expected

__all__ = ["SAMPLING", "Project", "by_enough_people", "take_project"]

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
    labels (Sequence[str]): what its labels are called here, where it has other names in results.
    """

    server: Server
    id: int
    interface: Interface
    labels: Sequence[str] = ()
    _seen: datetime | None = None  # when the last change was made that was read
    _moved: float = 0.0  # when that was known
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
        self.interface = _interface_of(self.server, found, self.where)
        return found

    def change(self, **values: Any) -> None:
        """Change its settings, such as ``sampling`` and ``model_version``."""
        self.server.patch(f"projects/{self.id}/", values)

    def tasks(self) -> Iterator[Placed]:
        """Its tasks. RAISES (SeqMixError): S781 to S786."""
        for task in self._pages(include="id,data"):
            with expected(self.server):
                data = task["data"]
                text = str(data.get(self.interface.key, ""))
                placed = Placed(task["id"], str(data.get(KEY_FIELD, "")), text)
            yield placed

    def add(self, tasks: Sequence[Task], *, suggest: bool = False) -> list[int]:
        """Add tasks. RETURNS (list[int]): their numbers.

        suggest (bool): with their suggestions, in the same request: such predictions have no
            cluster.
        """
        numbers: list[int] = []
        for low in range(0, len(tasks), TOGETHER):
            rows: list[dict[str, Any]] = []
            for task in tasks[low : low + TOGETHER]:
                rows.append({"data": task_data(task, self.interface.key)})
                if suggest and task.suggestions is not None:
                    rows[-1]["predictions"] = [self._prediction(task)]
            path = f"projects/{self.id}/import"
            answer = self.server.post(path, rows, return_task_ids="true")
            with expected(self.server):
                numbers += map(int, answer["task_ids"])
        return numbers

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

    def changed(
        self,
        *,
        own: Callable[[str, str], bool] = lambda key, text: True,
        skip: bool = False,
    ) -> Iterator[tuple[int, list[Row]]]:
        """The tasks that changed since the last call, with a row for each annotation.

        own (Callable): whether to read a task, from its key and its text.
        skip (bool): leave out tasks that can't be read, with a warning each.
        YIELDS (tuple): the number of a task, and its rows, in which people have their e-mail
            address for a name.
        RAISES (SeqMixError): S646 for what can't be read, and S781 to S786. The next call then
            begins again.

        Warns with W540 of what is left out.
        """
        query: dict[str, Any] = {}
        if self._seen is not None:
            settled = monotonic() > self._moved + OVERLAP.total_seconds()
            since = self._seen if settled else self._seen - OVERLAP
            name, kind = "filter:tasks:updated_at", "Datetime"
            value = since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            item = {"filter": name, "operator": "greater", "type": kind, "value": value}
            query["query"] = json.dumps({"filters": {"conjunction": "and", "items": [item]}})
        times = [] if self._seen is None else [self._seen]
        for task in self._pages(fields="all", **query):
            with expected(self.server):
                times.append(datetime.fromisoformat(task["updated_at"].replace("Z", "+00:00")))
                number, data = task["id"], task["data"]
                wanted = own(str(data.get(KEY_FIELD, "")), str(data.get(self.interface.key, "")))
            if wanted:
                rows = attempt(skip, self._rows, task, f"{self.where}, task {number}")
                yield number, [self._named(row) for row in rows or ()]
        if times and max(times) != self._seen:
            self._seen, self._moved = max(times), monotonic()

    def _rows(self, task: dict[str, Any], where: str) -> list[Row]:
        rows = rows_of(task, where, self.interface.key, self.interface.text)
        called = {self.interface.place(label): label for label in self.labels}
        names = {place[1]: label for place, label in called.items() if place is not None}

        def here(one: CharSpan) -> CharSpan:
            return replace(one, label=names.get(one.label, one.label))

        return [replace(row, spans=tuple(map(here, row.spans))) for row in rows]

    def people(self) -> dict[str, str]:
        """The e-mail addresses of the server's users, by number."""
        people = self.server.get("users")
        with expected(self.server):
            return {str(one["id"]): one.get("email") or str(one["id"]) for one in people}

    def _named(self, row: Row) -> Row:
        if row.who and row.who not in self._people:
            self._people = {row.who: row.who, **self.people()}
        return replace(row, who=self._people.get(row.who, row.who))

    def _pages(self, **given: Any) -> Iterator[dict[str, Any]]:
        yield from _pages(self.server, "tasks", "tasks", "total", project=self.id, **given)


def _pages(
    server: Server, path: str, name: str, total: str, **given: Any
) -> Iterator[dict[str, Any]]:
    """All objects of a list, which may have smaller pages than were asked for.

    name, total (str): where an answer has the objects of a page, and the number of all.
    """
    page, done = 1, 0
    while True:
        answer = server.get(path, page=page, page_size=TOGETHER, **given)
        with expected(server):
            found: list[dict[str, Any]] = [dict(one) for one in answer[name]]
            left = int(answer[total]) - done - len(found)
        yield from found
        page, done = page + 1, done + len(found)
        if not found or left <= 0:
            return


def take_project(
    server: Server,
    name: str | int,
    labels: Sequence[str] = (),
    relations: Sequence[str] = (),
    *,
    needed: bool = True,
    words: bool = True,
) -> Project:
    """Take a project of a server, or create it.

    name (str | int): its number, or its title. Where no project has the title, one is created.
    labels (Sequence[str]): what people can mark; a new project needs some.
    relations (Sequence[str]): the labels of relations, for a new project.
    needed (bool): whether a project that exists needs these labels.
    words (bool): whether marks in a new project begin and end with words.
    RAISES (SeqMixError): S781 to S786, S787 where the title is that of several projects, or of none
        and there are no labels.

    Warns with W780 where the server has a version that was not tested.
    """
    _check_version(server)
    title = str(name).strip()
    if title.isdecimal():
        found = server.get(f"projects/{int(title)}/")
    else:
        titled = _pages(server, "projects/", "results", "count", title=title)
        same = [one for one in titled if str(one.get("title", "")).strip() == title]
        if len(same) > 1 or not (same or labels):
            shown = ", ".join(str(one.get("id")) for one in same)
            reason = f"several have this title: {shown}" if same else "there is none"
            raise SeqMixError(Errors.E787.format(project=name, reason=reason))
        if same:
            found = server.get(f"projects/{same[0].get('id')}/")
        else:
            xml = interface_xml(labels, relations, words=words)
            given = {"title": title, "label_config": xml, "sampling": SAMPLING}
            found = server.post("projects/", given)
    with expected(server):
        number = int(found["id"])
    where = f"{server.url}/projects/{number}"
    interface = _interface_of(server, found, where)
    if needed:
        interface.check(labels, where)
    return Project(server, number, interface, labels)


def by_enough_people(tasks: Mapping[int, Sequence[Row]], n: int) -> list[Row]:
    """What was said of each text, once n people have. The time is that of all together.

    tasks (Mapping): the rows of each task; a text may be in several.
    """
    texts: dict[str, list[Row]] = {}
    for number in sorted(tasks):
        for row in tasks[number]:
            if row.state != "not yet":  # drafts come and go
                texts.setdefault(row.key, []).append(row)
    found = []
    for said in texts.values():
        if len({row.who for row in said}) >= n:
            seconds = [row.seconds for row in said]
            known = [one for one in seconds if one is not None]
            total = sum(known) if len(known) == len(seconds) else None
            found += [replace(row, seconds=total) for row in said]
    return found


def _interface_of(server: Server, described: Mapping[str, Any], where: str) -> Interface:
    with expected(server):
        xml = described["label_config"]
    try:
        return read_interface(str(xml))
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
