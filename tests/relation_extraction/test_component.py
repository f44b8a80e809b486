"""``seqmix_relations`` does what a spaCy component does, and learns from soft labels."""

import copy
import json
import random
import warnings

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.cli._util import app as spacy_app
from spacy.scorer import Scorer
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam
from typer.testing import CliRunner

from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import NONE, Relation, RelationLabels
from spacy_seqmix.relation_extraction.component import SeqMixRelations
from spacy_seqmix.training.corpus import create_corpus

from ..tiny import TINY_CNN, transformer_nlp

MODEL = {
    "@architectures": "spacy-seqmix.PairClassifier.v1",
    "hidden_size": 16,
    "type_width": 0,
    "reducer": {"@layers": "reduce_mean.v1"},
    "tok2vec": TINY_CNN,
}
PEOPLE = ("Ana", "Bob", "Eva", "Ida", "Jon", "Liv", "Max", "Tom")
FIRMS = ("Acme", "Bolt", "Cobra", "Delta", "Ergo", "Ferro")
# The word between says which relation there is, and in which direction.
VERBS = {
    "leads": ("Leads", True),
    "hired": ("Works_For", False),
    "joined": ("Works_For", True),
    "visited": (None, True),
}


def sentence(vocab, first, verb, second, types=("PER", "ORG")):
    """(doc without annotation, annotated doc)"""
    words = [first, verb, second, "today"]
    doc = Doc(vocab, words=words)
    doc.set_ents([Span(doc, 0, 1, label=types[0]), Span(doc, 2, 3, label=types[1])])
    label, forward = VERBS[verb]
    pair = ((0, 1), (2, 3)) if forward else ((2, 3), (0, 1))
    relations.put(doc, [Relation(*pair, label)] if label else [])
    return Example(Doc(vocab, words=words), doc)


def examples_of(nlp, n=60, seed=0):
    rng = random.Random(seed)
    return [
        sentence(nlp.vocab, rng.choice(PEOPLE), rng.choice(list(VERBS)), rng.choice(FIRMS))
        for _ in range(n)
    ]


def build(listener=False, **config):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    model = MODEL
    if listener:
        nlp.add_pipe("tok2vec", config={"model": TINY_CNN})
        model = {
            **MODEL,
            "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 16},
        }
    nlp.add_pipe("seqmix_relations", config={"model": model, **config})
    return nlp


def train(nlp, examples, steps=30, rate=0.02):
    nlp.initialize(lambda: examples)
    sgd = Adam(rate)
    for _ in range(steps):
        losses = nlp.update(examples, sgd=sgd)
    return losses


def with_ents(example):
    """The doc as it is to be annotated, with gold entities."""
    doc = example.predicted.copy()
    doc.set_ents([Span(doc, e.start, e.end, label=e.label_) for e in example.reference.ents])
    return doc


def evaluate(nlp, examples):
    return nlp.evaluate([Example(with_ents(eg), eg.reference) for eg in examples])


def soft_example(nlp, row, other=(1.0, 0.0, 0.0)):
    example = sentence(nlp.vocab, "Ana", "leads", "Acme")
    pairs = (((0, 1), (2, 3)), ((2, 3), (0, 1)))
    labels = (NONE, "Leads", "Works_For")
    soft = RelationLabels(pairs, labels, np.array([row, other], dtype="float32"))
    relations.put_labels(example.reference, soft)
    return example


@pytest.fixture
def nlp():
    """Initialised, not trained."""
    nlp = build()
    nlp.initialize(lambda: examples_of(nlp))
    return nlp


@pytest.fixture
def pipe(nlp):
    return nlp.get_pipe("seqmix_relations")


@pytest.fixture(scope="module")
def trained_bytes():
    nlp = build()
    train(nlp, examples_of(nlp))
    return nlp.to_bytes()


@pytest.fixture
def trained(trained_bytes):
    return build().from_bytes(trained_bytes)


# Learning


