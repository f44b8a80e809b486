"""The loop: what the journal says, and what the rounds really do."""

import json
from copy import copy

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import DocBin

from spacy_seqmix.active import evidence, round_training
from spacy_seqmix.active.journal import read_journal
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.active.scores import SCORES
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.provenance import by_key, doc_key, get_origin, parent_keys
from spacy_seqmix.config import load_config
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.pipeline.ner import SeqMixNER
from spacy_seqmix.types import Verdict

from ..mixed import part_of

pytestmark = pytest.mark.usefixtures("encoders_once")

SECONDS = {"seconds", "seconds_mixing"}


def plain(records):
    """Records without what differs from run to run."""
    return [record.model_dump(exclude=SECONDS) for record in records]


def contents(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def mixed_docs(run, number):
    path = run.folder.mixed(number)
    return list(DocBin().from_disk(path).get_docs(run.blank.vocab))


def test_loop_journal(start, tmp_path, news):
    run = start()
    records = run.run()
    assert records == read_journal(tmp_path / "run/journal.jsonl")
    assert [r.round for r in records] == [0, 1, 2]
    assert [r.n_labelled for r in records] == [8, 12, 16]
    assert [r.n_mixed_new for r in records] == [4, 2, 2]
    assert [r.n_mixed for r in records] == [4, 6, 8]
    assert [r.steps for r in records] == [4, 4, 4]
    queried = [i for r in records for i in r.queried]
    assert len(queried) == len(set(queried)) == 16
    assert set(queried) <= set(range(22))
    for record in records:
        assert set(record.scores) == {"dev"}
        dev = record.scores["dev"]
        assert dev.model_fields_set == {*SCORES, "seqeval_f", "confusion"}
        assert dev.seqeval_f == pytest.approx(dev.ents_f)
        docs = [run.pool.docs[i] for i in record.queried]
        assert record.queried_tokens == [len(doc) for doc in docs]
        assert record.queried_entities == [len(doc.ents) for doc in docs]
        assert record.judged == []
        assert record.mixing.model_fields_set >= {"docs", "eligible", "tried", "rejected", "kept"}
        phases = {"query", "annotate", "mix", "train", "evaluate", "save"}
        assert record.seconds.model_fields_set == phases
        assert record.seconds_mixing.model_fields_set == {"table", "mixing", "lm"}


@pytest.mark.parametrize("mix_set", ["round", "pool"])
def test_loop_keeps_some_that_the_discriminator_threw_out(start, mix_set):
    run = start({"active.n_rounds": 0, "active.mix_set": mix_set, "active.max_steps": 40})

    def even(docs):
        return [Verdict(9.0, 1.0, len(doc) % 2 == 0) for doc in docs]

    run.mixers = [copy(run.mixers[0])]
    run.mixers[0].discriminator = even
    (record,) = run.run()
    rejected = read_docs(run.folder.rejected(0), run.blank, need_entities=False)
    assert 0 < len(rejected) == min(20, record.mixing.rejected)
    assert all(len(doc) % 2 and get_origin(doc).perplexity == 9.0 for doc in rejected)
    parents = run.folder.parents(0) if mix_set == "pool" else run.active.pool[0]
    known = by_key(read_docs(parents, run.blank, need_entities=False))
    assert {key for doc in rejected for key in parent_keys(doc)} <= set(known)


def test_loop_folder(start, tmp_path, news):
    run = start()
    records = run.run()
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names == {"config.cfg", "inputs.json", "journal.jsonl", "mixed", "model-last", "models"}
    assert run.folder.last_model.resolve() == run.folder.model(2).resolve()
    assert [p.name for p in (tmp_path / "run" / "models").iterdir()] == ["round-02"]
    nlp = spacy.load(run.folder.model(2))
    assert nlp.evaluate(run_examples(nlp, news[22:]))["ents_f"] == pytest.approx(
        records[2].scores["dev"].ents_f
    )
    # each round's mixed docs are of that round's parents, with soft labels
    for number, record in enumerate(records):
        keys = {doc_key(run.pool.docs[i]) for i in record.queried}
        docs = mixed_docs(run, number)
        assert len(docs) == record.n_mixed_new
        assert all({get_origin(d).target, part_of(d).other} <= keys for d in docs)
        assert all(soft_labels.get(doc) is not None for doc in docs)


def run_examples(nlp, docs):
    from spacy_seqmix.training.augmenter import make_example

    return [make_example(nlp, doc) for doc in docs]


def test_loop_steps_are_those_taken(start, monkeypatch):
    calls = []
    original = SeqMixNER.finish_update
    monkeypatch.setattr(
        SeqMixNER, "finish_update", lambda self, sgd: calls.append(original(self, sgd))
    )
    run = start({"active.max_steps": [3, 5, 2]})
    seen = []
    fit = round_training.fit

    def counted(*args):
        before = len(calls)
        result = fit(*args)
        seen.append(len(calls) - before)
        return result

    monkeypatch.setattr(round_training, "fit", counted)
    assert [r.steps for r in run.run()] == seen == [3, 5, 2]


@pytest.mark.parametrize("wanted", ["highest", "medium"])
def test_loop_precision_holds_while_it_runs(start, monkeypatch, wanted):
    before = torch.get_float32_matmul_precision()
    seen = []

    def looking(*args):
        seen.append(torch.get_float32_matmul_precision())
        raise OSError("no space left")

    monkeypatch.setattr(round_training, "fit", looking)
    changes = {"active.matmul_precision": wanted, "active.n_rounds": 0, "active.mixing": None}
    with pytest.raises(OSError, match="no space left"):
        start(changes).run()
    assert seen == [wanted]
    assert torch.get_float32_matmul_precision() == before


def test_loop_queries_as_many_as_each_round_says(start):
    records = start({"active.n_query": [4, 6], "active.n_rounds": 2, "active.mixing": None}).run()
    assert [len(r.queried) for r in records[1:]] == [4, 6]
    assert records[2].n_labelled == records[0].n_labelled + 10


def test_loop_steps_from_epochs(start):
    # 8 + 4 docs, batches of 4; then 12 + 6
    records = start({"active.max_steps": None, "active.epochs": 2, "active.n_rounds": 1}).run()
    assert [r.steps for r in records] == [6, 10]


def test_loop_seed_set_is_the_same_with_and_without_mixing(start):
    with_mixing = start({"active.n_rounds": 0}, "a").run()
    without = start({"active.n_rounds": 0, "active.mixing": None}, "b").run()
    assert with_mixing[0].queried == without[0].queried
    assert without[0].mixing is None
    assert without[0].seconds_mixing is None
    assert without[0].n_mixed == 0
    other = start({"active.n_rounds": 0, "active.mixing": None, "active.seed": 1}, "c").run()
    assert other[0].queried != without[0].queried


def test_loop_random_queries_are_the_same_with_and_without_mixing(start):
    policy = {"active.policy.@misc": "spacy-seqmix.RandomPolicy.v1"}
    with_mixing = start(policy, "a").run()
    without = start({**policy, "active.mixing": None}, "b").run()
    assert [r.queried for r in with_mixing] == [r.queried for r in without]


def test_loop_queries_what_the_policy_wants_most(start, monkeypatch):
    def by_length(needs, nlp, component, docs, progress):
        return [np.full((len(doc), 2), 0.5, dtype="float32") for doc in docs]

    run = start({"active.n_rounds": 1})
    monkeypatch.setattr(evidence, "evidence", by_length)
    run.policy = type(run.policy)(lambda probs, rng: np.array([len(p) for p in probs], "float32"))
    records = run.run()
    rest = [i for i in range(22) if i not in records[0].queried]
    longest = sorted((len(run.pool.docs[i]) for i in rest), reverse=True)[:4]
    assert [len(run.pool.docs[i]) for i in records[1].queried] == longest


POLICIES = {
    "RandomPolicy": {},
    "NTE": {},
    "LeastConfidence": {"mode": "mean"},
    "LeastConfidence of paths": {"mode": "path"},
    "Margin": {"mode": "smallest"},
    "MNLP": {},
    "QBC": {"mode": "kl"},
    "TagCount": {},
}


@pytest.mark.parametrize("name", POLICIES)
def test_loop_runs_two_rounds_with_each_policy(start, name):
    settings = {f"active.policy.{k}": v for k, v in POLICIES[name].items()}
    settings["active.policy.@misc"] = f"spacy-seqmix.{name.split()[0]}.v1"
    run = start({**settings, "active.mixing": None, "active.n_seed": 12})
    records = run.run()
    assert [len(r.queried) for r in records] == [12, 4, 4]
    assert records[0].seconds.committee or run.committee is None


def test_loop_asks_a_component_for_its_paths(start, monkeypatch):
    """Where the component knows how probable its path is, nobody else says so."""

    def path_probs(self, docs):
        return np.array([1 / len(doc) for doc in docs], dtype="float32")

    monkeypatch.setattr(SeqMixNER, "path_probs", path_probs)
    policy = {"active.policy": {"@misc": "spacy-seqmix.LeastConfidence.v1", "mode": "path"}}
    run = start({**policy, "active.n_rounds": 1, "active.mixing": None})
    records = run.run()
    rest = [i for i in range(22) if i not in records[0].queried]
    longest = sorted((len(run.pool.docs[i]) for i in rest), reverse=True)[:4]
    assert [len(run.pool.docs[i]) for i in records[1].queried] == longest


def test_loop_probabilities_that_are_not_numbers(start, monkeypatch, tmp_path):
    run = start()
    run._round(0)
    before = contents(tmp_path / "run")

    def predict(self, docs):
        return [np.full((len(doc), len(self.tags)), np.nan, dtype="float32") for doc in docs]

    with monkeypatch.context() as patch:
        patch.setattr(SeqMixNER, "predict", predict)
        with pytest.raises(ValueError, match=r"S425.*'seqmix_ner'"):
            start().run()
    assert contents(tmp_path / "run") == before


def test_loop_warm_start(start, news, labelled, tmp_path):
    warm = {
        "active.start": "warm",
        "active.n_query": 14,
        "active.n_rounds": 1,
        "active.keep_models": "all",
    }
    pool = [*news[:22]]
    pool[1] = labelled("[EVENT World Cup] opens in [LOC Doha]")  # not in the seed set
    DocBin(docs=pool).to_disk(tmp_path / "pool.spacy")
    run = start(warm)
    records = run.run()
    assert 1 not in records[0].queried
    assert 1 in records[1].queried
    labels = [spacy.load(run.folder.model(n)).get_pipe("seqmix_ner").labels for n in (0, 1)]
    assert labels[0] == ("LOC", "MISC", "ORG", "PER")
    assert labels[1] == (*labels[0], "EVENT")
    DocBin(docs=news[:22]).to_disk(tmp_path / "pool.spacy")
    still = start({**warm, "training.optimizer.learn_rate": 0.0}, "still")
    still.run()
    models = [(still.folder.model(n) / "seqmix_ner" / "model").read_bytes() for n in (0, 1)]
    assert models[0] == models[1]


def test_loop_mix_set_all_replaces_earlier_mixtures(start):
    run = start({"active.mix_set": "all"})
    records = run.run()
    assert [r.n_mixed_new for r in records] == [4, 6, 8]
    assert [r.n_mixed for r in records] == [4, 6, 8]
    assert [r.mixing.docs for r in records] == [8, 12, 16]
    keys = {doc_key(run.pool.docs[i]) for i in records[0].queried}
    targets = {get_origin(doc).target for doc in mixed_docs(run, 2)}
    assert targets & keys


def test_loop_keep_models_all_and_best(start):
    run = start({"active.keep_models": "all", "active.select_model": "best"})
    assert [r.steps for r in run.run()] == [4, 4, 4]
    assert all((run.folder.model(n) / "meta.json").exists() for n in range(3))
    assert not run.folder.work.exists()


def test_loop_ends_early_when_the_pool_is_exhausted(start):
    settings = {"active.n_query": 10, "active.n_rounds": 9}
    records = start(settings).run()
    assert [len(r.queried) for r in records] == [8, 10, 4]
    assert plain(start(settings).run()) == plain(records)


@pytest.mark.filterwarnings("ignore:.*W401")
def test_loop_pool_size_limits_the_pool(start):
    run = start({"active.pool_size": 10, "active.n_rounds": 9})
    records = run.run()
    assert [len(r.queried) for r in records] == [8, 2]


def test_loop_follows_a_schedule_of_rates(start):
    records = start({"active.mixing.rate": [0.5, 0.0], "active.n_rounds": 2}).run()
    assert [r.n_mixed_new for r in records] == [4, 0, 0]


def test_loop_resume_gives_the_same_journal(start):
    whole = start({}, "a").run()
    half = start({}, "b")
    half._round(0)
    again = start({}, "b")
    assert plain(again.records) == plain(whole[:1])
    assert plain(again.run()) == plain(whole)
    finished = start({}, "b")
    assert len(finished.records) == 3
    before = contents(finished.folder.path)
    finished.run()
    assert contents(finished.folder.path) == before


def test_loop_reads_its_state_under_the_lock(start, monkeypatch):
    """The second of two processes has read the folder when the first finishes rounds in it."""
    first, second, third = (start({"active.n_rounds": 1}) for _ in range(3))
    first._round(0)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(round_training, "fit", lambda *args: (_ for _ in ()).throw(OSError("full")))
        second.run()
    assert plain(second.records) == plain(first.records)
    assert second.folder.mixed(0).exists()
    assert second.folder.model(0).exists()
    whole = first.run()
    before = contents(first.folder.path)
    assert plain(third.run()) == plain(whole)
    assert contents(first.folder.path) == before
    assert third.pool.labelled == first.pool.labelled


@pytest.mark.filterwarnings("ignore:.*W401")
@pytest.mark.parametrize(
    ("n_seed", "ends"), [(8, [None, "rounds finished"]), (22, ["pool exhausted"])]
)
def test_loop_journal_says_why_it_ends(start, n_seed, ends):
    settings = {"active.n_rounds": 1, "active.n_seed": n_seed, "active.mixing": None}
    run = start(settings)
    assert [record.end for record in run.run()] == ends
    # as older versions wrote it
    lines = run.folder.journal.read_text().replace(f'"end":"{ends[-1]}"', '"end":null')
    run.folder.journal.write_text(lines)
    assert [record.end for record in start(settings).run()] == ends
    assert [record.end for record in run.folder.read()] == ends


def test_loop_refuses_a_journal_with_docs_that_the_pool_has_not(start):
    run = start({"active.n_rounds": 0, "active.mixing": None})
    run.run()
    text = run.folder.journal.read_text()
    run.folder.journal.write_text(text.replace('"queried":[', '"queried":[99,'))
    with pytest.raises(SeqMixError, match="no doc with the number 99") as caught:
        start({"active.n_rounds": 0, "active.mixing": None})
    assert caught.value.code == "S510"


def test_loop_test_set(start, files):
    records = start({"active.test": files["paths.dev"], "active.n_rounds": 0}).run()
    assert records[0].scores["test"] == records[0].scores["dev"]


def test_loop_spacys_own_ner(start, ner_files):
    policy = {"active.policy.@misc": "spacy-seqmix.RandomPolicy.v1", "active.mixing.labels": "hard"}
    run = start({**ner_files, **policy})
    records = run.run()
    assert [r.n_mixed for r in records] == [4, 6, 8]
    assert [r.steps for r in records] == [4, 4, 4]
    assert all(soft_labels.get(doc) is None for doc in mixed_docs(run, 1))
    warm = start({**ner_files, **policy, "active.start": "warm"}, "warm")
    assert len(warm.run()) == 3


def test_loop_policy_without_probabilities_is_refused_before_anything(start, ner_files, tmp_path):
    with pytest.raises(ValueError, match=r"S401\] 'ner'.*with probabilities: none"):
        start({**ner_files, "components.ner.factory": "parser"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"active.n_sed": 3}, r"S402.*n_sed"),
        ({"active.n_seed": 23}, r"S404.*holds 22 docs, but active\.n_seed asks for 23"),
        ({"active.pool_size": 40}, r"S404.*active\.pool_size"),
        ({"active.component": "tagger"}, r"S408.*no 'tagger'"),
        ({"active.mixing.rat": 0.1}, r"S402.*rat"),
        ({"active.mixing.rate": -1}, "S212"),
        ({"active.mixing.strategy.window": 0}, "S210"),
        ({"active.mixing.strategy.windw": 3}, r"(?s)S402.*windw"),
        ({"active.mixing.strategy": None}, r"S402.*mixing\.strategy"),
        ({"active.policy.@misc": "nothing.v1"}, r"S402.*nothing\.v1"),
        (
            {"training.batcher.@batchers": "spacy.batch_by_word.v1"},
            r"S408.*training\.batcher\.@batchers.*did you mean spacy\.batch_by_words\.v1",
        ),
        ({"active.policy": None}, r"S402.*policy"),
        ({"active.policy": {"@misc": "spacy-seqmix.QBC.v1", "mode": "none"}}, r"S420.*none"),
        ({"active.committee": {"members": 1}}, r"S402.*committee\.members"),
        ({"active.max_steps": [4]}, "S402"),
        ({"paths.pool": "nowhere.spacy"}, r"S403.*nowhere\.spacy.*no such file"),
        ({"paths.dev": "training.cfg"}, "S403"),
    ],
)
def test_loop_refuses_before_anything_is_written(start, tmp_path, overrides, message):
    with pytest.raises(ValueError, match=message):
        start(overrides)
    assert not (tmp_path / "run").exists()


