"""``seqmix_tagger``: a tagger like spaCy's, and soft tags in its loss."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels

TAGS = ("ADJ", "NOUN", "VERB")
DATA = [
    (["big", "dogs", "bark"], ["ADJ", "NOUN", "VERB"]),
    (["dogs", "sleep"], ["NOUN", "VERB"]),
    (["small", "cats"], ["ADJ", "NOUN"]),
]


def build(factory="seqmix_tagger"):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, name="tagger")
    examples = [
        Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, tags=tags))
        for words, tags in DATA
    ]
    nlp.initialize(lambda: examples)
    return nlp, examples


def soften(example, probs):
    soft = SoftLabels(TAGS, np.array(probs, dtype="float32"), "tags")
    soft_labels.put(example.reference, soft)
    return example


def test_tagger_learns_hard_tags_as_spacys_does():
    (ours, examples), (theirs, same) = build(), build("tagger")
    for _ in range(5):
        ours.update(examples)
        theirs.update(same)
    docs = [ours.get_pipe("tagger").model.predict([Doc(ours.vocab, words=w)])[0] for w, _ in DATA]
    wanted = [
        theirs.get_pipe("tagger").model.predict([Doc(theirs.vocab, words=w)])[0] for w, _ in DATA
    ]
    for a, b in zip(docs, wanted, strict=True):
        assert_allclose(a, b, atol=1e-4)


def test_tagger_loss_of_soft_tags_by_hand():
    nlp, examples = build()
    proc = nlp.get_pipe("tagger")
    y = np.array([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0], [0.0, 0.5, 0.5]], dtype="float32")
    example = soften(examples[0], y)
    p = np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8]], dtype="float32")
    loss, (gradient,) = proc.get_loss([example], [p])
    assert loss == pytest.approx(-(y * np.log(p)).sum(), rel=1e-5)
    assert_allclose(gradient, [p[0] - y[0], [0, 0, 0], p[2] - y[2]], atol=1e-6)


def test_tagger_learns_soft_tags():
    nlp, examples = build()
    example = soften(examples[1], [[0.0, 0.7, 0.3], [0.4, 0.0, 0.6]])
    sgd = nlp.create_optimizer()
    sgd.learn_rate = 0.01
    losses = {}
    for _ in range(60):
        losses = nlp.update([example], sgd=sgd)
    (probs, _), backprop = nlp.get_pipe("tagger").model.begin_update(
        [example.predicted, example.predicted]
    )
    backprop([np.zeros_like(probs)] * 2)
    assert_allclose(probs, [[0.0, 0.7, 0.3], [0.4, 0.0, 0.6]], atol=0.1)
    entropy = -sum(x * np.log(x) for x in (0.7, 0.3, 0.4, 0.6))
    assert losses["tagger"] == pytest.approx(entropy, abs=0.1)


def test_tagger_round_trip(tmp_path):
    nlp, examples = build()
    for _ in range(10):
        nlp.update(examples)
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    for words, _ in DATA:
        text = " ".join(words)
        assert [t.tag_ for t in again(text)] == [t.tag_ for t in nlp(text)]
    assert again.get_pipe("tagger").labels == TAGS
    assert nlp.evaluate(examples)["tag_acc"] > 0.5


def test_tagger_refuses_a_loss_that_is_no_number():
    nlp, examples = build()
    with pytest.raises(ValueError, match="E910"):
        nlp.get_pipe("tagger").get_loss([examples[1]], [np.full((2, 3), np.nan, dtype="float32")])


@pytest.mark.parametrize("overwrite", [True, False])
def test_tagger_overwrite_of_the_config_wins(tmp_path, overwrite):
    nlp, _ = build()
    nlp.get_pipe("tagger").cfg["overwrite"] = not overwrite
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path, config={"components.tagger.overwrite": overwrite})
    assert again.get_pipe("tagger").cfg["overwrite"] is overwrite
    assert again.get_pipe("tagger").labels == nlp.get_pipe("tagger").labels
    by_bytes = again.from_config(again.config).from_bytes(nlp.to_bytes())
    assert by_bytes.get_pipe("tagger").cfg["overwrite"] is overwrite


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_tagger_smooths_labels_as_spacys_does(smoothing):
    (ours, examples), (theirs, same) = build(), build("tagger")
    for nlp in (ours, theirs):
        nlp.get_pipe("tagger").cfg["label_smoothing"] = smoothing
    p = np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8]], dtype="float32")
    _, (gradient,) = ours.get_pipe("tagger").get_loss([examples[0]], [p])
    _, (expected,) = theirs.get_pipe("tagger").get_loss([same[0]], [p])
    assert_allclose(gradient, expected, atol=1e-6)


def test_tagger_learns_from_negated_tags():
    nlp, _ = build()
    proc = nlp.get_pipe("tagger")
    words = ["big", "dogs", "bark"]
    negated = Doc(nlp.vocab, words=words, tags=["!NOUN", "NOUN", "!UNSEEN"])
    p = np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8]], dtype="float32")
    _, (gradient,) = proc.get_loss([Example(Doc(nlp.vocab, words=words), negated)], [p])
    # that of -log(1 - 0.25) with respect to the scores before the softmax
    assert_allclose(gradient[0], [-0.5 * 0.25 / 0.75, 0.25, -0.25 * 0.25 / 0.75], atol=1e-6)
    assert_allclose(gradient[1], p[1] - [0, 1, 0], atol=1e-6)
    assert_allclose(gradient[2], 0.0)


@pytest.mark.parametrize("prefix", ["!", ""])
def test_tagger_labels_of_negated_tags(prefix):
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_tagger", config={"neg_prefix": prefix})
    doc = Doc(nlp.vocab, words=["a", "b", "c"], tags=["!N", "N", "V"])
    nlp.initialize(lambda: [Example(Doc(nlp.vocab, words=["a", "b", "c"]), doc)])
    assert nlp.get_pipe("seqmix_tagger").labels == (("N", "V") if prefix else ("!N", "N", "V"))


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2.0])
def test_tagger_refuses_a_label_smoothing_out_of_range(smoothing):
    nlp = spacy.blank("en")
    with pytest.raises(ValueError, match=r"S257.*label_smoothing"):
        nlp.add_pipe("seqmix_tagger", config={"label_smoothing": smoothing})
