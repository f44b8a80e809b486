"""``seqmix_ner`` does what a spaCy component does, and learns from soft labels."""

import copy
import pickle
import random
import warnings

import numpy as np
import pytest
import spacy
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from spacy.pipeline.ner import make_ner_scorer
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import SGD, Adam, use_ops
from thinc.compat import has_cupy_gpu

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.iob import spans_of, tag_names
from spacy_seqmix.models.soft_tagger import set_output_size

from ..tiny import TINY_CNN, transformer_nlp

CONFIG = {"model": {"@architectures": "spacy-seqmix.SoftTagger.v1", "tok2vec": TINY_CNN}}
LISTENER = {
    "model": {
        "@architectures": "spacy-seqmix.SoftTagger.v1",
        "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 16},
    }
}
DATA = [
    ("Ann Lee met Bob in Rome", ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]),
    ("Oslo beat Bergen", ["B-LOC", "O", "B-LOC"]),
    ("nobody came", ["O", "O"]),
    ("Bob sings", ["B-PER", "O"]),
]
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def gold(nlp, text, tags):
    words = text.split()
    return Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, ents=tags))


def soft_example(nlp, text, probs, labels=TAGS):
    words = text.split()
    reference = Doc(nlp.vocab, words=words)
    soft_labels.put(reference, SoftLabels(labels, np.array(probs, dtype="float32")))
    return Example(Doc(nlp.vocab, words=words), reference)


def examples_of(nlp):
    return [gold(nlp, text, tags) for text, tags in DATA]


def build(config=CONFIG, listener=False):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    if listener:
        nlp.add_pipe("tok2vec", config={"model": TINY_CNN})
        config = LISTENER
    nlp.add_pipe("seqmix_ner", config=config)
    return nlp


def train(nlp, examples, steps=40, rate=0.02):
    nlp.initialize(lambda: examples)
    sgd = Adam(rate)
    for _ in range(steps):
        losses = nlp.update(examples, sgd=sgd)
    return losses


def weights(nlp):
    return nlp.get_pipe("seqmix_ner").model.get_ref("output_layer").get_param("W").copy()


def found(docs):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]


def probs_of(nlp, text="Ann went to Rome with Zoe"):
    return nlp.get_pipe("seqmix_ner").predict([nlp.make_doc(text)])[0]


@pytest.fixture
def nlp():
    """Initialised, not trained."""
    nlp = build()
    nlp.initialize(lambda: examples_of(nlp))
    return nlp


@pytest.fixture
def ner(nlp):
    return nlp.get_pipe("seqmix_ner")


@pytest.fixture(scope="module")
def trained_bytes():
    nlp = build()
    train(nlp, examples_of(nlp))
    return nlp.to_bytes()


@pytest.fixture
def trained(trained_bytes):
    return build().from_bytes(trained_bytes)


# The loss


