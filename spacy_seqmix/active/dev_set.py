"""The docs that rounds are scored on: those of a file, or a random share of what is labelled."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..annotation.lazy_docs import LazyDocs
from ..errors import Warnings
from .pool import Pool
from .schema import ActiveSchema

# The stream of random numbers of what is set aside; see ``querying`` for others.
ASIDE = 9


@dataclass(frozen=True)
class DevSet:
    """What rounds are scored on.

    given (list[Doc] | None): the docs of the file; None where a share is set aside.
    candidates (tuple[int, ...]): ids of the texts of which the dev set is labelled, in the order in
        which they are asked. Policies never see them, so they are a random sample.
    """

    active: ActiveSchema
    given: list[Doc] | None
    candidates: tuple[int, ...] = ()

    @classmethod
    def of(cls, active: ActiveSchema, given: list[Doc] | None, pool: Pool) -> DevSet:
        """Draw the candidates, where no file has the docs. Copies of a text are on the same side:
        nothing trains on a text that is evaluated on."""
        if given is not None:
            return cls(active, given)
        ids, docs = list(pool.docs), pool.docs
        same = docs.identity if isinstance(docs, LazyDocs) else lambda i: docs[i].text
        order = np.random.default_rng([active.seed, ASIDE]).permutation(len(ids))
        n = round(active.dev_share * len(ids))
        texts = [same(ids[int(i)]) for i in order]
        copies, chosen, left = Counter(texts), set[Hashable](), n
        for text in texts:
            if left > 0 and text not in chosen:
                chosen.add(text)
                left -= copies[text]
        of_order = zip(order, texts, strict=True)
        return cls(active, None, tuple(ids[int(i)] for i, text in of_order if text in chosen))

    def held(self, ids: Iterable[int]) -> list[int]:
        """Those ids that are set aside."""
        aside = set(self.candidates)
        return [i for i in ids if i in aside]

    def docs(self, number: int, pool: Pool) -> list[Doc]:
        """The docs to score a round on; none as long as too few are set aside.

        Warns with W613 where the best model can't be chosen yet.
        """
        if self.given is not None:
            return self.given
        docs, wanted = pool.take(pool.held_out), self.active.dev_min
        if len(docs) >= wanted:
            return docs
        if self.active.select_model == "best":
            text = Warnings.W613.format(number=number, wanted=wanted, found=len(docs))
            warnings.warn(text, stacklevel=2)
        return []

    def fields(self, pool: Pool, queried: Sequence[int]) -> dict[str, Any]:
        """What a record says of the docs set aside; nothing where a file has them."""
        if self.given is not None:
            return {}
        return {"held_out": self.held(queried), "dev_docs": len(pool.held_out)}