@pytest.mark.parametrize("listener", [False, True])
def test_relations_are_learnt_from_the_word_between(listener):
    nlp = build(listener)
    before = train(nlp, examples_of(nlp), steps=1)["seqmix_relations"]
    nlp = build(listener)
    assert train(nlp, examples_of(nlp))["seqmix_relations"] < before / 10
    # Directions too: "hired" has its head behind the verb.
    scores = evaluate(nlp, examples_of(nlp, seed=1))
    assert scores["rel_micro_f"] > 0.9
    assert set(scores["rel_per_type"]) == {"Leads", "Works_For"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_relations_over_a_transformer(tiny_bert_dir):
    nlp = transformer_nlp(tiny_bert_dir, "seqmix_relations", MODEL)
    examples = examples_of(nlp, 8)
    examples.append(Example(Doc(nlp.vocab), Doc(nlp.vocab)))
    train(nlp, examples, steps=2, rate=0.001)
    encoder = nlp.get_pipe("transformer").model.transformer
    before = next(encoder.parameters()).detach().clone()
    nlp.update(examples, sgd=Adam(0.01))
    assert not np.allclose(before.numpy(), next(encoder.parameters()).detach().numpy())
    docs = list(nlp.pipe([with_ents(eg) for eg in examples]))
    assert all(doc._.relations is not None for doc in docs)


def test_relations_loss_by_hand(nlp, pipe):
    eg = soft_example(nlp, [0.25, 0.75, 0.0])
    p = np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1]], dtype="float32")
    loss, (gradient,) = pipe.get_loss([eg], [p])
    by_hand = -(0.25 * np.log(0.5) + 0.75 * np.log(0.3) + np.log(0.8))
    assert loss == pytest.approx(by_hand, rel=1e-5)
    assert_allclose(gradient, p - [[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]], atol=1e-7)


def test_relations_learn_soft_rows():
    nlp = build()
    nlp.initialize(lambda: examples_of(nlp))
    eg = soft_example(nlp, [0.2, 0.5, 0.3], [0.6, 0.0, 0.4])
    sgd = Adam(0.02)
    for _ in range(100):
        nlp.update([eg], sgd=sgd)
    (found,) = nlp.get_pipe("seqmix_relations").predict([with_ents(eg)])
    assert_allclose(found.probs, [[0.2, 0.5, 0.3], [0.6, 0.0, 0.4]], atol=0.05)
    assert found.labels == (NONE, "Leads", "Works_For")


def test_relations_of_nobody_are_not_trained_on(nlp, pipe):
    eg = sentence(nlp.vocab, "Ana", "leads", "Acme")
    relations.put(eg.reference, None)
    before = pipe.model.to_bytes()
    assert nlp.update([eg], sgd=Adam(0.1))["seqmix_relations"] == 0.0
    assert pipe.model.to_bytes() == before
    # "None" is something to learn, and nothing is not.
    relations.put(eg.reference, [])
    assert nlp.update([eg], sgd=Adam(0.1))["seqmix_relations"] > 0.0


def test_relations_train_on_what_the_pipeline_has_found():
    nlp = build(use_gold_ents=False)
    examples = examples_of(nlp, 8)
    nlp.initialize(lambda: examples)
    with pytest.raises(ValueError, match=r"S256.*annotating_components"):
        nlp.update(examples)
    for eg in examples:
        # Half of the entities were found.
        eg.predicted.set_ents([Span(eg.predicted, 0, 1, label="PER")])
    assert nlp.update(examples)["seqmix_relations"] == 0.0
    for eg in examples:
        eg.predicted = with_ents(eg)
    assert nlp.update(examples)["seqmix_relations"] > 0.0


def test_relations_refuse_a_loss_that_is_no_number(nlp, pipe):
    eg = sentence(nlp.vocab, "Ana", "leads", "Acme")
    with pytest.raises(ValueError, match="E910"):
        pipe.get_loss([eg], [np.full((2, 3), np.nan, dtype="float32")])


# Annotation


def docs_without_pairs(nlp):
    """Without tokens, without entities, with one."""
    lone = nlp.make_doc("Ana sleeps")
    lone.set_ents([Span(lone, 0, 1, label="PER")])
    return [Doc(nlp.vocab), nlp.make_doc("nobody sleeps"), lone]


def test_relations_without_pairs(trained):
    docs = [trained(doc) for doc in docs_without_pairs(trained)]
    docs += list(trained.pipe(docs_without_pairs(trained)))
    assert [doc._.relations for doc in docs] == [()] * 6
    mixed = [*docs_without_pairs(trained), with_ents(examples_of(trained, 1)[0])]
    assert [len(p.pairs) for p in trained.get_pipe("seqmix_relations").predict(mixed)] == [
        0,
        0,
        0,
        2,
    ]


