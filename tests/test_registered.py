"""One battery for whatever setup.cfg registers: it resolves, and it behaves."""

import configparser
import importlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.util import registry

from spacy_seqmix.models.tagger_head import head_of
from spacy_seqmix.types import Oracle, Task

from .mixed import mix_of
from .registered import (
    INTERPOLATED,
    NEAREST,
    POLICIES,
    POOLS,
    STRATEGIES,
    TABLES,
    WINDOWS,
    rng,
    table_source,
)
from .registered import global_random_state as global_random_state  # the fixture

pytestmark = pytest.mark.usefixtures("encoders_once")

# Loading a transformer warns about its own internals.
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SETUP = Path(__file__).parent.parent / "setup.cfg"
KINDS = {
    "spacy_architectures": "architectures",
    "spacy_augmenters": "augmenters",
    "spacy_callbacks": "callbacks",
    "spacy_readers": "readers",
    "spacy_scorers": "scorers",
    "spacy_misc": "misc",
}
PAIRS = ("spacy-seqmix.PairClassifier.v1",)
SCORERS = ("spacy-seqmix.relations_scorer.v1",)
TAGGERS = ("spacy-seqmix.SoftTagger.v1", "spacy-seqmix.CRFTagger.v1")
# Layers that mix by recipes, each with the plain one that it stands for.
MIXING_LAYERS = {
    "spacy-seqmix.MixTransformerModel.v1": "spacy-transformers.TransformerModel.v3",
    "spacy-seqmix.ShapeTransformerModel.v1": "spacy-transformers.TransformerModel.v3",
    "spacy-seqmix.Tok2VecShapeTransformer.v1": "spacy-transformers.Tok2VecTransformer.v3",
    "spacy-seqmix.MixEmbed.v1": "spacy.MultiHashEmbed.v2",
}
ORACLES = ("spacy-seqmix.GoldOracle.v1",)
OTHERS = (
    # Oracles that wait for people: tests/annotate.
    "spacy-seqmix.Files.v1",
    "spacy-seqmix.LabelStudio.v1",
    "spacy-seqmix.Page.v1",
    "spacy-seqmix.PerplexityDiscriminator.v1",
    "spacy-seqmix.Duplication.v1",  # no mixing: tests/mixing/test_duplication.py
    # Lexicons: tests/mixing/test_synonyms.py.
    "spacy-seqmix.WordNet.v1",
    "spacy-seqmix.TableNeighbours.v1",
)


def entry_points():
    config = configparser.ConfigParser(delimiters=("=",))
    config.optionxform = str
    config.read(SETUP, encoding="utf8")
    for group, text in config["options.entry_points"].items():
        for line in text.split("\n"):
            if line.strip():
                name, _, where = line.partition("=")
                yield group, name.strip(), where.strip()


ENTRIES = list(entry_points())


@pytest.mark.parametrize(("group", "name", "where"), ENTRIES, ids=[e[1] for e in ENTRIES])
def test_registered_resolves(group, name, where):
    module, _, attribute = where.partition(":")
    expected = getattr(importlib.import_module(module), attribute)
    if group == "spacy_factories":
        assert spacy.blank("en").has_factory(name)
    elif group != "spacy_cli":
        assert name.startswith("spacy-seqmix.")
        assert registry.get(KINDS[group], name) is expected
    assert expected.__doc__ or group == "spacy_cli"


def test_registered_functions_are_all_in_the_battery():
    policies = {name for name, _ in POLICIES}
    known = {*STRATEGIES, NEAREST, INTERPOLATED, *TABLES, *policies, *ORACLES, *OTHERS}
    assert {name for group, name, _ in ENTRIES if group == "spacy_misc"} == known


def test_registered_architectures_are_all_in_the_battery():
    found = {name for group, name, _ in ENTRIES if group == "spacy_architectures"}
    assert found == {*TAGGERS, *MIXING_LAYERS, *PAIRS}


