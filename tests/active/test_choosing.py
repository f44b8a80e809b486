"""Which texts a round asks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spacy.tokens import Doc

from spacy_seqmix.active.dev_set import DevSet
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.active.pool import Pool
from spacy_seqmix.active.querying import Query, interleaved
from spacy_seqmix.annotation.lazy_docs import lazy_docs
from spacy_seqmix.query.policies import QueryPolicy, make_random_policy
from spacy_seqmix.query.wrapping import make_token_cost_policy
from spacy_seqmix.types import Answer

BY_LENGTH = QueryPolicy(
    lambda docs, rng: np.array([len(doc) for doc in docs], dtype="float32"), needs="nothing"
)


@pytest.fixture
def query(start: Callable[..., ActiveRun]) -> Callable[..., Query]:
    """A function that makes the query of a round over docs."""
    run = start({"active.mixing": None})

    def make(
        docs: Sequence[Doc],
        number: int = 1,
        candidates: Sequence[int] = (),
        pool: Pool | None = None,
        **settings: Any,
    ) -> Query:
        return replace(
            run._query(number),
            pool=pool or Pool(dict(enumerate(docs))),
            active=run.active.model_copy(update=settings),
            policy=BY_LENGTH,
            candidates=candidates,
        )

    return make


@pytest.mark.parametrize("name", ["Random", "TokenCost"])
def test_query_forgets_the_words_of_texts_that_are_not_asked(
    query: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("spacy_seqmix.query.policies.TOGETHER", 8)
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.LAST", 8)
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.FIRST", 8)
    (tmp_path / "texts.txt").write_text("\n".join(f"Word{i} left Town{i}." for i in range(80)))
    policy = make_random_policy()
    policy = make_token_cost_policy(policy) if name == "TokenCost" else policy
    one = query([])
    docs = lazy_docs([tmp_path / "texts.txt"], one.blank)
    chosen = replace(one, pool=Pool(docs), policy=policy).choose(2, 0)
    assert chosen.scored == 80
    kept = sum(f"Town{i}" in one.blank.vocab.strings for i in range(80))
    assert kept <= 8 + 8  # the first texts, which fill the tokenizer's cache, and the best ones


def test_query_asks_the_most_wanted_first(query: Any, all_news: list[Doc]) -> None:
    chosen = query(all_news).choose(4, 6)
    lengths = [len(all_news[i]) for i in chosen.ids]
    assert lengths == sorted((len(doc) for doc in all_news), reverse=True)[:10]
    assert chosen.n == 4
    assert all(chosen.scores[i] == len(all_news[i]) for i in chosen.ids)


def test_query_takes_its_share_of_candidates_in_their_order(
    query: Any, all_news: list[Doc]
) -> None:
    candidates = [7, 2, 28, 11, 5, 19]
    one = query(all_news, candidates=candidates)
    chosen = one.choose(10, 10)
    assert [i for i in chosen.ids if i in candidates] == [7, 2, 28, 11]
    assert [k for k, i in enumerate(chosen.ids) if i in candidates] == [4, 9, 14, 19]
    assert not set(chosen.scores) & {*candidates}  # policies never see them
    # the share holds over all rounds, however small they are
    pool = one.pool
    for _ in range(20):
        (number,) = query(all_news, candidates=candidates, pool=pool).choose(1, 0).ids
        pool = pool.with_batch([number], {number} & {*candidates})
    assert pool.held_out == (7, 2, 28, 11)


def test_query_goes_on_with_what_is_left(query: Any, all_news: list[Doc]) -> None:
    chosen = query(all_news, candidates=[3, 4]).choose(30, 10)
    assert sorted(chosen.ids) == list(range(30))
    chosen = query(all_news, candidates=range(29)).choose(5, 0)
    assert chosen.ids == [29, 0, 1, 2, 3]
    assert interleaved([1], [8, 9], [False, False, True, True]) == [1, 8, 9]


def test_query_early_answers_come_first(query: Any, all_news: list[Doc]) -> None:
    answers = {4: Answer("4-a", all_news[4]), 9: Answer("9-a", all_news[9])}
    answers[2] = Answer("2-a", None)
    pool = Pool(dict(enumerate(all_news)), (1,), frozenset(), answers)
    chosen = query(all_news, pool=pool).choose(3, 2, before=[9, 4])
    assert chosen.ids[:2] == [9, 4]
    assert (len(chosen.ids), chosen.n) == (5, 3)
    assert not {1, 2} & {*chosen.ids}
    assert query(all_news, pool=pool).choose(1, 0).ids == [4, 9]  # more than were wanted


def test_query_scores_a_sample_that_its_seed_decides(query: Any, all_news: list[Doc]) -> None:
    def scored(**values: Any) -> list[int]:
        return sorted(query(all_news, score_size=8, **values).choose(4, 4).scores)

    assert len(scored()) == 8
    assert scored() == scored() != scored(seed=1)
    assert scored() != scored(number=2)


def test_query_near_duplicates_of_candidates_are_not_trained_on(
    query: Any, all_news: list[Doc]
) -> None:
    docs = [*all_news[:6], all_news[0].copy(), all_news[1].copy()]
    one = query(docs, candidates=[6, 5], duplicates=0.8, dev_share=0.5)
    chosen = one.choose(8, 0)
    assert len({docs[i].text for i in chosen.ids}) == len(chosen.ids) == 6


def test_query_of_a_pool_with_duplicates_sets_its_share_aside(
    query: Any, all_news: list[Doc]
) -> None:
    """Dev texts are drawn before the policy's, so that these don't use them up."""
    docs = [*all_news[:20], *(doc.copy() for doc in all_news[:20])]
    active = query(docs, dev_share=0.2, duplicates=0.8).active
    pool = Pool(dict(enumerate(docs)))
    candidates = DevSet.of(active, None, pool).candidates
    assert len(candidates) == 8  # four texts and their copies
    assert {i % 20 for i in candidates} == {i for i in candidates if i < 20}
    found = []
    for number in (1, 2, 3):
        one = query(docs, number, candidates, pool, dev_share=0.2, duplicates=0.8)
        chosen = one.choose(5, 0).ids
        held = [i for i in chosen if i in candidates]
        pool = pool.with_batch(chosen, held)
        found.append(len(held))
    assert found == [1, 1, 1]
    trained = {docs[i].text for i in pool.labelled}
    assert not trained & {docs[i].text for i in candidates}


def test_query_candidates_without_copies_are_a_random_share(
    query: Any, all_news: list[Doc]
) -> None:
    docs = all_news[:20]
    active = query(docs, dev_share=0.25).active
    order = np.random.default_rng([active.seed, 9]).permutation(20)
    candidates = DevSet.of(active, None, Pool(dict(enumerate(docs)))).candidates
    assert candidates == tuple(order[:5].tolist())
