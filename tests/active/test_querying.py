"""What a round asks: policies that look back, diverse docs, seed models."""

from pathlib import Path

import numpy as np
import pytest
import spacy

from spacy_seqmix.active import querying, round_training
from spacy_seqmix.active.asked import Asked
from spacy_seqmix.active.score_history import read_history, write_scores
from spacy_seqmix.query.diverse import diverse_sample

from .test_waiting import begin as begin  # fixtures
from .test_waiting import few
from .test_waiting import person as person
from .test_waiting import registered as registered

FLUCTUATION = {
    "active.mixing": None,
    "active.policy": {
        "@misc": "spacy-seqmix.Fluctuation.v1",
        "weight": 30.0,
        "policy": {"@misc": "spacy-seqmix.NTE.v1"},
    },
}


def test_score_history_by_hand(tmp_path):
    def path(number):
        return tmp_path / "scores" / f"{number}.npz"

    assert read_history(path, 3, 0, [1, 2]).shape == (2, 0)
    assert read_history(path, 1, 2, [1, 2]).shape == (2, 0)
    write_scores(path(1), [5, 7, 9], np.array([0.5, -np.inf, 1.0], dtype="float32"))
    write_scores(path(3), [9], np.array([3.0], dtype="float32"))
    found = read_history(path, 4, 5, [9, 5, 7, 6])
    nan = np.nan
    expected = [[1, nan, 3], [0.5, nan, nan], [-np.inf, nan, nan], [nan, nan, nan]]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(read_history(path, 4, 1, [9]), [[3]])
    assert read_history(path, 4, 2, []).shape == (0, 2)
    path(3).write_bytes(path(3).read_bytes()[:40])
    with pytest.raises(ValueError, match=r"S715\].*3\.npz.*Delete the file"):
        read_history(path, 4, 1, [9])
    assert [p.name for p in sorted(path(1).parent.iterdir())] == ["1.npz", "3.npz"]


def scores_of(run, number):
    with np.load(run.folder.scores(number)) as found:
        return dict(zip(found["ids"].tolist(), found["scores"].tolist(), strict=True))


def test_querying_by_fluctuation_looks_at_the_rounds_before(start):
    run = start(FLUCTUATION)
    records = run.run()
    first, second = scores_of(run, 1), scores_of(run, 2)
    rest = [i for i in range(22) if i not in records[0].queried]
    assert sorted(first) == rest
    ids = [i for i in rest if i not in records[1].queried]
    assert sorted(second) == ids
    # in round 1 there is nothing to look back on
    assert [first[i] for i in records[1].queried] == sorted(first.values(), reverse=True)[:4]
    wanted = {i: second[i] + 30 * float(np.std([first[i], second[i]])) for i in ids}
    found = [wanted[i] for i in records[2].queried]
    assert found == pytest.approx(sorted(wanted.values(), reverse=True)[:4], rel=1e-5)
    plain = start({"active.mixing": None}, "plain").run()
    assert plain[1].queried == records[1].queried
    assert plain[2].queried != records[2].queried


def test_querying_by_fluctuation_resumes_to_the_same_journal(start, monkeypatch):
    whole = [record.queried for record in start(FLUCTUATION, "whole").run()]
    run, calls = start(FLUCTUATION), []

    def fails(*args, **kwargs):
        calls.append(1)
        raise RuntimeError("no power")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="no power"):
        run.run(lambda record: record.round != 1 or patched.setattr(round_training, "fit", fails))
    assert calls
    assert run.folder.scores(1).exists()
    assert not run.folder.scores(2).exists()  # discarded with its round
    assert [record.queried for record in start(FLUCTUATION).run()] == whole
    assert not run.folder.scores(0).exists()


def test_querying_keeps_no_scores_of_policies_that_do_not_look_back(start):
    run = start({"active.mixing": None, "active.n_rounds": 1})
    run.run()
    assert not run.folder.scores(1).parent.exists()


