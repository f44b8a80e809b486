"""Relations on docs: kept, checked, and never taken for what they are not."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import NONE, Relation, RelationLabels

WORDS = ["Ana", "Lunt", "works", "for", "Blue", "Kite", "in", "Oslo", "."]
ANA, KITE, OSLO = (0, 2), (4, 6), (7, 8)
WORKS, IN = Relation(ANA, KITE, "Works_For"), Relation(KITE, OSLO, "Based_In")
SOFT = RelationLabels(
    ((ANA, KITE), (KITE, ANA), (KITE, OSLO)),
    ("Based_In", NONE, "Works_For"),
    np.array([[0.0, 0.25, 0.75], [0.0, 0.75, 0.25], [0.0, 0.0, 0.0]], dtype="float32"),
)


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


@pytest.fixture
def doc(vocab):
    return Doc(vocab, words=WORDS, ents=["B-P", "I-P", "O", "O", "B-O", "I-O", "O", "B-L", "O"])


def assert_same(found, wanted):
    assert (found.pairs, found.labels) == (wanted.pairs, wanted.labels)
    assert_array_equal(found.probs, wanted.probs)


def test_relations_none_is_not_the_same_as_no_relation(doc):
    assert doc._.relations is None
    assert relations.of(doc) is None
    doc._.relations = []
    assert doc._.relations == ()
    assert relations.of(doc).probs.shape == (0, 1)
    doc._.relations = None
    assert doc._.relations is None


def test_relations_put_and_get(doc):
    doc._.relations = [WORKS, IN]
    assert doc._.relations == (WORKS, IN)
    assert doc._.relation_labels is None
    found = relations.of(doc)
    assert found.labels == (NONE, "Based_In", "Works_For")
    assert_array_equal(found.probs, [[0, 0, 1], [0, 1, 0]])


def test_relations_of_soft_labels_are_the_most_probable(doc):
    doc._.relation_labels = SOFT
    # The second pair is most probably none, and nothing is known of the third.
    assert doc._.relations == (WORKS,)
    assert_same(doc._.relation_labels, SOFT)
    assert_same(relations.of(doc), SOFT)
    doc._.relations = [IN]
    assert doc._.relation_labels is None


def test_relations_threshold():
    assert [r.label for r in relations.hard(SOFT, 0.2)] == ["Works_For", "Works_For"]
    assert [r.prob for r in relations.hard(SOFT, 0.2)] == [0.75, 0.25]
    assert relations.hard(SOFT, 0.8) == ()
    # Not even a threshold of 0 finds something in a row of zeros.
    assert len(relations.hard(SOFT, 0.0)) == 2


@pytest.mark.parametrize("way", ["bytes", "docbin", "copy"])
@pytest.mark.parametrize("value", [SOFT, [WORKS, IN], []], ids=["soft", "hard", "none"])
def test_relations_survive(doc, vocab, way, value):
    if isinstance(value, list):
        doc._.relations = value
    else:
        doc._.relation_labels = value
    relations.put_probs(doc, SOFT)
    if way == "bytes":
        back = Doc(vocab).from_bytes(doc.to_bytes())
    elif way == "docbin":
        data = DocBin(docs=[doc], store_user_data=True).to_bytes()
        (back,) = DocBin().from_bytes(data).get_docs(vocab)
    else:
        back = doc.copy()
    assert back._.relations == doc._.relations
    assert_same(back._.relation_probs, SOFT)
    if value is SOFT:
        assert_same(back._.relation_labels, SOFT)


def test_relations_are_not_annotated_after_a_docbin_without_user_data(doc, vocab):
    doc._.relations = [WORKS]
    (back,) = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(vocab)
    assert back._.relations is None


def test_relations_retokenised(doc):
    doc._.relations = [WORKS]
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    with pytest.raises(ValueError, match="S250"):
        assert doc._.relations


@pytest.mark.parametrize(
    "found",
    [
        [Relation((0, 2), (8, 10), "X")],
        [Relation((2, 2), (4, 5), "X")],
        [Relation((-1, 2), (4, 5), "X")],
        [Relation((0, 2), (0, 2), "X")],
        [WORKS, Relation(ANA, KITE, "Other")],
        [Relation(ANA, KITE, NONE)],
        [Relation(ANA, KITE, "")],
        [Relation(ANA, KITE, "X", float("nan"))],
    ],
)
def test_relations_refuse(doc, found):
    doc._.relations = [IN]
    with pytest.raises(ValueError, match="S251"):
        doc._.relations = found
    assert doc._.relations == (IN,)


@pytest.mark.parametrize(
    ("pairs", "labels", "probs"),
    [
        ([(ANA, KITE)], (NONE, "X"), [[0.5, 0.4]]),
        ([(ANA, KITE)], (NONE, "X"), [[1.5, -0.5]]),
        ([(ANA, KITE)], (NONE, "X"), [[float("nan"), 1.0]]),
        ([(ANA, KITE)], ("X", "Y"), [[0.5, 0.5]]),
        ([(ANA, KITE)], (NONE, "X", "X"), [[0.5, 0.25, 0.25]]),
        ([(ANA, KITE)], (NONE, ""), [[0.5, 0.5]]),
        ([(ANA, KITE)], (NONE, "X"), [[1.0]]),
        ([(ANA, KITE), (ANA, KITE)], (NONE, "X"), [[1.0, 0.0], [0.0, 1.0]]),
        ([(ANA, (8, 12))], (NONE, "X"), [[1.0, 0.0]]),
    ],
)
def test_relations_refuse_soft_labels(doc, pairs, labels, probs):
    with pytest.raises(ValueError, match="S252"):
        doc._.relation_labels = RelationLabels(tuple(pairs), labels, np.array(probs, "float32"))
    assert doc._.relations is None


def test_relations_overlapping_arguments(doc):
    nested = Relation((0, 2), (1, 2), "Part")
    doc._.relations = [nested]
    assert doc._.relations == (nested,)


def test_relations_with_columns():
    rows = relations.with_columns(SOFT, (NONE, "Works_For"))
    assert_allclose(rows, [[0.25, 0.75], [0.75, 0.25], [0, 0]])
    # Where mass is on a label without a column, nothing is known.
    assert_allclose(relations.with_columns(SOFT, (NONE, "Based_In")), np.zeros((3, 2)))


@pytest.mark.parametrize("soft", [False, True])
def test_relations_carried_into_a_part(doc, soft):
    if soft:
        doc._.relation_labels = SOFT
    else:
        doc._.relations = [WORKS, IN]
    part = doc[4:9].as_doc()
    assert part._.relations is None
    relations.carry(doc, part, 4)
    moved = Relation((0, 2), (3, 4), "Based_In")
    assert part._.relations == (() if soft else (moved,))
    if soft:
        assert part._.relation_labels.pairs == (((0, 2), (3, 4)),)
        assert_array_equal(part._.relation_labels.probs, SOFT.probs[2:])


def test_relations_of_nobody_are_not_carried(doc):
    part = doc[4:9].as_doc()
    relations.carry(doc, part, 4)
    assert part._.relations is None


@given(data=st.data())
def test_relations_any_soft_labels_come_back(data):
    doc = Doc(Vocab(), words=["w"] * 6)
    spans = st.tuples(st.integers(0, 5), st.integers(1, 6)).filter(lambda span: span[0] < span[1])
    pairs = data.draw(
        st.lists(st.tuples(spans, spans).filter(lambda p: p[0] != p[1]), unique=True, max_size=5)
    )
    weights = data.draw(
        st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=5, max_size=5)
    )
    rows = np.array(weights[: len(pairs)], dtype="float32").reshape(-1, 3)
    probs = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1.0)
    soft = RelationLabels(tuple(pairs), ("A", NONE, "B"), probs)
    relations.put_labels(doc, soft)
    assert_same(relations.of(doc), soft)
    found = {r.pair: r.label for r in relations.get(doc)}
    for pair, row in zip(pairs, probs, strict=True):
        best = soft.labels[int(row.argmax())] if row.any() else NONE
        assert found.get(pair, NONE) == best
