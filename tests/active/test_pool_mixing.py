"""``mix_set = "pool"``: mixing docs that nobody has labelled, with a model's labels."""

import time

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_seqmix.active import round_mixing, round_training
from spacy_seqmix.active.pool import digests
from spacy_seqmix.active.pseudo_labels import pseudo_labelled
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.provenance import by_key, parent_keys
from spacy_seqmix.query.probabilities import copy_tokens, token_probs
from spacy_seqmix.report import read_arms
from spacy_seqmix.report.examples import mixed_examples

COPIES = {
    "active.mixing": {
        "rate": 0.5,
        "strategy": {"@misc": "spacy-seqmix.Duplication.v1"},
        "realiser": {"@misc": "spacy-seqmix.Interpolated.v1"},
    },
    "active.mix_set": "pool",
}


@pytest.fixture
def trained(start):
    """A pipeline that knows some entities."""
    run = start({"active.n_rounds": 0, "active.mixing": None, "active.max_steps": 40}, "trained")
    run.run()
    return spacy.load(run.folder.trained(0))


def test_pseudo_labels_are_the_components_probabilities(trained, news):
    docs = [*news[:5], trained.make_doc("")]
    made = pseudo_labelled(trained, "seqmix_ner", docs)
    assert [doc.text for doc in made] == [doc.text for doc in docs]
    for doc, probs in zip(made[:5], token_probs(trained, "seqmix_ner", docs), strict=False):
        soft = soft_labels.get(doc)
        assert soft.labels == trained.get_pipe("seqmix_ner").tags
        np.testing.assert_allclose(soft.probs, probs)
        # what it says itself, not what it was given
        spoken = trained(copy_tokens(doc, trained))
        assert [(e.start, e.end, e.label_) for e in doc.ents] == [
            (e.start, e.end, e.label_) for e in spoken.ents
        ]
    assert any(doc.ents for doc in made)
    assert not len(made[5])


def test_loop_mixes_what_is_left_of_the_pool(start, monkeypatch):
    asked = []

    def seen(nlp, component, docs, progress):
        asked.append(nlp)
        return pseudo_labelled(nlp, component, docs, progress)

    monkeypatch.setattr(round_mixing, "pseudo_labelled", seen)
    settings = {**COPIES, "active.n_rounds": 1}
    run = start(settings)
    records = run.run()
    # the seed round has no model yet: one is trained first, with half of its steps
    assert [r.steps for r in records] == [4, 4]
    assert [r.mixing.docs for r in records] == [14, 10]
    # the rate is one of labelled docs; mixed docs of earlier rounds are replaced
    assert [r.n_mixed_new for r in records] == [4, 6]
    assert [r.n_mixed for r in records] == [4, 6]
    texts = {i: doc.text for i, doc in run.pool.docs.items()}
    labelled = []
    for number, record in enumerate(records):
        labelled += record.queried
        mixed = read_docs(run.folder.mixed(number), run.blank, need_entities=False)
        assert not {doc.text for doc in mixed} & {texts[i] for i in labelled}
        assert all(soft_labels.get(doc).probs.max(axis=1).min() < 1.0 for doc in mixed)
        # what they were made of, with these labels, stands beside them
        parents = by_key(read_docs(run.folder.parents(number), run.blank, need_entities=False))
        assert {key for doc in mixed for key in parent_keys(doc)} == set(parents)
    (arm,), _ = read_arms([str(run.folder.path)])
    examples, notes = mixed_examples([arm])
    assert (len(examples), notes) == (10, [])
    assert all(len(one["parents"]) == 1 for one in examples)
    assert len({id(nlp) for nlp in asked}) == 2  # each round asks the model before it
    stopped = start(settings, "again")
    stopped._round(0)
    again = start(settings, "again").run()
    assert [(r.queried, r.scores) for r in again] == [(r.queried, r.scores) for r in records]