def test_loop_pool_without_entities(start, files, blank_en, tmp_path):
    DocBin(docs=[blank_en.make_doc("nobody here")] * 20).to_disk(files["paths.pool"])
    with pytest.raises(ValueError, match=r"S431.*only simulates.*text without labels"):
        start()
    assert not (tmp_path / "run").exists()


def test_loop_dev_labels_that_the_training_set_lacks(start, files, labelled):
    DocBin(docs=[labelled("[EVENT World Cup] in [LOC Doha]")]).to_disk(files["paths.dev"])
    run = start({"active.n_rounds": 0, "active.mixing": None})
    with pytest.warns(UserWarning, match=r"W401.*\['EVENT'\] of dev"):
        records = run.run()
    assert "EVENT" in records[0].scores["dev"].ents_per_type


def test_loop_one_eligible_window_only(start, files, labelled, blank_en):
    docs = [labelled("[PER Ann Lee] left"), *(blank_en.make_doc(f"no {i}") for i in range(12))]
    DocBin(docs=docs).to_disk(files["paths.pool"])
    run = start({"active.n_rounds": 0, "active.n_seed": 13})
    with (
        pytest.warns(UserWarning, match=r"W210\] 0 mixed docs instead of 6: only 1 of 13"),
        pytest.warns(UserWarning, match="W401"),
    ):
        records = run.run()
    assert records[0].n_mixed == 0
    assert len(start({"active.n_rounds": 0, "active.n_seed": 13}).records) == 1


