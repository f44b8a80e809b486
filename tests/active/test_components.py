"""Whole runs of components other than the package's own, asked for their own probabilities."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_seqmix.active.annotation import gold_labels, main_score, morph_labels, tag_labels
from spacy_seqmix.active.fit import warn_of_unseen
from spacy_seqmix.active.journal import read_journal
from spacy_seqmix.active.scores import SCORES, evaluate
from spacy_seqmix.cli.active import header_row, round_row
from spacy_seqmix.query.probabilities import token_probs
from spacy_seqmix.training.augmenter import make_example

pytestmark = pytest.mark.usefixtures("encoders_once")

TOK2VEC = """
[components.{name}.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 1
embed_size = 200
window_size = 1
maxout_pieces = 2
subword_features = true

"""
TAGGER = """
[components.{name}]
factory = "{name}"

[components.{name}.model]
@architectures = "spacy.Tagger.v2"
"""
SPANCAT = """
[components.{name}]
factory = "{name}"
spans_key = "found"

[components.{name}.suggester]
@misc = "spacy.ngram_suggester.v1"
sizes = [1, 2, 3]

[components.{name}.model]
@architectures = "spacy.SpanCategorizer.v1"
scorer = {{"@layers":"spacy.LinearLogistic.v1"}}

[components.{name}.model.reducer]
@layers = "spacy.mean_max_reducer.v1"
hidden_size = 16
"""
SECTIONS = {
    "tagger": TAGGER,
    "morphologizer": TAGGER,
    "spancat": SPANCAT,
    "spancat_singlelabel": SPANCAT.replace("spacy.LinearLogistic.v1", "Softmax.v2"),
}
MAIN = {
    "tagger": "tag_acc",
    "morphologizer": "pos_acc",
    "spancat": "spans_found_f",
    "spancat_singlelabel": "spans_found_f",
}


def annotate(doc):
    """The same words with tags, morphology and spans instead of entities."""
    big = [t.text[0].isupper() for t in doc]
    copy = Doc(
        doc.vocab,
        words=[t.text for t in doc],
        spaces=[bool(t.whitespace_) for t in doc],
        tags=["BIG" if b else "small-x" for b in big],
        pos=["PROPN" if b else "X" for b in big],
        morphs=["Number=Sing" if b else "" for b in big],
    )
    copy.spans["found"] = [Span(copy, e.start, e.end, label=e.label_) for e in doc.ents]
    return copy


@pytest.fixture
def component_files(files, tmp_path, all_news):
    """A function that gives the files of a run without entities, for a component of this name."""

    def make(name):
        text = (tmp_path / "training.cfg").read_text()
        own = text[text.index("[components.seqmix_ner]") : text.index("[corpora]")]
        section = (SECTIONS[name] + TOK2VEC).format(name=name)
        text = text.replace(own, section).replace('["seqmix_ner"]', f'["{name}"]')
        (tmp_path / "training.cfg").write_text(text)
        docs = [annotate(doc) for doc in all_news]
        DocBin(docs=docs[:22]).to_disk(tmp_path / "pool.spacy")
        DocBin(docs=docs[22:]).to_disk(tmp_path / "dev.spacy")
        return {**files, "active.component": name, "active.mixing": None}

    return make


@pytest.mark.parametrize("factory", ["ner", "beam_ner"])
def test_loop_entity_recognisers_with_entropy(start, ner_files, tmp_path, factory):
    path = tmp_path / "training.cfg"
    path.write_text(path.read_text().replace('factory = "ner"', f'factory = "{factory}"'))
    settings = {**ner_files, "active.mixing": None, "active.n_rounds": 1}
    run = start({**settings, "active.keep_models": "all"})
    records = run.run()
    assert [r.steps for r in records] == [4, 4]
    for record in records:
        assert record.scores["dev"].model_fields_set == {*SCORES, "seqeval_f", "confusion"}
    # what was queried is what the last round's beam was least sure of
    nlp = spacy.load(run.folder.model(0))
    rest = [i for i in range(22) if i not in records[0].queried]
    probs = token_probs(nlp, "ner", run.pool.take(rest))
    scores = run.policy(probs, None)
    best = sorted(rest, key=lambda i: -scores[rest.index(i)])[:4]
    assert records[1].queried == best
    assert len(set(scores.tolist())) > 4
    assert len(start({**settings, "active.start": "warm"}, "warm").run()) == 2


def test_loop_beam_that_has_no_parse_for_an_entity(start, ner_files, labelled, tmp_path):
    path = tmp_path / "training.cfg"
    beam = 'factory = "beam_ner"\nbeam_update_prob = 1.0'
    path.write_text(path.read_text().replace('factory = "ner"', beam))
    doc = Doc(labelled("x").vocab, words=["\n", "Rome"], ents=["B-LOC", "I-LOC"])
    DocBin(docs=[doc] * 9).to_disk(ner_files["paths.pool"])
    run = start({**ner_files, "active.mixing": None, "active.n_rounds": 0})
    with (
        pytest.warns(UserWarning, match="W401"),
        pytest.raises(ValueError, match=r"S432.*'ner'.*components\.ner\.beam_update_prob"),
    ):
        run.run()
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("name", SECTIONS)
def test_loop_other_components_by_their_own_scores(start, component_files, name, tmp_path):
    settings = component_files(name)
    run = start({**settings, "active.test": settings["paths.dev"], "active.n_rounds": 1})
    records = run.run()
    assert [r.n_labelled for r in records] == [8, 12]
    assert records == read_journal(tmp_path / "run/journal.jsonl")
    for record in records:
        scores = record.scores["dev"]
        assert (scores.ents_p, scores.ents_f, scores.ents_per_type) == (None, None, {})
        assert scores.main.name == MAIN[name]
        assert record.scores["test"] == scores
    nlp = spacy.load(run.folder.model(1))
    value = records[1].scores["dev"].main.value
    again = nlp.evaluate([make_example(nlp, doc) for doc in run.dev.given])
    assert again[MAIN[name]] == pytest.approx(value)
    assert value > 0 or name.startswith("spancat")
    assert f"Dev {MAIN[name]}" in header_row(records[0])
    assert f"{100 * value:.1f}" in round_row(records[1])


def test_loop_pool_without_what_the_component_learns(start, component_files, all_news, tmp_path):
    settings = component_files("tagger")
    DocBin(docs=all_news).to_disk(settings["paths.pool"])  # entities only
    with pytest.raises(ValueError, match=r"S431.*pool\.spacy.*'tagger' \(tagger\)"):
        start(settings)
    assert not (tmp_path / "run").exists()


def test_loop_warm_start_of_layers_that_cannot_grow(start, component_files, tmp_path):
    settings = {**component_files("tagger"), "active.start": "warm", "active.n_rounds": 1}
    assert len(start(settings).run()) == 2
    pool = start(settings, "other")
    docs = list(pool.pool.docs.values())
    assert 1 not in pool._query(0).choose(pool.active.n_new(0), 0).ids
    docs[1][0].tag_ = "RARE"
    DocBin(docs=docs).to_disk(settings["paths.pool"])
    run = start({**settings, "active.n_query": 14}, "third")
    with pytest.raises(ValueError, match=r"S430\] 'tagger' can't learn the new labels \['RARE'\]"):
        run.run()
    assert len(run.records) == 1


def test_warn_of_unseen_looks_at_what_is_learned(all_news):
    docs = [annotate(doc) for doc in all_news[:3]]
    warn_of_unseen(docs, all_news, "dev", tag_labels)
    docs[2][0].tag_ = "RARE"
    with pytest.warns(UserWarning, match=r"W401.*\['RARE'\] of dev"):
        warn_of_unseen(docs[:2], docs, "dev", tag_labels)


def test_gold_labels_by_factory(all_news):
    plain, doc = all_news[0], annotate(all_news[0])
    assert gold_labels({"factory": "tagger"})(doc) == {"BIG", "small-x"}
    assert gold_labels({"factory": "morphologizer"})(doc) == {"Number=Sing|POS=PROPN", "POS=X"}
    assert gold_labels({"factory": "spancat", "spans_key": "found"})(doc) == {"PER", "LOC"}
    assert gold_labels({"factory": "spancat_singlelabel"})(doc) == set()
    for section in ({"factory": "beam_ner"}, {"factory": "seqmix_ner"}, {"source": "somewhere"}):
        assert gold_labels(section)(plain) == {"PER", "LOC"}
        assert gold_labels(section)(doc) == set()


def test_morph_labels_are_those_of_the_morphologizer(blank_en):
    nlp = spacy.blank("en")
    nlp.add_pipe("morphologizer")
    words = ["Ñandú", "走", "ليلى", "x"]
    morphs = ["Number=Sing|Case=Nom", "", "Gender=Fem", ""]
    doc = Doc(nlp.vocab, words=words, pos=["NOUN", "VERB", "", ""], morphs=morphs)
    nlp.initialize(lambda: [spacy.training.Example(nlp.make_doc("a"), doc)])
    assert morph_labels(doc) == set(nlp.get_pipe("morphologizer").labels)
    assert morph_labels(Doc(nlp.vocab, words=words)) == set()


@pytest.mark.parametrize(
    ("factory", "settings", "expected"),
    [
        ("ner", {}, "ents_f"),
        ("spancat", {}, "spans_sc_f"),
        ("spancat", {"spans_key": "my-key"}, "spans_my-key_f"),
        ("tagger", {}, "tag_acc"),
        ("tagger", {"scorer": None}, None),
    ],
)
def test_main_score(factory, settings, expected):
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, name="mine", config=settings)
    assert main_score(nlp, "mine", []) == expected


def test_evaluate_of_a_component_that_is_not_scored(all_news):
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger", config={"scorer": None})
    docs = [annotate(doc) for doc in all_news[:3]]
    nlp.initialize(lambda: [spacy.training.Example(nlp.make_doc(d.text), d) for d in docs])
    assert evaluate(nlp, docs, "tagger").main is None
    assert evaluate(nlp, docs).ents_f is None