def test_relations_update_without_pairs(nlp):
    examples = [Example(doc.copy(), doc) for doc in docs_without_pairs(nlp)]
    for eg in examples:
        relations.put(eg.reference, [])
    assert nlp.update(examples)["seqmix_relations"] == 0.0
    assert nlp.update(examples[:1])["seqmix_relations"] == 0.0
    assert nlp.get_pipe("seqmix_relations").update([])["seqmix_relations"] == 0.0


def test_relations_update_without_pairs_reaches_the_encoder():
    nlp = build(listener=True)
    examples = examples_of(nlp, 8)
    nlp.initialize(lambda: examples)
    lone = Doc(nlp.vocab, words=["Ana", "sleeps"], ents=["B-PER", "O"])
    relations.put(lone, [])
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    nlp.update([Example(Doc(nlp.vocab, words=["Ana", "sleeps"]), lone)], sgd=Adam(0.1))
    # With a gradient of zeros.
    assert nlp.get_pipe("tok2vec").model.to_bytes() == before


def test_relations_of_touching_entities(trained):
    doc = Doc(trained.vocab, words=["Ana", "Acme"], ents=["B-PER", "B-ORG"])
    (found,) = trained.get_pipe("seqmix_relations").predict([doc])
    assert found.pairs == (((0, 1), (1, 2)), ((1, 2), (0, 1)))
    assert_allclose(found.probs.sum(axis=1), 1.0, rtol=1e-5)


def test_relations_are_set_with_their_probability(trained):
    doc = trained(with_ents(sentence(trained.vocab, "Ana", "leads", "Acme")))
    ((found),) = doc._.relations
    assert (found.head, found.tail, found.label) == ((0, 1), (2, 3), "Leads")
    assert 0.5 < found.prob <= 1.0
    assert doc._.relation_probs is None
    # Annotated again, it has the same, not twice.
    assert trained(doc)._.relations == (found,)


def test_relations_store_probs_and_threshold(trained_bytes):
    for threshold, n in ((None, 1), (0.0, 2), (1.0, 0)):
        nlp = build(store_probs=True, threshold=threshold).from_bytes(trained_bytes)
        eg = sentence(nlp.vocab, "Ana", "joined", "Acme")
        doc = nlp(with_ents(eg))
        assert len(doc._.relations) == n
        assert doc._.relation_probs.probs.shape == (2, 3)
        back = Doc(nlp.vocab).from_bytes(doc.to_bytes())
        assert_array_equal(back._.relation_probs.probs, doc._.relation_probs.probs)


def test_relations_further_apart_are_no_candidates():
    nlp = build(max_distance=1)
    examples = examples_of(nlp, 8)
    nlp.initialize(lambda: examples)
    doc = Doc(nlp.vocab, words=list("abcd"), ents=["B-PER", "O", "O", "B-ORG"])
    assert nlp(doc)._.relations == ()


@pytest.mark.parametrize("known", [False, True])
def test_relations_between_known_types_only(known):
    nlp = build(known_types_only=known, threshold=0.0)
    train(nlp, examples_of(nlp))
    again = build(known_types_only=known, threshold=0.0).from_bytes(nlp.to_bytes())
    eg = sentence(nlp.vocab, "Ana", "leads", "Acme", types=("ORG", "PER"))
    found = again(with_ents(eg))._.relations
    # In training "Leads" stands from a PER to an ORG alone: here the person comes second.
    assert found[0].head == (0, 1)
    assert found[0].label == ("Works_For" if known else "Leads")
    (probs,) = again.get_pipe("seqmix_relations").predict([with_ents(eg)])
    assert_allclose(probs.probs.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"max_distance": -1}, {"threshold": 1.5}, {"threshold": -0.1}, {"threshold": np.nan}],
)
def test_relations_refuse_settings(nlp, pipe, settings):
    with pytest.raises(ValueError, match="S257"):
        SeqMixRelations(nlp.vocab, pipe.model, **settings)


# Initialisation


def test_relations_labels_are_those_of_the_corpus(nlp, pipe):
    assert pipe.labels == pipe.label_data == ("Leads", "Works_For")
    assert pipe.columns == (NONE, "Leads", "Works_For")


def test_relations_labels_of_soft_rows():
    nlp = build()
    eg = soft_example(nlp, [0.5, 0.0, 0.5])
    nlp.initialize(lambda: [eg])
    assert nlp.get_pipe("seqmix_relations").labels == ("Works_For",)


