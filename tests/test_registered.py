"""One battery for whatever setup.cfg registers: it resolves, and it behaves."""

import configparser
import importlib
import random
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import registry

from spacy_seqmix import soft_labels
from spacy_seqmix.mixing.origin import by_key, get_origin
from spacy_seqmix.models.head import head_of
from spacy_seqmix.query.dropout import dropout_probs
from spacy_seqmix.query.evidence import check_evidence, evidence, score_docs
from spacy_seqmix.query.policies import QueryPolicy
from spacy_seqmix.query.select import top_k

from .query.conftest import PIPES, TOK2VEC, VECTORS, add_pipes, bare, train
from .query.conftest import gold as gold  # the fixture

pytestmark = pytest.mark.usefixtures("encoders_once")

SETUP = Path(__file__).parent.parent / "setup.cfg"
KINDS = {
    "spacy_architectures": "architectures",
    "spacy_augmenters": "augmenters",
    "spacy_readers": "readers",
    "spacy_misc": "misc",
}
TAGGERS = ("spacy-seqmix.SoftTagger.v1", "spacy-seqmix.CRFTagger.v1")
STRATEGIES = (
    "spacy-seqmix.SubSequence.v1",
    "spacy-seqmix.WholeSequence.v1",
    "spacy-seqmix.LabelConstrained.v1",
)
TABLES = (
    "spacy-seqmix.PieceTable.v1",
    "spacy-seqmix.WordTable.v1",
    "spacy-seqmix.ContextualTable.v1",
    "spacy-seqmix.VectorsTable.v1",
)
POLICIES = (
    ("spacy-seqmix.RandomPolicy.v1", {}),
    ("spacy-seqmix.NTE.v1", {}),
    ("spacy-seqmix.LeastConfidence.v1", {}),
    ("spacy-seqmix.LeastConfidence.v1", {"mode": "mean"}),
    ("spacy-seqmix.LeastConfidence.v1", {"mode": "path"}),
    ("spacy-seqmix.Margin.v1", {}),
    ("spacy-seqmix.Margin.v1", {"mode": "smallest"}),
    ("spacy-seqmix.MNLP.v1", {}),
    ("spacy-seqmix.QBC.v1", {}),
    ("spacy-seqmix.QBC.v1", {"mode": "kl"}),
    ("spacy-seqmix.BALD.v1", {}),
)
ORACLES = ("spacy-seqmix.GoldOracle.v1",)
REALISERS = ("spacy-seqmix.NearestToken.v1",)
OTHERS = ("spacy-seqmix.PerplexityDiscriminator.v1",)


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
    known = {*STRATEGIES, *REALISERS, *TABLES, *policies, *ORACLES, *OTHERS}
    assert {name for group, name, _ in ENTRIES if group == "spacy_misc"} == known


def test_registered_architectures_are_all_in_the_battery():
    assert {name for group, name, _ in ENTRIES if group == "spacy_architectures"} == set(TAGGERS)


@pytest.fixture(autouse=True)
def global_random_state():
    """Nothing that is registered draws from, or seeds, the global generators."""
    import torch

    def state():
        numbers = np.random.get_state()[1].tolist()
        return numbers, random.getstate(), torch.get_rng_state().tolist()

    before = state()
    yield
    assert state() == before


def rng(seed=0):
    return np.random.default_rng(seed)


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
    assert [len(path) for path in head.decode(scores, batch)] == [len(doc) for doc in batch]
    assert head.path_probs(scores)[0] == 1.0
    assert [len(p) for p in head.span_probs(scores, [[], [(0, 1, 0)], []])] == [0, 1, 0]
    loss, gradient = head.loss(scores, scores)
    assert loss > 0
    assert [d.shape for d in gradient] == [p.shape for p in scores]
    before = [p.copy() for p in scores]
    assert all(map(np.array_equal, before, model.predict(batch)))


@pytest.mark.parametrize("name", STRATEGIES)
def test_registered_strategies(name, news, blank_en):
    strategy = registry.get("misc", name)()
    assert list(strategy([], rng())) == []
    assert list(strategy([Doc(blank_en.vocab)], rng())) == []
    assert list(strategy(news[:1], rng())) == []
    assert list(strategy([blank_en.make_doc("nobody was there at all")] * 3, rng())) == []
    plans = list(strategy(news, rng(5)))
    assert plans == list(strategy(news, rng(5)))
    assert plans != list(strategy(news, rng(6)))
    assert len(plans) == len({frozenset({p.left, p.right}) for p in plans}) > 0
    assert plans[:3] == list(islice(strategy(news, rng(5)), 3))
    for plan in plans:
        assert len(plan.left) == len(plan.right)
        assert plan.left.doc != plan.right.doc
        assert plan.right.end <= len(news[plan.right.doc])
        assert 0.0 <= plan.lam <= 1.0
    assert all(strategy.eligible(news[p.left.doc]) for p in plans)
    assert strategy.describe()


