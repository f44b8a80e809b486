"""Mixing of tags and spans: the same four steps, other labels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from spacy.tokens import Doc

from spacy_seqmix.annotation import layers, soft_labels
from spacy_seqmix.annotation.provenance import by_key, get_origin
from spacy_seqmix.mixing.build_doc import replay
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.segments import Windows
from spacy_seqmix.mixing.strategies import (
    make_label_constrained,
    make_sub_sequence,
    make_whole_sequence,
)
from spacy_seqmix.mixing.vectors import make_word_table

from ..mixed import part_of

pytestmark = pytest.mark.usefixtures("encoders_once")

LAYERS = ("ents", "tags", "spans:sc")


@pytest.fixture
def annotated(news):
    """News with all three layers; the spans are the entities."""
    for doc in news:
        for token in doc:
            token.tag_ = "NAME" if token.ent_type_ else "P-x" if token.is_punct else "W: y"
        doc.spans["sc"] = list(doc.ents)
    return news


@pytest.fixture
def mix(tiny_encoder_dir, blank_en):
    def make(docs, strategy, **settings):
        realiser = make_nearest_token(make_word_table(str(tiny_encoder_dir)))
        mixer = Mixer(strategy, realiser, None, 0.5, **settings)
        return mix_docs(docs, mixer, np.random.default_rng(0), blank_en)[0]

    return make


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("maker", [make_sub_sequence, make_whole_sequence, make_label_constrained])
def test_mixed_layer_by_its_equation(mix, annotated, blank_en, maker, layer):
    window = {} if maker is make_whole_sequence else {"window": 3}
    mixed = mix(annotated, maker(density=0.3, layer=layer, **window))
    assert mixed
    parents = by_key(annotated)
    for doc in mixed:
        origin, part = get_origin(doc), part_of(doc)
        assert origin.layer == layer
        target, other = parents[origin.target], parents[part.other]
        soft = soft_labels.get(doc)
        assert soft.layer == layer
        ours, theirs = (
            soft_labels.with_tags(soft_labels.of(parent, layer), soft.labels)
            for parent in (target, other)
        )
        width = origin.end - origin.start
        expected = ours.copy()
        expected[origin.start : origin.end] = (
            part.weight * ours[origin.start : origin.end]
            + (1 - part.weight) * theirs[part.other_start : part.other_start + width]
        )
        assert_allclose(soft.probs, expected, atol=1e-6)
        assert layers.read(doc, layer) == soft_labels.decode(soft)
        for rest in set(LAYERS) - {layer}:
            assert layers.read(doc, rest) == [None] * len(doc)
        again = replay(origin, annotated, blank_en)
        assert again.to_bytes() == doc.to_bytes()


@pytest.mark.parametrize("layer", LAYERS)
def test_mixed_layer_in_hard_labels(mix, annotated, layer):
    mixed = mix(annotated, make_sub_sequence(3, 0.3, layer=layer), labels="hard")
    assert mixed
    for doc in mixed:
        assert soft_labels.get(doc) is None
        assert None not in layers.read(doc, layer)
        for token in doc:
            assert not token.ent_id_


def test_tags_are_all_valid(labelled):
    doc = labelled("It rained for days and days.")
    assert Windows(3, 1.0)(doc) == []
    assert Windows(3, 1.0, layer="tags")(doc) == []  # no tags yet
    for token in doc:
        token.tag_ = "W"
    assert len(Windows(3, 1.0, layer="tags")(doc)) == len(doc) - 2
    doc[2].tag_ = ""
    assert [found.start for found in Windows(3, 1.0, layer="tags")(doc)] == [3, 4]


def test_tags_named_like_iob_are_not_cut(labelled):
    doc = labelled("one two three four")
    for token in doc:
        token.tag_ = "I-x"
    assert len(Windows(2, 1.0, keep_entities=True, layer="tags")(doc)) == 3


def test_overlapping_spans_are_left_alone(mix, annotated):
    for doc in annotated:
        doc.spans["sc"] = [doc[0:2], doc[1:3]]
    before = [doc.to_bytes() for doc in annotated]
    with pytest.warns(UserWarning, match=r"W210.*only 0 of 30 docs"):
        assert mix(annotated, make_sub_sequence(3, 0.3, layer="spans:sc")) == []
    assert [doc.to_bytes() for doc in annotated] == before


def test_events_are_entities_with_types_of_their_own(mix, blank_en):
    """Triggers of ACE's kind: sparse, mostly one word, types with colons."""
    words = ["troops", "{}", "the", "town", "on", "Monday", "before", "dawn"]
    verbs = ["shelled", "left", "entered", "bombed", "took"]
    docs = []
    for verb in verbs:
        tags = ["O", "B-Conflict:Attack" if verb.endswith("ed") else "B-Movement:Transport"]
        filled = [verb if word == "{}" else word for word in words]
        docs.append(Doc(blank_en.vocab, words=filled, ents=tags + ["O"] * (len(words) - 2)))
    mixed = mix(docs, make_sub_sequence(window=5, density=0.2))
    assert mixed
    for doc in mixed:
        soft = soft_labels.get(doc)
        assert soft.probs.shape[0] == len(words)
        types = set(soft.labels) - {"O"}
        assert types
        assert types <= {
            f"{iob}-{t}" for iob in "BI" for t in ("Conflict:Attack", "Movement:Transport")
        }
        assert {ent.label_ for ent in doc.ents} <= {tag[2:] for tag in types}


def test_doc_keys_tell_layers_apart(annotated):
    keys = set(by_key(annotated))
    for doc in annotated:
        doc[0].tag_ = "other"
    tagged = set(by_key(annotated))
    for doc in annotated:
        del doc.spans["sc"]
    assert len(keys | tagged | set(by_key(annotated))) == 3 * len(annotated)