def test_relations_labels_given(nlp):
    nlp = build()
    nlp.config["initialize"]["components"]["seqmix_relations"] = {"labels": ["Works_For", "Leads"]}
    nlp.initialize(lambda: examples_of(nlp))
    assert nlp.get_pipe("seqmix_relations").labels == ("Works_For", "Leads")


def test_relations_unknown_labels_warn_once_and_do_not_count():
    nlp = build()
    nlp.config["initialize"]["components"]["seqmix_relations"] = {"labels": ["Leads"]}
    nlp.initialize(lambda: examples_of(nlp))
    eg = sentence(nlp.vocab, "Ana", "joined", "Acme")
    pipe = nlp.get_pipe("seqmix_relations")
    p = np.full((2, 2), 0.5, dtype="float32")
    with pytest.warns(UserWarning, match=r"W251.*'Works_For'"):
        loss, (gradient,) = pipe.get_loss([eg], [p])
    assert loss == pytest.approx(np.log(2))
    assert_allclose(gradient, [[0, 0], [-0.5, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe.get_loss([eg], [p])


def stripped(examples, what):
    for eg in examples:
        if what == "user data":
            eg.reference.user_data.clear()
        elif what == "relations":
            relations.put(eg.reference, [])
        else:
            eg.reference.set_ents([])
    return examples


@pytest.mark.parametrize(
    ("what", "code"), [("user data", "S253"), ("relations", "S254"), ("entities", "S255")]
)
def test_relations_need_something_to_learn(what, code):
    nlp = build()
    examples = stripped(examples_of(nlp, 8), what)
    with pytest.raises(ValueError, match=code):
        nlp.initialize(lambda: examples)


def test_relations_lost_in_a_docbin_are_an_error(tmp_path):
    nlp = build()
    docs = [eg.reference for eg in examples_of(nlp, 8)]
    DocBin(docs=docs).to_disk(tmp_path / "lost.spacy")
    with pytest.raises(ValueError, match=r"S253.*store_user_data=True"):
        nlp.initialize(lambda: create_corpus(tmp_path / "lost.spacy")(nlp))


def test_relations_that_are_no_candidates_warn():
    nlp = build(max_distance=2)
    examples = examples_of(nlp, 8)
    far = Doc(nlp.vocab, words=list("abcdef"), ents=["B-PER", "O", "O", "O", "O", "B-ORG"])
    relations.put(far, [Relation((0, 1), (5, 6), "Leads"), Relation((0, 1), (2, 3), "Leads")])
    examples.append(Example(Doc(nlp.vocab, words=list("abcdef")), far))
    with pytest.warns(
        UserWarning, match=r"W250\].* 2 of the .* splits differently: 1; .* 2 tokens apart: 1"
    ):
        nlp.initialize(lambda: examples)


def test_relations_add_label_grows(trained):
    pipe = trained.get_pipe("seqmix_relations")
    doc = with_ents(sentence(trained.vocab, "Ana", "leads", "Acme"))
    (before,) = pipe.predict([doc])
    assert pipe.add_label("Leads") == 0
    assert pipe.add_label("Owns") == 1
    (after,) = pipe.predict([doc])
    assert after.labels == (*before.labels, "Owns")
    assert_allclose(after.probs[:, :3], before.probs, atol=0.02)
    trained.update([sentence(trained.vocab, "Ana", "leads", "Acme")], sgd=Adam(0.01))
    again = build().from_bytes(trained.to_bytes())
    assert again.get_pipe("seqmix_relations").columns == after.labels
    for label in (NONE, ""):
        with pytest.raises(ValueError, match="S258"):
            pipe.add_label(label)
    with pytest.raises(ValueError, match="E187"):
        pipe.add_label(1)


# What every component does


def test_relations_round_trips(trained, tmp_path):
    docs = [with_ents(eg) for eg in examples_of(trained, 8, seed=3)]
    wanted = [trained(doc.copy())._.relations for doc in docs]
    assert any(wanted)
    trained.to_disk(tmp_path / "model")
    for again in (spacy.load(tmp_path / "model"), copy.deepcopy(trained)):
        assert [again(doc.copy())._.relations for doc in docs] == wanted
    batches = [list(trained.pipe([doc.copy() for doc in docs], batch_size=n)) for n in (1, 3)]
    for batch in batches:
        assert [[r.pair for r in doc._.relations] for doc in batch] == [
            [r.pair for r in found] for found in wanted
        ]


def test_relations_training_is_reproducible():
    found = []
    for _ in range(2):
        nlp = build(listener=True)
        train(nlp, examples_of(nlp, 16), steps=3)
        found.append(nlp.to_bytes(exclude=["vocab", "tokenizer"]))
    assert found[0] == found[1]


def test_relations_predict_changes_nothing(trained):
    doc = with_ents(sentence(trained.vocab, "Ana", "leads", "Acme"))
    before = doc.to_bytes()
    trained.get_pipe("seqmix_relations").predict([doc])
    assert doc.to_bytes() == before


def test_relations_scores_have_default_weights(nlp):
    weights = nlp.get_pipe_meta("seqmix_relations").default_score_weights
    found = Scorer(nlp).score([Example(with_ents(eg), eg.reference) for eg in examples_of(nlp, 2)])
    assert set(weights) == {key for key in found if key.startswith("rel_")}


# Gold entities in evaluation


def test_corpus_gold_ents(trained, tmp_path):
    examples = examples_of(trained, 20, seed=2)
    path = tmp_path / "dev.spacy"
    DocBin(docs=[eg.reference for eg in examples], store_user_data=True).to_disk(path)
    plain = trained.evaluate(list(create_corpus(path)(trained)))
    assert plain["rel_micro_f"] == 0.0
    given = trained.evaluate(list(create_corpus(path, gold_ents=True)(trained)))
    assert given["rel_micro_f"] > 0.9
    assert given["rel_micro_f"] == pytest.approx(evaluate(trained, examples)["rel_micro_f"])


def test_corpus_keeps_relations_of_sentences(tmp_path):
    nlp = spacy.blank("en")
    parts = [eg.reference for eg in examples_of(nlp, 2)]
    both = Doc(
        nlp.vocab,
        words=[t.text for doc in parts for t in doc],
        sent_starts=[i in (0, 4) for i in range(8)],
    )
    both.set_ents(
        [
            Span(both, e.start + 4 * i, e.end + 4 * i, e.label_)
            for i in (0, 1)
            for e in parts[i].ents
        ]
    )
    across = Relation((0, 1), (4, 5), "Across")
    within = Relation((4, 5), (6, 7), "Within")
    relations.put(both, [across, within])
    DocBin(docs=[both], store_user_data=True).to_disk(tmp_path / "both.spacy")
    for settings in ({"max_length": 5}, {"gold_preproc": True}):
        first, second = create_corpus(tmp_path / "both.spacy", **settings)(nlp)
        assert first.reference._.relations == ()
        assert second.reference._.relations == (Relation((0, 1), (2, 3), "Within"),)


def test_relations_sourced_read_the_types_of_the_docs():
    source = build(known_types_only=True)
    examples = examples_of(source)
    train(source, examples, steps=3)
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_relations", source=source)
    new = sentence(nlp.vocab, "Ana", "leads", "Acme", types=("PER", "NewType"))
    (probs,) = nlp.get_pipe("seqmix_relations").predict([new.reference])
    assert_allclose(probs.probs[:, 0], 1.0)


def spacy_cli(*args):
    """Run a command of spaCy."""
    result = CliRunner().invoke(spacy_app, [*map(str, args)])
    assert result.exit_code == 0, result.output
    return result.output


def test_relations_in_spacys_commands(tmp_path):
    nlp = build()
    examples = examples_of(nlp, n=12)
    docs = tmp_path / "docs.spacy"
    DocBin(docs=[eg.reference for eg in examples], store_user_data=True).to_disk(docs)
    config = nlp.config.copy()
    config["paths"].update(train=str(docs), dev=str(docs))
    config["corpora"] = {
        name: {"@readers": "spacy-seqmix.Corpus.v1", "path": f"${{paths.{name}}}"}
        for name in ("train", "dev")
    }
    config.to_disk(tmp_path / "config.cfg")
    shown = spacy_cli("debug", "model", tmp_path / "config.cfg", "seqmix_relations")
    assert "model looks good" in shown
    train(nlp, examples, steps=1)
    nlp.to_disk(tmp_path / "model")
    scores = tmp_path / "scores.json"
    spacy_cli("evaluate", tmp_path / "model", docs, "--output", scores)
    assert {"rel_micro_f", "rel_per_type"} <= json.loads(scores.read_text()).keys()
