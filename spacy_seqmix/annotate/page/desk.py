"""The desk: which text each tab gets, and what was answered. It knows no HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import RLock

from ...active.answers import AnswerFile, AnswerRecord
from ...active.asked import Asked, AskedHeader, AskedText
from ...active.run_folder import RunFolder, locked
from ...errors import Errors, SeqMixError
from .folder import PageFolder
from .labels import PageLabel, check_label, read_labels, update_labels
from .rows import Given, PageAnswer, now_utc
from .watched import Watched

__all__ = ["Desk", "Tab", "is_blind"]

# A tab that is not heard of for so long has ended: browsers let tabs in the background speak once
# a minute, and somebody may think for longer. Of a round that waits, less is enough, and where no
# other text is free, even less.
GONE, SILENT, LEFT = 150.0, 75.0, 20.0


def is_blind(key: str, share: float) -> bool:
    """Whether a text is among those that are shown without suggestions: by its key alone."""
    number = int.from_bytes(sha256(f"blind {key}".encode()).digest()[:8], "big")
    return number < share * 2**64


def _said(record: AnswerRecord) -> tuple[str, list[tuple[int, int, str]]]:
    return record.state, sorted((span.start, span.end, span.label) for span in record.spans)


def _plain(answer: PageAnswer) -> AnswerRecord:
    """The answer as the loop writes it."""
    spans = tuple(sorted(answer.spans, key=lambda span: span.start))
    plain = answer.model_copy(update={"spans": spans})
    return AnswerRecord(**plain.model_dump(include=set(AnswerRecord.model_fields)))


@dataclass
class Tab:
    """A browser tab: the texts that it holds, and when it was last heard of."""

    seen: float
    keys: set[str] = field(default_factory=set)


class Desk:
    """Hands out texts and keeps answers. Every method may be called from any thread."""

    def __init__(
        self, run_dir: Path, *, blind: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read what there is.

        run_dir (Path): the run folder.
        blind (float): the share of texts that are shown without suggestions.
        RAISES (SeqMixError): S411, S600, S611 where answers or labels can't be read.
        """
        folder = PageFolder(run_dir)
        self.file = AnswerFile(folder.answers_path, PageAnswer)
        self.labels_path = folder.labels_path
        self.labels: list[PageLabel] = read_labels(self.labels_path)
        self.blind, self.clock = blind, clock
        self.head: AskedHeader | None = None
        self.texts: tuple[AskedText, ...] = ()
        self.tabs: dict[str, Tab] = {}
        self._asked = Watched(RunFolder(run_dir).asked)
        self._lock = RLock()
        # The times of answers and of labels tell which came first: no two are the same.
        self._now = now_utc()
        self._given: dict[str, AskedText] = {}
        # The last answer to each text; the last one given is at the end.
        self.answers: dict[str, PageAnswer] = {}
        self._ids: set[str] = set()
        for answer in self.file.lines():
            self._remember(answer)

    def _remember(self, answer: PageAnswer) -> None:
        self.answers.pop(answer.key, None)
        self.answers[answer.key] = answer
        self._ids.add(answer.id)

    def refresh(self) -> None:
        """Read the tasks again where the loop has replaced them."""
        with self._lock:
            if self._asked.changed() and (asked := Asked.read(self._asked.path)) is not None:
                self.head, self.texts = asked

    def hand_out(self, tab: str, holds: Collection[str], wanted: int) -> list[Given]:
        """Give a tab the next texts: those that nobody has labelled and no other tab holds.

        tab (str): the name of the tab.
        holds (Collection[str]): the keys of the texts that it has; others are given back.
        wanted (int): how many more it wants.
        """
        with self._lock:
            self.refresh()
            self.heard(tab, holds)
            batch = [task for task in self.texts if not task.reserve]
            reserve = [task for task in self.texts if task.reserve]
            found = self._free(batch, GONE) or self._free(batch, SILENT)
            found = (found + self._free(reserve, GONE))[:wanted]
            if not found and not holds:
                found = self._free(self.texts, LEFT)[:wanted]
            self.tabs[tab].keys |= {task.key for task in found}
            self._given.update((task.key, task) for task in found)
            return [self._as_given(task) for task in found]

    def _free(self, tasks: Iterable[AskedText], patience: float) -> list[AskedText]:
        """Those of the tasks that no tab has that was heard of, and nobody has answered."""
        now = self.clock()
        taken = {key for tab in self.tabs.values() if now - tab.seen < patience for key in tab.keys}
        taken |= self.answers.keys()
        return [task for task in tasks if task.key not in taken]

    def held_by_others(self, tab: str) -> set[str]:
        """The texts that are open in other tabs."""
        with self._lock:
            others = [one.keys for name, one in self.tabs.items() if name != tab]
            return set().union(*others)

    def _as_given(self, task: AskedText) -> Given:
        hidden = task.suggestions is not None and is_blind(task.key, self.blind)
        more = {"round": 0 if self.head is None else self.head.round, "blind": hidden}
        return Given(**{**dict(task), **more, **({"suggestions": None} if hidden else {})})

    def heard(self, tab: str, holds: Collection[str]) -> None:
        """Keep the texts of a tab that somebody works in; forget tabs that have ended."""
        with self._lock:
            now = self.clock()
            self.tabs[tab] = Tab(now, set(holds))
            self.tabs = {name: one for name, one in self.tabs.items() if now - one.seen < GONE}

    def release(self, tab: str) -> None:
        """Give back the texts of a tab that was closed."""
        with self._lock:
            self.tabs.pop(tab, None)

    def answer(self, answer: PageAnswer) -> None:
        """Keep an answer. It is on the disk when this returns; the same one again changes nothing.

        RAISES (SeqMixError): S411 where it can't be written: it does not count. S693 where it would
            replace another one than it says.
        """
        with self._lock:
            if answer.id in self._ids:
                return
            last = self.answers.get(answer.key)
            if last is not None and answer.base != last.id:
                raise SeqMixError(Errors.E693.format(key=answer.key))
            task = self._given.get(answer.key)
            if answer.blind and task is not None:
                answer = answer.model_copy(update={"hidden": task.suggestions})
            answer = answer.model_copy(update={"at": self._tick()})
            self.file.append(answer)
            self._remember(answer)

    def hand_over(self, run_dir: Path) -> None:
        """Give the loop's file the answers that the loop has not read, when it has ended.

        RAISES (SeqMixError): S411, S412 where another process trains.
        """
        with self._lock, locked(run_dir):
            file = AnswerFile(RunFolder(run_dir).answers)
            known = {key: _said(record) for key, record in file.read().items()}
            new = [one for key, one in self.answers.items() if known.get(key) != _said(one)]
            file.append(*map(_plain, new))

    def answered(self, keys: Collection[str]) -> list[str]:
        """Those of the keys whose texts were answered, by whomever."""
        with self._lock:
            return [key for key in keys if key in self.answers]

    def last(self, key: str) -> PageAnswer | None:
        """The last answer to a text."""
        with self._lock:
            return self.answers.get(key)

    def done(
        self,
        *,
        before: str | None = None,
        label: str | None = None,
        skipped: bool = False,
        skip: int = 0,
        limit: int = 50,
    ) -> tuple[int, list[PageAnswer]]:
        """What was answered, the last first.

        before (str | None): only texts that were labelled before this label existed.
        label (str | None): only texts with an entity of this label.
        skipped (bool): only texts that were skipped.
        RETURNS (tuple): how many there are, and those from ``skip`` on.
        """
        with self._lock:
            added = next((one for one in self.labels if one.name == before), None)
            rows = list(reversed(self.answers.values()))
            rows = rows if added is None else list(added.older(rows))
            if label is not None:
                rows = [one for one in rows if any(span.label == label for span in one.spans)]
            if skipped:
                rows = [one for one in rows if one.skipped]
            return len(rows), rows[skip : skip + limit]

    def older(self) -> dict[str, int]:
        """How many texts were labelled before a label existed, for labels with any."""
        with self._lock:
            counts = {
                one.name: sum(1 for _ in one.older(self.answers.values())) for one in self.labels
            }
            return {name: count for name, count in counts.items() if count}

    def add_label(self, name: str) -> None:
        """Add a label at the end. RAISES (SeqMixError): S600, S680."""
        with self._lock:
            known = [one.name for one in self.labels]
            if name.strip() in known:  # a tab that got no answer asks again
                return
            wanted = [*known, check_label(name, known)]
            self.labels = update_labels(self.labels_path, wanted, self._tick())

    def remove_label(self, name: str) -> None:
        """Take back a label that no text has. RAISES (SeqMixError): S600, S681, S682."""
        with self._lock:
            wanted = [one.name for one in self.labels if one.name != name]
            if not wanted:  # which would mean to keep all
                raise SeqMixError(Errors.E682.format(path=self.labels_path.parent.parent))
            self.labels = update_labels(self.labels_path, wanted, self._tick(), self._used())

    def _used(self) -> set[str]:
        return {span.label for one in self.answers.values() for span in one.spans}

    def _tick(self) -> str:
        self._now = now_utc(after=self._now)
        return self._now

    def all(self) -> Iterable[PageAnswer]:
        """The last answer to each text."""
        with self._lock:
            return list(self.answers.values())