def test_loop_never_looks_at_labels_of_the_pool(start, files, tmp_path):
    """Mixed docs are the same whatever the annotation of docs not queried."""
    settings = {**COPIES, "active.n_rounds": 0}
    first = start(settings, "first")
    queried = set(first.run()[0].queried)
    blank = spacy.blank("en")
    docs = read_docs(files["paths.pool"], blank)
    for i, doc in enumerate(docs):
        if i not in queried:
            doc.set_ents([], default="outside")
    DocBin(docs=docs, store_user_data=True).to_disk(files["paths.pool"])
    other = start(settings, "other")
    assert set(other.run()[0].queried) == queried
    one, two = (read_docs(r.folder.mixed(0), blank, need_entities=False) for r in (first, other))
    assert [doc.text for doc in one] == [doc.text for doc in two]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(soft_labels.get(a).probs, soft_labels.get(b).probs, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*W210")
def test_loop_mixes_further_unlabelled_docs(start, all_news, tmp_path):
    blank = spacy.blank("en")
    new = [blank.make_doc("Nobody knows this sentence .")]
    DocBin(docs=[*all_news[:3], *new]).to_disk(tmp_path / "more.spacy")
    settings = {**COPIES, "active.unlabelled": str(tmp_path / "more.spacy"), "active.n_query": 14}
    settings["active.n_rounds"] = 1
    run = start(settings)
    records = run.run()
    # those of the pool are known already; when it is spent, the others are left
    assert [r.mixing.docs for r in records] == [15, 1]
    (mixed,) = read_docs(run.folder.mixed(1), run.blank, need_entities=False)
    assert mixed.text == new[0].text
    assert "unlabelled" in digests(run.config)


@pytest.mark.filterwarnings("ignore:.*W210")
def test_loop_draws_unlabelled_docs_by_its_seed(start, tmp_path):
    blank = spacy.blank("en")
    new = [blank.make_doc(f"Nobody knows sentence {i} .") for i in range(40)]
    DocBin(docs=new).to_disk(tmp_path / "more.spacy")
    settings = {**COPIES, "active.unlabelled": str(tmp_path / "more.spacy")}

    def drawn(folder, size, seed=0):
        size = {"active.unlabelled_size": size, "active.seed": seed}
        return [doc.text for doc in start(settings | size, folder).mixing.unlabelled]

    one = drawn("one", 5)
    assert len(one) == 5
    assert one == drawn("again", 5) != drawn("other", 5, seed=1)
    assert set(one) < set(drawn("all", 40))
    with pytest.raises(ValueError, match=r"S404.*more.*40 docs, but active.unlabelled_size.* 41"):
        drawn("more", 41)


@pytest.mark.filterwarnings("ignore:.*W210")
def test_loop_mixes_windows_of_the_pool(start):
    """The shipped kind of mixing, over a model that knows some entities."""
    mixing = {"active.mix_set": "pool", "active.n_rounds": 1, "active.max_steps": 40}
    run = start({**mixing, "active.mixing.strategy.density": 0.3})
    run.run()
    mixed = read_docs(run.folder.mixed(1), run.blank, need_entities=False)
    parents = by_key(read_docs(run.folder.parents(1), run.blank, need_entities=False))
    assert mixed
    assert {key for doc in mixed for key in parent_keys(doc)} <= set(parents)


@pytest.mark.parametrize(("max_steps", "expected"), [(5, [2, 3]), (None, [2, 3])])
def test_loop_seed_round_counts_the_steps_of_its_teacher(start, monkeypatch, max_steps, expected):
    fit, asked = round_training.fit, []

    def fitted(*args):
        result = fit(*args)
        asked.append(result[1])
        return result

    monkeypatch.setattr(round_training, "fit", fitted)
    # 8 docs, then 12, in batches of 4
    steps = {"active.max_steps": max_steps, "active.epochs": 1, "active.n_rounds": 0}
    records = start({**COPIES, **steps}).run()
    assert asked == expected
    assert [r.steps for r in records] == [5]


def test_loop_says_why_there_are_fewer_copies_than_wanted(start):
    mixing = {**COPIES["active.mixing"], "rate": 50.0}
    run = start({**COPIES, "active.mixing": mixing, "active.n_rounds": 0})
    with pytest.warns(UserWarning, match=r"W210.*copied at most once; lower 'rate'"):
        run.run()


def test_loop_trains_no_teacher_for_a_round_that_mixes_nothing(start):
    rates = {**COPIES["active.mixing"], "rate": [0.0, 0.5]}
    run = start({**COPIES, "active.mixing": rates, "active.n_rounds": 1})
    records = run.run()
    assert [r.steps for r in records] == [4, 4]
    assert [r.n_mixed for r in records] == [0, 6]


def test_loop_writes_no_file_of_no_mixed_docs(start):
    """A report would stop at it."""
    run = start({"active.mixing.rate": [0.01, 0.5], "active.n_rounds": 1})
    records = run.run()
    assert not records[0].n_mixed_new
    assert records[1].n_mixed_new
    assert not run.folder.mixed(0).exists()
    assert run.folder.mixed(1).exists()
    examples, notes = mixed_examples(read_arms([str(run.folder.path)])[0], 10)
    assert examples
    assert not notes


def test_loop_counts_the_seconds_of_both_models(start, monkeypatch):
    fit = round_training.fit

    def slow(*args):
        time.sleep(0.2)
        return fit(*args)

    monkeypatch.setattr(round_training, "fit", slow)
    run = start({**COPIES, "active.n_rounds": 0})
    assert run.run()[0].seconds.train >= 0.4


@pytest.mark.filterwarnings("ignore:.*W210")
def test_loop_has_nothing_to_mix_when_the_pool_is_spent(start):
    records = start({**COPIES, "active.n_query": 14, "active.n_rounds": 1}).run()
    assert records[1].n_mixed == 0
    assert records[1].mixing is None


@pytest.mark.parametrize("factory", ["morphologizer", "spancat"])
def test_loop_refuses_components_that_give_no_tags(start, factory):
    changes = {
        "nlp.pipeline": [factory],
        f"components.{factory}": {"factory": factory},
        "active.component": factory,
    }
    with pytest.raises(ValueError, match=rf"S434.*'{factory}'"):
        start({**COPIES, **changes})


def test_loop_warns_where_labels_of_the_pool_become_hard(start, ner_files):
    with pytest.warns(UserWarning, match="W223"):
        start({**COPIES, **ner_files})
