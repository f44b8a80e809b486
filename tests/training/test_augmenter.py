"""The augmenter: how many, when, which, and never while ``nlp.initialize`` looks on."""

import io
import logging
import random
import re
import zlib
from itertools import islice

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import registry
from thinc.api import Config

from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.alignment import aligned
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.mixing.build_doc import replay
from spacy_seqmix.mixing.mix import BATCH
from spacy_seqmix.mixing.realise import NearestToken
from spacy_seqmix.mixing.strategies import make_sub_sequence, make_whole_sequence
from spacy_seqmix.mixing.token_table import TokenTable, by_frequency
from spacy_seqmix.mixing.vectors import StaticTable
from spacy_seqmix.training.augmenter import (
    GROWTH,
    Reservoir,
    create_multi_seqmix,
    create_seqmix_augmenter,
    make_example,
)
from spacy_seqmix.training.corpus import create_corpus
from spacy_seqmix.types import Verdict

from ..mixed import part_of

STRATEGY = make_sub_sequence(window=3, density=0.6)
CONFIG = """
[paths]
train = null

[nlp]
lang = "en"
pipeline = ["{component}"]

[components]

[components.{component}]
factory = "{component}"

[components.{component}.model]
{model}

[components.{component}.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 16
depth = 1
embed_size = 100
window_size = 1
maxout_pieces = 2
subword_features = false

[corpora]

[corpora.train]
@readers = "spacy-seqmix.Corpus.v1"
path = ${{paths.train}}

[corpora.train.augmenter]
@augmenters = "test_seqmix.Spy.v1"
labels = "{labels}"

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${{paths.train}}

[training]
seed = 0
gpu_allocator = null
max_steps = 3
max_epochs = {max_epochs}
eval_frequency = 10

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
size = 10

[initialize]
"""
MODELS = {
    "seqmix_ner": '@architectures = "spacy-seqmix.SoftTagger.v1"',
    "ner": "\n".join(
        [
            '@architectures = "spacy.TransitionBasedParser.v2"',
            'state_type = "ner"',
            "extra_state_tokens = false",
            "hidden_width = 16",
            "maxout_pieces = 2",
            "use_upper = true",
        ]
    ),
}


class StubEncoder:
    """Random vectors, always the same for the same word."""

    def embed(self, words):
        seeds = [zlib.crc32(word.encode("utf8")) for word in words]
        return np.stack([np.random.default_rng(s).normal(size=8) for s in seeds]).astype("float32")


class StubTable:
    """Builds a table of the words of the docs, and counts how often."""

    def __init__(self):
        self.built = 0

    def __call__(self, docs, corpus, nlp):
        self.built += 1
        words = by_frequency([t.text for doc in (*docs, *corpus) for t in doc])
        return StaticTable(TokenTable(words, StubEncoder().embed(words)), StubEncoder())


class Judge:
    """A discriminator that takes note of its batches."""

    def __init__(self, keep=lambda i: True):
        self.batches = []
        self.keep = keep

    def __call__(self, docs):
        seen = sum(self.batches)
        self.batches.append(len(docs))
        return [Verdict(float(seen + i), 1.0, self.keep(seen + i)) for i in range(len(docs))]


class Spy:
    """An augmenter that remembers what went out. spaCy makes one for each of its two phases."""

    made: list["Spy"] = []  # noqa: RUF012

    def __init__(self, augmenter):
        self.augmenter = augmenter
        self.drawn = []
        Spy.made.append(self)

    def __call__(self, nlp, example):
        for eg in self.augmenter(nlp, example):
            self.drawn.append(eg)
            yield eg


@registry.augmenters("test_seqmix.Spy.v1")
def create_spy(labels: str):
    realiser = NearestToken(StubTable())
    return Spy(create_seqmix_augmenter(realiser, STRATEGY, rate=0.5, labels=labels))


@pytest.fixture
def table():
    return StubTable()


@pytest.fixture
def augmenter(table):
    """A function that makes an augmenter."""

    def make(**settings):
        return create_seqmix_augmenter(NearestToken(table), **{"strategy": STRATEGY, **settings})

    return make


