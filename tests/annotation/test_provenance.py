"""Origins: stored on docs, and the keys of parents."""

import pytest
from spacy.tokens import Doc, DocBin

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.provenance import by_key, doc_key, get_origin, set_origin

from ..mixed import origin_of, part_of

ORIGIN = origin_of(1, 3, ("x", "y"), 0.25)


@pytest.fixture
def doc(labelled):
    return labelled("[PER Ann Lee] saw [LOC Rome].")


def test_origin_survives_a_docbin(doc, blank_en):
    assert get_origin(doc) is None
    scored = ORIGIN.scored(12.5, 3.25)
    set_origin(doc, scored)
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    back = next(iter(DocBin().from_bytes(stored).get_docs(blank_en.vocab)))
    assert get_origin(back) == get_origin(doc) == scored
    assert isinstance(part_of(back).words, tuple)
    assert (scored.perplexity, scored.window_nats) == (12.5, 3.25)
    assert ORIGIN.perplexity is None


def test_origin_sets_the_perplexity_of_the_doc(doc):
    had = Doc.has_extension("perplexity")
    if not had:
        Doc.set_extension("perplexity", default=None)
    try:
        set_origin(doc, ORIGIN)
        assert doc._.perplexity is None
        set_origin(doc, ORIGIN.scored(12.5, None))
        assert doc._.perplexity == 12.5
    finally:
        if not had:
            Doc.remove_extension("perplexity")


def test_doc_key_is_what_the_doc_says(doc, labelled, blank_en):
    key = doc_key(doc)
    assert len(key) == 16
    assert doc_key(labelled("[PER Ann Lee] saw [LOC Rome].")) == key
    others = [
        labelled("[PER Ann Lee] saw [ORG Rome]."),
        labelled("[PER Ann Lee] saw [LOC Bonn]."),
        labelled("[PER Ann Lee] saw [LOC Rome] ."),
        Doc(blank_en.vocab, words=[t.text for t in doc]),
    ]
    soft = labelled("[PER Ann Lee] saw [LOC Rome].")
    probs = soft_labels.of(soft).probs.copy()
    probs[0] = 0.2
    soft_labels.put(soft, SoftLabels(soft_labels.of(soft).labels, probs))
    keys = [doc_key(other) for other in (*others, soft)]
    assert len({key, *keys}) == len(keys) + 1


def test_doc_key_survives_a_docbin(news, blank_en):
    stored = DocBin(docs=news, store_user_data=True).to_bytes()
    back = list(DocBin().from_bytes(stored).get_docs(blank_en.vocab))
    assert [doc_key(doc) for doc in back] == [doc_key(doc) for doc in news]


def test_by_key_takes_the_first_of_equals(doc, labelled):
    twin = labelled("[PER Ann Lee] saw [LOC Rome].")
    assert by_key([doc, twin]) == {doc_key(doc): doc}
    assert by_key([doc, twin])[doc_key(doc)] is doc