def test_ner_loss_is_cross_entropy(nlp, ner):
    rows = [[0.2, 0.3, 0, 0.5, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    eg = soft_example(nlp, "Bob came yesterday", rows)
    p = np.array([[0.1, 0.2, 0.3, 0.3, 0.1], [0.6, 0.1, 0.1, 0.1, 0.1], [0.2] * 5], dtype="float32")
    loss, (gradient,) = ner.get_loss([eg], [p])
    by_hand = -(0.2 * np.log(0.1) + 0.3 * np.log(0.2) + 0.5 * np.log(0.3) + np.log(0.6))
    assert loss == pytest.approx(by_hand, rel=1e-5)
    # p − q where something is known, nothing where the annotation is missing.
    assert_allclose(gradient, [*(p - np.array(rows))[:2], [0] * 5], atol=1e-7)


def test_ner_loss_of_hard_labels(nlp, ner):
    eg = gold(nlp, *DATA[0])
    (p,) = ner.predict([eg.predicted])
    q = np.array([[float(tag == column) for column in TAGS] for tag in DATA[0][1]])
    loss, (gradient,) = ner.get_loss([eg], [p])
    assert loss == pytest.approx(-np.log((p * q).sum(axis=1)).sum(), rel=1e-5)
    assert_allclose(gradient, p - q, atol=1e-6)


def test_ner_loss_leaves_out_missing_annotation(nlp, ner):
    eg = gold(nlp, *DATA[0])
    eg.reference.set_ents([], missing=[eg.reference[2:6]], default="unmodified")
    loss, (gradient,) = ner.get_loss([eg], ner.predict([eg.predicted]))
    assert loss > 0
    assert (np.abs(gradient).sum(axis=1) > 0).tolist() == [True] * 2 + [False] * 4


def test_ner_loss_is_a_sum_over_the_batch(nlp, ner):
    examples = examples_of(nlp)
    each = [ner.get_loss([eg], ner.predict([eg.predicted]))[0] for eg in examples]
    losses = ner.update(examples, losses={"other": 1.0, "seqmix_ner": 2.0})
    assert losses == {"other": 1.0, "seqmix_ner": pytest.approx(2.0 + sum(each), rel=1e-5)}


def test_ner_soft_labels_move_the_weights_as_p_minus_q(nlp, ner):
    q = np.array([[0.4, 0.6, 0, 0, 0], [0.1, 0, 0.5, 0, 0.4], [0] * 5], dtype="float32")
    eg = soft_example(nlp, "Oslo Lee ran", q)
    (x,) = ner.model.get_ref("tok2vec").predict([eg.predicted])
    (p,) = ner.predict([eg.predicted])
    output = ner.model.get_ref("output_layer")
    w, b = output.get_param("W").copy(), output.get_param("b").copy()
    known = slice(0, 2)
    ner.update([eg], sgd=SGD(0.1, L2=0.0, grad_clip=0.0, use_averages=False))
    d_w = (p - q)[known].T @ x[known]  # Σ (p − q) xᵀ
    assert np.abs(d_w).max() > 0.1
    assert_allclose(output.get_param("W"), w - 0.1 * d_w, atol=1e-6)
    assert_allclose(output.get_param("b"), b - 0.1 * (p - q)[known].sum(axis=0), atol=1e-6)


def test_ner_learns_the_distribution_itself(nlp, ner):
    q = [[0.4, 0.6, 0, 0, 0], [0.7, 0, 0, 0.3, 0]]
    sgd = Adam(0.02)
    for _ in range(60):
        ner.update([soft_example(nlp, "Oslo ran", q)], sgd=sgd)
    assert_allclose(ner.predict([Doc(nlp.vocab, words=["Oslo", "ran"])])[0], q, atol=0.05)


def test_ner_gradient_reaches_the_encoder(nlp, ner):
    tok2vec = ner.model.get_ref("tok2vec")
    before = tok2vec.to_bytes()
    ner.update(examples_of(nlp), sgd=Adam(0.01))
    assert tok2vec.to_bytes() != before


def test_ner_nan_loss(nlp, ner):
    output = ner.model.get_ref("output_layer")
    output.set_param("W", np.full_like(output.get_param("W"), np.nan))
    with pytest.raises(ValueError, match="E910"):
        ner.update(examples_of(nlp), sgd=Adam(0.01))
    # Where nothing is annotated the model is broken all the same.
    with pytest.raises(ValueError, match="E910"):
        ner.update([Example(nlp.make_doc("Bob"), nlp.make_doc("Bob"))], sgd=Adam(0.01))


def test_ner_lost_soft_labels_are_an_error(nlp, ner):
    eg = soft_example(nlp, "Oslo ran", [[0.4, 0.6, 0, 0, 0], [1, 0, 0, 0, 0]])
    eg.reference.user_data.clear()
    with pytest.raises(ValueError, match="S101"):
        ner.update([eg], sgd=Adam(0.01))


# Training


@pytest.mark.parametrize("listener", [False, True])
def test_ner_overfits(listener):
    nlp = build(listener=listener)
    losses = train(nlp, examples_of(nlp))
    assert losses["seqmix_ner"] < 0.2
    assert nlp.evaluate(examples_of(nlp))["ents_f"] == 1.0
    assert found(nlp.pipe([text for text, _ in DATA])) == [spans_of(tags) for _, tags in DATA]


def test_ner_normalises_where_the_output_layer_does_not():
    """The model of ``seqmix_tagger``'s docs leaves the softmax out in prediction."""
    nlp = build({"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": TINY_CNN}})
    train(nlp, examples_of(nlp))
    assert nlp.evaluate(examples_of(nlp))["ents_f"] == 1.0
    assert_allclose(probs_of(nlp).sum(axis=1), 1.0, rtol=1e-5)
    (path,) = nlp.get_pipe("seqmix_ner").path_probs([nlp.make_doc(DATA[0][0])])
    assert 0.5 < path <= 1.0


@pytest.fixture
def one_torch_thread():
    """Threads only cost time where arrays are tiny."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_ner_overfits_with_a_transformer(tiny_bert_dir, tmp_path, one_torch_thread):
    nlp = transformer_nlp(tiny_bert_dir, "seqmix_ner", CONFIG["model"])
    losses = train(nlp, examples_of(nlp))
    assert losses["seqmix_ner"] < 1.0
    texts = [text for text, _ in DATA]
    want = [spans_of(tags) for _, tags in DATA]
    assert found(nlp.pipe(texts)) == want
    # Empty docs in a batch, and nothing but empty docs.
    assert found(nlp.pipe(["", texts[0], ""])) == [[], want[0], []]
    assert found(nlp.pipe(["", ""])) == [[], []]
    before = nlp(texts[0]), nlp.get_pipe("seqmix_ner").predict([nlp(texts[0])])[0]
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert found([again(texts[0])]) == found([before[0]])
    assert_allclose(
        again.get_pipe("seqmix_ner").predict([again(texts[0])])[0], before[1], atol=1e-5
    )
    # The listener's copy of the encoder works alone.
    again.replace_listeners("transformer", "seqmix_ner", ["model.tok2vec"])
    again.remove_pipe("transformer")
    assert found(again.pipe(texts)) == want
    again.to_disk(tmp_path / "alone")
    assert found(spacy.load(tmp_path / "alone").pipe(texts)) == want


def test_ner_update_with_empty_docs(nlp, ner):
    empty = Example(Doc(nlp.vocab), Doc(nlp.vocab))
    assert ner.update([empty], sgd=Adam(0.01)) == {"seqmix_ner": 0.0}
    assert ner.update([]) == {"seqmix_ner": 0.0}
    alone = ner.update([gold(nlp, *DATA[0])])
    assert ner.update([empty, gold(nlp, *DATA[0]), empty]) == pytest.approx(alone)


def test_ner_update_needs_examples(nlp, ner):
    with pytest.raises(TypeError, match="E978"):
        ner.update([nlp.make_doc("Bob")])


def test_ner_frozen(nlp):
    before = weights(nlp)
    losses = nlp.update(examples_of(nlp), sgd=Adam(0.01), exclude=["seqmix_ner"])
    assert losses == {}
    assert_array_equal(weights(nlp), before)


def test_ner_annotates_while_training(trained):
    seen = []

    @spacy.Language.component("test_ner_spy")
    def spy(doc):
        seen.append(doc.ents)
        return doc

    spy_pipe = trained.add_pipe("test_ner_spy")
    spy_pipe.update = lambda examples, **_: seen.extend(eg.predicted.ents for eg in examples)
    examples = examples_of(trained)
    trained.update(examples, sgd=Adam(0.001), annotates=["seqmix_ner"])
    assert [[e.label_ for e in ents] for ents in seen] == [
        [label for _, _, label in spans_of(tags)] for _, tags in DATA
    ]
    # The examples themselves stay as they were, so the next pass predicts anew.
    assert not any(eg.predicted.ents for eg in examples)


def test_ner_rehearse(trained):
    sgd = trained.resume_training()
    examples = examples_of(trained)
    before = probs_of(trained)
    trained.rehearse(examples, sgd=sgd)
    # It agrees with itself: nothing moves.
    assert_allclose(probs_of(trained), before, atol=1e-3)
    output = trained.get_pipe("seqmix_ner").model.get_ref("output_layer")
    output.set_param("W", np.zeros_like(output.get_param("W")))
    first = trained.rehearse(examples, sgd=Adam(0.02))["seqmix_ner"]
    for _ in range(30):
        last = trained.rehearse(examples, sgd=Adam(0.02))["seqmix_ner"]
    assert last < first / 2


def test_ner_rehearse_after_add_label(trained):
    trained.resume_training()
    trained.get_pipe("seqmix_ner").add_label("ORG")
    losses = trained.rehearse(examples_of(trained), sgd=Adam(0.001))
    assert np.isfinite(losses["seqmix_ner"])


def test_ner_rehearse_without_a_model_to_rehearse(nlp, ner):
    assert ner.rehearse(examples_of(nlp), sgd=Adam(0.01)) == {"seqmix_ner": 0.0}


# Labels


def test_ner_collects_labels_sorted():
    orders = []
    for seed in range(3):
        nlp = build()
        examples = examples_of(nlp)
        examples.append(gold(nlp, "Acme", ["B-ORG"]))
        examples.append(
            soft_example(nlp, "Fri", [[0.5, 0.5, 0]], ("O", "B-DATE", "I-DATE"))  # soft only
        )
        random.Random(seed).shuffle(examples)
        nlp.initialize(lambda examples=examples: examples)
        orders.append(nlp.get_pipe("seqmix_ner").labels)
    assert orders == [("DATE", "LOC", "ORG", "PER")] * 3


def test_ner_soft_labels_without_weight_are_no_labels():
    nlp = build()
    nlp.initialize(lambda: [soft_example(nlp, "Rome", [[0.5, 0.5, 0, 0, 0]])])
    assert nlp.get_pipe("seqmix_ner").labels == ("LOC",)


def test_ner_no_labels():
    nlp = build()
    with pytest.raises(ValueError, match="S201"):
        nlp.initialize(lambda: [gold(nlp, *DATA[2])])


def test_ner_labels_given_to_initialize():
    nlp = build()
    nlp.config["initialize"]["components"]["seqmix_ner"] = {"labels": ["PER", "ORG", "LOC"]}
    nlp.initialize(lambda: examples_of(nlp))
    ner = nlp.get_pipe("seqmix_ner")
    # In the order given: a label's columns are where the file says.
    assert ner.labels == ner.label_data == ("PER", "ORG", "LOC")
    assert ner.tags == tag_names(["PER", "ORG", "LOC"])
    assert probs_of(nlp).shape[1] == 7


def test_ner_init_labels_command(tmp_path):
    from spacy.cli._util import app
    from typer.testing import CliRunner

    nlp = build()
    spacy.tokens.DocBin(docs=[eg.reference for eg in examples_of(nlp)]).to_disk(
        tmp_path / "train.spacy"
    )
    config = nlp.config.copy()
    for name in ("train", "dev"):
        config["paths"][name] = str(tmp_path / "train.spacy")
    config.to_disk(tmp_path / "config.cfg")
    result = CliRunner().invoke(
        app, ["init", "labels", str(tmp_path / "config.cfg"), str(tmp_path / "labels")]
    )
    assert result.exit_code == 0, result.output
    labels = tmp_path / "labels" / "seqmix_ner.json"
    assert srsly.read_json(labels) == ["LOC", "PER"]
    nlp.config["initialize"]["components"]["seqmix_ner"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(labels)}
    }
    nlp.initialize(lambda: examples_of(nlp))
    assert nlp.get_pipe("seqmix_ner").labels == ("LOC", "PER")


def test_ner_unknown_label_warns_once(nlp, ner):
    examples = [gold(nlp, "Acme met Bob", ["B-ORG", "O", "B-PER"])]
    with pytest.warns(UserWarning, match="W201") as caught:
        ner.update(examples, sgd=Adam(0.001))
        ner.update(examples, sgd=Adam(0.001))
    assert len([w for w in caught if "ORG" in str(w.message)]) == 1
    # What it said is no part of the component.
    assert set(ner.cfg) == {"labels"}


def test_ner_unknown_label_is_left_out_of_the_loss(nlp, ner):
    with pytest.warns(UserWarning, match="W201"):
        _, (gradient,) = ner.get_loss(
            [gold(nlp, "Acme met Bob", ["B-ORG", "O", "B-PER"])],
            ner.predict([Doc(nlp.vocab, words=["Acme", "met", "Bob"])]),
        )
    assert (np.abs(gradient).sum(axis=1) > 0).tolist() == [False, True, True]


def test_ner_add_label(nlp):
    ner = build().get_pipe("seqmix_ner")
    assert (ner.add_label("PER"), ner.add_label("PER")) == (1, 0)
    assert ner.labels == ("PER",)
    assert "PER" in ner.vocab.strings
    with pytest.raises(ValueError, match="E187"):
        ner.add_label(1)


def test_ner_add_label_before_initialize_keeps_its_columns():
    nlp = build()
    ner = nlp.get_pipe("seqmix_ner")
    ner.add_label("PER")
    nlp.initialize(lambda: examples_of(nlp))
    assert ner.labels == ("PER", "LOC")
    assert probs_of(nlp).shape[1] == 5


def test_ner_add_label_after_training_keeps_what_was_learnt(trained, tmp_path):
    ner = trained.get_pipe("seqmix_ner")
    texts = [text for text, _ in DATA] + ["Zoe Quist flew from Lima to Quito on a Friday"]
    old, before = found(trained.pipe(texts)), probs_of(trained)
    ner.add_label("ORG")
    assert found(trained.pipe(texts)) == old
    after = probs_of(trained)
    assert after.shape[1] == 7
    assert_allclose(after[:, :5], before, atol=0.03)
    # It still saves and loads, and the new label can be learnt.
    trained.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert_allclose(probs_of(again), after, atol=1e-6)
    example = gold(again, "Acme pays", ["B-ORG", "O"])
    sgd = Adam(0.02)
    for _ in range(40):
        again.update([*examples_of(again), example], sgd=sgd)
    assert found(again.pipe([*texts[:4], "Acme pays"])) == [*old[:4], [(0, 1, "ORG")]]


def test_ner_new_label_takes_little_from_an_undecided_model(nlp, ner):
    text = "Zoe Quist flew from Lima to Quito"
    before = probs_of(nlp, text)
    ner.add_label("ORG")
    after = probs_of(nlp, text)
    assert after[:, 5:].max() < 0.03
    assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))


def test_ner_add_label_then_initialize_again(trained):
    ner = trained.get_pipe("seqmix_ner")
    ner.add_label("ORG")
    trained.initialize(lambda: examples_of(trained))
    assert probs_of(trained).shape[1] == 7
    assert ner.model.get_dim("nO") == 7
    trained.update(examples_of(trained), sgd=Adam(0.01))


def test_ner_fixed_output_layer_takes_no_new_label(trained):
    ner = trained.get_pipe("seqmix_ner")
    del ner.model.attrs["resize_output"]
    with pytest.raises(ValueError, match="E922"):
        ner.add_label("ORG")
    assert ner.labels == ("LOC", "PER")


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_ner_copies_of_the_model_resize_themselves(trained, copier):
    model = trained.get_pipe("seqmix_ner").model
    other = copier(model)
    set_output_size(other, 9)
    doc = trained.make_doc("Ann saw Rome")
    assert other.predict([doc])[0].shape == (3, 9)
    assert model.predict([doc])[0].shape == (3, 5)


def test_ner_copied_model_resizes_itself(trained):
    # thinc's copy has no references, but layers of its own.
    model = trained.get_pipe("seqmix_ner").model
    other = model.copy()
    other.attrs["resize_output"](other, 9)
    doc = trained.make_doc("Ann saw Rome")
    assert other.predict([doc])[0].shape == (3, 9)
    assert other.get_ref("output_layer").get_dim("nO") == 9
    assert model.predict([doc])[0].shape == (3, 5)


def test_ner_loaded_model_resizes_itself(trained):
    model = trained.get_pipe("seqmix_ner").model
    other = build().get_pipe("seqmix_ner").model.from_bytes(model.to_bytes())
    set_output_size(other, 9)
    assert other.predict([trained.make_doc("Ann saw Rome")])[0].shape == (3, 9)


# Predictions


def test_ner_predictions_are_normalised(nlp, trained):
    for pipeline in (nlp, trained):
        probs = probs_of(pipeline)
        assert probs.shape == (6, 5)
        assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)
        assert probs.min() >= 0


def test_ner_predict_changes_no_doc(trained):
    doc = trained.make_doc("Ann saw Rome")
    trained.get_pipe("seqmix_ner").predict([doc])
    assert doc.ents == ()
    assert not doc.has_annotation("ENT_IOB")


def test_ner_predict_with_empty_docs(trained):
    ner = trained.get_pipe("seqmix_ner")
    empty, doc = Doc(trained.vocab), trained.make_doc("Ann saw Rome")
    shapes = [p.shape for p in ner.predict([empty, doc, empty])]
    assert shapes == [(0, 5), (3, 5), (0, 5)]
    assert [p.shape for p in ner.predict([empty, empty])] == [(0, 5), (0, 5)]
    assert list(ner.predict([])) == []
    assert ner.predict(iter([doc]))[0].shape == (3, 5)


def test_ner_pipe_with_empty_docs(trained):
    docs = list(trained.pipe(["", DATA[0][0], ""]))
    assert found(docs) == [[], spans_of(DATA[0][1]), []]
    assert found(trained.pipe(["", ""])) == [[], []]
    assert trained("").ents == ()


def test_ner_pipe_is_as_call(trained):
    texts = [text for text, _ in DATA] * 3
    alone = found([trained(text) for text in texts])
    assert found(trained.pipe(texts, batch_size=5)) == alone
    assert any(alone)


def test_ner_pipe_with_processes(trained):
    texts = [text for text, _ in DATA] * 2
    assert found(trained.pipe(texts, n_process=2, batch_size=2)) == found(trained.pipe(texts))


def test_ner_pickle(trained):
    ner = pickle.loads(pickle.dumps(trained.get_pipe("seqmix_ner")))
    doc = trained.make_doc("Ann saw Rome")
    assert_array_equal(ner.predict([doc])[0], probs_of(trained, "Ann saw Rome"))


ROWS = arrays(
    "float32",
    st.tuples(st.integers(1, 7), st.just(5)),
    elements=st.sampled_from([0.0, 1e-30, 1e-22, 0.3, 1.0]) | st.floats(0, 1, width=32),
)


@given(probs=ROWS, preset=st.lists(st.sampled_from("OBE-"), min_size=7, max_size=7))
@settings(max_examples=150, deadline=None)
def test_ner_annotations_are_valid_and_keep_what_was_there(probs, preset):
    ner, vocab = _shared()
    doc = Doc(vocab, words=["x"] * len(probs))
    kinds = preset[: len(doc)]

    def tokens(kind):
        return [Span(doc, i, i + 1, label="OLD") for i, k in enumerate(kinds) if k == kind]

    doc.set_ents(
        tokens("E"),
        blocked=tokens("B"),
        missing=tokens("-"),
        outside=tokens("O"),
        default="missing",
    )
    ner.set_annotations([doc], [probs])
    # Reading the entities would fail if a sequence were not valid.
    ents = [(e.start, e.label_) for e in doc.ents]
    assert [i for i, label in ents if label == "OLD"] == [
        i for i, k in enumerate(kinds) if k == "E"
    ]
    for token, kind in zip(doc, kinds, strict=True):
        assert token.ent_iob_ != ""
        if kind == "E":
            assert token.ent_type_ == "OLD"
        if kind == "B":
            assert (token.ent_iob_, token.ent_type_) == ("B", "")


@given(
    probs=ROWS,
    blank=st.lists(st.booleans(), min_size=7, max_size=7),
    preset=st.lists(st.sampled_from("BE---"), min_size=7, max_size=7),
)
@settings(max_examples=150, deadline=None)
def test_ner_entities_have_no_whitespace_at_their_ends(probs, blank, preset):
    ner, vocab = _shared()
    doc = Doc(vocab, words=["\n" if b else "x" for b in blank[: len(probs)]])
    kinds = preset[: len(doc)]
    doc.set_ents(
        [Span(doc, i, i + 1, label="OLD") for i, k in enumerate(kinds) if k == "E"],
        blocked=[doc[i : i + 1] for i, k in enumerate(kinds) if k == "B"],
        default="missing",
    )
    ner.set_annotations([doc], [probs])
    assert [e.start for e in doc.ents if e.label_ == "OLD"] == [
        i for i, k in enumerate(kinds) if k == "E"
    ]
    for ent in doc.ents:
        assert ent.label_ == "OLD" or not (ent[0].is_space or ent[-1].is_space)


def _shared(cache=[]):  # noqa: B006 (one component for all of hypothesis' runs)
    if not cache:
        ner = build().get_pipe("seqmix_ner")
        ner.add_label("LOC")
        ner.add_label("PER")
        cache.append((ner, ner.vocab))
    return cache[0]


def test_ner_preset_entities_are_kept(trained):
    text = DATA[0][0]
    doc = trained.make_doc(text)
    doc.ents = [Span(doc, 1, 3, label="TEAM", kb_id="Q1", span_id="7")]
    doc = trained.get_pipe("seqmix_ner")(doc)
    assert [(e.text, e.label_, e.kb_id_, e.id_) for e in doc.ents] == [
        ("Ann", "PER", "", ""),
        ("Lee met", "TEAM", "Q1", "7"),
        ("Bob", "PER", "", ""),
        ("Rome", "LOC", "", ""),
    ]


def test_ner_blocked_tokens_stay_blocked(trained):
    doc = trained.make_doc(DATA[0][0])
    doc.set_ents([], blocked=[doc[5:6]], default="missing")
    doc = trained.get_pipe("seqmix_ner")(doc)
    assert [(e.text, e.label_) for e in doc.ents] == [("Ann Lee", "PER"), ("Bob", "PER")]
    assert (doc[5].ent_iob_, doc[5].ent_type_) == ("B", "")
    assert doc.has_annotation("ENT_IOB", require_complete=True)


def test_ner_stores_probabilities_when_told(trained, tmp_path):
    text = DATA[0][0]
    assert trained(text)._.token_probs is None
    trained.get_pipe("seqmix_ner").store_probs = True
    doc = trained(text)
    probs = doc._.token_probs
    assert probs.labels == TAGS
    assert_array_equal(probs.probs, probs_of(trained, text))
    again = Doc(trained.vocab).from_bytes(doc.to_bytes())._.token_probs
    assert again.labels == TAGS
    assert_array_equal(again.probs, probs.probs)
    assert doc._.soft_labels is None
    assert trained("")._.token_probs.probs.shape == (0, 5)


def test_ner_stores_probabilities_by_config():
    nlp = build({**CONFIG, "store_probs": True})
    nlp.initialize(lambda: examples_of(nlp))
    assert_allclose(nlp("Ann sings")._.token_probs.probs.sum(axis=1), 1.0, atol=1e-5)
    again = build({**CONFIG, "store_probs": True}).from_bytes(nlp.to_bytes())
    assert again("Ann sings")._.token_probs is not None


# Saving and loading


def test_ner_bytes(trained):
    again = build().from_bytes(trained.to_bytes())
    assert again.get_pipe("seqmix_ner").labels == ("LOC", "PER")
    assert_array_equal(probs_of(again), probs_of(trained))
    assert again.to_bytes() == trained.to_bytes()


def test_ner_component_bytes(trained):
    ner = build().get_pipe("seqmix_ner")
    ner.from_bytes(trained.get_pipe("seqmix_ner").to_bytes(exclude=["vocab"]))
    doc = trained.make_doc("Ann saw Rome")
    assert_array_equal(ner.predict([doc])[0], probs_of(trained, "Ann saw Rome"))


def test_ner_disk(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert_array_equal(probs_of(again), probs_of(trained))
    assert found(again.pipe([text for text, _ in DATA])) == [spans_of(tags) for _, tags in DATA]


def test_ner_sourced(trained):
    other = spacy.blank("en")
    other.add_pipe("seqmix_ner", source=trained)
    assert found([other(DATA[0][0])]) == [spans_of(DATA[0][1])]


def test_ner_replace_listeners(tmp_path):
    nlp = build(listener=True)
    train(nlp, examples_of(nlp))
    before = found(nlp.pipe([text for text, _ in DATA]))
    nlp.replace_listeners("tok2vec", "seqmix_ner", ["model.tok2vec"])
    assert nlp.get_pipe("tok2vec").listening_components == []
    nlp.remove_pipe("tok2vec")
    assert found(nlp.pipe([text for text, _ in DATA])) == before
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert found(again.pipe([text for text, _ in DATA])) == before
    # It learns on: the references point to the layers that are in use now.
    again.update(examples_of(again), sgd=Adam(0.01))


def test_ner_default_model():
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("seqmix_ner")
    nlp.initialize(lambda: examples_of(nlp))
    assert ner.model.get_ref("tok2vec").get_dim("nO") == 96
    meta = nlp.get_pipe_meta("seqmix_ner")
    assert meta.assigns == ["doc.ents", "token.ent_iob", "token.ent_type"]
    assert nlp.config["training"]["score_weights"]["ents_f"] == 1.0


def test_ner_model_with_given_size():
    nlp = build({"model": {**CONFIG["model"], "nO": 5}})
    nlp.initialize(lambda: examples_of(nlp))
    assert probs_of(nlp).shape[1] == 5


# Scores


def test_ner_scorer_is_spacys(trained):
    examples = examples_of(trained)
    for eg in examples:
        eg.predicted = trained(eg.predicted)
    examples[0].predicted.ents = examples[0].predicted.ents[:1]
    ours = trained.get_pipe("seqmix_ner").score(examples)
    assert ours == make_ner_scorer()(examples)
    assert ours["ents_f"] == pytest.approx(2 * 1.0 * (4 / 6) / (1.0 + 4 / 6))
    assert Scorer(trained).score(examples)["ents_f"] == ours["ents_f"]


@pytest.mark.parametrize("seed", range(3))
def test_ner_score_is_strict_micro_f1(trained, seed):
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    rng = random.Random(seed)

    def draw(n):
        tags = ["O"]
        for _ in range(n):
            ok = [t for t in TAGS if t[0] != "I" or tags[-1][1:] == t[1:]]
            tags.append(rng.choice(ok))
        return tags[1:]

    pairs = [(draw(n), draw(n)) for n in [8] * 20]
    examples = [
        Example(
            Doc(trained.vocab, words=["x"] * len(tags), ents=tags),
            Doc(trained.vocab, words=["x"] * len(tags), ents=want),
        )
        for want, tags in pairs
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # seqeval's, of numpy
        theirs = f1_score([w for w, _ in pairs], [t for _, t in pairs], mode="strict", scheme=IOB2)
    assert 0 < theirs < 1
    assert trained.get_pipe("seqmix_ner").score(examples)["ents_f"] == pytest.approx(theirs)


@pytest.mark.skipif(not has_cupy_gpu, reason="needs a GPU and cupy")
def test_ner_on_gpu(trained_bytes):  # pragma: no cover
    cpu = build().from_bytes(trained_bytes)
    with use_ops("cupy"):
        nlp = build().from_bytes(trained_bytes)
        ner = nlp.get_pipe("seqmix_ner")
        probs = probs_of(nlp)
        assert isinstance(probs, ner.model.ops.xp.ndarray)
        assert_allclose(probs.get(), probs_of(cpu), atol=1e-4)
        q = [[0.4, 0.6, 0, 0, 0], [0.1, 0, 0.5, 0, 0.4], [0] * 5]
        losses = nlp.update([soft_example(nlp, "Oslo Lee ran", q)], sgd=Adam(0.01))
        assert np.isfinite(losses["seqmix_ner"])
        ner.cfg["store_probs"] = True
        assert isinstance(nlp("Ann sings")._.token_probs.probs, np.ndarray)
        ner.add_label("ORG")
        assert nlp("Ann sings")._.token_probs.probs.shape[1] == 7


def test_ner_refuses_negated_labels_as_spacys_does(trained):
    for factory, code in (("seqmix_ner", "S572"), ("ner", "E869")):
        nlp = spacy.blank("en")
        nlp.add_pipe(factory)
        with pytest.raises(ValueError, match=code):
            nlp.initialize(lambda n=nlp: [gold(n, "Oslo", ["B-!LOC"])])
            nlp.update([gold(nlp, "Oslo", ["B-!LOC"])])
    with pytest.raises(ValueError, match=r"S572.*'!LOC'.*incorrect_spans_key"):
        trained.update([gold(trained, "Oslo", ["B-!LOC"])])
