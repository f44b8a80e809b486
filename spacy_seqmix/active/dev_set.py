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
        docs, candidates = pool.docs, list[int]()
        same = docs.identity if isinstance(docs, LazyDocs) else lambda i: docs[i].text
        chosen, seen = set[Hashable](), set[Hashable]()
        # Files that came later are drawn from by themselves: what was drawn before stays aside.
        for number, ids in enumerate(pool.generations):
            stream = [active.seed, ASIDE, number] if number else [active.seed, ASIDE]
            order = [ids[i] for i in np.random.default_rng(stream).permutation(len(ids)).tolist()]
            texts = [same(i) for i in order]
            copies, left = Counter(texts), round(active.dev_share * len(ids))
            for text in texts:
                if left > 0 and text not in seen:
                    seen.add(text)
                    chosen.add(text)
                    left -= copies[text]
            seen.update(texts)
            candidates += [i for i, text in zip(order, texts, strict=True) if text in chosen]
        return cls(active, None, tuple(candidates))

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
