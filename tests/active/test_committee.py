"""The committee in the loop: who is trained, what is kept, and that it can be resumed."""

import numpy as np
import pytest
import spacy

from spacy_seqmix.active import evidence, round_training
from spacy_seqmix.active.committee import Committee, check_same_labels
from spacy_seqmix.active.run_folder import RunFolder
from spacy_seqmix.active.schema import CommitteeSchema

pytestmark = pytest.mark.usefixtures("encoders_once")

QBC = {"active.policy.@misc": "spacy-seqmix.QBC.v1", "active.mixing": None}
KINDS = {
    "seeds": {**QBC, "active.committee": {"members": 3, "kind": "seeds"}},
    "dropout": {
        **QBC,
        "active.policy.mode": "kl",
        "active.committee": {"members": 3, "kind": "dropout", "dropout": 0.3},
    },
}


def plain(records):
    return [r.model_dump(exclude={"seconds", "seconds_mixing"}) for r in records]


def models(run):
    return sorted(p.name for p in run.folder.model(0).parent.iterdir())


@pytest.fixture
def fits(monkeypatch):
    """The seeds and starts of every training."""
    seen = []
    fit = round_training.fit

    def counted(config, docs, dev, work, settings, start):
        seen.append((settings.seed, start.name if start else None, len(docs), settings.steps))
        return fit(config, docs, dev, work, settings, start)

    monkeypatch.setattr(round_training, "fit", counted)
    return seen


def test_committee_is_trained_for_each_query_that_comes(start, fits):
    run = start(KINDS["seeds"])
    records = run.run()
    assert [len(r.queried) for r in records] == [8, 4, 4]
    # three members for two queries, one model after the last
    assert len(fits) == 3 + 3 + 1
    assert len({seed for seed, *_ in fits}) == 7
    assert [seed for seed, *_ in fits][0::3] == [0, 1, 2]  # the rounds' own, as without committee
    assert [n for _, _, n, _ in fits] == [8] * 3 + [12] * 3 + [16]
    assert {steps for *_, steps in fits} == {4}
    assert models(run) == ["round-02"]
    assert [r.seconds.committee > 0 for r in records] == [True, True, False]


def test_committee_members_are_other_models(start):
    run = start({**KINDS["seeds"], "active.keep_models": "all", "active.n_rounds": 1})
    run.run()
    names = ["round-00", "round-00-member-2", "round-00-member-3", "round-01"]
    assert models(run) == names
    params = [(run.folder.path / "models" / n / "seqmix_ner" / "model").read_bytes() for n in names]
    assert len(set(params)) == 4


def test_committee_does_not_change_the_rounds_own_models(start):
    """Seed set and first model are those of a run without a committee."""
    alone = start({"active.mixing": None, "active.n_rounds": 0}, "alone").run()
    with_committee = start(KINDS["seeds"], "committee").run()
    assert plain(with_committee)[0] | {"end": "rounds finished"} == plain(alone)[0]


def test_committee_of_a_warm_start_goes_on_from_its_own_members(start, fits):
    run = start({**KINDS["seeds"], "active.start": "warm", "active.keep_models": "all"})
    run.run()
    starts = [name for _, name, *_ in fits]
    names = ["round-00", "round-00-member-2", "round-00-member-3"]
    assert starts == [None, None, None, *names, "round-01"]


def test_committee_by_dropout_trains_one_model(start, fits):
    run = start(KINDS["dropout"])
    records = run.run()
    assert [len(r.queried) for r in records] == [8, 4, 4]
    assert [seed for seed, *_ in fits] == [0, 1, 2]
    assert models(run) == ["round-02"]


@pytest.mark.parametrize("policy", ["NTE", "RandomPolicy"])
def test_committee_is_not_trained_where_nobody_asks_it(start, fits, policy):
    settings = {**KINDS["seeds"], "active.policy.@misc": f"spacy-seqmix.{policy}.v1"}
    run = start(settings)
    records = run.run()
    assert len(fits) == 3
    assert not any(r.seconds.committee for r in records)


