"""The layer that is mixed, against what a pipeline learns."""

import warnings
from contextlib import nullcontext

import pytest
import spacy

from spacy_seqmix.annotation.layers import learned_layer
from spacy_seqmix.mixing.strategies import as_strategy, make_label_constrained, make_sub_sequence
from spacy_seqmix.training.checks import check_mixed_layer


def config_of(**pipes):
    nlp = spacy.blank("en")
    for name, config in pipes.items():
        factory, settings = config if isinstance(config, tuple) else (config, {})
        nlp.add_pipe(factory, name=name, config=settings)
    return nlp.config.interpolate()


def check(layer, component=None, **pipes):
    check_mixed_layer(make_sub_sequence(layer=layer), config_of(**pipes), component)


@pytest.mark.parametrize(
    ("factory", "layer"),
    [
        ("ner", "ents"),
        ("beam_ner", "ents"),
        ("seqmix_ner", "ents"),
        ("tagger", "tags"),
        ("seqmix_tagger", "tags"),
        ("spancat", "spans:sc"),
        ("spancat_singlelabel", "spans:sc"),
        ("morphologizer", None),
        ("textcat", None),
        ("entity_ruler", None),
    ],
)
def test_learned_layer_of_each_factory(factory, layer):
    assert learned_layer(config_of(it=factory)["components"]["it"]) == layer
    assert learned_layer({"factory": factory}) == layer


def test_learned_layer_has_the_key():
    assert learned_layer({"factory": "spancat", "spans_key": "x y"}) == "spans:x y"


def test_layer_that_is_learned_says_nothing():
    check("ents", "a", a="ner", b="tagger", c="entity_ruler")
    check("tags", None, a="ner", b="seqmix_tagger")
    check("spans:x", "a", a=("spancat", {"spans_key": "x"}))
    check_mixed_layer(as_strategy(lambda docs, rng: []), config_of(a="ner"))


@pytest.mark.parametrize(
    ("factory", "layer", "told"),
    [
        ("tagger", "ents", "'layer' to 'tags'"),
        ("ner", "tags", "'layer' to 'ents'"),
        ("spancat", "ents", "'layer' to 'spans:sc'"),
        ("morphologizer", "tags", "set 'mixing' to null"),
    ],
)
def test_layer_that_the_component_does_not_learn(factory, layer, told):
    with pytest.raises(ValueError, match=rf"S433.*{told}"):
        check(layer, "it", it=factory)


def test_layer_that_nothing_learns_warns():
    with pytest.warns(UserWarning, match=r"W221.*'tags'.*'a' learns 'ents'"):
        check("tags", a="ner")


def test_layer_that_misleads_a_span_categoriser_warns():
    pipes = {"a": "ner", "b": "spancat"}
    with pytest.warns(UserWarning, match=r"W222.*'b'.*'ents'.*'sc'"):
        check("ents", "a", **pipes)
    config = config_of(**pipes)
    config["training"]["frozen_components"] = ["b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_mixed_layer(make_sub_sequence(), config, "a")


@pytest.mark.parametrize(("factory", "tells"), [("ner", True), ("seqmix_ner", False)])
def test_soft_labels_that_nobody_learns_are_told(factory, tells):
    config = config_of(it=factory, other="tagger")
    with pytest.warns(UserWarning, match=r"W223.*'it'") if tells else nullcontext():
        check_mixed_layer(make_sub_sequence(), config, labels="soft")
    check_mixed_layer(make_sub_sequence(), config, labels="hard")
    # its labels are never soft
    check_mixed_layer(make_label_constrained(), config, labels="soft")
    both = config_of(a="ner", b="seqmix_ner")
    check_mixed_layer(make_sub_sequence(), both, labels="soft")
