"""One round's training with spaCy's own loop."""

import io
from dataclasses import replace

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.active import fit as fit_module
from spacy_seqmix.active.fit import (
    FitSettings,
    check_training_config,
    count_steps,
    fit,
    registered_names,
    warn_of_unseen,
    without_own_mixing,
)
from spacy_seqmix.active.scores import SCORES, evaluate
from spacy_seqmix.pipeline.ner import SeqMixNER


@pytest.fixture
def training(configure):
    config = configure().interpolate()
    return type(config)({k: v for k, v in config.items() if k != "active"})


@pytest.fixture
def count_updates(monkeypatch):
    calls = []
    original = SeqMixNER.finish_update

    def finish_update(self, sgd):
        original(self, sgd)
        calls.append(self)

    monkeypatch.setattr(SeqMixNER, "finish_update", finish_update)
    return calls


def settings(steps=None, epochs=1.0, component="seqmix_ner", **values):
    return FitSettings(
        component=component, seed=0, steps=steps, epochs=epochs, progress=False, **values
    )


def weights(nlp, component="seqmix_ner"):
    nodes = nlp.get_pipe(component).model.walk()
    return [n.get_param(name).copy() for n in nodes for name in n.param_names if n.has_param(name)]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("steps", [2, 3, 7])
def test_fit_takes_the_steps_that_it_reports(training, news, tmp_path, count_updates, steps):
    nlp, taken = fit(training, news[:9], news[22:], tmp_path / "work", settings(steps), None)
    assert taken == steps == len(count_updates)
    assert nlp.get_pipe("seqmix_ner").labels == ("LOC", "MISC", "ORG", "PER")


def test_fit_steps_from_epochs(training, news, tmp_path, count_updates):
    # batches of 4 docs: 9 docs are 3 steps a pass
    assert count_steps(training, news[:9], 1) == 3
    assert count_steps(training, news[:9], 2.5) == 8
    assert count_steps(training, news[:1], 0.1) == 2
    _, taken = fit(training, news[:9], news, tmp_path / "work", settings(epochs=2), None)
    assert taken == 6 == len(count_updates)


def test_fit_best_takes_the_same_steps(training, news, tmp_path, count_updates):
    _, taken = fit(training, news[:9], news, tmp_path / "work", settings(6, best=True), None)
    assert taken == 6 == len(count_updates)


def test_fit_stretches_the_schedule_and_leaves_the_config_alone(training, news, tmp_path):
    rate = {"@schedules": "warmup_linear.v1", "initial_rate": 0.1}
    training["training"]["optimizer"]["learn_rate"] = {
        **rate,
        "warmup_steps": 20,
        "total_steps": 100,
    }
    before = training.to_str()
    nlp, _ = fit(training, news[:9], news, tmp_path / "work", settings(10), None)
    rate = nlp.config["training"]["optimizer"]["learn_rate"]
    assert (rate["warmup_steps"], rate["total_steps"]) == (2, 10)
    assert training.to_str() == before


def test_fit_same_seed_same_weights(training, news, tmp_path):
    one = fit(training, news[:9], news, tmp_path / "a", settings(3), None)[0]
    two = fit(training, news[:9], news, tmp_path / "b", settings(3), None)[0]
    assert equal(weights(one), weights(two))


def test_fit_best_or_last(training, news, tmp_path, monkeypatch):
    calls = []
    original = SeqMixNER.finish_update

    def sabotage(self, sgd):
        original(self, sgd)
        calls.append(0)
        if len(calls) == 30:
            output = self.model.get_ref("output_layer")
            output.set_param("W", output.get_param("W") * 0.0)
            output.set_param("b", np.eye(1, len(self.tags), dtype="float32")[0] * 9.0)

    monkeypatch.setattr(SeqMixNER, "finish_update", sabotage)
    last = fit(training, news, news, tmp_path / "work", settings(30), None)[0]
    assert evaluate(last, news).ents_f == 0.0
    calls.clear()
    best = fit(training, news, news, tmp_path / "work", settings(30, best=True), None)[0]
    assert evaluate(best, news).ents_f > 0.3


def test_fit_averages_the_weights_where_the_optimizer_does(training, news, tmp_path, count_updates):
    training["training"]["optimizer"]["use_averages"] = True
    nlp, _ = fit(training, news[:9], news, tmp_path / "work", settings(5), None)
    raw = [
        n.get_param(name)
        for n in count_updates[-1].model.walk()
        for name in n.param_names
        if n.has_param(name)
    ]
    assert not equal(weights(nlp), raw)
    saved = spacy.load(tmp_path / "work" / "out" / "model-last")
    assert equal(weights(nlp), weights(saved))


def test_fit_warm_start_goes_on_from_the_last_model(training, news, labelled, tmp_path):
    first = fit(training, news[:9], news, tmp_path / "work", settings(3), None)[0]
    first.to_disk(tmp_path / "first")
    training["training"]["optimizer"]["learn_rate"] = 0.0
    new = [*news[:4], labelled("[EVENT World Cup] ends")]
    warm = fit(training, new, news, tmp_path / "work", settings(3), tmp_path / "first")[0]
    labels = warm.get_pipe("seqmix_ner").labels
    assert labels == (*first.get_pipe("seqmix_ner").labels, "EVENT")
    old = {n: a for n, a in enumerate(weights(first))}
    same = [np.array_equal(old[i], a) for i, a in enumerate(weights(warm))]
    assert same.count(False) == 2  # the output layer grew, the rest stays
    column = first.get_pipe("seqmix_ner").predict([news[0]])[0]
    grown = warm.get_pipe("seqmix_ner").predict([news[0]])[0]
    assert (grown[:, : column.shape[1]].argmax(axis=1) == column.argmax(axis=1)).mean() > 0.5
    cold = fit(training, new, news, tmp_path / "work", settings(3), None)[0]
    assert "EVENT" in cold.get_pipe("seqmix_ner").labels
    assert not equal(weights(cold)[:2], weights(first)[:2]) or not equal(
        weights(cold), weights(warm)
    )