def test_committee_has_three_members_where_nothing_is_said(start, fits):
    start({**QBC, "active.n_rounds": 1}).run()
    assert len(fits) == 3 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_committee_resumes_with_the_same_journal(start, kind):
    whole = start(KINDS[kind], "whole").run()
    half = start(KINDS[kind], "half")
    half._round(0)
    half._round(1)
    again = start(KINDS[kind], "half")
    assert plain(again.run()) == plain(whole)
    assert models(again) == ["round-02"]


def test_committee_queries_what_its_members_disagree_about(start, monkeypatch):
    """By hand: three members that disagree the more, the longer the doc."""
    answers = iter(range(3))

    def token_probs(nlp, component, docs, progress):
        member = next(answers)
        agreed, own = np.eye(3)[0], np.eye(3)[member]
        shares = [len(doc) / 20 for doc in docs]
        rows = [(1 - share) * agreed + share * own for share in shares]
        pairs = zip(rows, docs, strict=True)
        return [np.tile(row, (len(doc), 1)).astype("float32") for row, doc in pairs]

    run = start({**KINDS["seeds"], "active.policy.mode": "kl", "active.n_rounds": 1})
    run._round(0)
    monkeypatch.setattr(evidence, "token_probs", token_probs)
    run._round(1)
    rest = [i for i in range(22) if i not in run.records[0].queried]
    longest = sorted((len(run.pool.docs[i]) for i in rest), reverse=True)[:4]
    assert [len(run.pool.docs[i]) for i in run.records[1].queried] == longest


def test_committee_with_a_missing_member(start):
    run = start(KINDS["seeds"])
    run._round(0)
    run.folder.model(0, 3).rename(run.folder.path / "gone")
    with pytest.raises(ValueError, match=r"S407.*models/round-00-member-3 is missing"):
        start(KINDS["seeds"]).run()


def test_committee_that_fails_leaves_the_folder_as_it_was(start, monkeypatch):
    run = start(KINDS["seeds"])
    run._round(0)
    before = sorted(p.relative_to(run.folder.path) for p in run.folder.path.rglob("*"))
    fit, calls = round_training.fit, []

    def failing(*args):
        calls.append(0)
        if len(calls) == 3:
            raise ValueError("no more")
        return fit(*args)

    with monkeypatch.context() as patch:
        patch.setattr(round_training, "fit", failing)
        with pytest.raises(ValueError, match="no more"):
            start(KINDS["seeds"]).run()
    assert len(calls) == 3
    assert sorted(p.relative_to(run.folder.path) for p in run.folder.path.rglob("*")) == before


def test_committee_of_a_model_without_dropout(start, monkeypatch, tmp_path):
    monkeypatch.setattr("spacy_seqmix.query.dropout.thinc_layers", lambda nlp, component: [])
    with pytest.raises(ValueError, match=r"S423.*'seqmix_ner' has no dropout layers"):
        start(KINDS["dropout"]).run()
    assert list((tmp_path / "run").iterdir()) == []


def test_committee_seeds_differ_by_seed_round_and_member(tmp_path):
    def seed(run_seed, number, member):
        made = Committee(CommitteeSchema(), "seqmix_ner", run_seed, RunFolder(tmp_path))
        return made.member_seed(number, member)

    seeds = [seed(a, b, c) for a in range(3) for b in range(3) for c in range(3)]
    assert len(set(seeds)) == 27
    assert all(0 <= s < 2**32 for s in seeds)
    assert seed(1, 2, 3) == seed(1, 2, 3)


def test_committee_with_other_labels_is_refused():
    def pipeline(*labels):
        nlp = spacy.blank("en")
        proc = nlp.add_pipe("seqmix_ner")
        for label in labels:
            proc.add_label(label)
        return nlp

    first = pipeline("PER", "LOC")
    check_same_labels(first, pipeline("PER", "LOC"), "seqmix_ner", 2)
    with pytest.raises(ValueError, match=r"S422.*member 2 has the labels \['LOC', 'PER'\]"):
        check_same_labels(first, pipeline("LOC", "PER"), "seqmix_ner", 2)
