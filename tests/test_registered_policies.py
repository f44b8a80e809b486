"""The battery of the registered policies: alone, and over each component with probabilities."""

import random
from functools import partial

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_seqmix.query.dropout import dropout_probs
from spacy_seqmix.query.policies import QueryPolicy, evidence, score_docs
from spacy_seqmix.query.probabilities import check_needs
from spacy_seqmix.query.selection import ranked

from .query.conftest import PIPES, VECTORS, add_pipes, bare, train
from .query.conftest import gold as gold  # the fixture
from .registered import POLICIES, policy_of, rng
from .registered import global_random_state as global_random_state  # the fixture
from .tiny import TINY_CNN


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
    if needs == "entities":
        return [1.0 - p[:, 0] for p in members[0]]
    return members if needs == "committee" else members[0]


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies(name, settings, blank_en):
    policy = policy_of(name, settings)
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
        for n_rounds in range(policy.history + 2):
            history = rng().normal(size=(len(some), n_rounds)).astype("float32")
            history[1::2] = np.nan
            adjusted = policy.adjusted(scores, some, history)
            assert adjusted.shape == scores.shape
            assert adjusted.dtype == np.float32
            assert np.array_equal(adjusted, policy.adjusted(scores, some, history))
            assert np.array_equal(adjusted == -np.inf, scores == -np.inf)
            assert not np.isnan(adjusted).any()
        without = policy.adjusted(scores, some)
        assert np.array_equal(without, policy.adjusted(scores, some, history[:, :0]))
        assert policy.adjust is not None or without is scores
    assert policy(evidence_of(policy.needs, []), rng()).shape == (0,)
    assert policy(evidence_of(policy.needs, docs), rng()).dtype == np.float32


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_break_ties_at_random(name, settings, blank_en):
    policy = policy_of(name, settings)
    docs = [Doc(blank_en.vocab, words=["w", "w"])] * 20
    scores = score_docs(policy, docs, partial(evidence_of, policy.needs), rng(3))
    assert policy.needs == "nothing" or len(set(scores.tolist())) == 1
    picked = [ranked(scores, range(20), rng(seed))[:3] for seed in (1, 1, 2)]
    assert policy.needs == "nothing" or picked[0] == picked[1] != picked[2]


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_take_docs_without_tokens(name, settings):
    """They may be called on arrays themselves, without ``score_docs``."""
    policy = policy_of(name, settings)
    arrays = [np.zeros((0, 4), dtype="float32"), np.full((2, 4), 0.25, dtype="float32")]
    if policy.needs in ("tokens", "committee"):
        given = [arrays, arrays] if policy.needs == "committee" else arrays
        scores = policy(given, rng())
        assert scores[0] == -np.inf < scores[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_of_certain_and_of_broken_probabilities(name, settings, value):
    """Zero has no sign, and what is not a number is no score."""
    policy = policy_of(name, settings)
    if policy.needs in ("tokens", "committee"):
        certain = [np.eye(3, dtype="float32")]
        broken = [*certain, np.full((2, 3), value, dtype="float32")]
        several = policy.needs == "committee"
        (score,) = policy([certain, certain] if several else certain, rng())
        assert score != 0 or not np.signbit(score)
        with pytest.raises(ValueError, match=r"S426.*doc 1"):
            policy([[*certain, np.zeros((2, 3), "float32")], broken] if several else broken, rng())
    elif policy.needs == "paths":
        with pytest.raises(ValueError, match=r"S426.*doc 1"):
            policy(np.array([0.5, value]), rng())


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_ask_for_no_blank_doc(name, settings, blank_en):
    policy = policy_of(name, settings)
    docs = [Doc(blank_en.vocab, words=words) for words in (["w"], ["\n", " "], [])]
    scores = score_docs(policy, docs, partial(evidence_of, policy.needs), rng())
    assert [score == -np.inf for score in scores] == [False, True, True]


@pytest.fixture(scope="module")
def every_component(gold):
    """A pipeline with each kind of component that has probabilities, and its docs."""
    state = np.random.get_state(), random.getstate()
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": TINY_CNN})
    add_pipes(nlp, VECTORS["tok2vec"])
    docs = gold(nlp)
    train(nlp, docs, 4)
    np.random.set_state(state[0])
    random.setstate(state[1])
    return nlp, [*(bare(nlp, doc) for doc in docs), Doc(nlp.vocab), Doc(nlp.vocab, words=["a"])]


def evidence_from(nlp, component, policy, docs):
    """What a component says of docs, as the loop asks it."""
    if policy.needs == "nothing":
        return docs
    if policy.needs == "committee":
        return dropout_probs(nlp, component, docs, 0.3, [1, 2, 3])
    return evidence(policy.needs, nlp, component, docs)


ABLE = {"paths": ("seqmix_ner",), "entities": ("seqmix_ner", "ner", "beam_ner")}


@pytest.mark.parametrize("component", PIPES)
@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_over_every_component(name, settings, component, every_component):
    nlp, docs = every_component
    policy = policy_of(name, settings)
    factory = nlp.get_pipe_meta(component).factory
    if factory not in ABLE.get(policy.needs, (factory,)):
        code = {"paths": "S424", "entities": "S710"}[policy.needs]
        with pytest.raises(
            ValueError, match=rf"{code}\] '{component}'.*'seqmix_ner', 'seqmix_crf'"
        ):
            check_needs(policy.needs, nlp, component)
        return
    check_needs(policy.needs, nlp, component)
    ask = partial(evidence_from, nlp, component, policy)
    scores = score_docs(policy, docs, ask, rng(3))
    assert scores.shape == (len(docs),)
    assert [s == -np.inf for s in scores] == [len(doc) == 0 for doc in docs]
    assert not np.isnan(scores).any()
    assert np.array_equal(scores, score_docs(policy, docs, ask, rng(3)))
    if policy.needs != "nothing" and settings.get("mode") != "path" and policy.needs != "committee":
        assert len(set(scores.tolist())) > 2  # it tells docs apart


@pytest.mark.parametrize(("name", "settings"), POLICIES, ids=str)
def test_registered_policies_over_components_without_probabilities(name, settings):
    @Language.component("without_probs")
    def without_probs(doc):
        return doc

    nlp = spacy.blank("xx")
    nlp.add_pipe("without_probs")
    nlp.add_pipe("tagger")
    policy = policy_of(name, settings)
    if policy.needs == "nothing":
        check_needs(policy.needs, nlp, "without_probs")
    else:
        with pytest.raises(ValueError, match=r"S401\] 'without_probs' has no.*\['tagger'\]"):
            check_needs(policy.needs, nlp, "without_probs")
