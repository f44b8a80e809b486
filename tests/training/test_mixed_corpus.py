"""The reader that mixes a whole corpus at a time, and passes over streams."""

import contextlib

import numpy as np
import pytest
import spacy
from spacy.cli.debug_data import debug_data
from spacy.tokens import DocBin
from spacy.training.corpus import Corpus
from spacy.training.loop import create_train_batches

from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.training.augmenter import create_seqmix_augmenter
from spacy_seqmix.training.mixed_corpus import create_mixed_corpus

pytestmark = pytest.mark.usefixtures("encoders_once")
STRATEGY = make_sub_sequence(window=3, density=0.6)


@pytest.fixture
def path(news, tmp_path):
    DocBin(docs=news, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def texts(examples, mixed=None):
    return [
        eg.reference.text
        for eg in examples
        if mixed is None or (get_origin(eg.reference) is not None) == mixed
    ]


def test_mixed_corpus_has_originals_and_a_share_of_mixed(path, news, realiser, blank_en):
    corpus = create_mixed_corpus(path, realiser, STRATEGY, rate=0.5, shuffle=False)
    examples = list(corpus(blank_en))
    assert texts(examples)[:30] == [doc.text for doc in news]
    assert len(texts(examples, mixed=True)) == 15
    assert texts(examples[30:], mixed=False) == []


def test_mixed_corpus_mixes_each_pass_anew(path, news, realiser, blank_en):
    def passes(seed):
        corpus = create_mixed_corpus(path, realiser, STRATEGY, rate=[0.5, 0.1], seed=seed)
        return [list(corpus(blank_en)) for _ in range(3)]

    first = passes(0)
    assert [len(texts(p, mixed=True)) for p in first] == [15, 3, 3]
    assert texts(first[1], mixed=True) != texts(first[2], mixed=True)
    assert all(sorted(texts(p, mixed=False)) == sorted(d.text for d in news) for p in first)
    assert texts(first[0], mixed=False) != [doc.text for doc in news]  # shuffled
    assert list(map(texts, first)) == list(map(texts, passes(0)))
    assert list(map(texts, first)) != list(map(texts, passes(1)))


def test_mixed_corpus_shows_initialisation_the_originals(path, news, realiser):
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_ner")
    corpus = create_mixed_corpus(path, realiser, STRATEGY)
    drawn = []

    def watched():
        for eg in corpus(nlp):
            drawn.append(eg)
            yield eg

    nlp.initialize(watched)
    assert drawn
    assert texts(drawn, mixed=True) == []
    assert corpus.n_passes == 0


def test_mixed_corpus_refuses_bad_settings(path, realiser):
    with pytest.raises(ValueError, match="S212"):
        create_mixed_corpus(path, realiser, rate=-1.0)
    with pytest.raises(ValueError, match="E913"):
        create_mixed_corpus(None, realiser)


def test_mixed_corpus_mixes_what_mix_docs_would(path, news, realiser, blank_en):
    corpus = create_mixed_corpus(path, realiser, STRATEGY, rate=0.5, shuffle=False)
    want, _ = mix_docs(news, corpus.mixer, np.random.default_rng([0, 0]), blank_en)
    assert texts(corpus(blank_en), mixed=True) == [doc.text for doc in want]


@pytest.mark.parametrize("fresh", [True, False])
def test_mixed_corpus_mixes_anew_or_the_same_again(path, realiser, blank_en, fresh):
    corpus = create_mixed_corpus(path, realiser, STRATEGY, rate=0.5, fresh=fresh)
    passes = [sorted(texts(corpus(blank_en), mixed=True)) for _ in range(3)]
    assert [len(found) for found in passes] == [15] * 3
    assert (passes[0] == passes[1] == passes[2]) != fresh


# The augmenter over streams: max_epochs = -1 draws the corpus again for each epoch


def epochs(path, augmenter, n):
    nlp = spacy.blank("en")
    corpus = Corpus(path, augmenter=augmenter)
    found = [[] for _ in range(n)]
    for epoch, batch in create_train_batches(nlp, corpus, lambda egs: ([eg] for eg in egs), -1):
        if epoch == n:
            return found
        found[epoch] += batch


def test_augmenter_streams_new_mixtures_each_epoch(path, news, realiser):
    augmenter = create_seqmix_augmenter(realiser, STRATEGY, rate=0.5)
    found = epochs(path, augmenter, 3)
    mixed = [texts(epoch, mixed=True) for epoch in found]
    assert [len(m) for m in mixed] == [15, 15, 15]
    assert len({text for m in mixed for text in m}) == 45
    assert all(texts(epoch, mixed=False) == [doc.text for doc in news] for epoch in found)


def test_augmenter_keeps_a_bounded_number_of_parents(path, realiser, blank_en):
    augmenter = create_seqmix_augmenter(realiser, STRATEGY, rate=0.2, max_docs=12)
    found = epochs(path, augmenter, 3)
    assert [len(texts(epoch, mixed=True)) for epoch in found] == [6, 6, 6]
    assert len(augmenter.docs.docs()) == 12
    with pytest.raises(ValueError, match="S212"):
        create_seqmix_augmenter(realiser, max_docs=1)


@pytest.mark.parametrize(("component", "labels"), [("seqmix_ner", "soft"), ("ner", "hard")])
def test_debug_data_finds_no_fault_in_a_mixed_corpus(
    news, realiser, blank_en, tmp_path, capfd, component, labels
):
    mixer = Mixer(STRATEGY, realiser, labels=labels)
    mixed, _ = mix_docs(news, mixer, np.random.default_rng(0), blank_en)
    # More than so few docs are a fault of their own.
    write_docs([*news * 4, *mixed], tmp_path / "train.spacy")
    write_docs([blank_en.make_doc("Nothing happened in Bruges.")], tmp_path / "dev.spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe(component)
    for name in ("train", "dev"):
        nlp.config["paths"][name] = str(tmp_path / f"{name}.spacy")
    nlp.config["corpora"]["train"]["@readers"] = "spacy-seqmix.Corpus.v1"
    nlp.config.to_disk(tmp_path / "config.cfg")
    with contextlib.suppress(SystemExit):
        debug_data(tmp_path / "config.cfg", silent=False)
    out = capfd.readouterr().out
    assert "Corpus is loadable" in out
    assert ("label(s)" in out) == (component == "ner")  # spaCy looks at its own components alone
    assert "\u2718" not in out