def test_loop_other_config_or_pool_is_refused(start, files, news, tmp_path):
    start({"active.n_rounds": 0}).run()
    before = contents(tmp_path / "run")
    with pytest.raises(ValueError, match=r"S406.*differ: active\.n_seed\."):
        start({"active.n_rounds": 0, "active.n_seed": 9})
    with pytest.raises(ValueError, match=r"S406.*differ: training\.optimizer\.learn_rate\."):
        start({"active.n_rounds": 0, "training.optimizer.learn_rate": 0.5})
    with pytest.raises(ValueError, match=r"S406.*active\.mixing\b"):
        start({"active.n_rounds": 0, "active.mixing": None})
    DocBin(docs=news[:21]).to_disk(files["paths.pool"])
    with pytest.raises(ValueError, match=r"S760.*1 file changed \('.*pool\.spacy'\)"):
        start({"active.n_rounds": 0})
    assert contents(tmp_path / "run") == before


def test_loop_encoder_that_cannot_be_loaded(start, tmp_path):
    run = start({"paths.encoder": str(tmp_path / "nowhere")})
    with pytest.raises(OSError, match=r"S220.*nowhere"):
        run.run()
    assert list((tmp_path / "run").iterdir()) == []
    assert len(start({"active.n_rounds": 0}).run()) == 1  # the folder can be used


