"""Which texts a round asks: those that were answered early, then the most wanted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from spacy.language import Language

from ..annotation.lazy_docs import DocsInOrder
from ..annotation.vocabulary import temporary_words
from ..parallel.workers import RayOptions
from ..query.diverse import diverse_sample, doc_vectors
from ..query.policies import TOGETHER, QueryPolicy, score_docs
from ..query.selection import Budget, NearDuplicates, Vectors, ranked, select
from ..types import Floats1d
from .committee import Committee
from .evidence import Evidence, computed_by_workers, packed_pipeline
from .pool import Pool, sample
from .run_folder import RunFolder
from .schema import ActiveSchema
from .score_history import read_history, write_scores
from .seed_model import SeedModel, load_seed_model

# Streams of random numbers, one for each purpose and round, so that none depends on another (1 is
# the pool's, 4 that of mixing, 5 the committee's, 6 that of unlabelled docs, 8 that of agreement,
# 9 that of what is set aside, 11 that of second trainings).
SEED_SET, QUERY, SCORED, CLUSTERS = 2, 3, 7, 10


class Ranking(NamedTuple):
    """Ids, the most wanted first, and their scores where they were scored."""

    ids: list[int]
    scores: Floats1d


class Chosen(NamedTuple):
    """What a round asks.

    ids (list[int]): the most wanted first; from the n-th on they are the reserve.
    n (int): how many are asked.
    scores (Mapping[int, float]): the policy's, of those among them that were scored.
    scored (int): how many texts were scored.
    """

    ids: list[int]
    n: int
    scores: Mapping[int, float]
    scored: int


@dataclass(frozen=True)
class Query:
    """Chooses the texts of a round.

    number (int): of the round.
    pool (Pool): what is labelled, skipped and left.
    candidates (Sequence[int]): ids of texts that are set aside for evaluation, in the order in
        which they are labelled; policies do not rank them.
    folder (RunFolder): keeps the scores of policies that look back.
    blank (Language): has the vocabulary of the pool's docs.
    model (Callable): gives the last round's pipeline, which is loaded if need be.
    bar (Callable): makes a progress bar, from a total and a phase.
    ray (RayOptions | None): the Ray cluster that scores.
    """

    number: int
    pool: Pool
    active: ActiveSchema
    policy: QueryPolicy
    committee: Committee | None
    candidates: Sequence[int]
    folder: RunFolder
    blank: Language
    model: Callable[[], Language]
    bar: Callable[[int | None, str], AbstractContextManager[Any]]
    ray: RayOptions | None = None

    def choose(self, wanted: int, reserve: int, before: Sequence[int] = ()) -> Chosen:
        """Choose texts.

        wanted (int): how many to ask. Those that were answered already come first, and count.
        reserve (int): how many to add, for those that are skipped, and for the next round.
        before (Sequence[int]): ids in the order in which they were asked before.
        """
        aside = set(self.candidates)
        left = self.pool.unlabelled
        rank = {i: place for place, i in enumerate(before)}
        early = [i for i in left if i in self.pool.answers]
        early.sort(key=lambda i: (rank.get(i, len(rank)), i))
        rest = [i for i in left if i not in self.pool.answers]
        wanted = max(wanted, len(early))
        n = wanted + reserve - len(early)
        kinds = self._kinds(early, n) if aside else [False] * n
        n_first = kinds[: wanted - len(early)].count(False)
        ranking = self._rank([i for i in rest if i not in aside], n_first)
        near, docs = self._near_duplicates(early), self.pool.docs
        # First those that are set aside: what is like them is then not trained on, and they are a
        # random sample of all texts, not of those that are unlike what the policy wants.
        free = aside.intersection(rest)
        held_of = [i for i in self.candidates if i in free]
        held = select(held_of, docs, Budget(sum(kinds)), near)
        chosen = select(ranking.ids, docs, Budget(n_first), near, self._vectors, self._clusters)
        others = set(chosen)
        reserve_of = [i for i in ranking.ids if i not in others]
        chosen += select(reserve_of, docs, Budget(n - n_first - len(held)), near)
        if lacking := n - len(held) - len(chosen):  # policies have no other text
            free -= {*held}
            held += select([i for i in held_of if i in free], docs, Budget(lacking), near)
        ids = [*early, *interleaved(chosen, held, kinds)]
        wished, of_rank = {*ids}, zip(ranking.ids, ranking.scores, strict=False)
        scores = {i: float(score) for i, score in of_rank if i in wished}
        return Chosen(ids, wanted, scores, len(ranking.scores))

    def _kinds(self, early: Sequence[int], n: int) -> list[bool]:
        """Whether each of the next texts is one of the candidates, so that their share holds."""
        aside, share = set(self.candidates), self.active.dev_share
        done = [*self.pool.queried, *early]
        held, kinds = sum(i in aside for i in done), []
        for k in range(len(done) + 1, len(done) + n + 1):
            kinds.append(held < int(share * k))
            held += kinds[-1]
        return kinds

    def _rank(self, ids: Sequence[int], n: int) -> Ranking:
        """Put ids in order: in the first round at random, or n that are unlike each other before
        the others; then as the policy wants them."""
        if self.number == 0:
            rng = self._rng(SEED_SET)
            order = [ids[int(i)] for i in rng.permutation(len(ids))]
            if self.active.first == "diverse":
                vectors = None if self.seed_model is None else self.seed_model.vectors
                chosen = diverse_sample(DocsInOrder(self.pool.docs, order), n, rng, vectors)
                others = set(range(len(order))) - set(chosen)
                order = [order[i] for i in (*chosen, *sorted(others))]
            return Ranking(order, np.zeros(0, "float32"))
        size = self.active.score_size
        if size is not None:
            ids = [ids[i] for i in sample(len(ids), size, self._seed(SCORED))]
        rng = self._rng(QUERY)
        docs = DocsInOrder(self.pool.docs, ids, self._forgetting)
        passes = self.active.committee.members if self.committee is not None else 1
        with self.bar(passes * len(docs), "Scoring") as bar:
            found = self._scores(docs, rng, bar.update, passes)
        rounds, of = self.policy.history, self.folder.scores
        if rounds:
            write_scores(of(self.number), ids, found)
        scores = self.policy.adjusted(found, docs, read_history(of, self.number, rounds, ids))
        order = ranked(scores, range(len(ids)), rng)
        return Ranking([ids[i] for i in order], scores[order])

    @cached_property
    def seed_model(self) -> SeedModel | None:
        """The pipeline that suggests labels in the seed round, if there is one."""
        settings = self.active.seed_model
        return None if settings is None else load_seed_model(settings)

    @property
    def _vectors(self) -> Vectors | None:
        """By what docs are told apart, where they must not be alike."""
        if not self.active.diversity or self.number == 0:
            return None
        return lambda docs: doc_vectors(self.model(), self.active.component, docs)

    @property
    def _clusters(self) -> int:
        """The seed of k-means."""
        return int(self._rng(CLUSTERS).integers(2**31))

    def _scores(
        self,
        docs: DocsInOrder,
        rng: np.random.Generator,
        progress: Callable[[int], object],
        passes: int,
    ) -> Floats1d:
        """The policy's scores of docs."""
        if self.policy.needs == "nothing":
            block = nullcontext if self.policy.may_keep_docs else self._forgetting
            return score_docs(self.policy, docs, lambda some: some, rng, block)
        how = self._evidence
        if self.ray is None:
            pipelines = self._pipelines()
            evidence_of = partial(how.of, pipelines, progress=progress)
            return score_docs(self.policy, docs, evidence_of, rng, self._forgetting)
        # None of them is blank.
        lows = range(0, len(docs), TOGETHER)
        packed = (docs.packed(low, low + TOGETHER) for low in lows)
        found = [np.zeros(0, dtype="float32")]
        for evidence in computed_by_workers(how, self._packed_pipelines(), packed, self.ray):
            found.append(self.policy(evidence, rng))
            progress(passes * len(found[-1]))
        return np.concatenate(found)

    def _forgetting(self) -> AbstractContextManager[None]:
        """A block that frees the words that it adds."""
        return temporary_words(self.blank, tokenises=True)

    @property
    def _evidence(self) -> Evidence:
        """What the policy scores, and how."""
        committee = self.committee
        return Evidence(
            self.policy.needs,
            self.active.component,
            str(self.model().lang),
            self.active.matmul_precision,
            0.0 if committee is None else committee.settings.dropout,
            () if committee is None else committee.seeds(self.number - 1),
        )

    def _pipelines(self) -> list[Language]:
        """What is asked: the last round's model, or a committee."""
        if self.committee is None:
            return [self.model()]
        return self.committee.pipelines(self.number - 1, self.model())

    def _packed_pipelines(self) -> list[bytes]:
        """The same, for other machines."""
        if self.committee is not None:  # which checks them
            self.committee.pipelines(self.number - 1, self.model())
        others = () if self.committee is None else self.committee.trained
        return [packed_pipeline(self.folder.trained(self.number - 1, k)) for k in (1, *others)]

    def _near_duplicates(self, early: Iterable[int]) -> NearDuplicates | None:
        threshold = self.active.near_duplicates
        if threshold is None:
            return None
        known = [*self.pool.queried, *self.pool.skipped, *early]
        return NearDuplicates(threshold, (doc.text for doc in self.pool.take(known)))

    def _rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng(self._seed(purpose))

    def _seed(self, purpose: int) -> list[int]:
        return [self.active.seed, purpose, self.number]


def interleaved(others: Sequence[int], held: Sequence[int], kinds: Sequence[bool]) -> list[int]:
    """Merge two lists of ids: of each place the kind says from which. Where one list has no more,
    the other one goes on."""
    queues = [list(reversed(others)), list(reversed(held))]
    out = []
    for kind in kinds:
        queue = queues[kind] or queues[not kind]
        if queue:
            out.append(queue.pop())
    return out
