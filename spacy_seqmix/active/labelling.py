"""Have the texts of a round labelled: choose them, tell which they are, ask, and wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.texts import task_key
from ..errors import Errors, SeqMixError
from ..query.suggestions import suggest
from ..types import Suggestion, Task
from .annotation import GoldLabels
from .asked import Asked, AskedHeader, AskedText, Status
from .asking import Asking, Waiting
from .journal import RoundRecord
from .pool import Pool
from .querying import Chosen, Query
from .run_folder import RunFolder

__all__ = ["Labelling", "Pause"]

# Called with what a round waits for. Returns whether to ask again; if not, the run ends for now.
Pause: TypeAlias = Callable[[Waiting], bool]
# Beside the texts that a round asks, this many are in the reserve, and at least so many times n.
RESERVE, TIMES = 50, 2


class Labelling:
    """Has texts labelled by those whom the oracle stands for."""

    def __init__(
        self, asking: Asking, folder: RunFolder, policy: str, labels_of: GoldLabels
    ) -> None:
        """policy (str): its registered name. labels_of (Callable): what is learnt from a doc."""
        self.asking, self.folder = asking, folder
        self.policy, self.labels_of = policy, labels_of
        self.of_people = not asking.oracle.needs_gold

    def tell(self, number: int, phase: str) -> None:
        """Let people know what the run does."""
        if self.of_people:
            Status.write(self.folder.status, number, "wait" if phase == "annotate" else phase)

    def choose(self, query: Query) -> Asked:
        """What a round asks: what it asked before, if it goes on. Answers that have come since are
        taken first."""
        self.asking.ask((), query.number)
        asked = Asked.read(self.folder.asked) if self.of_people else None
        if asked is not None and self._goes_on(asked, query):
            return asked
        before = [] if asked is None else [text.number for text in asked.texts]
        return self._choose(query, query.active.n_new(query.number), before)

    def _goes_on(self, asked: Asked, query: Query) -> bool:
        """Whether texts were asked for this round, with the same settings: they may be corrected
        after a first round that failed."""
        header = asked.header
        wanted, drawn = query.active.n_new(query.number), _drawn(query)
        same = header.wanted in (None, wanted) and header.drawn in (None, drawn)
        return header.round == query.number and same and self._are_known(asked.texts, query.pool)

    def _are_known(self, texts: Sequence[AskedText], pool: Pool) -> bool:
        """Whether there are texts, and the pool has all of them."""
        numbers = [text.number for text in texts]
        if not numbers or not all(number in pool.docs for number in numbers):
            return False
        keys = map(task_key, numbers, (doc.text for doc in self.asking.docs_of(numbers)))
        return [text.key for text in texts] == list(keys)

    def collect(self, asked: Asked, query: Query, pause: Pause) -> list[int] | None:
        """Ask until every text has an answer, and as many of them are labelled as were wanted.

        RETURNS (list[int] | None): the ids that were labelled, in the order in which they were
            asked: it does not matter in which order answers came. None where answers lack.
        RAISES (SeqMixError): S413 where every text is labelled, and there is nothing to learn.
        """
        answers, wanted = self.asking.answers, asked.header.n
        while True:
            texts = [t for t in asked.texts if not self._is_skipped(t.number)]
            texts, batch = texts[:wanted], [t.number for t in texts[:wanted]]
            lacking = [t for t in texts if t.number not in answers]
            if lacking:
                docs = self.asking.docs_of(t.number for t in lacking)
                if self.of_people:  # their oracle may write into the docs
                    docs = [doc.copy() for doc in docs]
                pairs = zip(lacking, docs, strict=True)
                tasks = [text.task(doc, asked.header) for text, doc in pairs]
                if self.asking.ask(tasks, query.number):
                    continue
                advice = self.asking.oracle.advise(tasks)
                if pause(Waiting(query.number, len(tasks), len(batch), advice)):
                    continue
                return None
            if len(batch) >= wanted:
                if self._can_train(batch, query):
                    return batch
                wanted += query.active.n_new(query.number)
            asked = self._choose(query, wanted, [t.number for t in asked.texts])
            if all(t.number in answers for t in asked.texts):  # there is no other text
                if batch and not self._can_train(batch, query):
                    raise SeqMixError(Errors.E413.format(n=len(batch)))
                return batch

    def fields(
        self, pool: Pool, queried: Sequence[int], records: Sequence[RoundRecord]
    ) -> dict[str, Any]:
        """What a record says of the people who label; nothing of a gold oracle.

        queried (Sequence[int]): the texts that the round has labelled.
        """
        if not self.of_people:
            return {}
        known = {number for record in records for number in record.skipped}
        skipped = [number for number in pool.skipped if number not in known]
        found = [self.asking.answers.get(number) for number in (*queried, *skipped)]
        spent = [None if one is None else one.seconds for one in found]
        seconds = [one for one in spent if one is not None]
        total = round(sum(seconds), 2) if len(seconds) == len(spent) else None
        return {"skipped": skipped, "seconds_of_people": total}

    def _choose(self, query: Query, wanted: int, before: Sequence[int]) -> Asked:
        reserve = max(TIMES * wanted, RESERVE) if self.of_people else 0
        chosen = query.choose(wanted, reserve, before)
        asked = self._asked(query, chosen)
        if self.of_people:
            asked.write(self.folder.asked)
        return asked

    def _asked(self, query: Query, chosen: Chosen) -> Asked:
        n, number = min(chosen.n, len(chosen.ids)), query.number
        texts = self.asking.docs_of(chosen.ids)
        suggestions: Sequence[tuple[Suggestion, ...] | None] = [None] * len(texts)
        model = f"round-{number - 1:02d}" if number else None
        if self.of_people and number:
            suggestions = self._suggest(query, texts)
        elif self.of_people and query.seed_model is not None:
            model = query.seed_model.name
            with query.bar(len(texts), "Suggesting") as bar:
                suggestions = query.seed_model.suggest(texts, bar.update)
        header = AskedHeader(
            round=number,
            n=n,
            policy=self.policy if number else query.active.first,
            model=model,
            wanted=query.active.n_new(number),
            drawn=_drawn(query),
            pool=len(query.pool.unlabelled),
            scored=chosen.scored,
        )
        aside = set(query.candidates)
        lines = []
        for place, (i, doc) in enumerate(zip(chosen.ids, texts, strict=True)):
            key, score = task_key(i, doc.text), chosen.scores.get(i)
            # Whoever sees suggestions may follow them: scores would flatter the model.
            seen = None if i in aside else suggestions[place]
            task = Task(key, doc, number, seen, score, header.model)
            lines.append(AskedText.of(task, i, dev=i in aside, reserve=place >= n))
        return Asked(header, tuple(lines))

    def _suggest(self, query: Query, docs: Sequence[Doc]) -> list[tuple[Suggestion, ...]]:
        nlp: Language = query.model()
        with query.bar(len(docs), "Suggesting") as bar:
            return suggest(nlp, query.active.component, docs, progress=bar.update)

    def _can_train(self, batch: Sequence[int], query: Query) -> bool:
        """Whether a doc that is trained on has anything to learn from."""
        pool = query.pool.with_batch(batch, set(query.candidates) & set(batch))
        return any(self.labels_of(doc) for doc in pool.take(pool.labelled))

    def _is_skipped(self, number: int) -> bool:
        answer = self.asking.answers.get(number)
        return answer is not None and answer.skipped


def _drawn(query: Query) -> dict[str, Any]:
    """The settings that decide which texts are asked, beside their number."""
    names = ("seed", "first", "dev_share", "duplicates")
    return {name: getattr(query.active, name) for name in names}