def test_loop_missing_model(start):
    run = start({"active.n_rounds": 1})
    run._round(0)
    run.folder.model(0).rename(run.folder.path / "gone")
    again = start({"active.n_rounds": 1})
    with pytest.raises(ValueError, match=r"S407.*models/round-00 is missing"):
        again.run()


def test_loop_diverged_training(start, monkeypatch, tmp_path):
    run = start()
    run._round(0)
    before = contents(tmp_path / "run")
    original = SeqMixNER.get_loss

    def get_loss(self, examples, scores):
        scores[0][:] = np.nan
        return original(self, examples, scores)

    with monkeypatch.context() as patch:
        patch.setattr(SeqMixNER, "get_loss", get_loss)
        with pytest.raises(ValueError, match="S409"):
            start().run()
    assert contents(tmp_path / "run") == before
    assert len(start().run()) == 3


def test_loop_config_that_is_stored_is_what_ran(start, files, tmp_path):
    run = start({"active.n_rounds": 0})
    stored = load_config(tmp_path / "run" / "config.cfg", {"active.extends": None})
    assert stored["paths"]["pool"] == files["paths.pool"]
    assert stored["active"]["n_rounds"] == 0
    inputs = json.loads(run.folder.inputs.read_text())
    assert inputs["config"]["paths.pool"] == files["paths.pool"]
    assert inputs["config"]["active.pool"] == "${paths.pool}"
    assert not any("gpu_id" in name or "progress" in name for name in inputs["config"])
    assert ActiveRun(run_config(start, files, tmp_path), tmp_path / "run", progress=True)