def test_querying_by_fluctuation_of_a_sample_of_the_pool(start):
    """Docs without a history are neither preferred nor put back."""
    run = start({**FLUCTUATION, "active.score_size": 6})
    records = run.run()
    assert len(scores_of(run, 1)) == len(scores_of(run, 2)) == 6
    assert {*records[2].queried} <= {*scores_of(run, 2)}
    history = read_history(run.folder.scores, 2, 2, [*scores_of(run, 2)])
    assert history.shape == (6, 1)
    assert np.isnan(history).any()


def test_querying_diverse_docs_takes_the_best_of_each_cluster(start, monkeypatch):
    seen = []

    def vectors(nlp, component, docs):
        seen.append((nlp.meta["name"], component, len(docs)))
        return np.array([[len(doc) % 2, len(doc) % 2 == 0] for doc in docs], dtype="float32")

    monkeypatch.setattr(querying, "doc_vectors", vectors)
    settings = {"active.mixing": None, "active.n_query": 2, "active.n_rounds": 1}
    plain = start(settings, "plain").run()
    run = start({**settings, "active.diversity": True})
    records = run.run()
    assert records[0].queried == plain[0].queried
    assert [component for _, component, _ in seen] == ["seqmix_ner"]
    assert seen[0][2] == 14  # twenty of the best, but there are no more
    lengths = [len(run.pool.docs[i]) % 2 for i in records[1].queried]
    assert sorted(lengths) == [0, 1]
    assert records[1].queried[0] == plain[1].queried[0]


def test_querying_diverse_docs_by_token_vectors(start):
    settings = {"active.mixing": None, "active.diversity": True}
    records = start(settings).run()
    assert [len(record.queried) for record in records] == [8, 4, 4]
    assert [r.queried for r in start(settings, "again").run()] == [r.queried for r in records]


def test_querying_a_diverse_seed_set(start):
    settings = {"active.mixing": None, "active.n_rounds": 0}
    run = start({**settings, "active.first": "diverse"})
    (record,) = run.run()
    rng = np.random.default_rng([0, querying.SEED_SET, 0])
    order = [int(i) for i in rng.permutation(22)]
    expected = [order[i] for i in diverse_sample([run.pool.docs[i] for i in order], 8, rng)]
    assert record.queried == expected
    assert start(settings, "random").run()[0].queried != expected


@pytest.fixture
def ruler(tmp_path: Path) -> str:
    nlp = spacy.blank("en")
    patterns = [("PERSON", "Anna Lindqvist"), ("GPE", "Turin"), ("GPE", "Oslo")]
    rules = nlp.add_pipe("entity_ruler")
    rules.add_patterns([{"label": label, "pattern": text} for label, text in patterns])
    nlp.to_disk(tmp_path / "ruler")
    return str(tmp_path / "ruler")


def test_querying_with_a_seed_model_suggests_in_the_first_round(begin, person, ruler):
    person.plan = few(0)
    names = {"PERSON": "PER", "GPE": "LOC"}
    run = begin({"active.seed_model": {"name": ruler, "labels": names}, "active.first": "diverse"})
    run.run()
    asked = Asked.read(run.folder.asked)
    assert (asked.header.model, asked.header.policy) == (ruler, "diverse")
    found = {
        (text.text[start:end], label, confidence)
        for text in asked.texts
        for start, end, label, confidence in text.suggestions
    }
    assert found == {("Anna Lindqvist", "PER", None), ("Turin", "LOC", None), ("Oslo", "LOC", None)}
    person.plan = list
    run.run()
    assert len(run.records) == 2
    assert Asked.read(run.folder.asked).header.model == "round-00"


def test_querying_refuses_a_seed_model_before_anything_is_asked(begin, tmp_path):
    run = begin({"active.seed_model": {"name": str(tmp_path / "nowhere")}})
    with pytest.raises(ValueError, match=r"S712\].*nowhere"):
        run.run()
    assert not run.folder.asked.exists()


def test_querying_refuses_wrong_settings_of_a_seed_model(begin, start):
    for settings in ({"labels": {}}, {"name": 3}, {"name": "x", "label": "y"}):
        with pytest.raises(ValueError, match=r"S402\].*seed_model"):
            start({"active.seed_model": settings})
    with pytest.raises(ValueError, match=r"S402\].*first"):
        start({"active.first": "best"})