@pytest.fixture
def path(news, tmp_path):
    DocBin(docs=news, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


@pytest.fixture
def few(labelled, tmp_path):
    """A function that writes a corpus of twelve docs, of which so many are eligible."""

    def make(n_eligible):
        good = ["[PER Anna Lindqvist] of [LOC Turin] won.", "In [LOC New York] [PER Jo Hunt] won."]
        poor = [f"It rained for {i} days in [LOC Oslo]." for i in range(12 - n_eligible)]
        docs = [labelled(markup) for markup in [*good[:n_eligible], *poor]]
        DocBin(docs=docs).to_disk(tmp_path / "few.spacy")
        return tmp_path / "few.spacy"

    return make


def is_mixed(example):
    return get_origin(example.reference) is not None


def pass_over(path, nlp, augmenter, initialize=False):
    corpus = create_corpus(path, augmenter=augmenter)
    if initialize:
        nlp = spacy.blank("en")
        nlp.add_pipe("seqmix_ner", config={"model": small_model()})
        nlp.initialize(lambda: corpus(nlp))
    return list(corpus(nlp))


def small_model():
    model = Config().from_str(config_text("seqmix_ner"), interpolate=False)
    return model["components"]["seqmix_ner"]["model"]


def config_text(component, labels="soft", max_epochs=0):
    return CONFIG.format(
        component=component, model=MODELS[component], labels=labels, max_epochs=max_epochs
    )


def run_training(path, component="seqmix_ner", given=(), **settings):
    """As ``spacy train`` does.

    RETURNS: the trained pipeline, the examples that initialisation drew, those that training
    drew, and the output.
    """
    config = Config().from_str(
        config_text(component, **settings),
        interpolate=False,
        overrides={"paths.train": str(path)},
    )
    if given:
        config["initialize"]["components"] = {component: {"labels": list(given)}}
    Spy.made.clear()
    nlp = init_nlp(config)
    (first,) = Spy.made
    out = io.StringIO()
    train(nlp, stdout=out, stderr=out)
    return nlp, first.drawn, Spy.made[-1].drawn, out.getvalue()


def texts(examples):
    return [eg.reference.text for eg in examples]


# How many, and where


@pytest.mark.parametrize("initialize", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 1.0])
def test_augmenter_gives_originals_and_a_share_of_mixed(
    path, news, blank_en, augmenter, rate, initialize
):
    examples = pass_over(path, blank_en, augmenter(rate=rate), initialize)
    originals = [eg for eg in examples if not is_mixed(eg)]
    assert texts(originals) == [doc.text for doc in news]
    assert all(soft_labels.get(eg.reference) is None for eg in originals)
    mixed = [eg for eg in examples if is_mixed(eg)]
    assert len(mixed) == round(rate * len(news))
    assert len(set(texts(mixed))) == len(mixed)
    assert not set(texts(mixed)) & set(texts(originals))


def test_augmenter_spreads_mixed_docs(path, blank_en, augmenter):
    examples = pass_over(path, blank_en, augmenter(rate=0.3))
    at = [i for i, eg in enumerate(examples) if is_mixed(eg)]
    assert len(at) == 9
    assert at[2] < len(examples) / 2
    assert np.diff(at).max() <= 6
    # Later docs become parents too.
    parents = {get_origin(examples[i].reference).target for i in at}
    assert len(parents) > 4


def test_augmenter_rate_holds_over_passes(path, news, blank_en, augmenter):
    augment = augmenter(rate=0.25)
    first = pass_over(path, blank_en, augment, initialize=True)
    second = pass_over(path, blank_en, augment)
    mixed = [eg for eg in (*first, *second) if is_mixed(eg)]
    assert len(mixed) == round(0.25 * 2 * len(news))
    # A new pass gets new docs.
    assert len(set(texts(mixed))) == len(mixed)


# Which


def test_augmenter_is_deterministic(path, blank_en, augmenter):
    def mixed(seed):
        examples = pass_over(path, blank_en, augmenter(seed=seed, rate=0.5), initialize=True)
        docs = [eg.reference for eg in examples if is_mixed(eg)]
        return [(doc.text, soft_labels.get(doc).probs.tolist(), get_origin(doc)) for doc in docs]

    assert mixed(1) == mixed(1)
    assert mixed(1) != mixed(2)