def test_fit_nan_loss(training, news, tmp_path, monkeypatch):
    original = SeqMixNER.get_loss

    def get_loss(self, examples, scores):
        scores[0][:] = np.nan
        return original(self, examples, scores)

    monkeypatch.setattr(SeqMixNER, "get_loss", get_loss)
    with pytest.raises(ValueError, match=r"S409.*'seqmix_ner'"):
        fit(training, news[:9], news, tmp_path / "work", settings(3), None)


def test_fit_nan_weights_of_a_component_that_does_not_look(training, news, tmp_path, monkeypatch):
    original = SeqMixNER.finish_update

    def finish_update(self, sgd):
        original(self, sgd)
        if finish_update.calls == 2:
            self.model.get_ref("output_layer").get_param("b")[:] = np.nan
        finish_update.calls += 1

    finish_update.calls = 0
    monkeypatch.setattr(SeqMixNER, "finish_update", finish_update)
    monkeypatch.setattr(fit_module, "PROGRESS_DOCS", 1)
    with pytest.raises(ValueError, match="S409"):
        fit(training, news[:9], news, tmp_path / "work", settings(3), None)


def test_evaluate_by_type_in_a_fixed_order(training, news, tmp_path):
    nlp = fit(training, news, news, tmp_path / "work", settings(25), None)[0]
    scores = evaluate(nlp, news)
    assert list(scores.ents_per_type) == ["LOC", "MISC", "ORG", "PER"]
    assert 0.0 < scores.ents_f <= 1.0
    assert scores.model_fields_set == {*SCORES, "seqeval_f", "confusion"}
    bare = evaluate(nlp, [Doc(nlp.vocab, words=["x"], ents=["O"])])
    assert all(v.f == 0 for v in bare.ents_per_type.values())


def test_warn_of_unseen(news, labelled):
    warn_of_unseen(news, news, "dev")
    with pytest.warns(UserWarning, match=r"W401.*\['DATE', 'EVENT'\] of dev"):
        warn_of_unseen(news, [labelled("[EVENT World Cup] in [DATE May]"), news[0]], "dev")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("training",), r"\[training\] is missing"),
        (("corpora",), r"\[corpora\] is missing"),
        (("training", "batcher"), r"\[training.batcher\] is missing"),
        (("training", "optimizer"), r"\[training.optimizer\] is missing"),
        (("training", "dev_corpus"), "training.dev_corpus = ''"),
        (("corpora", "train", "path"), "training.train_corpus = 'corpora.train'"),
        (("nlp", "pipeline"), r"no 'seqmix_ner' \(active.component\)"),
    ],
)
def test_check_training_config(training, path, reason):
    check_training_config(training, "seqmix_ner")
    section = training
    for part in path[:-1]:
        section = section[part]
    del section[path[-1]]
    with pytest.raises(ValueError, match=rf"S408.*{reason}"):
        check_training_config(training, "seqmix_ner")


def test_check_training_config_wants_a_language(training):
    del training["nlp"]["lang"]
    with pytest.raises(ValueError, match=r"S408.*nlp\.lang is missing"):
        check_training_config(training, "seqmix_ner")


@pytest.mark.parametrize("size", [0, -1, "many", 2.5])
def test_check_training_config_wants_batches(training, size):
    training["nlp"]["batch_size"] = size
    with pytest.raises(ValueError, match=r"S408.*nlp\.batch_size is a whole number from 1"):
        check_training_config(training, "seqmix_ner")


@pytest.mark.parametrize("augmenter", [None, {"@augmenters": "spacy.lower_case.v1", "level": 1.0}])
def test_without_own_mixing_leaves_other_augmenters(training, augmenter):
    training["corpora"]["train"]["augmenter"] = augmenter
    assert without_own_mixing(training) == training


def test_without_own_mixing_leaves_out_the_augmenter(training):
    corpus = training["corpora"]["train"]
    corpus["augmenter"] = {"@augmenters": "spacy-seqmix.SeqMix.v1", "rate": 0.5}
    with pytest.warns(UserWarning, match=r"W402.*corpora\.train\.augmenter"):
        found = without_own_mixing(training)
    assert found["corpora"]["train"]["augmenter"] is None
    assert corpus["augmenter"] is not None
    corpus["augmenter"] = {"@augmenters": "spacy-seqmix.Chain.v1", "first": corpus["augmenter"]}
    with pytest.raises(ValueError, match=r"S408.*SeqMix\.v1"):
        without_own_mixing(training)
    corpus.update({"augmenter": None, "@readers": "spacy-seqmix.MixedCorpus.v1"})
    with pytest.raises(ValueError, match=r"S408.*MixedCorpus"):
        without_own_mixing(training)


def test_without_own_mixing_looks_at_names_not_at_text(training):
    """A path may hold the name of an augmenter."""
    corpus = training["corpora"]["train"]
    corpus["path"] = "out/spacy-seqmix.SeqMix.v1/MixedCorpus.v1/train.spacy"
    assert without_own_mixing(training) == training
    nested = {"@augmenters": "spacy-seqmix.SeqMix.v1"}
    assert registered_names({"a": {"b": nested}, "@c": "d"}) == {"d", *nested.values()}


def test_fit_shows_a_bar_while_it_trains(training, news, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for progress in (True, False):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        wanted = replace(settings(6), progress=progress)
        fit(training, news[:9], news[22:], tmp_path / "work", wanted, None)
        assert ("Epoch" in terminal.getvalue()) == progress
