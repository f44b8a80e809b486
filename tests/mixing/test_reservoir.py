"""A bounded, uniform sample of a stream of docs."""

import numpy as np

from spacy_seqmix.mixing.reservoir import Reservoir


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