def test_augmenter_leaves_global_generators_alone(path, blank_en, augmenter):
    random.seed(1)
    np.random.seed(1)
    python, numpy = random.getstate(), np.random.get_state()[1].tolist()
    assert len(pass_over(path, blank_en, augmenter(rate=0.5))) == 45
    assert random.getstate() == python
    assert np.random.get_state()[1].tolist() == numpy
    # And they it: the same docs whatever the global seed.
    first = texts(pass_over(path, blank_en, augmenter(rate=0.5)))
    random.seed(2)
    np.random.seed(2)
    assert texts(pass_over(path, blank_en, augmenter(rate=0.5))) == first


@pytest.mark.parametrize("labels", ["soft", "hard"])
def test_augmenter_mixed_docs_can_be_replayed(path, news, blank_en, augmenter, labels):
    mixed = [eg.reference for eg in pass_over(path, blank_en, augmenter(rate=0.5, labels=labels))]
    mixed = [doc for doc in mixed if get_origin(doc) is not None]
    assert mixed
    for doc in mixed:
        again = replay(get_origin(doc), news, blank_en)
        assert again.text == doc.text
        assert layers.read(again) == layers.read(doc)
        if labels == "soft":
            assert_allclose(soft_labels.get(again).probs, soft_labels.get(doc).probs)
        else:
            assert soft_labels.get(again) is None
            assert soft_labels.get(doc) is None


def test_augmenter_predicted_tokens_fit_the_labels(path, blank_en, augmenter):
    mixed = [eg for eg in pass_over(path, blank_en, augmenter(rate=1.0)) if is_mixed(eg)]
    assert any(soft_labels.is_soft(soft_labels.of(eg.reference)).any() for eg in mixed)
    for eg in mixed:
        assert [t.text for t in eg.predicted] == [t.text for t in eg.reference]
        assert eg.predicted.ents == ()
        soft = soft_labels.get(eg.reference)
        assert_allclose(aligned(eg, soft.labels), soft.probs, atol=1e-6)


def test_augmenter_example_of_a_pretokenised_doc(blank_en):
    doc = Doc(blank_en.vocab, words=["it's", "3:2.", "("])
    assert doc.has_unknown_spaces
    example = make_example(blank_en, doc)
    assert [t.text for t in example.predicted] == ["it's", "3:2.", "("]
    doc = Doc(blank_en.vocab, words=["it's", "(so)"], spaces=[True, False])
    # Otherwise as at run time.
    assert [t.text for t in make_example(blank_en, doc).predicted] == ["it", "'s", "(", "so", ")"]


# Initialisation


def test_augmenter_is_lazy(path, news, blank_en, augmenter, table):
    judge = Judge()
    augment = augmenter(discriminator=judge)
    corpus = create_corpus(path, augmenter=augment)
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_ner", config={"model": small_model()})
    nlp.initialize(lambda: corpus(nlp))
    assert table.built == 0
    assert judge.batches == []
    list(corpus(nlp))
    list(corpus(nlp))
    # Again only when many docs are new.
    assert 1 <= table.built <= 8


@pytest.mark.parametrize("given", [(), ("LOC", "MISC", "ORG", "PER")])
def test_augmenter_gives_initialisation_only_originals(path, news, given):
    # With labels given, initialisation only takes a peek at the first docs.
    nlp, shown, drawn, _ = run_training(path, given=given)
    assert len(shown) >= (10 if given else 30)
    assert not any(is_mixed(eg) for eg in shown)
    assert len(drawn) == 45
    assert sum(is_mixed(eg) for eg in drawn) == 15
    assert nlp.get_pipe("seqmix_ner").labels == ("LOC", "MISC", "ORG", "PER")


