"""Active learning over relations: entities come with the docs, relations are labelled."""

import random
from functools import partial

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_seqmix.active.annotation import gold_labels
from spacy_seqmix.active.journal import read_journal
from spacy_seqmix.active.scores import evaluate
from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.query.policies import make_nte_policy, score_docs
from spacy_seqmix.query.probabilities import check_needs, token_probs
from spacy_seqmix.sweep import read_sweep

pytestmark = pytest.mark.usefixtures("encoders_once")

PEOPLE = ("Ana", "Bob", "Eva", "Ida", "Jon", "Liv", "Max", "Tom")
FIRMS = ("Acme", "Bolt", "Cobra", "Delta", "Ergo", "Ferro")
VERBS = {"leads": "Leads", "joined": "Works_For", "visited": None}
COMPONENT = """
[components.seqmix_relations]
factory = "seqmix_relations"

[components.seqmix_relations.model]
@architectures = "spacy-seqmix.PairClassifier.v1"
hidden_size = 16

[components.seqmix_relations.model.reducer]
@layers = "reduce_mean.v1"

[components.seqmix_relations.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 1
embed_size = 200
window_size = 1
maxout_pieces = 2
subword_features = true

"""
RMIX = {"@misc": "spacy-seqmix.Relation.v1"}


def make_docs(n=30):
    rng, vocab = random.Random(0), spacy.blank("en").vocab
    out = []
    for _ in range(n):
        verb = rng.choice(list(VERBS))
        doc = Doc(vocab, words=[rng.choice(PEOPLE), verb, rng.choice(FIRMS), "today"])
        doc.set_ents([Span(doc, 0, 1, label="PER"), Span(doc, 2, 3, label="ORG")])
        label = VERBS[verb]
        relations.put(doc, [Relation((0, 1), (2, 3), label)] if label else [])
        out.append(doc)
    return out


DOCS = make_docs(12)


@pytest.fixture
def relation_files(files, tmp_path):
    text = (tmp_path / "training.cfg").read_text()
    own = text[text.index("[components.seqmix_ner]") : text.index("[corpora]")]
    text = text.replace(own, COMPONENT).replace('["seqmix_ner"]', '["seqmix_relations"]')
    dev = "path = ${paths.dev}\n"
    (tmp_path / "training.cfg").write_text(text.replace(dev, f"{dev}gold_ents = true\n"))
    docs = make_docs()
    DocBin(docs=docs[:22], store_user_data=True).to_disk(tmp_path / "pool.spacy")
    DocBin(docs=docs[22:], store_user_data=True).to_disk(tmp_path / "dev.spacy")
    path = tmp_path / "active.cfg"
    window = '@misc = "spacy-seqmix.SubSequence.v1"\nwindow = 3\ndensity = 0.6\n'
    text = path.read_text().replace(window, '@misc = "spacy-seqmix.Relation.v1"\n')
    path.write_text(text)
    return {**files, "active.component": "seqmix_relations"}


def test_loop_learns_relations(start, relation_files, tmp_path):
    run = start({**relation_files, "active.max_steps": 40, "active.n_rounds": 1})
    records = run.run()
    assert records == read_journal(tmp_path / "run/journal.jsonl")
    assert [r.n_labelled for r in records] == [8, 12]
    assert [r.n_mixed for r in records] == [4, 6]
    mains = [r.scores["dev"].main for r in records]
    assert {main.name for main in mains} == {"rel_micro_f"}
    assert mains[1].value > 0.5
    assert records[1].score("dev") == mains[1].value
    mixed = read_docs(run.folder.mixed(0), run.blank)
    assert all(doc._.relation_labels is not None for doc in mixed)
    nlp = spacy.load(run.folder.model(1))
    assert nlp.get_pipe("seqmix_relations").labels == ("Leads", "Works_For")


