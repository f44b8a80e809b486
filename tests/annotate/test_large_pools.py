"""Pools of many .spacy files: each is read a few times, however many texts are wanted of it."""

import json
import random

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_seqmix.annotate.ingest import ingest_file
from spacy_seqmix.annotate.join import texts_of
from spacy_seqmix.annotate.query import query_pool
from spacy_seqmix.annotate.rows import Row
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.texts import KEY, task_key
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.query.by_name import policy_of
from spacy_seqmix.query.policies import QueryPolicy
from spacy_seqmix.query.selection import Budget
from spacy_seqmix.score.by_key import read_scores
from spacy_seqmix.score.run import score_pool
from spacy_seqmix.score.scorer import Wanted


@pytest.fixture
def pool(tmp_path, all_news):
    for k in range(3):
        DocBin(docs=all_news[k * 10 : k * 10 + 10]).to_disk(tmp_path / f"part-{k}.spacy")
    return tmp_path / "part-*.spacy"


@pytest.fixture(autouse=True)
def batches(monkeypatch):
    """Several batches of the thirty docs."""
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.FIRST", 9)


@pytest.mark.parametrize("diverse", [False, True])
def test_query_reads_each_file_a_few_times(pool, opened, all_news, diverse):
    nlp = spacy.blank("en")
    budget, policy = Budget(docs=5 if diverse else 20), policy_of("Random")
    asked = query_pool(nlp, [pool], policy, budget, diverse=diverse)
    assert len(opened) <= 8 * 3  # to index, for texts, scores and near-duplicates, for tasks
    assert len(asked.tasks) == budget.docs
    for task in asked.tasks:
        number = int(task.key.partition("-")[0])
        assert task.key == task_key(number, all_news[number].text) == task.doc.user_data[KEY]
        assert task.doc.text == all_news[number].text


def answers(tmp_path, all_news, with_keys):
    numbers = random.Random(0).sample(range(30), 24)
    rows = [
        {
            "text": all_news[number].text,
            "spans": [
                {"start": e.start_char, "end": e.end_char, "label": e.label_}
                for e in all_news[number].ents
            ],
            **({"meta": {"key": task_key(number, all_news[number].text)}} if with_keys else {}),
        }
        for number in numbers
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return numbers, path


@pytest.mark.parametrize("with_keys", [True, False])
@pytest.mark.parametrize("annotators", [None, "vote"])
@pytest.mark.filterwarnings("ignore:.*W730")  # all of it is by one person
def test_ingest_reads_each_file_a_few_times(
    tmp_path, pool, opened, all_news, with_keys, annotators
):
    numbers, path = answers(tmp_path, all_news, with_keys)
    out = tmp_path / "out.spacy"
    ingest_file([path], out, Language(), pool=[pool], annotators=annotators)
    assert len(opened) <= 3 * 3
    docs = read_docs(out, spacy.blank("en"))
    assert [doc.text for doc in docs] == [all_news[number].text for number in numbers]
    for number, doc in zip(numbers, docs, strict=True):
        found = [(e.start, e.end, e.label_) for e in doc.ents]
        assert found == [(e.start, e.end, e.label_) for e in all_news[number].ents]


@pytest.mark.parametrize("policy", ["NTE", "TokenCost", "Random"])
def test_query_forgets_the_words_of_texts_that_are_not_asked(
    tmp_path, pipeline, monkeypatch, policy
):
    monkeypatch.setattr("spacy_seqmix.query.policies.TOGETHER", 8)
    monkeypatch.setattr("spacy_seqmix.annotation.lazy_docs.LAST", 8)
    (tmp_path / "texts.txt").write_text("\n".join(f"Word{i} left Town{i}." for i in range(80)))
    nlp = spacy.load(pipeline)
    asked = query_pool(nlp, [tmp_path / "texts.txt"], policy_of(policy), Budget(docs=2))
    assert asked.scored == 80
    kept = sum(f"Town{i}" in nlp.vocab.strings for i in range(80))
    assert kept <= 8 + 9  # the first texts, which fill the tokenizer's cache, and the best ones


def test_query_frees_no_docs_that_a_policy_keeps(tmp_path, pipeline):
    """It is of a user."""
    kept = []

    def score(docs, rng):
        kept.extend(docs)
        return np.zeros(len(docs), dtype="float32")

    texts = [f"Word{i} left Town{i}." for i in range(20)]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    nlp, policy = spacy.load(pipeline), QueryPolicy(score, needs="nothing")
    for _ in range(2):  # the first texts would be kept anyway
        kept.clear()
        query_pool(nlp, [tmp_path / "texts.txt"], policy, Budget(docs=2))
        assert [doc.text for doc in kept] == texts
        texts = [text.replace("Town", "City") for text in texts]
        (tmp_path / "texts.txt").write_text("\n".join(texts))


@pytest.mark.parametrize("score_size", [None, 12, 1000])
def test_query_takes_texts_of_all_kinds_of_files(tmp_path, pool, pipeline, all_news, score_size):
    more = [f"Harbour {i} is closed." for i in range(6)]
    (tmp_path / "more.txt").write_text("\n" + "\n".join(more))
    files, budget = [pool, tmp_path / "more.txt"], Budget(docs=40)
    asked = query_pool(spacy.load(pipeline), files, policy_of("NTE"), budget, score_size=score_size)
    assert asked.scored == len(asked.tasks) == min(36, score_size or 36)
    texts = [*(doc.text for doc in all_news), "", *more]
    for task in asked.tasks:
        number = int(task.key.partition("-")[0])
        assert task.key == task_key(number, texts[number])
        assert task.doc.text == texts[number]


def test_answers_are_joined_with_the_texts_that_they_name(pool, all_news):
    def row(key, text):
        return Row("file", text, "labelled", key)

    texts = [doc.text for doc in all_news]
    rows = [row(task_key(3, texts[3]), "?"), row("", texts[7]), row("other", "Another text.")]
    found = texts_of(rows, [pool], spacy.blank("en"))
    assert list(found) == [task_key(3, texts[3]), task_key(7, texts[7])]
    assert [one.text for one in found.values()] == [texts[3], texts[7]]
    assert [one.doc().text for one in found.values()] == [texts[3], texts[7]]


@pytest.mark.parametrize("score_size", [None, 5])
def test_query_by_scores_is_as_by_the_policy(tmp_path, pool, pipeline, score_size):
    nlp = spacy.load(pipeline)
    policy, how = policy_of("NTE"), {"score_size": score_size, "seed": 3}
    score_pool(Wanted(str(pipeline), policy="NTE"), [pool], tmp_path / "scores", progress=False)
    scores = read_scores(tmp_path / "scores")
    asked, again = [
        query_pool(nlp, [pool], policy, Budget(docs=4), scores=known, **how)
        for known in (None, scores)
    ]
    assert [task.key for task in again.tasks] == [task.key for task in asked.tasks]
    assert again.scored == asked.scored == (score_size or 30)
    # Texts without a score are not asked.
    some = dict(list(scores.items())[:3])
    least = query_pool(nlp, [pool], policy, Budget(docs=4), scores=some)
    assert {task.key for task in least.tasks} == set(some)
    assert {task.key: task.score for task in least.tasks} == pytest.approx(some)
    with pytest.raises(SeqMixError, match=r"S649.*30 texts, none of them with a score"):
        query_pool(nlp, [pool], policy, Budget(docs=4), scores={"0-0123456789": 1.0})
