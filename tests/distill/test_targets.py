"""The rows that a student learns."""

import numpy as np
import pytest

from spacy_seqmix.annotation.iob import tag_names
from spacy_seqmix.distill.targets import Targets, mean_rows, read_map, tag_matrix, tempered
from spacy_seqmix.errors import SeqMixError

ROWS = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.4, 0.4, 0.2]], "float32")


def test_tempered_is_the_softmax_of_logits_over_the_temperature():
    logits = np.array([[2.0, -1.0, 0.5]])
    for temperature in (0.3, 2.0, 5.0):
        wanted = np.exp(logits / temperature)
        p = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(
            tempered(p, temperature), wanted / wanted.sum(), rtol=1e-5, err_msg=str(temperature)
        )


def test_tempered_leaves_rows_as_they_are_at_1():
    np.testing.assert_allclose(tempered(ROWS, 1.0), ROWS, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1e-3, 0.5, 4.0, 1e6])
def test_tempered_keeps_certainty_missing_rows_and_sums(temperature):
    made = tempered(ROWS, temperature)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made[1:3], ROWS[1:3])
    np.testing.assert_allclose(made.sum(axis=1), [1, 1, 0, 1], rtol=1e-6)
    assert (made.argmax(axis=1) == ROWS.argmax(axis=1)).all()


def test_tempered_goes_to_the_best_tag_and_to_even_rows():
    np.testing.assert_allclose(tempered(ROWS[:1], 1e-3), [[1, 0, 0]])
    np.testing.assert_allclose(tempered(ROWS[:1], 1e6), [[1 / 3] * 3], rtol=1e-4)


def test_tempered_of_tiny_probabilities_stays_a_distribution():
    rows = np.array([[1e-38, 1e-38, 0.0]], "float32")
    np.testing.assert_allclose(tempered(rows, 0.01), [[0.5, 0.5, 0.0]])
    assert tempered(np.zeros((0, 3), "float32"), 2.0).shape == (0, 3)


def test_targets_mean_is_of_probabilities():
    np.testing.assert_allclose(mean_rows([ROWS[:1], ROWS[1:2]]), [[0.85, 0.1, 0.05]], rtol=1e-6)


def test_targets_map_adds_what_is_one_label_and_drops_to_o():
    tags = tag_names(["PER", "PERSON", "MISC", "A-B"])
    labels = {"PER": "PERSON", "MISC": "", "A-B": "C"}
    targets = tag_names(["C", "PERSON"])
    matrix = tag_matrix(tags, targets, labels, "ents")
    row = np.array([0.1, 0.2, 0.05, 0.3, 0.05, 0.1, 0.1, 0.06, 0.04])
    made = dict(zip(targets, row @ matrix, strict=True))
    wanted = {"O": 0.3, "B-C": 0.06, "I-C": 0.04, "B-PERSON": 0.5, "I-PERSON": 0.1}
    assert made == pytest.approx(wanted)
    assert (matrix.sum(axis=1) == 1).all()


def test_targets_map_of_tags_has_no_o():
    matrix = tag_matrix(("NN", "NNS", "VB"), ("N", "VB"), {"NN": "N", "NNS": "N"}, "tags")
    np.testing.assert_array_equal(matrix, [[1, 0], [1, 0], [0, 1]])


def test_targets_labels_may_change_places():
    targets = Targets({"A": "B", "B": "A"})
    assert targets.renamed(["A", "B", "C"]) == {"A", "B", "C"}
    matrix = tag_matrix(tag_names(["A", "B"]), tag_names(["A", "B"]), targets.labels, "ents")
    assert matrix.argmax(axis=1).tolist() == [0, 3, 4, 1, 2]


def test_targets_read_the_map():
    assert read_map(["PER=PERSON", " MISC = ", "a=b=C"]) == {
        "PER": "PERSON",
        "MISC": "",
        "a=b": "C",
    }
    for given, reason in ((["PER"], "is missing"), (["=X"], "missing"), (["A=B", "A="], "twice")):
        with pytest.raises(SeqMixError, match=rf"\[S745\] --map .*{reason}"):
            read_map(given)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_targets_refuse_temperatures_that_are_none(temperature):
    with pytest.raises(SeqMixError, match=r"\[S746\].*above 0"):
        Targets(temperature=temperature)


def test_targets_refuse_a_temperature_of_hard_labels():
    with pytest.raises(SeqMixError, match=r"\[S746\].*--labels hard"):
        Targets(temperature=2.0, hard=True)