def run_config(start, files, tmp_path):
    return load_config(tmp_path / "active.cfg", {**files, "active.n_rounds": 0})


def test_load_config_lays_one_over_the_other(files, tmp_path):
    config = load_config(tmp_path / "active.cfg", {"system.seed": 7, "active.n_seed": 3})
    assert config["training"]["seed"] == "${system.seed}"
    assert config["system"]["seed"] == 7
    assert config["active"]["n_seed"] == 3
    assert config["paths"] == {"train": None, "dev": None, "pool": None, "encoder": None}
    other = tmp_path / "other.cfg"
    other.write_text((tmp_path / "training.cfg").read_text().replace("size = 4", "size = 5"))
    config = load_config(tmp_path / "active.cfg", {"active.extends": "other.cfg"})
    assert config["training"]["batcher"]["size"] == 5
    assert config["active"]["extends"] == "other.cfg"


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("none.cfg", {}),
        ("active.cfg", {"active.extends": "none.cfg"}),
        ("active.cfg", {"nowhere.x": 1}),
        ("pool.spacy", {}),
        ("broken.cfg", {}),
    ],
)
def test_load_config_says_what_is_wrong(files, tmp_path, name, overrides):
    (tmp_path / "broken.cfg").write_text("[active\nx = 1")
    with pytest.raises(ValueError, match="S410") as caught:
        load_config(tmp_path / name, overrides)
    # the file that is at fault, be it the other one
    assert f"'{tmp_path / overrides.get('active.extends', name)}'" in str(caught.value)


