"""Probabilities that others found become entities and soft labels."""

from __future__ import annotations

import numpy as np
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.posteriors import CERTAIN, annotate_rows

TAGS = ("O", "B-PER", "I-PER")
VOCAB = spacy.blank("en").vocab


def annotated(rows: list[list[float]]) -> Doc:
    doc = Doc(VOCAB, words=[f"w{n}" for n in range(len(rows))])
    annotate_rows(doc, TAGS, np.array(rows))
    return doc


def test_posteriors_certain_rows_are_one_hot() -> None:
    doc = annotated([[0.005, CERTAIN + 0.001, 0.004], [0.3, 0.0, 0.7], [0.0, 0.0, 0.0]])
    soft = soft_labels.get(doc)
    assert soft is not None
    assert_allclose(soft.probs, [[0, 1, 0], [0.3, 0, 0.7], [0, 0, 0]], atol=1e-6)
    assert [token.ent_iob_ for token in doc] == ["B", "I", ""]
    assert [token.ent_id_ for token in doc] == ["", soft_labels.MARK, ""]


def test_posteriors_entities_are_valid() -> None:
    doc = annotated([[0.6, 0.1, 0.3], [0.3, 0.1, 0.6]])
    assert [token.ent_iob_ for token in doc] == ["O", "O"]
    assert soft_labels.get(doc) is not None


def test_posteriors_without_doubt_leave_no_soft_labels() -> None:
    doc = annotated([[1.0, 0.0, 0.0], [0.0, 0.999, 0.001]])
    assert soft_labels.get(doc) is None
    assert not soft_labels.is_marked(doc)
    assert [ent.text for ent in doc.ents] == ["w1"]
    annotate_rows(doc, TAGS, np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    annotate_rows(doc, TAGS, np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    assert not doc.ents
    assert not soft_labels.is_marked(doc)
