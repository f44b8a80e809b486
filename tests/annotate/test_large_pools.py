"""Pools of many .spacy files: each is read a few times, however many texts are wanted of it."""

import json
import random

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_seqmix.annotate.ingest import ingest_file
from spacy_seqmix.annotate.join import DocsOfTexts, read_pool
from spacy_seqmix.annotate.query import policy_of, query_pool
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.texts import KEY, task_key
from spacy_seqmix.query.selection import Budget


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


def test_query_takes_texts_of_two_pools(pool, tmp_path, all_news):
    nlp = spacy.blank("en")
    (tmp_path / "texts.txt").write_text("\n".join(doc.text for doc in all_news))
    texts = [*read_pool([pool], nlp), *read_pool([tmp_path / "texts.txt"], nlp)]
    texts = texts[:10] + texts[45:]
    for made in (DocsOfTexts(texts), DocsOfTexts(texts[:9]), DocsOfTexts([])):
        found = list(made.take(iter(made)))
        assert [doc.text for doc in found] == [one.text for one in made.texts]
        assert [doc.user_data[KEY] for doc in found] == [one.key for one in made.texts]