def test_loop_round_that_fails_changes_nothing(start, monkeypatch):
    """Compute first, commit after the journal has the round."""
    whole = start({"active.n_rounds": 1}, "whole").run()
    run = start({"active.n_rounds": 1})

    def fails(*args):
        raise OSError("no space left")

    for number in (0, 1):
        before = run.pool
        with monkeypatch.context() as patch:
            patch.setattr(round_training, "fit", fails)
            for _ in range(2):
                with pytest.raises(OSError, match="no space left"):
                    run.run()
        assert run.pool is before
        assert len(run.pool.labelled) == (8 if number else 0)
        assert [len(run.records), len(run.mixed)] == [number, number]
        if number == 0:
            run._read_state()
            run._round(0)
    assert plain(run.run()) == plain(whole)


def test_loop_queried_ids_count_the_empty_docs_of_the_file(start, files, blank_en):
    docs = list(DocBin().from_disk(files["paths.pool"]).get_docs(blank_en.vocab))
    docs.insert(0, blank_en.make_doc(""))
    docs.insert(7, blank_en.make_doc(""))
    DocBin(docs=docs).to_disk(files["paths.pool"])
    settings = {"active.n_rounds": 0, "active.mixing": None, "active.n_seed": 22}
    run = start(settings)
    (record,) = run.run()
    assert sorted(record.queried) == [i for i in range(24) if i not in (0, 7)]
    assert all(run.pool.docs[i].text == docs[i].text for i in record.queried)
    assert record.queried_tokens == [len(docs[i]) for i in record.queried]
    assert start(settings).pool.labelled == tuple(record.queried)