def table_source(name, docs, encoder_dir, tmp_path):
    """Settings of a table: where its vectors come from."""
    if name != "spacy-seqmix.VectorsTable.v1":
        return {"encoder": str(encoder_dir)}
    nlp = spacy.blank("xx")
    for i, word in enumerate(sorted({t.text for doc in docs for t in doc})):
        nlp.vocab.set_vector(word, rng(i).normal(size=8).astype("float32"))
    nlp.to_disk(tmp_path)
    return {"vectors": str(tmp_path)}


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


@pytest.mark.parametrize("lang", ["en", "es", "zh", "ar"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("realiser", REALISERS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_registered_mixing_keeps_text_and_offsets(
    strategy, realiser, table, lang, sample, letters_encoder_dir, tmp_path
):
    nlp, docs = sample(lang)
    docs.insert(2, Doc(nlp.vocab))
    source = table_source(table, docs, letters_encoder_dir, tmp_path)
    window = {} if strategy == "spacy-seqmix.WholeSequence.v1" else {"window": 2}
    plans = registry.get("misc", strategy)(density=0.2, **window)(docs, rng())
    build = registry.get("misc", realiser)
    prepared = build(registry.get("misc", table)(**source)).prepare(docs, (), nlp, None)
    mixed = prepared(list(islice(plans, 30)))
    assert mixed
    # Few are so odd that they count as pre-tokenised.
    assert np.mean([doc.has_unknown_spaces for doc in mixed]) <= 0.4
    parents = by_key(docs)
    stored = DocBin(docs=mixed, store_user_data=True).to_bytes()
    for doc, back in zip(mixed, DocBin().from_bytes(stored).get_docs(nlp.vocab), strict=True):
        origin = get_origin(doc)
        parent, other = parents[origin.target], parents[origin.other]
        start, end = origin.start, origin.end
        assert [t.text for t in doc] == [
            *(t.text for t in parent[:start]),
            *origin.words,
            *(t.text for t in parent[end:]),
        ]
        own = {t.lower_ for t in parent[start:end]}
        own |= {t.lower_ for t in other[origin.other_start : origin.other_start + end - start]}
        assert own.isdisjoint(t.lower_ for t in doc[start:end])
        assert not any(t.is_space for t in doc[start:end])
        assert all(doc.text[t.idx : t.idx + len(t)] == t.text for t in doc)
        for ent in doc.ents:
            assert doc.text[ent.start_char : ent.end_char] == ent.text
            found = doc.char_span(ent.start_char, ent.end_char)
            assert (found.start, found.end) == (ent.start, ent.end)
        assert all(e.text.strip() == e.text for e in doc.ents)
        assert np.allclose(soft_labels.of(doc).probs.sum(axis=1), 1.0, atol=1e-5)
        if not doc.has_unknown_spaces:
            assert [t.text for t in nlp.make_doc(doc.text)] == [t.text for t in doc]
            after = parent.text[parent[end].idx :] if end < len(parent) else ""
            assert doc.text.startswith(parent[:start].text)
            assert doc.text.endswith(after)
        assert back.text == doc.text
        assert [(e.text, e.label_) for e in back.ents] == [(e.text, e.label_) for e in doc.ents]


def evidence_of(needs, docs, seed=0):
    """What a policy may need of these docs, the same for docs of the same length."""
    if needs == "nothing":
        return docs
    if needs == "paths":
        return np.array([0.9 ** len(doc) for doc in docs], dtype="float32")
    members = [
        [rng(seed + k).dirichlet(np.ones(5), size=len(doc)).astype("float32") for doc in docs]
        for k in range(3)
    ]
    return members if needs == "committee" else members[0]


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies(name, settings, blank_en):
    policy = registry.get("misc", name)(**settings)
    assert isinstance(policy, QueryPolicy)

    def score(docs, seed=3):
        return score_docs(policy, docs, partial(evidence_of, policy.needs), rng(seed))

    docs = [Doc(blank_en.vocab, words=["w"] * n) for n in range(8)]
    for some in ([], docs[:1], docs[1:2], docs):
        scores = score(some)
        assert scores.shape == (len(some),)
        assert scores.dtype == np.float32
        assert np.array_equal(scores, score(some))
        # without tokens never wanted, with tokens always a number
        assert [s == -np.inf for s in scores] == [len(doc) == 0 for doc in some]
        assert not np.isnan(scores).any()
    assert policy(evidence_of(policy.needs, []), rng()).shape == (0,)
    assert policy(evidence_of(policy.needs, docs), rng()).dtype == np.float32


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_break_ties_at_random(name, settings, blank_en):
    policy = registry.get("misc", name)(**settings)
    docs = [Doc(blank_en.vocab, words=["w", "w"])] * 20
    scores = score_docs(policy, docs, partial(evidence_of, policy.needs), rng(3))
    assert policy.needs == "nothing" or len(set(scores.tolist())) == 1
    picked = [top_k(scores, range(20), 3, rng(seed)) for seed in (1, 1, 2)]
    assert policy.needs == "nothing" or picked[0] == picked[1] != picked[2]


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_take_docs_without_tokens(name, settings):
    """They may be called on arrays themselves, without ``score_docs``."""
    policy = registry.get("misc", name)(**settings)
    arrays = [np.zeros((0, 4), dtype="float32"), np.full((2, 4), 0.25, dtype="float32")]
    if policy.needs in ("tokens", "committee"):
        given = [arrays, arrays] if policy.needs == "committee" else arrays
        scores = policy(given, rng())
        assert scores[0] == -np.inf < scores[1]


@pytest.fixture(scope="module")
def every_component(gold):
    """A pipeline with each kind of component that has probabilities, and its docs."""
    state = np.random.get_state(), random.getstate()
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC})
    add_pipes(nlp, VECTORS["tok2vec"])
    docs = gold(nlp)
    train(nlp, docs, 4)
    np.random.set_state(state[0])
    random.setstate(state[1])
    return nlp, [*(bare(nlp, doc) for doc in docs), Doc(nlp.vocab), Doc(nlp.vocab, words=["a"])]


def asked(nlp, component, policy, docs):
    """What a component says of docs, as the loop asks it."""
    if policy.needs == "nothing":
        return docs
    if policy.needs == "committee":
        return dropout_probs(nlp, component, docs, 0.3, [1, 2, 3])
    return evidence(policy.needs, nlp, component, docs)


@pytest.mark.parametrize("component", PIPES)
@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_over_every_component(name, settings, component, every_component):
    nlp, docs = every_component
    policy = registry.get("misc", name)(**settings)
    factory = nlp.get_pipe_meta(component).factory
    if policy.needs == "paths" and factory != "seqmix_ner":
        with pytest.raises(ValueError, match=rf"S424\] '{component}'.*'seqmix_ner', 'seqmix_crf'"):
            check_evidence(policy.needs, nlp, component)
        return
    check_evidence(policy.needs, nlp, component)
    ask = partial(asked, nlp, component, policy)
    scores = score_docs(policy, docs, ask, rng(3))
    assert scores.shape == (len(docs),)
    assert [s == -np.inf for s in scores] == [len(doc) == 0 for doc in docs]
    assert not np.isnan(scores).any()
    assert np.array_equal(scores, score_docs(policy, docs, ask, rng(3)))
    if policy.needs != "nothing" and settings.get("mode") != "path" and "QBC" not in name:
        assert len(set(scores.tolist())) > 2  # it tells docs apart


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_over_components_without_probabilities(name, settings):
    @Language.component("without_probs")
    def without_probs(doc):
        return doc

    nlp = spacy.blank("xx")
    nlp.add_pipe("without_probs")
    nlp.add_pipe("tagger")
    policy = registry.get("misc", name)(**settings)
    if policy.needs == "nothing":
        check_evidence(policy.needs, nlp, "without_probs")
    else:
        with pytest.raises(ValueError, match=r"S401\] 'without_probs' has no.*\['tagger'\]"):
            check_evidence(policy.needs, nlp, "without_probs")


@pytest.mark.parametrize("name", ORACLES)
def test_registered_oracles(name, news):
    oracle = registry.get("misc", name)()
    assert oracle([]) == []
    assert [doc.text for doc in oracle(news)] == [doc.text for doc in news]