def test_augmenter_peek_of_initialisation_hides_no_docs(path, news, blank_en, augmenter):
    augment = augmenter(rate=1.0)
    corpus = create_corpus(path, augmenter=augment)
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("seqmix_ner", config={"model": small_model()})
    for label in ("LOC", "MISC", "ORG", "PER"):
        ner.add_label(label)
    nlp.initialize(lambda: islice(corpus(nlp), 4))
    mixed = [eg for eg in corpus(nlp) if is_mixed(eg)]
    assert len(mixed) == len(news)
    assert len({get_origin(eg.reference).target for eg in mixed}) > 10


# Nothing to mix


@pytest.mark.parametrize("n_eligible", [0, 1])
def test_augmenter_with_too_few_eligible_docs(few, n_eligible):
    with pytest.warns(UserWarning, match="W210") as caught:
        nlp, shown, drawn, out = run_training(few(n_eligible))
    assert len(caught) == 1
    assert f"only {n_eligible} of 10 docs have a window of 3 tokens" in str(caught[0].message)
    assert texts(drawn) == [eg.reference.text for eg in shown[:12]]
    assert "ENTS_F" in out
    assert nlp("It rained in Oslo.").has_annotation("ENT_IOB")


def test_augmenter_repeats_no_pair_when_parents_become_more(path, blank_en, augmenter):
    examples = pass_over(path, blank_en, augmenter(rate=1.0))
    mixed = [eg.reference for eg in examples if is_mixed(eg)]
    origins = {(get_origin(doc).target, part_of(doc)) for doc in mixed}
    assert len(origins) == len(mixed)


def test_augmenter_builds_few_tables(path, news, blank_en, table):
    built = []

    def count(docs, *args):
        built.append(len(docs))
        return table(docs, *args)

    augment = create_seqmix_augmenter(NearestToken(count), STRATEGY, rate=1.0)
    pass_over(path, blank_en, augment)
    pass_over(path, blank_en, augment)
    eligible = sum(map(STRATEGY.eligible, news))
    assert built == sorted(set(built))
    assert built[-1] >= eligible / (1 + GROWTH)
    assert len(built) < 0.75 * eligible


def test_augmenter_with_two_eligible_docs(few, blank_en, augmenter):
    examples = pass_over(few(2), blank_en, augmenter(rate=0.2), initialize=True)
    assert sum(is_mixed(eg) for eg in examples) == 2


def test_augmenter_runs_out_of_pairs(few, blank_en, augmenter):
    with pytest.warns(UserWarning, match="W210") as caught:
        examples = pass_over(few(2), blank_en, augmenter(rate=3.0), initialize=True)
    assert len(caught) == 1
    n = sum(is_mixed(eg) for eg in examples)
    assert 2 <= n < 30
    assert "pairs of windows ran out" in str(caught[0].message)


def test_augmenter_discriminator_that_keeps_nothing(path, blank_en, augmenter):
    judge = Judge(keep=lambda i: False)
    augment = augmenter(discriminator=judge)
    with pytest.warns(UserWarning, match="W210.*discriminator rejected") as caught:
        examples = pass_over(path, blank_en, augment, initialize=True)
        assert len(pass_over(path, blank_en, augment)) == 30
    assert len(caught) == 1
    assert len(examples) == 30
    tried = sum(judge.batches)
    # It gave up once and for all.
    assert tried < 60 * round(0.2 * 30) + 2 * BATCH


@pytest.mark.parametrize("setting", [{"rate": -0.1}, {"labels": "firm"}])
def test_augmenter_bad_settings(augmenter, setting):
    with pytest.raises(ValueError, match="S212"):
        augmenter(**setting)


# The filter


@pytest.mark.parametrize("initialize", [False, True])
def test_augmenter_discriminator_gets_batches(path, blank_en, augmenter, initialize):
    judge = Judge(keep=lambda i: i % 2 == 0)
    examples = pass_over(path, blank_en, augmenter(rate=1.0, discriminator=judge), initialize)
    mixed = [eg.reference for eg in examples if is_mixed(eg)]
    assert len(mixed) == 30
    assert all(get_origin(doc).perplexity % 2 == 0 for doc in mixed)
    assert np.mean(judge.batches) >= 4