def test_loop_queries_by_the_pairs_of_entities(start, relation_files):
    run = start({**relation_files, "active.n_rounds": 1, "active.mixing": None})
    records = run.run()
    nlp = spacy.load(run.folder.path / "models" / "round-01")
    rest = [i for i in run.pool.docs if i not in records[0].queried]
    docs = run.pool.take(rest)
    rows = token_probs(nlp, "seqmix_relations", docs)
    assert all(p.shape == (2, 3) for p in rows)  # Ana and Acme, in both directions
    assert np.allclose(np.concatenate(rows).sum(axis=1), 1.0, atol=1e-5)
    scores = score_docs(
        make_nte_policy(),
        docs,
        partial(token_probs, nlp, "seqmix_relations"),
        np.random.default_rng(0),
    )
    assert np.isfinite(scores).all()
    bare = [Doc(nlp.vocab, words=["nobody", "came"])]
    assert token_probs(nlp, "seqmix_relations", bare)[0].shape == (0, 3)


@pytest.mark.parametrize("kind", ["seeds", "dropout"])
def test_loop_committee_over_the_same_pairs(start, relation_files, kind):
    policy = {"active.policy": {"@misc": "spacy-seqmix.QBC.v1", "mode": "kl"}}
    settings = {**relation_files, **policy, "active.mixing": None, "active.n_rounds": 1}
    records = start({**settings, "active.committee.kind": kind}).run()
    assert [len(r.queried) for r in records] == [8, 4]


def test_check_needs_refuses_committees_over_predicted_entities():
    components = {n: {"factory": n} for n in ("entity_ruler", "ner", "seqmix_relations")}
    config = {"nlp": {"pipeline": list(components)}, "components": components}
    check_needs("tokens", config, "seqmix_relations")
    with pytest.raises(ValueError, match=r"S436.*'ner' predicts the entities"):
        check_needs("committee", config, "seqmix_relations")
    config["nlp"]["pipeline"] = ["entity_ruler", "seqmix_relations"]
    check_needs("committee", config, "seqmix_relations")
    with pytest.raises(ValueError, match="S424"):
        check_needs("paths", config, "seqmix_relations")


def test_loop_warm_start_of_relations(start, relation_files):
    warm = {"active.start": "warm", "active.n_rounds": 1, "active.mixing": None}
    assert len(start({**relation_files, **warm}).run()) == 2


def test_gold_labels_of_relations():
    labels_of = gold_labels({"factory": "seqmix_relations"})
    assert set().union(*map(labels_of, make_docs())) == {"Leads", "Works_For"}
    assert labels_of(Doc(spacy.blank("en").vocab, words=["a"])) == set()


def test_loop_refuses_pools_without_relations(start, relation_files, news, tmp_path):
    DocBin(docs=news[:22]).to_disk(tmp_path / "pool.spacy")
    with pytest.raises(ValueError, match=r"S431.*'seqmix_relations'"):
        start(relation_files)


def test_sweep_over_relations(relation_files, tmp_path):
    path = tmp_path / "sweep.cfg"
    path.write_text(
        '[active]\nextends = "active.cfg"\n\n[sweep]\nseeds = [0]\ncontrols = ["none", "steps"]\n'
    )
    sweep = read_sweep(path, {**relation_files, "active.max_steps": None})
    names = [arm.name for arm in sweep.arms]
    assert names[0] == "config"
    assert "none" in names
    assert len(names) == 3


@pytest.fixture
def trained():
    nlp = spacy.Language(vocab=DOCS[0].vocab)
    tok2vec = {"width": 16, "embed_size": 100, "depth": 1}
    nlp.add_pipe("seqmix_relations", config={"model": {"tok2vec": tok2vec}})
    nlp.initialize(lambda: [Example(Doc(nlp.vocab, words=[t.text for t in d]), d) for d in DOCS])
    return nlp


def test_uncertainty_over_the_pairs_of_entities(trained):
    trained.add_pipe("seqmix_uncertainty")
    assert trained(DOCS[0].copy())._.uncertainty > 0
    assert trained(Doc(trained.vocab, words=["nobody", "came"]))._.uncertainty is None


def test_evaluate_on_entities_of_types_that_the_pipeline_has_not_met(trained, tmp_path):
    trained.to_disk(tmp_path / "pipeline")
    nlp = spacy.load(tmp_path / "pipeline")
    doc = Doc(spacy.blank("en").vocab, words=["Ana", "leads", "Acme"])
    doc.set_ents([Span(doc, 0, 1, label="NEW"), Span(doc, 2, 3, label="NEWER")])
    relations.put(doc, [Relation((0, 1), (2, 3), "Leads")])
    assert evaluate(nlp, [doc], "seqmix_relations").main.name == "rel_micro_f"
