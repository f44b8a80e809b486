"""Soft labels: kept wherever spaCy can keep them, an error wherever it would drop them."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import alignment, layers, soft_labels
from spacy_seqmix.annotation.alignment import aligned

WORDS = ["Ann", "Lee", "saw", "Rome", "."]
IOB = ["B-PER", "I-PER", "O", "B-LOC", "O"]
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
SOFT = SoftLabels(
    TAGS,
    np.array(
        [
            [0.0, 0.25, 0.0, 0.75, 0.0],
            [0.0, 0.0, 0.25, 0.0, 0.75],
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [0.5, 0.5, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0],
        ],
        dtype="float32",
    ),
)


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def hard(nlp):
    return Doc(nlp.vocab, words=WORDS, ents=IOB, sent_starts=[True, False, False, True, False])


@pytest.fixture
def doc(hard):
    hard._.soft_labels = SOFT
    return hard


def rows(tags, columns=TAGS):
    return np.array([[float(tag == column) for column in columns] for tag in tags])


def blank(doc):
    return Doc(doc.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])


def assert_same(soft, other=SOFT):
    assert soft is not None
    assert soft.labels == other.labels
    assert_array_equal(soft.probs, other.probs)


# What a doc says


def test_soft_labels_one_hot_from_entities(hard):
    assert soft_labels.get(hard) is None
    soft = soft_labels.of(hard)
    assert soft.labels == TAGS
    assert_array_equal(soft.probs, rows(IOB))
    assert soft.probs.dtype == np.float32
    assert not soft_labels.is_soft(soft).any()


def test_soft_labels_from_entities_over_given_columns(hard):
    soft = soft_labels.one_hot(hard, "ents", ("O", "B-PER", "I-PER"))
    # A label without a column counts as missing.
    assert_array_equal(soft_labels.is_missing(soft), [False, False, False, True, False])


def test_soft_labels_missing_stays_missing(hard):
    hard.set_ents([], missing=[hard[2:4]], default="unmodified")
    assert layers.read(hard) == ["B-PER", "I-PER", None, None, "O"]
    soft = soft_labels.of(hard)
    assert_array_equal(soft_labels.is_missing(soft), [False, False, True, True, False])
    assert soft_labels.decode(soft) == ["B-PER", "I-PER", None, None, "O"]
    soft_labels.annotate(hard, soft)
    assert [t.ent_iob_ for t in hard] == ["B", "I", "", "", "O"]


def test_soft_labels_without_annotation_all_is_missing(nlp):
    soft = soft_labels.of(nlp.make_doc("Ann saw Rome"))
    assert soft_labels.is_missing(soft).all()
    assert soft_labels.decode(soft) == [None, None, None]


def test_soft_labels_blocked_tokens_are_outside(nlp):
    doc = nlp.make_doc("Ann saw Rome")
    doc.set_ents([], blocked=[doc[0:1]], default="outside")
    assert layers.read(doc) == ["O", "O", "O"]


def test_soft_labels_empty_doc(nlp):
    doc = Doc(nlp.vocab)
    assert soft_labels.of(doc).probs.shape == (0, 1)
    soft_labels.put(doc, SoftLabels(TAGS, np.zeros((0, 5), dtype="float32")))
    assert soft_labels.decode(soft_labels.of(doc)) == []
    soft_labels.annotate(doc, soft_labels.of(doc))
    assert doc.ents == ()


def test_soft_labels_put_marks_soft_tokens(doc):
    assert_same(doc._.soft_labels)
    assert [t.ent_id_ == soft_labels.MARK for t in doc] == [True, True, False, True, False]
    assert soft_labels.is_marked(doc)


def test_soft_labels_one_hot_rows_leave_no_marks(hard):
    soft_labels.put(hard, SoftLabels(TAGS, rows(IOB).astype("float32")))
    assert not soft_labels.is_marked(hard)
    assert soft_labels.SPANS_KEY not in hard.spans


def test_soft_labels_clear(doc):
    doc[2].ent_id_ = "Q42"
    soft_labels.clear(doc)
    assert doc._.soft_labels is None
    assert not soft_labels.is_marked(doc)
    assert [t.ent_id_ for t in doc] == ["", "", "Q42", "", ""]
    assert_array_equal(soft_labels.of(doc).probs, rows(IOB))


@pytest.mark.parametrize("away", ["bytes", "docbin", "as_doc"])
def test_soft_labels_keep_ids_of_others(hard, nlp, away):
    hard.set_ents([Span(hard, 0, 2, label="PER", span_id="Q1"), Span(hard, 3, 4, label="LOC")])
    ids = [t.ent_id_ for t in hard]
    assert ids == ["Q1", "Q1", "", "", ""]
    soft_labels.put(hard, SOFT)
    soft_labels.put(hard, SOFT)
    assert soft_labels.is_marked(hard)
    if away == "bytes":
        again = Doc(nlp.vocab).from_bytes(hard.to_bytes(exclude=["user_data"]))
    elif away == "docbin":
        (again,) = DocBin().from_bytes(DocBin(docs=[hard]).to_bytes()).get_docs(nlp.vocab)
    else:
        again = hard[:].as_doc()
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(again)
    for doc in (hard, again):
        soft_labels.clear(doc)
        assert [t.ent_id_ for t in doc] == ids


def test_soft_labels_set_to_none_clears(doc):
    doc._.soft_labels = None
    assert not soft_labels.is_marked(doc)


def test_soft_labels_token_probs_are_no_labels(hard):
    hard._.token_probs = SOFT
    assert_same(hard._.token_probs)
    assert soft_labels.get(hard) is None
    assert not soft_labels.is_marked(hard)
    assert_same(Doc(hard.vocab).from_bytes(hard.to_bytes())._.token_probs)
    hard._.token_probs = None
    assert hard._.token_probs is None


# Decoding


def test_soft_labels_decode_repairs():
    # The arg-max is I-PER without a beginning.
    soft = SoftLabels(TAGS, np.array([[0.2, 0, 0, 0.3, 0.5], [0.4, 0, 0, 0, 0.6]], "float32"))
    assert soft_labels.decode(soft) == ["B-PER", "I-PER"]


def test_soft_labels_decode_stops_at_missing():
    probs = np.array([[0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0.3, 0, 0, 0, 0.7]], "float32")
    assert soft_labels.decode(SoftLabels(TAGS, probs)) == ["B-PER", None, "O"]


def test_soft_labels_set_entities(doc):
    doc.ents = []
    soft_labels.annotate(doc, SOFT)
    assert [(e.text, e.label_) for e in doc.ents] == [("Ann Lee", "PER")]
    assert [t.ent_iob_ for t in doc] == ["B", "I", "O", "O", ""]


# Ways through spaCy


def test_soft_labels_docbin_with_user_data(doc, nlp):
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(data).get_docs(nlp.vocab)
    assert_same(again._.soft_labels)
    assert [e.label_ for e in again.ents] == ["PER", "LOC"]


def test_soft_labels_docbin_without_user_data(doc, nlp):
    data = DocBin(docs=[doc]).to_bytes()
    (again,) = DocBin().from_bytes(data).get_docs(nlp.vocab)
    with pytest.raises(ValueError, match="S101"):
        again._.soft_labels  # noqa: B018
    with pytest.raises(ValueError, match="S101"):
        aligned(Example(blank(again), again), TAGS)
    soft_labels.clear(again)
    assert_array_equal(soft_labels.of(again).probs, rows(IOB))


def test_soft_labels_docbin_without_entity_ids(doc, nlp):
    # The span group is the mark that stays.
    data = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=[doc]).to_bytes()
    (again,) = DocBin().from_bytes(data).get_docs(nlp.vocab)
    assert not any(t.ent_id for t in again)
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(again)


def test_soft_labels_bytes(doc):
    assert_same(Doc(doc.vocab).from_bytes(doc.to_bytes())._.soft_labels)


def test_soft_labels_bytes_without_user_data(doc):
    again = Doc(doc.vocab).from_bytes(doc.to_bytes(exclude=["user_data"]))
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(again)


def test_soft_labels_json(doc):
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(Doc(doc.vocab).from_json(doc.to_json()))


def test_soft_labels_copy(doc):
    assert_same(doc.copy()._.soft_labels)


def test_soft_labels_as_doc(doc):
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(doc[3:5].as_doc())
    # Nothing soft in there: nothing is lost.
    assert soft_labels.get(doc[2:3].as_doc()) is None


def test_soft_labels_as_doc_with_user_data(doc):
    with pytest.raises(ValueError, match="S102"):
        soft_labels.get(doc[3:5].as_doc(copy_user_data=True))


def test_soft_labels_example_dict(doc):
    example = Example(blank(doc), doc)
    again = Example.from_dict(blank(doc), example.to_dict())
    with pytest.raises(ValueError, match="S101"):
        soft_labels.of(again.reference)


def test_soft_labels_from_docs(doc, nlp):
    with pytest.warns(UserWarning, match="W102"):
        joined = Doc.from_docs([doc, nlp.make_doc("No.")])
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(joined)


def test_soft_labels_give_way_to_corrected_entities(doc):
    doc.ents = [Span(doc, 0, 5, label="ORG")]
    with pytest.warns(UserWarning, match=r"W580.*some docs.*annotation counts"):
        assert doc._.soft_labels is None
    with pytest.warns(UserWarning, match="W580"):
        assert soft_labels.hard_tags(doc) == ["B-ORG", *["I-ORG"] * 4]
    with pytest.warns(UserWarning, match="W580"):
        assert_array_equal(
            soft_labels.of(doc).probs, rows(layers.read(doc), ("O", "B-ORG", "I-ORG"))
        )
    with pytest.warns(UserWarning, match="W580"):
        trained = aligned(Example(blank(doc), doc), ("O", "B-ORG", "I-ORG"))
    assert trained.argmax(axis=1).tolist() == [1, 2, 2, 2, 2]
    # The mark stays, so that the loss of user data is still noticed.
    assert soft_labels.is_marked(doc)
    (again,) = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(doc.vocab)
    with pytest.raises(ValueError, match="S101"):
        soft_labels.get(again)


def test_soft_labels_give_way_after_a_file_and_a_copy(doc):
    doc.set_ents([])
    docbin = DocBin(docs=[doc], store_user_data=True)
    (again,) = DocBin().from_bytes(docbin.to_bytes()).get_docs(spacy.blank("en").vocab)
    for other in (again, doc.copy(), Doc(doc.vocab).from_bytes(doc.to_bytes())):
        with pytest.warns(UserWarning, match="W580"):
            assert soft_labels.get(other) is None
    assert soft_labels.drop_corrected(again)
    assert soft_labels.get(again) is None
    assert not soft_labels.is_marked(again)


def test_soft_labels_hold_with_their_own_decision_and_without_annotation(doc, nlp):
    doc.set_ents([], missing=[doc[:]])  # nothing is said, so nothing is corrected
    assert_same(soft_labels.get(doc))
    assert not soft_labels.drop_corrected(doc)
    soft_labels.annotate(doc, SOFT)
    assert_same(soft_labels.get(doc))
    doc.set_ents([Span(doc, 3, 4, label="PER")], default="outside")
    with pytest.warns(UserWarning, match="W580"):
        assert soft_labels.get(doc) is None
    # What several people said need not decide for what one of them said, or an adjudicator.
    soft_labels.put(doc, SOFT)
    assert_same(soft_labels.get(doc))


def test_soft_labels_of_older_files_hold_where_they_decide_for_the_annotation(doc):
    soft_labels.annotate(doc, SOFT)
    soft_labels.put(doc, SOFT)
    del doc.user_data[soft_labels.KEY]["annotation"]
    assert_same(soft_labels.get(doc))
    doc.set_ents([])
    with pytest.warns(UserWarning, match="W580"):
        assert soft_labels.get(doc) is None


@pytest.mark.parametrize("layer", ["tags", "spans:sc"])
def test_soft_labels_of_other_layers_give_way_to_corrections(nlp, layer):
    doc = Doc(nlp.vocab, words=WORDS[:2], tags=["NN", "VB"], ents=["B-PER", "O"])
    labels = ("NN", "VB") if layer == "tags" else ("O", "B-X")
    soft = SoftLabels(labels, np.array([[0.75, 0.25], [0.25, 0.75]], dtype="float32"), layer)
    soft_labels.annotate(doc, soft)
    soft_labels.put(doc, soft)
    doc.set_ents([])  # another layer
    assert soft_labels.get(doc) is not None
    layers.write(doc, layer, [labels[0]] * 2)
    with pytest.warns(UserWarning, match="W580"):
        assert soft_labels.get(doc) is None


STORED = {"labels": ["O", "B-X", "I-X"], "probs": np.eye(3, dtype="float32")[[0, 1, 2, 0, 0]]}
DAMAGED = {
    "no dict": 5,
    "no probabilities": {"labels": ["O"]},
    "no labels": {"probs": STORED["probs"]},
    "NaN": {**STORED, "probs": STORED["probs"] * np.nan},
    "infinite": {**STORED, "probs": np.full((5, 3), np.inf)},
    "negative": {**STORED, "probs": -STORED["probs"]},
    "sums": {**STORED, "probs": 3 * STORED["probs"]},
    "text": {**STORED, "probs": STORED["probs"].astype(str)},
    "ragged": {**STORED, "probs": [[1.0], [1.0, 0.0]]},
    "a number": {**STORED, "probs": 1.0},
    "one row": {**STORED, "probs": STORED["probs"][0]},
    "columns": {**STORED, "probs": STORED["probs"][:, :2]},
    "no IOB2": {**STORED, "labels": ["X", "Y", "Z"]},
    "labels twice": {**STORED, "labels": ["O", "B-X", "B-X"]},
    "numbers as labels": {**STORED, "labels": [1, 2, 3]},
    "another layer": {**STORED, "layer": 7},
}


@pytest.mark.parametrize("what", DAMAGED)
def test_soft_labels_that_are_damaged_are_refused_where_they_are_read(hard, what):
    for key in (soft_labels.KEY, soft_labels.PROBS_KEY):
        hard.user_data = {key: DAMAGED[what]}
        with pytest.raises(ValueError, match=r"\[S(103|102|217)\]"):
            soft_labels.check_stored(hard)
    hard.user_data = {soft_labels.KEY: DAMAGED[what]}
    with pytest.raises(ValueError, match=r"\[S(103|102|217)\]"):
        aligned(Example(blank(hard), hard), TAGS)


def test_soft_labels_retokenised(doc):
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    with pytest.raises(ValueError, match="S102"):
        soft_labels.of(doc)


# Other columns, other tokens


def test_soft_labels_with_tags():
    more = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
    out = soft_labels.with_tags(SOFT, more)
    assert_allclose(out[0], [0, 0.75, 0, 0, 0, 0.25, 0])
    fewer = soft_labels.with_tags(SOFT, ("O", "B-PER", "I-PER"))
    # Where mass is lost nothing is known.
    assert_allclose(fewer, [[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_soft_labels_aligned_same_tokens(doc):
    assert_array_equal(aligned(Example(blank(doc), doc), TAGS), SOFT.probs)


def test_soft_labels_aligned_split_tokens(doc):
    words = ["A", "nn", "Lee", "saw", "Ro", "me", "."]
    spaces = [False, True, True, True, False, True, True]
    predicted = Doc(doc.vocab, words=words, spaces=spaces)
    out = aligned(Example(predicted, doc), TAGS)
    # The later part of "Ann" continues what its first part may have begun.
    assert_allclose(out[0], [0, 0.25, 0, 0.75, 0])
    assert_allclose(out[1], [0, 0, 0.25, 0, 0.75])
    assert_allclose(out[2], SOFT.probs[1])
    assert_allclose(out[4], [0.5, 0.5, 0, 0, 0])
    assert_allclose(out[5], [0.5, 0, 0.5, 0, 0])
    assert_allclose(out[6], np.zeros(5))


def test_soft_labels_aligned_merged_tokens(nlp):
    words, spaces = ["Ann", "-", "Lee", "saw", "it"], [False, False, True, True, False]
    reference = Doc(nlp.vocab, words=words, spaces=spaces)
    begin, inside = [0.2, 0, 0, 0.8, 0], [0.2, 0, 0, 0, 0.8]
    probs = np.array([begin, inside, inside, [1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]], "float32")
    soft_labels.put(reference, SoftLabels(TAGS, probs))
    predicted = Doc(nlp.vocab, words=["Ann-Lee", "saw", "it"], spaces=[True, True, False])
    out = aligned(Example(predicted, reference), TAGS)
    assert_allclose(out, np.array([begin, [1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]]), atol=1e-6)


def test_soft_labels_aligned_merged_disagreeing_tokens_are_missing(nlp):
    reference = Doc(nlp.vocab, words=["Rome", "'s"], spaces=[False, False])
    probs = np.array([[0.2, 0.8, 0, 0, 0], [1, 0, 0, 0, 0]], "float32")
    soft_labels.put(reference, SoftLabels(TAGS, probs))
    predicted = Doc(nlp.vocab, words=["Rome's"], spaces=[False])
    assert_array_equal(aligned(Example(predicted, reference), TAGS), [[0] * 5])


def test_soft_labels_aligned_whitespace_is_outside(nlp):
    reference = Doc(nlp.vocab, words=["in", "Rome"], spaces=[True, False])
    probs = np.array([[1, 0, 0, 0, 0], [0.2, 0.8, 0, 0, 0]], "float32")
    soft_labels.put(reference, SoftLabels(TAGS, probs))
    predicted = Doc(nlp.vocab, words=["in", "\n", "Rome"], spaces=[True, False, False])
    out = aligned(Example(predicted, reference), TAGS)
    assert_allclose(out, [probs[0], [1, 0, 0, 0, 0], probs[1]])


@pytest.mark.parametrize(
    ("words", "spaces", "tags"),
    [
        (WORDS, [True] * 5, IOB),
        (["Ann Lee", "saw", "Rome", "."], [True] * 4, ["B-PER", "O", "B-LOC", "O"]),
        (
            ["Ann", "Lee", "saw", "Ro", "me", "."],
            [True, True, True, False, True, True],
            ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"],
        ),
        (["Ann", "Lee saw", "Rome", "."], [True] * 4, [None, None, "B-LOC", "O"]),
    ],
)
def test_soft_labels_aligned_hard(hard, words, spaces, tags):
    predicted = Doc(hard.vocab, words=words, spaces=spaces)
    out = aligned(Example(predicted, hard), TAGS)
    assert_array_equal(out, rows(tags))


def test_soft_labels_aligned_hard_missing(hard):
    hard.set_ents([], missing=[hard[2:3]], default="unmodified")
    out = aligned(Example(blank(hard), hard), ("O", "B-PER", "I-PER"))
    # Missing annotation, and a label that has no column.
    assert_array_equal(out, rows(["B-PER", "I-PER", None, None, "O"], ("O", "B-PER", "I-PER")))


def test_soft_labels_aligned_rows_are_probabilities_or_missing(doc):
    predicted = Doc(doc.vocab, words=["AnnL", "ee", "s", "awRome", "."])
    sums = aligned(Example(predicted, doc), TAGS).sum(axis=1)
    assert all(np.isclose(s, 0) or np.isclose(s, 1) for s in sums)


@pytest.mark.parametrize(
    "words", [WORDS, ["Ann", " ", "saw", "Rome", "\n"]], ids=["words", "space"]
)
@pytest.mark.parametrize("layer", ["ents", "tags"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_soft_labels_aligned_same_tokens_as_spacy_aligns_them(nlp, monkeypatch, words, layer, soft):
    rng = np.random.default_rng(0)
    tags = TAGS if layer == "ents" else ("A", "B")
    fast = 0
    for _ in range(60):
        reference = Doc(
            nlp.vocab, words=words, tags=[str(t) for t in rng.choice(["A", "B", ""], 5)]
        )
        spans = [
            Span(reference, i, j, str(rng.choice(["PER", "LOC", "X"]))) for i, j in ((0, 2), (2, 3))
        ]
        places = [reference[i : i + 1] for i in range(3, 5)]
        chosen = [span for span in spans if rng.random() < 0.5]
        blocked, missing = ([p for p in places if rng.random() < 0.4] for _ in range(2))
        missing = [p for p in missing if p not in blocked]
        if rng.random() < 0.9:
            default = "outside" if rng.random() < 0.5 else "missing"
            reference.set_ents(chosen, blocked=blocked, missing=missing, default=default)
        if soft:
            probs = rng.dirichlet([0.3] * len(tags), 5) * (rng.random((5, 1)) < 0.8)
            soft_labels.put(reference, SoftLabels(tags, probs.astype("float32"), layer))
        example = Example(blank(reference), reference)
        fast += alignment.have_same_words(example)
        found = aligned(example, tags, layer)
        with monkeypatch.context() as context:
            context.setattr(alignment, "have_same_words", lambda example: False)
            assert_array_equal(found, aligned(example, tags, layer))
    assert fast == (60 if words is WORDS else 0)


# Bad input


@pytest.mark.parametrize(
    ("labels", "probs"),
    [
        (("O", "B-X"), [[0.5, 0.5, 0.0]]),
        (("O", "B-X"), [0.5]),
        (("B-X", "I-X"), [[0.5, 0.5]]),
        (("O", "O"), [[0.5, 0.5]]),
        (("O", "X"), [[0.5, 0.5]]),
        (("O", "U-X"), [[0.5, 0.5]]),
        (("O", "B-X"), [[1.5, -0.5]]),
        (("O", "B-X"), [[np.nan, 0.5]]),
        (("O", "B-X"), [[np.inf, 0.0]]),
        (("O", "B-X"), [[0.5, 0.4]]),
        (("O", "B-X"), [[0.9, 0.9]]),
    ],
)
def test_soft_labels_invalid(nlp, labels, probs):
    doc = nlp.make_doc("Rome")
    with pytest.raises(ValueError, match="S103"):
        soft_labels.put(doc, SoftLabels(labels, np.array(probs, dtype="float32")))
    assert not soft_labels.is_marked(doc)
    assert soft_labels.get(doc) is None


def test_soft_labels_rows_for_another_doc(nlp):
    with pytest.raises(ValueError, match="S102"):
        nlp.make_doc("Rome")._.soft_labels = SOFT


def test_soft_labels_invalid_keeps_old(doc):
    with pytest.raises(ValueError, match="S102"):
        soft_labels.put(doc, SoftLabels(TAGS, SOFT.probs[:2]))
    assert_same(doc._.soft_labels)