def test_augmenter_mixes_no_more_than_a_pass_needs(path, blank_en, augmenter):
    judge = Judge()
    pass_over(path, blank_en, augmenter(rate=0.2, discriminator=judge), initialize=True)
    # Language models cost most: 6 docs are wanted, two come of a plan.
    assert sum(judge.batches) <= 16


def test_augmenter_logs_counts(path, blank_en, augmenter, caplog):
    with caplog.at_level(logging.INFO, logger="spacy"):
        judge = Judge(keep=lambda i: i % 3 > 0)
        pass_over(path, blank_en, augmenter(discriminator=judge), initialize=True)
    lines = [r.getMessage() for r in caplog.records if "SeqMix" in r.getMessage()]
    assert re.fullmatch(
        r"SeqMix: \d+ of \d+ docs eligible, \d+ candidates, \d+ rejected, \d+ kept", lines[-1]
    )


# Training


def test_augmenter_soft_labels_train_seqmix_ner(path):
    nlp, _, drawn, out = run_training(path)
    mixed = [eg for eg in drawn if is_mixed(eg)]
    assert all(soft_labels.get(eg.reference) is not None for eg in mixed)
    assert sum(soft_labels.is_marked(eg.reference) for eg in mixed) > 5
    assert "LOSS SEQM" in out
    assert nlp.get_pipe("seqmix_ner").labels == ("LOC", "MISC", "ORG", "PER")


@pytest.mark.parametrize("component", ["ner", "seqmix_ner"])
def test_augmenter_hard_labels(path, component):
    nlp, _, drawn, _ = run_training(path, component, labels="hard")
    mixed = [eg.reference for eg in drawn if is_mixed(eg)]
    assert len(mixed) == 15
    for doc in mixed:
        assert soft_labels.get(doc) is None
        assert not soft_labels.is_marked(doc)
        assert doc.has_annotation("ENT_IOB", require_complete=True)
    assert sum(len(doc.ents) for doc in mixed) > 15
    assert sorted(nlp.get_pipe(component).labels) == ["LOC", "MISC", "ORG", "PER"]


def test_augmenter_soft_labels_with_spacys_ner_train_on_entities(path):
    with pytest.warns(UserWarning, match=r"W223.*'ner'"):
        nlp, _, drawn, _ = run_training(path, "ner", labels="soft")
    assert sum(is_mixed(eg) for eg in drawn) == 15
    assert nlp("Anna met Omar in Turin.").has_annotation("ENT_IOB")


def test_augmenter_streams(path):
    _, shown, drawn, _ = run_training(path, max_epochs=-1)
    assert not any(is_mixed(eg) for eg in shown)
    # The stream is read as far as three steps go, and its share of mixed docs with it.
    n = sum(not is_mixed(eg) for eg in drawn)
    assert 0 < n < 30
    assert abs(sum(is_mixed(eg) for eg in drawn) - n / 2) <= 1


def test_augmenter_is_registered(path, blank_en, table):
    registry.misc("test_seqmix.StubTable.v1", func=lambda: table)
    config = {
        "augmenter": {
            "@augmenters": "spacy-seqmix.SeqMix.v1",
            "rate": 0.5,
            "realiser": {
                "@misc": "spacy-seqmix.NearestToken.v1",
                "table": {"@misc": "test_seqmix.StubTable.v1"},
            },
            "strategy": {"@misc": "spacy-seqmix.SubSequence.v1", "window": 3},
        }
    }
    augment = registry.resolve(config)["augmenter"]
    assert augment.mixer.strategy == STRATEGY
    assert len(pass_over(path, blank_en, augment)) == 45
    # Any strategy will do.
    config["augmenter"]["strategy"] = {"@misc": "spacy-seqmix.WholeSequence.v1", "density": 0.2}
    augment = registry.resolve(config)["augmenter"]
    assert augment.mixer.strategy == make_whole_sequence(0.2)
    assert len(pass_over(path, blank_en, augment)) == 45
    # The strategy has a default.
    del config["augmenter"]["strategy"]
    assert registry.resolve(config)["augmenter"].mixer.strategy == make_sub_sequence(5, 0.6, 8.0)


