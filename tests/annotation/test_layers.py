"""Layers of annotation, read and written as one tag a token."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.alignment import aligned
from spacy_seqmix.types import Floats2d

NLP = spacy.blank("en")
WORDS = ["Ann", "Lee", "saw", "Rome"]
LABEL = "a b: c-1"


def rows(values) -> Floats2d:
    return np.array(values, dtype="float32")


def doc_of(words=WORDS, **settings) -> Doc:
    return Doc(NLP.vocab, words=words, **settings)


def spans_doc(*spans, key="sc") -> Doc:
    doc = doc_of()
    doc.spans[key] = [Span(doc, start, end, label=label) for start, end, label in spans]
    return doc


@pytest.mark.parametrize("layer", ["", "ent", "spans", "spans:", "TAGS"])
def test_check_layer_refuses(layer):
    with pytest.raises(ValueError, match=r"S217.*spans:KEY"):
        layers.check_layer(layer)


def test_read_each_layer():
    doc = doc_of(ents=[f"B-{LABEL}", f"I-{LABEL}", "O", ""], tags=["N", "N", "V", ""])
    doc.spans["sc"] = [Span(doc, 2, 4, label=LABEL)]
    assert layers.read(doc) == [f"B-{LABEL}", f"I-{LABEL}", "O", None]
    assert layers.read(doc, "tags") == ["N", "N", "V", None]
    assert layers.read(doc, "spans:sc") == ["O", "O", f"B-{LABEL}", f"I-{LABEL}"]


def test_read_spans_that_cannot_be_told():
    assert layers.read(doc_of(), "spans:sc") == [None] * 4
    assert layers.read(spans_doc(key="other"), "spans:sc") == [None] * 4
    assert layers.read(spans_doc(), "spans:sc") == ["O"] * 4
    overlap = spans_doc((0, 2, "A"), (1, 3, "B"))
    assert layers.read(overlap, "spans:sc") == [None] * 4
    assert layers.read(spans_doc((0, 2, "A"), (0, 2, "B")), "spans:sc") == [None] * 4


@pytest.mark.parametrize("layer", ["ents", "tags", "spans:sc"])
def test_write_what_was_read(layer):
    doc = doc_of(ents=["B-A", "I-A", "O", ""], tags=["N", "", "V", "N"])
    doc.spans["sc"] = [Span(doc, 2, 4, label=LABEL)]
    again = doc_of()
    layers.write(again, layer, layers.read(doc, layer))
    assert layers.read(again, layer) == layers.read(doc, layer)
    for other in {"ents", "tags", "spans:sc"} - {layer}:
        assert layers.read(again, other) == [None] * 4


def test_columns():
    assert layers.columns("ents", ["I-B", "O", "B-A"]) == ("O", "B-A", "I-A", "B-B", "I-B")
    assert layers.columns("spans:x", []) == ("O",)
    assert layers.columns("tags", ["V", "N", "V"]) == ("N", "V")


def test_soft_tags_decode_to_the_most_probable():
    doc = doc_of()
    soft = SoftLabels(("N", "V"), rows([[0.4, 0.6], [0, 0], [0.5, 0.5], [1, 0]]), "tags")
    soft_labels.put(doc, soft)
    soft_labels.annotate(doc, soft)
    assert [t.tag_ for t in doc] == ["V", "", "N", "N"]
    assert soft_labels.get(doc).layer == "tags"
    assert not doc.ents
    # What the other layers say is their own.
    assert soft_labels.of(doc, "ents").probs.sum() == 0
    assert soft_labels.of(doc, "tags").labels == ("N", "V")


def test_soft_tags_survive_a_file(tmp_path):
    doc = doc_of()
    soft_labels.put(doc, SoftLabels(("N", "V"), rows([[0.4, 0.6]] * 4), "tags"))
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "x.spacy")
    (again,) = DocBin().from_disk(tmp_path / "x.spacy").get_docs(NLP.vocab)
    assert soft_labels.get(again).layer == "tags"
    (lost,) = DocBin(docs=[doc]).get_docs(NLP.vocab)
    with pytest.raises(ValueError, match="S101"):
        soft_labels.of(lost, "tags")


def test_soft_labels_of_files_that_name_no_layer():
    doc = doc_of()
    soft_labels.put(doc, SoftLabels(("O", "B-A", "I-A"), rows([[1, 0, 0]] * 4)))
    del doc.user_data[soft_labels.KEY]["layer"]
    assert soft_labels.get(doc).layer == "ents"


def test_soft_labels_want_tags_of_their_layer():
    good = SoftLabels(("N", "V"), rows([[1, 0]] * 4), "tags")
    soft_labels.validate(good)
    with pytest.raises(ValueError, match="S103"):
        soft_labels.validate(SoftLabels(good.labels, good.probs))
    with pytest.raises(ValueError, match="S217"):
        soft_labels.validate(SoftLabels(good.labels, good.probs, "tag"))


def test_aligned_tags():
    reference = doc_of(["a", "b", "cd"], spaces=[False, True, False])
    soft = SoftLabels(("N", "V"), rows([[0.3, 0.7], [0.3, 0.7], [0.9, 0.1]]), "tags")
    soft_labels.put(reference, soft)
    predicted = doc_of(["ab", "c", "d"], spaces=[True, False, False])
    found = aligned(Example(predicted, reference), ("V", "N"), "tags")
    assert found.tolist() == rows([[0.7, 0.3], [0.1, 0.9], [0.1, 0.9]]).tolist()
    # Rows that differ leave the token without one.
    soft_labels.put(reference, SoftLabels(soft.labels, soft.probs[[0, 2, 2]], "tags"))
    assert aligned(Example(predicted, reference), ("V", "N"), "tags")[0].sum() == 0


@pytest.mark.parametrize("label", ["EU-ORG", "L-U-L", "B-I", "U-"])
def test_aligned_labels_that_look_like_marks(label):
    reference = doc_of(ents=[f"B-{label}", f"I-{label}", "O", f"B-{label}"])
    tags = ("O", f"B-{label}", f"I-{label}")
    found = aligned(Example(doc_of(), reference), tags)
    assert found.argmax(axis=1).tolist() == [1, 2, 0, 1]
    assert found.sum() == 4


def test_aligned_hard_tags_as_spacy_aligns_them():
    reference = doc_of(["a", "b", "cd", "e"], tags=["N", "N", "V", ""])
    predicted = doc_of(["a", "b", "cd", "e"])
    found = aligned(Example(predicted, reference), ("V", "N"), "tags")
    assert found.tolist() == [[0, 1], [0, 1], [1, 0], [0, 0]]
    assert aligned(Example(predicted, reference), ("N",), "tags").sum() == 2
