"""What the side bar shows: counts, the curve, what is asked and why, and when to stop."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from ...active.asked import Status
from ...active.journal import RoundRecord, read_journal
from ...active.run_folder import RunFolder
from ...errors import SeqMixError
from ...query.agreement import ROUNDS, Agreement, should_stop
from ..training import Training
from .blind import blind_result
from .curve import curve_of, types_of
from .desk import Desk
from .rows import PageAnswer
from .watched import Watched

__all__ = ["WHY", "Progress"]

State: TypeAlias = dict[str, Any]
# On fewer texts two models agree by chance.
LEAST = 30

# What each policy asks for, in words.
WHY = {
    "RandomPolicy": "Texts are drawn at random.",
    "NTE": "Texts come first in which the model is least sure of its labels, token by token.",
    "LeastConfidence": "Texts come first whose most likely labelling is least likely.",
    "Margin": "Texts come first in which the two best labels of a token are closest.",
    "MNLP": "Texts come first whose labelling is least likely, whatever their length.",
    "QBC": "Texts come first on which several models disagree.",
    "TagCount": "Texts come first in which the model expects most tokens of entities.",
    "Fluctuation": "Texts come first for which the model changes its mind from round to round.",
    "TokenCost": "Texts come first that promise most for the words that you read.",
}
# And how the texts of the first round are chosen.
FIRST = {
    "random": "There is no model of these labels yet: the first texts are drawn at random.",
    "diverse": "There is no model of these labels yet: the first texts are as different as can be.",
}


class Progress:
    """Reads the run folder again where the loop has changed it."""

    def __init__(
        self,
        run_dir: Path,
        desk: Desk,
        *,
        identity: str,
        title: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """
        identity (str): names the run in the browser's storage.
        title (str): of the page.
        facts (Mapping | None): what else does not change, see ``PageFolder.facts``.
        """
        self.folder, self.desk, self.run = RunFolder(run_dir), desk, identity
        self.fixed = {"run": identity, "title": title, **(facts or {})}
        self._journal = Watched(self.folder.journal)
        self._records: list[RoundRecord] = []
        self._problem: str | None = None
        self._lock = Lock()

    def records(self) -> list[RoundRecord]:
        """The finished rounds."""
        with self._lock:
            if self._journal.changed():
                try:
                    self._records, self._problem = read_journal(self._journal.path), None
                except SeqMixError as err:
                    self._problem = str(err)
            return self._records

    def state(self, training: Training | None, tab: str = "") -> State:
        """Everything, as the page of a tab gets it."""
        self.desk.refresh()
        records, answers = self.records(), list(self.desk.all())
        return {
            **self.fixed,
            "labels": [one.name for one in self.desk.labels],
            "older": self.desk.older(),
            "counts": _counts(answers),
            "batch": self._batch(tab),
            "curve": curve_of(records),
            "types": types_of(records),
            "most_aside": self._most_aside(),
            "last": None if not records else records[-1].seconds.total,
            "next": self._next(),
            "advice": advice(records),
            "blind": blind_result(answers) if self.desk.blind else None,
            "model": self._model(records),
            "loop": self._loop(training),
        }

    def _batch(self, tab: str) -> State:
        """How far the round is, as the loop counts: the first texts that are not skipped are the
        batch, and answers to others are early. Other tabs may have some of the batch open."""
        head, answers = self.desk.head, self.desk.answers
        texts = [one.key for one in self.desk.texts]
        keys = [key for key in texts if key not in answers or not answers[key].skipped]
        n = 0 if head is None else head.n
        lacking = {key for key in keys[:n] if key not in answers}
        return {
            "round": None if head is None else head.round,
            "n": n,
            "labelled": len(keys[:n]) - len(lacking),
            "early": sum(key in answers for key in keys[n:]),
            "elsewhere": len(lacking & self.desk.held_by_others(tab)),
        }

    def _most_aside(self) -> int | None:
        """How many texts can be set aside in the whole run; None where that isn't known."""
        share, head, answers = self.fixed.get("dev_share"), self.desk.head, self.desk.answers
        if share is None or head is None:
            return None
        # The loop's pool has the texts that it asks for, answered or not.
        asked = {one.key for one in self.desk.texts}
        return int(share * (head.pool + sum(key not in asked for key in answers)))

    def _next(self) -> State | None:
        head = self.desk.head
        if head is None:
            return None
        kind = head.policy.removeprefix("spacy-seqmix.").partition(".")[0]
        why = WHY.get(kind, "") if head.round else FIRST.get(kind, FIRST["random"])
        texts = self.desk.texts
        return {
            "policy": kind,
            "why": why,
            "pool": max(0, head.pool - sum(one.key in self.desk.answers for one in texts)),
            # The loop has looked for texts, and those that there are resemble others too much.
            "left_out": 0 if texts else head.pool,
            "scored": head.scored,
            "model": head.model,
        }

    def _model(self, records: Sequence[RoundRecord]) -> State | None:
        """Where the last pipeline lies."""
        path = self.folder.last_model
        if not records or not path.exists():
            return None
        answers, run = self.folder.answers.absolute(), path.parent.absolute()
        return {
            "path": str(path.absolute()),
            "round": records[-1].round,
            "answers": str(answers),
            "run": str(run),
        }

    def _loop(self, training: Training | None) -> State:
        """What the loop does, and for how long. What one did that has ended does not count."""
        status = Status.read(self.folder.status)
        if training is not None and status is not None and status.since < training.since:
            status = None
        now = time.time()
        begun = now if training is None else training.since
        since = begun if status is None else status.since
        return {
            "phase": "start" if status is None else status.phase,
            "elapsed": max(0.0, now - since),
            "alive": training is None or training.is_alive,
            "finished": training is not None and training.has_finished,
            "message": (training.message() if training is not None else None) or self._problem,
        }


def _counts(answers: Sequence[PageAnswer]) -> State:
    labelled = [one for one in answers if not one.skipped]
    types = Counter(span.label for one in labelled for span in one.spans)
    return {
        "labelled": len(labelled),
        "empty": sum(not one.spans for one in labelled),
        "skipped": len(answers) - len(labelled),
        "types": dict(types),
    }


def advice(records: Sequence[RoundRecord]) -> State | None:
    """How much successive models agree, the bound on the change of F1, and whether to stop."""
    told = [record.agreement for record in records if record.agreement is not None]
    if not told:
        return None
    history = [Agreement(one.kappa, one.agreement) for one in told]
    return {
        "docs": told[-1].docs,
        "agreement": history[-1].same,
        "kappa": history[-1].kappa,
        "bound": history[-1].bound,
        "stop": should_stop(history) and all(one.docs >= LEAST for one in told[-ROUNDS:]),
    }