@pytest.mark.parametrize("name", TAGGERS)
def test_registered_taggers(name, news, blank_en):
    # Layers draw their first weights from numpy's global generator, as all of thinc's do.
    tok2vec = registry.get("architectures", "spacy.HashEmbedCNN.v2")(
        width=16,
        depth=1,
        embed_size=50,
        window_size=1,
        maxout_pieces=2,
        subword_features=True,
        pretrained_vectors=None,
    )
    state = np.random.get_state()
    model = registry.get("architectures", name)(tok2vec, nO=9)
    model.initialize(X=news[:2])
    np.random.set_state(state)
    batch = [Doc(blank_en.vocab), news[0], news[1]]
    scores = model.predict(batch)
    assert [p.shape for p in scores] == [(len(doc), 9) for doc in batch]
    assert all(np.allclose(p.sum(axis=1), 1.0, atol=1e-5) for p in scores)
    head = head_of(model)
    assert [len(path) for path in head.decode(scores, [None] * 3)] == [len(doc) for doc in batch]
    assert head.path_probs(scores)[0] == 1.0
    assert [len(p) for p in head.span_probs(scores, [[], [(0, 1, 0)], []])] == [0, 1, 0]
    loss, gradient = head.loss(scores, scores)
    assert loss > 0
    assert [d.shape for d in gradient] == [p.shape for p in scores]
    before = [p.copy() for p in scores]
    assert all(map(np.array_equal, before, model.predict(batch)))


@pytest.mark.parametrize("name", [*WINDOWS, *POOLS])
def test_registered_strategies(name, news, blank_en):
    strategy = registry.get("misc", name)()
    assert list(strategy([], rng())) == []
    assert list(strategy([Doc(blank_en.vocab)], rng())) == []
    assert list(strategy(news[:1], rng())) == []
    assert list(strategy([blank_en.make_doc("nobody was there at all")] * 3, rng())) == []
    plans = list(islice(strategy(news, rng(5)), 1000))
    assert plans == list(islice(strategy(news, rng(5)), 1000))
    assert plans != list(islice(strategy(news, rng(6)), 1000))
    sides = [(mix_of(plan).left, mix_of(plan).right) for plan in plans]
    # A pool mixes either of two segments with the other, which gives other docs.
    assert len(plans) == len(set(sides if name in POOLS else map(frozenset, sides))) > 0
    assert plans[:3] == list(islice(strategy(news, rng(5)), 3))
    for plan in plans:
        if name in WINDOWS:
            assert len(mix_of(plan).left) == len(mix_of(plan).right)
        assert mix_of(plan).left.doc != mix_of(plan).right.doc
        assert mix_of(plan).right.end <= len(news[mix_of(plan).right.doc])
        assert 0.0 <= mix_of(plan).lam <= 1.0
    assert all(strategy.eligible(news[mix_of(p).left.doc]) for p in plans)
    assert strategy.describe()


@pytest.mark.parametrize("name", TABLES)
def test_registered_tables(name, news, blank_en, tiny_encoder_dir, tmp_path):
    source = table_source(name, news, tiny_encoder_dir, tmp_path)

    def build(docs):
        return registry.get("misc", name)(**source)(docs, (), None)

    for docs in ([], [Doc(blank_en.vocab)], news[:1], news):
        built = build(docs)
        assert len(built.table.words) == len(built.table.vectors)
        vectors = built.of_docs(docs)
        assert [len(v) for v in vectors] == [len(doc) for doc in docs]
        built.held_out(docs, vectors)
    again = build(news)
    assert again.table.words == built.table.words
    assert np.array_equal(again.table.vectors, built.table.vectors)


@pytest.mark.parametrize("name", ORACLES)
def test_registered_oracles(name, news):
    oracle = registry.get("misc", name)()
    assert isinstance(oracle, Oracle)
    assert list(oracle([])) == []
    tasks = [Task(str(i), doc) for i, doc in enumerate(news)]
    assert [(one.key, one.doc) for one in oracle(tasks)] == [(t.key, t.doc) for t in tasks]
