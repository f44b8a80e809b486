"""``spacy-seqmix.Corpus.v1`` gives what spaCy's reader gives, and soft labels with it."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_array_equal
from spacy.tokens import Doc, DocBin
from spacy.training.corpus import Corpus
from spacy.util import registry

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.alignment import aligned
from spacy_seqmix.training.corpus import create_corpus, split_sents

TAGS = ("O", "B-LOC", "I-LOC")
PROBS = np.array([[0.5, 0.5, 0], [1, 0, 0], [1, 0, 0], [0.25, 0.75, 0], [1, 0, 0]], "float32")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def docs(nlp):
    words, spaces = ["Rome", "won", ".", "Oslo", "lost"], [True, False, True, True, False]
    both = Doc(
        nlp.vocab,
        words=words,
        spaces=spaces,
        sent_starts=[True, False, False, True, False],
        ents=["B-LOC", "O", "O", "B-LOC", "O"],
    )
    soft_labels.put(both, SoftLabels(TAGS, PROBS))
    unsplit = Doc(nlp.vocab, words=words, spaces=spaces)
    soft_labels.put(unsplit, SoftLabels(TAGS, PROBS))
    hard = Doc(nlp.vocab, words=["Bergen"], spaces=[False], ents=["B-LOC"])
    return [both, unsplit, hard]


@pytest.fixture
def path(docs, tmp_path):
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def rows(examples):
    return [aligned(eg, TAGS) for eg in examples]


def words(examples):
    return [[[t.text for t in doc] for doc in (eg.predicted, eg.reference)] for eg in examples]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gold_preproc": True},
        {"max_length": 4},
        {"max_length": 3},
        {"max_length": 5},
        {"max_length": 6},
        {"limit": 1},
        {"max_length": 4, "gold_preproc": True},
    ],
)
def test_corpus_gives_spacys_examples(nlp, docs, tmp_path, settings):
    for doc in docs:
        soft_labels.clear(doc)
    DocBin(docs=docs).to_disk(tmp_path / "hard.spacy")
    ours = list(create_corpus(tmp_path / "hard.spacy", **settings)(nlp))
    theirs = list(Corpus(tmp_path / "hard.spacy", **settings)(nlp))
    assert ours
    assert words(ours) == words(theirs)
    assert [eg.to_dict() for eg in ours] == [eg.to_dict() for eg in theirs]


def test_corpus_keeps_soft_labels(nlp, path):
    examples = list(create_corpus(path)(nlp))
    assert_array_equal(np.concatenate(rows(examples)), [*PROBS, *PROBS, [0, 1, 0]])


def test_corpus_keeps_soft_labels_of_sentences_by_length(nlp, path):
    # spaCy's own reader loses them, and that is an error.
    with pytest.raises(ValueError, match="S101"):
        rows(Corpus(path, max_length=4)(nlp))
    examples = list(create_corpus(path, max_length=4)(nlp))
    # The doc without sentences is too long and left out, as spaCy does.
    assert [len(eg.reference) for eg in examples] == [3, 2, 1]
    assert_array_equal(np.concatenate(rows(examples)), [*PROBS, [0, 1, 0]])


def test_corpus_drops_sentences_that_are_too_long(nlp, path):
    examples = list(create_corpus(path, max_length=3)(nlp))
    assert [eg.reference.text.strip() for eg in examples] == ["Oslo lost", "Bergen"]


def test_corpus_keeps_soft_labels_of_gold_sentences(nlp, path):
    with pytest.raises(ValueError, match="S101"):
        rows(Corpus(path, gold_preproc=True)(nlp))
    examples = list(create_corpus(path, gold_preproc=True)(nlp))
    assert [len(eg.reference) for eg in examples] == [3, 2, 5, 1]
    assert_array_equal(np.concatenate(rows(examples)), [*PROBS, *PROBS, [0, 1, 0]])


def test_corpus_lost_soft_labels(nlp, docs, tmp_path):
    DocBin(docs=docs).to_disk(tmp_path / "lost.spacy")
    with pytest.raises(ValueError, match="S101"):
        rows(create_corpus(tmp_path / "lost.spacy")(nlp))
    with pytest.raises(ValueError, match="S101"):
        list(create_corpus(tmp_path / "lost.spacy", max_length=4)(nlp))
    with pytest.raises(ValueError, match="S101"):
        list(create_corpus(tmp_path / "lost.spacy", gold_preproc=True)(nlp))


def test_corpus_calls_the_augmenter(nlp, path):
    def twice(nlp, example):
        yield example
        yield example

    assert len(list(create_corpus(path, augmenter=twice)(nlp))) == 6


def test_corpus_is_registered(nlp, path):
    config = {"corpus": {"@readers": "spacy-seqmix.Corpus.v1", "path": path, "max_length": 4}}
    assert len(list(registry.resolve(config)["corpus"](nlp))) == 3


def test_corpus_without_path():
    with pytest.raises(ValueError, match="E913"):
        create_corpus(None)


def test_corpus_empty_docbin(nlp, tmp_path):
    DocBin().to_disk(tmp_path / "empty.spacy")
    assert list(create_corpus(tmp_path / "empty.spacy")(nlp)) == []


def test_split_sents_keeps_soft_labels_and_annotation(docs):
    doc = docs[0]
    doc[1].lemma_ = "win"
    first, second = split_sents(doc)
    assert [first.text, second.text] == ["Rome won. ", "Oslo lost"]
    assert first[1].lemma_ == "win"
    assert_array_equal(soft_labels.get(first).probs, PROBS[:3])
    assert_array_equal(soft_labels.get(second).probs, PROBS[3:])
    assert [soft_labels.is_marked(s) for s in (first, second)] == [True, True]
    soft_labels.clear(doc)
    first, _ = split_sents(doc)
    assert soft_labels.get(first) is None


def test_split_sents_after_loss(docs, nlp):
    (again,) = DocBin().from_bytes(DocBin(docs=docs[:1]).to_bytes()).get_docs(nlp.vocab)
    with pytest.raises(ValueError, match="S101"):
        split_sents(again)


def test_corpus_leaves_out_soft_labels_of_corrected_docs_and_counts_them(nlp, docs, tmp_path):
    docs[0].set_ents([])
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "mine.spacy")
    with pytest.warns(UserWarning, match=r"W580.*1 of the 3 docs of '.*mine\.spacy'"):
        examples = list(create_corpus(tmp_path / "mine.spacy")(nlp))
    assert soft_labels.get(examples[0].reference) is None
    assert aligned(examples[0], TAGS).argmax(axis=1).tolist() == [0, 0, 0, 0, 0]
    assert_array_equal(aligned(examples[1], TAGS), PROBS)


def test_corpus_names_the_doc_whose_soft_labels_are_damaged(nlp, docs, tmp_path):
    docs[1].user_data[soft_labels.KEY]["probs"] = np.full((5, 3), np.nan, "float32")
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "bad.spacy")
    with pytest.raises(ValueError, match=r"S582\] Doc 1 of '.*bad\.spacy'.*S103.*not finite"):
        list(create_corpus(tmp_path / "bad.spacy")(nlp))


def test_corpus_stops_at_its_limit(nlp, docs, path):
    assert len(list(create_corpus(path, limit=2)(nlp))) == 2