def test_augmenter_warns_once_that_docs_are_missing(few, blank_en, augmenter):
    path, augment = few(1), augmenter(rate=0.5)
    with pytest.warns(UserWarning, match="W210.*only . of .. docs") as caught:
        for _ in range(3):
            assert len(pass_over(path, blank_en, augment)) == 12
    assert len(caught) == 1


def test_augmenter_mixes_for_a_pipeline_that_was_loaded(path, tmp_path, augmenter):
    # It has no optimiser, as before initialisation.
    nlp, *_ = run_training(path)
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    assert sum(map(is_mixed, create_corpus(path, augmenter=augmenter(rate=0.5))(loaded))) == 15


def test_augmenter_takes_one_rate(augmenter):
    with pytest.raises(SeqMixError, match="MixedCorpus") as caught:
        augmenter(rate=[0.5, 0.1])
    assert caught.value.code == "S212"


# Several in one run


def test_multi_seqmix_gives_what_each_mixes_alone(path, blank_en, augmenter):
    pair = create_multi_seqmix({"b": augmenter(rate=0.2, seed=1), "a": augmenter(rate=0.4)})
    alone = [
        pass_over(path, blank_en, augmenter(**s)) for s in ({"rate": 0.4}, {"rate": 0.2, "seed": 1})
    ]
    together = pass_over(path, blank_en, pair)
    originals = [eg for eg in together if not is_mixed(eg)]
    assert texts(originals) == texts([eg for eg in alone[0] if not is_mixed(eg)])
    mixed = sorted(texts([eg for eg in together if is_mixed(eg)]))
    assert mixed == sorted(texts([eg for one in alone for eg in one if is_mixed(eg)]))


def test_multi_seqmix_refuses_other_augmenters(augmenter):
    with pytest.raises(ValueError, match=r"S263.*mixers\.b"):
        create_multi_seqmix({"a": augmenter(), "b": lambda nlp, example: iter([example])})
    with pytest.raises(ValueError, match="S263"):
        create_multi_seqmix({})


# Parents


def fill(docs, size, seed=0):
    reservoir = Reservoir(size, lambda doc: doc[0].text != "none", seed)
    for doc in docs:
        reservoir.add(doc)
    return reservoir


def test_reservoir_holds_all_while_there_is_room(news):
    reservoir = fill([*news, *news], 100)
    assert reservoir.docs() == news
    assert reservoir.n_seen == 30
    assert not reservoir.full


def test_reservoir_is_bounded_and_the_same_for_a_seed(news):
    kept = fill(news, 10).docs()
    assert len(kept) == 10
    assert [doc.text for doc in kept] == [doc.text for doc in fill(news, 10).docs()]
    assert [doc.text for doc in kept] != [doc.text for doc in fill(news, 10, seed=1).docs()]


def test_reservoir_samples_uniformly(blank_en):
    docs = [blank_en.make_doc(f"word{i}") for i in range(20)]
    counts = np.zeros(20)
    for seed in range(400):
        for doc in fill(docs, 5, seed).docs():
            counts[int(doc[0].text[4:])] += 1
    # 100 expected for each, with a standard deviation below 10.
    assert np.abs(counts - 100).max() < 40


def test_reservoir_counts_what_changed(news, blank_en):
    reservoir = fill(news[:4], 100)
    assert reservoir.n_changed == 4
    reservoir.docs()
    assert reservoir.n_changed == 0
    reservoir.add(blank_en.make_doc("none of this"))
    reservoir.add(news[0])
    assert reservoir.n_changed == 0
    reservoir.add(news[5])
    assert reservoir.n_changed == 1


@pytest.mark.parametrize("value", ["gpt2", True, 5])
@pytest.mark.parametrize("field", ["discriminator", "realiser"])
def test_augmenter_section_refuses_plain_values(field, value):
    section = {"@augmenters": "spacy-seqmix.SeqMix.v1"}
    section["realiser"] = {"@misc": "spacy-seqmix.Interpolated.v1"}
    section[field] = value
    with pytest.raises(ValueError, match=f"augmenter -> {field}"):
        registry.resolve({"augmenter": section})