def test_loop_shows_each_round_when_it_is_done(start):
    run = start({"active.n_rounds": 1, "active.mixing": None})
    seen = []
    run.run(on_round=lambda record: seen.append((record, len(run.records))))
    assert seen == [(run.records[0], 1), (run.records[1], 2)]


def test_load_config_drops_only_inherited_augmenters_that_mix(files, tmp_path, recwarn):
    training = tmp_path / "training.cfg"
    mixes = '[corpora.train.augmenter]\n@augmenters = "spacy-seqmix.SeqMix.v1"\nrate = 0.5\n\n'
    training.write_text(training.read_text().replace("[corpora.dev]", f"{mixes}[corpora.dev]"))
    path = tmp_path / "active.cfg"
    config = load_config(path, files)
    assert config["corpora"]["train"]["augmenter"] is None
    ActiveRun(config, tmp_path / "run", progress=False)
    assert not [w for w in recwarn if "W402" in str(w.message)]
    # Whoever writes it, on the command line or in the file, is warned that it is not used.
    for own, overrides in (("", {"corpora.train.augmenter.rate": 0.3}), (mixes, {})):
        path.write_text(f"{path.read_text()}\n[corpora]\n\n[corpora.train]\n\n{own}")
        config = load_config(path, {**files, **overrides})
        assert config["corpora"]["train"]["augmenter"]["@augmenters"] == "spacy-seqmix.SeqMix.v1"
        with pytest.warns(UserWarning, match="W402"):
            ActiveRun(config, tmp_path / f"run-{len(own)}", progress=False)
        path.write_text(path.read_text().partition("\n[corpora]")[0])
    assert load_config(training, {})["corpora"]["train"]["augmenter"]["rate"] == 0.5
