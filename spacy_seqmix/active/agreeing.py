"""How far the models of successive rounds agree, on texts that stay the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from spacy.language import Language

from ..query.agreement import agreement
from ..query.suggestions import suggest
from ..types import Suggestion
from .journal import AgreementRecord
from .pool import Pool
from .schema import ActiveSchema

# The stream of random numbers of these texts; see ``querying`` for others.
AGREEMENT = 8


class Agreeing:
    """Compares each round's model with the last round's, on a random sample of the pool.

    Of a pool whose dev set is labelled on the way, the sample is one of the texts for that: nothing
    trains on them. Else those that were trained on do not count, since models agree on what they
    have seen.
    """

    def __init__(
        self,
        active: ActiveSchema,
        pool: Pool,
        candidates: Sequence[int],
        bar: Callable[[int | None, str], AbstractContextManager[Any]],
    ) -> None:
        """candidates (Sequence[int]): ids of the texts that are set aside."""
        first = pool.generations[0]  # it stays what it is when the pool grows
        ids = sorted(set(candidates).intersection(first)) if candidates else first
        order = np.random.default_rng([active.seed, AGREEMENT]).permutation(len(ids))
        self.ids = [ids[int(i)] for i in sorted(order[: active.n_agreement or 0])]
        self.pool, self.component, self.bar = pool, active.component, bar
        # A round, and what its model predicts for each text.
        self._known: tuple[int, dict[int, tuple[Suggestion, ...]]] | None = None

    def fields(
        self, number: int, pool: Pool, nlp: Language, last: Callable[[], Language]
    ) -> dict[str, Any]:
        """What a record says of the agreement; nothing in the first round, or without texts.

        pool (Pool): what is labelled.
        nlp (Language): the round's model.
        last (Callable): gives the last round's.
        """
        trained = set(pool.labelled)
        ids = [i for i in self.ids if i not in trained]
        if not ids:
            return {}
        known, new = self._known, self._predict(nlp, ids)
        self._known = number, new
        if number == 0:
            return {}
        before = known[1] if known and known[0] == number - 1 else self._predict(last(), ids)
        docs = self.pool.take(ids)
        found = agreement(docs, [before[i] for i in ids], [new[i] for i in ids])
        return {
            "agreement": AgreementRecord(docs=len(docs), agreement=found.same, kappa=found.kappa)
        }

    def _predict(self, nlp: Language, ids: Sequence[int]) -> dict[int, tuple[Suggestion, ...]]:
        docs = self.pool.take(ids)
        with self.bar(len(docs), "Comparing") as bar:
            found = suggest(nlp, self.component, docs, progress=bar.update)
        return dict(zip(ids, found, strict=True))
