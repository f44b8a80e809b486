"""``seqmix_ner`` with a CRF, and what it tells about paths and spans with either model."""

import subprocess
import sys
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.iob import spans_of
from spacy_seqmix.models.crf import Marginals
from spacy_seqmix.models.tagger_head import head_of
from spacy_seqmix.query.policies import make_nte_policy
from spacy_seqmix.query.probabilities import token_probs

from ..tiny import TINY_CNN

LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16}
DATA = [
    ("Ann Lee met Bob in Rome", ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]),
    ("Oslo beat Bergen", ["B-LOC", "O", "B-LOC"]),
    ("nobody came", ["O", "O"]),
    ("Bob sings", ["B-PER", "O"]),
]
TEXTS = [text for text, _ in DATA]
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
BOTH = pytest.mark.parametrize("kind", ["CRFTagger", "SoftTagger"])


def gold(nlp, text, tags):
    words = text.split()
    return Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, ents=tags))


def soft_example(nlp, text, rows):
    words = text.split()
    reference = Doc(nlp.vocab, words=words)
    soft_labels.put(reference, SoftLabels(TAGS, np.array(rows, dtype="float32")))
    return Example(Doc(nlp.vocab, words=words), reference)


def examples_of(nlp):
    return [gold(nlp, text, tags) for text, tags in DATA]


def build(kind="CRFTagger", listener=False, **settings):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    if listener:
        nlp.add_pipe("tok2vec", config={"model": TINY_CNN})
    model = {
        "@architectures": f"spacy-seqmix.{kind}.v1",
        "tok2vec": LISTENER if listener else TINY_CNN,
    }
    nlp.add_pipe("seqmix_ner", config={"model": model, **settings})
    return nlp


def train(nlp, examples, steps=40):
    nlp.initialize(lambda: examples)
    sgd = Adam(0.02)
    for _ in range(steps):
        losses = nlp.update(examples, sgd=sgd)
    return losses["seqmix_ner"]


def found(docs):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]


@pytest.fixture(scope="module")
def weights():
    """The bytes of a pipeline that is initialised, and of a trained one."""
    out = {}
    for kind in ("CRFTagger", "SoftTagger"):
        for steps in (0, 40):
            nlp = build(kind)
            examples = examples_of(nlp)
            if steps:
                train(nlp, examples, steps)
            else:
                nlp.initialize(lambda examples=examples: examples)
            out[kind, steps] = nlp.to_bytes()
    return out


@pytest.fixture
def trained(weights):
    return build().from_bytes(weights["CRFTagger", 40])


@pytest.fixture
def ner(trained):
    return trained.get_pipe("seqmix_ner")


@pytest.fixture
def fresh(weights):
    return build().from_bytes(weights["CRFTagger", 0])


@pytest.mark.parametrize("listener", [False, True])
def test_ner_crf_overfits(listener):
    nlp = build(listener=listener)
    assert train(nlp, examples_of(nlp)) < 0.2
    assert nlp.evaluate(examples_of(nlp))["ents_f"] == 1.0
    assert found(nlp.pipe(TEXTS)) == [spans_of(tags) for _, tags in DATA]


def test_ner_crf_replace_listeners(tmp_path):
    nlp = build(listener=True)
    train(nlp, examples_of(nlp))
    before = found(nlp.pipe(TEXTS))
    nlp.replace_listeners("tok2vec", "seqmix_ner", ["model.tok2vec"])
    nlp.remove_pipe("tok2vec")
    assert found(nlp.pipe(TEXTS)) == before
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert found(again.pipe(TEXTS)) == before
    again.update(examples_of(again), sgd=Adam(0.01))


def test_ner_crf_learns_the_distribution_itself(fresh):
    # Marginals of a valid distribution: half an entity of two tokens, or none.
    rows = [[0.5, 0, 0, 0.5, 0], [0.5, 0, 0, 0, 0.5], [1, 0, 0, 0, 0]]
    eg = soft_example(fresh, "Ann Lee ran", rows)
    sgd = Adam(0.02)
    for _ in range(150):
        losses = fresh.update([eg], sgd=sgd)
    (p,) = fresh.get_pipe("seqmix_ner").predict([eg.predicted])
    assert_allclose(p, rows, atol=0.05)
    assert losses["seqmix_ner"] == pytest.approx(np.log(2), abs=0.03)


def test_ner_crf_loss_of_hard_labels_is_that_of_the_path(fresh):
    ner = fresh.get_pipe("seqmix_ner")
    eg = gold(fresh, "Oslo beat", ["B-LOC", "O"])
    scores = ner.predict([eg.predicted])
    loss, (gradient,) = ner.get_loss([eg], scores)
    # Before training all transitions score 0: what is left are emissions and what is valid.
    (e,) = scores.scores.emissions
    valid = [path for path in product(range(5), repeat=2) if is_valid(path)]
    log_z = np.log(sum(np.exp(e[0, i] + e[1, j]) for i, j in valid))
    assert loss == pytest.approx(log_z - e[0, 1] - e[1, 0], rel=1e-5)
    assert_allclose(gradient, scores[0] - np.eye(5)[[1, 0]], atol=1e-6)


def partly(nlp, text, *entities):
    """An example of which only these entities of one token are known, or nothing at all."""
    eg = gold(nlp, text, ["O"] * len(text.split()))
    spans = [Span(eg.reference, i, i + 1, label=label) for i, label in entities]
    eg.reference.set_ents(spans, default="missing")
    return eg


def crf_paths(ner, eg):
    """The probability of each tag path of an example."""
    lattice = ner.predict([eg.predicted]).scores.lattice
    return paths_of("CRFTagger", lattice, len(eg.predicted))


def test_ner_crf_sums_over_the_tags_that_missing_annotation_may_have(fresh):
    ner = fresh.get_pipe("seqmix_ner")
    eg = gold(fresh, "Ann Lee met Bob", ["B-PER", "I-PER", "O", "B-PER"])
    eg.reference.set_ents([], missing=[eg.reference[2:4]], default="unmodified")
    loss, (gradient,) = ner.get_loss([eg], ner.predict([eg.predicted]))
    each = crf_paths(ner, eg)
    known = {path: p for path, p in each.items() if path[:2] == (3, 4)}
    assert loss == pytest.approx(-np.log(sum(known.values())), rel=1e-5)
    expected = np.zeros((4, 5))
    for some, sign in ((each, 1.0), (known, -1.0)):
        total = sum(some.values())
        for path, p in some.items():
            expected[range(4), path] += sign * p / total
    assert_allclose(gradient, expected, atol=1e-5)
    nothing = Example(fresh.make_doc("Bob came"), fresh.make_doc("Bob came"))
    assert ner.update([nothing], sgd=Adam(0.01)) == {"seqmix_ner": 0.0}


@BOTH
def test_ner_crf_learns_from_an_entity_whose_end_is_unknown(kind, weights):
    """The person marked where a name begins, and nothing else: it may go on, or not."""
    nlp = build(kind).from_bytes(weights[kind, 0])
    ner = nlp.get_pipe("seqmix_ner")
    eg = partly(nlp, "Ann Lee met", (0, "PER"))
    loss, (gradient,) = ner.get_loss([eg], ner.predict([eg.predicted]))
    if kind == "SoftTagger":
        assert (np.abs(gradient).sum(axis=1) > 0).tolist() == [True, False, False]
    else:
        each = crf_paths(ner, eg)
        assert loss == pytest.approx(
            -np.log(sum(p for q, p in each.items() if q[0] == 3)), rel=1e-5
        )
    sgd = Adam(0.02)
    for _ in range(20):
        ner.update([eg], sgd=sgd)
    (p,) = token_probs(nlp, "seqmix_ner", [eg.predicted])
    assert p[0, 3] > 0.9
    assert ner.get_loss([eg], ner.predict([eg.predicted]))[0] < loss / 4


@BOTH
def test_ner_crf_docs_of_which_nothing_is_known_do_not_count(kind, weights):
    nlp = build(kind).from_bytes(weights[kind, 0])
    ner = nlp.get_pipe("seqmix_ner")
    known, unknown = gold(nlp, *DATA[0]), partly(nlp, "Bob came")
    assert not unknown.reference.has_annotation("ENT_IOB")
    loss, (gradient, nothing) = ner.get_loss(
        [known, unknown], ner.predict([known.predicted, unknown.predicted])
    )
    alone, (expected,) = ner.get_loss([known], ner.predict([known.predicted]))
    assert loss == pytest.approx(alone, rel=1e-5)
    assert_allclose(gradient, expected, atol=1e-6)
    assert not nothing.any()


def test_ner_crf_unknown_labels_are_missing(fresh):
    ner = fresh.get_pipe("seqmix_ner")
    eg = gold(fresh, "Acme met Bob", ["B-ORG", "O", "B-PER"])
    with pytest.warns(UserWarning, match="W201"):
        loss, _ = ner.get_loss([eg], ner.predict([eg.predicted]))
    each = crf_paths(ner, eg)
    total = sum(p for path, p in each.items() if path[1:] == (0, 3))
    assert loss == pytest.approx(-np.log(total), rel=1e-5)


def test_ner_crf_nan_loss(fresh):
    output = fresh.get_pipe("seqmix_ner").model.get_ref("output_layer")
    output.set_param("W", np.full_like(output.get_param("W"), np.nan))
    for eg in (gold(fresh, *DATA[0]), Example(fresh.make_doc("Bob"), fresh.make_doc("Bob"))):
        with pytest.raises(ValueError, match="E910"):
            fresh.update([eg], sgd=Adam(0.01))


def test_ner_crf_update_with_empty_docs(fresh):
    ner = fresh.get_pipe("seqmix_ner")
    empty = Example(Doc(fresh.vocab), Doc(fresh.vocab))
    assert ner.update([empty], sgd=Adam(0.01)) == {"seqmix_ner": 0.0}
    alone = ner.update([gold(fresh, *DATA[0])])
    assert ner.update([empty, gold(fresh, *DATA[0]), empty]) == pytest.approx(alone)


def test_ner_crf_rehearse(trained, ner):
    sgd = trained.resume_training()
    examples = examples_of(trained)
    before = ner.predict([trained.make_doc(TEXTS[0])])[0]
    trained.rehearse(examples, sgd=sgd)
    # It agrees with itself, but for what the rows do not tell: pairs of tags.
    assert_allclose(ner.predict([trained.make_doc(TEXTS[0])])[0], before, atol=0.01)
    output = ner.model.get_ref("output_layer")
    output.set_param("W", np.zeros_like(output.get_param("W")))
    first = trained.rehearse(examples, sgd=Adam(0.02))["seqmix_ner"]
    for _ in range(30):
        last = trained.rehearse(examples, sgd=Adam(0.02))["seqmix_ner"]
    assert last < first / 2
    ner.add_label("ORG")
    assert np.isfinite(trained.rehearse(examples, sgd=Adam(0.001))["seqmix_ner"])


def test_ner_crf_add_label_after_training(trained, ner, tmp_path):
    texts = [*TEXTS, "Zoe Quist flew from Lima to Quito on a Friday"]
    docs = [trained.make_doc(text) for text in texts]
    old, before = found(trained.pipe(texts)), ner.predict(docs)
    ner.add_label("ORG")
    assert found(trained.pipe(texts)) == old
    after = ner.predict(docs)
    for p, q in zip(before, after, strict=True):
        assert_allclose(q[:, :5], p, atol=0.1)
    trained.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert_allclose(again.get_pipe("seqmix_ner").predict(docs)[0], after[0], atol=1e-6)
    example, sgd = gold(again, "Acme pays", ["B-ORG", "O"]), Adam(0.02)
    for _ in range(40):
        again.update([*examples_of(again), example], sgd=sgd)
    assert found(again.pipe([*TEXTS, "Acme pays"])) == [*old[:4], [(0, 1, "ORG")]]


def test_ner_crf_initialize_again(trained, ner):
    ner.add_label("ORG")
    trained.initialize(lambda: examples_of(trained))
    assert ner.predict([trained.make_doc("Bob")])[0].shape == (1, 7)
    trained.update(examples_of(trained), sgd=Adam(0.01))


def test_ner_crf_bytes_and_disk(trained, ner, tmp_path):
    doc = trained.make_doc(TEXTS[0])
    (p,) = ner.predict([doc])
    assert build().from_bytes(trained.to_bytes()).to_bytes() == trained.to_bytes()
    trained.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert_array_equal(again.get_pipe("seqmix_ner").predict([doc])[0], p)
    assert_array_equal(again.get_pipe("seqmix_ner").path_probs([doc]), ner.path_probs([doc]))
    assert found(again.pipe(TEXTS)) == [spans_of(tags) for _, tags in DATA]


def test_ner_crf_same_seed_same_weights():
    results = []
    for _ in range(2):
        nlp = build()
        train(nlp, examples_of(nlp), steps=3)
        results.append(nlp.to_bytes())
    assert results[0] == results[1]


def test_ner_crf_pipe_with_empty_docs(trained):
    want = spans_of(DATA[0][1])
    assert found(trained.pipe(["", TEXTS[0], ""])) == [[], want, []]
    assert found(trained.pipe(["", ""])) == [[], []]
    assert found(trained.pipe(TEXTS * 2, n_process=2, batch_size=2)) == found(
        trained.pipe(TEXTS * 2)
    )


def test_ner_crf_stores_probabilities(weights):
    nlp = build(store_probs=True).from_bytes(weights["CRFTagger", 40])
    doc = nlp(TEXTS[0])
    assert doc._.token_probs.labels == TAGS
    assert_allclose(doc._.token_probs.probs.sum(axis=1), 1.0, atol=1e-5)
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert_array_equal(again._.token_probs.probs, doc._.token_probs.probs)
    assert nlp("")._.token_probs.probs.shape == (0, 5)


def test_ner_crf_decodes_around_entities_that_stand(trained):
    doc = trained.make_doc(TEXTS[0])
    doc.ents = [Span(doc, 1, 3, label="TEAM", kb_id="Q1")]
    doc = trained.get_pipe("seqmix_ner")(doc)
    assert [(e.text, e.label_, e.kb_id_) for e in doc.ents] == [
        ("Ann", "PER", ""),
        ("Lee met", "TEAM", "Q1"),
        ("Bob", "PER", ""),
        ("Rome", "LOC", ""),
    ]


def test_ner_crf_policies_take_its_probabilities(trained):
    docs = [trained.make_doc(text) for text in [*TEXTS, ""]]
    probs = token_probs(trained, "seqmix_ner", docs, batch_size=2)
    assert [p.shape for p in probs] == [(len(doc), 5) for doc in docs]
    scores = make_nte_policy()(probs, np.random.default_rng(0))
    assert np.isfinite(scores[:4]).all()


# Paths and spans


def paths_of(kind, scores, n):
    """Every tag path of one doc with its probability under the model, by brute force."""
    paths = list(product(range(5), repeat=n))
    if kind == "SoftTagger":
        return {path: float(np.prod([scores[t, i] for t, i in enumerate(path)])) for path in paths}
    lattice = scores
    values = {}
    for path in paths:
        score = lattice.start[0, path[0]] + lattice.end[0, path[-1]]
        score = score + sum(lattice.emissions[t, i] for t, i in enumerate(path))
        score = score + sum(lattice.moves[i, j] for i, j in pairwise(path))
        values[path] = float(score.exp())
    return {path: value / sum(values.values()) for path, value in values.items()}


def is_valid(path):
    before = [0, *path]
    return all(j not in (2, 4) or i in (j - 1, j) for i, j in pairwise(before))


@pytest.fixture(params=["CRFTagger", "SoftTagger"])
def undecided(request, weights):
    """A pipeline with little training, and all paths of a short doc with their probabilities."""
    nlp = build(request.param).from_bytes(weights[request.param, 0])
    sgd = Adam(0.02)
    for _ in range(4):
        nlp.update(examples_of(nlp), sgd=sgd)
    scores = nlp.get_pipe("seqmix_ner").predict([nlp.make_doc("Ann Lee met Rome")])
    inner = scores.scores.lattice if request.param == "CRFTagger" else scores[0]
    return nlp, paths_of(request.param, inner, 4)


def test_ner_path_probs(undecided):
    nlp, paths = undecided
    ner = nlp.get_pipe("seqmix_ner")
    docs = [nlp.make_doc(text) for text in ("Ann Lee met Rome", "", "Bob")]
    result = ner.path_probs(docs)
    assert result.shape == (3,)
    assert result.dtype == np.float32
    best = max((path for path in paths if is_valid(path)), key=paths.__getitem__)
    assert result[0] == pytest.approx(paths[best], rel=1e-4)
    assert 0.01 < result[0] < 0.99
    assert result[1] == 1.0
    # It is the path that is written to the doc, and annotation does not change it.
    doc = nlp(docs[0])
    assert found([doc])[0] == spans_of([TAGS[i] for i in best])
    assert ner.path_probs([doc])[0] == result[0]
    assert ner.path_probs([]).shape == (0,)
    assert ner.path_probs([nlp.make_doc("")]).tolist() == [1.0]


def test_ner_span_probs(undecided):
    nlp, paths = undecided
    ner = nlp.get_pipe("seqmix_ner")
    doc = nlp.make_doc("Ann Lee met Rome")
    for start, end, label in product(range(4), range(1, 5), ("LOC", "PER")):
        if start >= end:
            continue
        doc.ents = [Span(doc, start, end, label=label)]
        begin = TAGS.index(f"B-{label}")
        tags = (begin, *[begin + 1] * (end - start - 1))
        exact = sum(
            p
            for path, p in paths.items()
            if path[start:end] == tags and (end == 4 or path[end] != begin + 1)
        )
        (values,) = ner.span_probs([doc])
        assert values == pytest.approx([exact], rel=1e-4, abs=1e-9)


@BOTH
def test_ner_span_probs_of_predictions(kind, weights):
    nlp = build(kind).from_bytes(weights[kind, 40])
    ner = nlp.get_pipe("seqmix_ner")
    docs = list(nlp.pipe([*TEXTS, ""]))
    values = ner.span_probs(docs)
    assert [len(v) for v in values] == [3, 2, 0, 1, 0]
    for v, path in zip(values, ner.path_probs(docs), strict=True):
        assert v.dtype == np.float32
        # The path is one of those that have the entity.
        assert (v >= path - 1e-5).all()
        assert (v > 0.8).all()
        assert (v <= 1.0 + 1e-6).all()
    assert [len(v) for v in ner.span_probs([nlp.make_doc(TEXTS[0])])] == [0]


@BOTH
def test_ner_span_probs_of_unknown_labels(kind, weights):
    nlp = build(kind).from_bytes(weights[kind, 40])
    doc = nlp(TEXTS[0])
    doc.ents = [Span(doc, 0, 2, label="TEAM"), *doc.ents[1:]]
    (values,) = nlp.get_pipe("seqmix_ner").span_probs([doc])
    assert np.isnan(values).tolist() == [True, False, False]


# Whitespace


def spaced(nlp, *words, **settings):
    return Doc(nlp.vocab, words=[*words], **settings)


def without(scores, tokens):
    """The scores of some tokens, as if the doc had no others."""
    if isinstance(scores, Marginals):
        return Marginals([scores.emissions[0][tokens]], scores.transitions)
    return [scores[0][tokens]]


@BOTH
def test_ner_whitespace_takes_no_part(kind, weights):
    nlp = build(kind).from_bytes(weights[kind, 40])
    ner = nlp.get_pipe("seqmix_ner")
    head = head_of(ner.model)
    words, kept = ["\n", "Ann", " ", "Lee", "met", "\n", "Oslo", "\n"], [1, 3, 4, 6]
    doc = spaced(nlp, *words)
    alone = without(ner.model.predict([doc]), kept)
    assert ner.path_probs([doc]) == pytest.approx(head.path_probs(alone))
    assert_allclose(ner.predict([doc])[0][kept], alone[0], atol=1e-6)
    (path,) = head.decode(alone, [None])
    ner.set_annotations([doc], ner.predict([doc]))
    assert [doc[i].ent_iob_ + doc[i].ent_type_ for i in kept] == [
        TAGS[i].replace("-", "") for i in path
    ]
    # "Ann  Lee" is one entity, and as probable as if there were no blank in it.
    doc.set_ents([Span(doc, 1, 4, "PER"), Span(doc, 6, 7, "LOC")])
    (expected,) = head.span_probs(alone, [[(0, 2, 1), (3, 4, 0)]])
    assert ner.span_probs([doc])[0] == pytest.approx(expected)
    # What begins or ends with whitespace is never predicted.
    for start, end in ((0, 2), (1, 3), (0, 1), (6, 8)):
        doc.set_ents([Span(doc, start, end, "PER")])
        assert ner.span_probs([doc])[0].tolist() == [0.0]


@BOTH
def test_ner_whitespace_in_gold_entities(kind, weights):
    nlp = build(kind).from_bytes(weights[kind, 0])
    ner = nlp.get_pipe("seqmix_ner")
    words = ["\n", "Ann", " ", "Lee", "\n", "Oslo", "\n"]
    golds = [
        ["O", "B-PER", "I-PER", "I-PER", "O", "B-LOC", "O"],
        ["B-PER", "I-PER", "I-PER", "I-PER", "I-PER", "B-LOC", "I-LOC"],
    ]
    results = []
    for tags in golds:
        eg = Example(spaced(nlp, *words), spaced(nlp, *words, ents=tags))
        loss, (gradient,) = ner.get_loss([eg], ner.predict([eg.predicted]))
        results.append((loss, gradient))
        assert (np.abs(gradient).sum(axis=1) > 0).tolist() == [False, True] * 3 + [False]
    assert results[0][0] == results[1][0]
    assert_array_equal(results[0][1], results[1][1])
    # The loss is that of the words, and it can be learnt.
    scores = without(ner.model.predict([eg.predicted]), [1, 3, 5])
    loss, _ = head_of(ner.model).loss(scores, [np.eye(5, dtype="float32")[[3, 4, 1]]])
    assert results[0][0] == pytest.approx(loss)
    sgd = Adam(0.02)
    for _ in range(40):
        nlp.update([eg], sgd=sgd)
    doc = nlp(spaced(nlp, *words))
    assert found([doc]) == [[(1, 4, "PER"), (5, 6, "LOC")]]
    assert found([nlp(spaced(nlp, "\n", " ", "\n"))]) == [[]]


@BOTH
def test_ner_whitespace_rehearses(kind, weights):
    nlp = build(kind).from_bytes(weights[kind, 40])
    sgd = nlp.resume_training()
    docs = [spaced(nlp, "\n", "Ann", " ", "Lee"), spaced(nlp, "\n"), spaced(nlp)]
    losses = nlp.rehearse([Example(doc, doc.copy()) for doc in docs], sgd=sgd)
    assert np.isfinite(losses["seqmix_ner"])


def test_ner_crf_sums_over_paths_only_when_asked(trained, ner, monkeypatch):
    def never(*args):
        raise AssertionError("prediction needs the best path alone")

    monkeypatch.setattr("spacy_seqmix.models.crf.make_lattice", never)
    assert found(trained.pipe(TEXTS)) == [spans_of(tags) for _, tags in DATA]
    with pytest.raises(AssertionError, match="best path"):
        ner.predict([trained.make_doc("Bob")])[0]


STATUS = Path("/proc/self/status")
# Not ru_maxrss: there, a process begins with the peak of the one that started it.
MEMORY = """
import re, sys
import spacy
from tests.pipeline.test_ner_crf import DATA, TEXTS, build, gold

nlp = spacy.blank("en") if sys.argv[1] == "ner" else build(sys.argv[1])
if sys.argv[1] == "ner":
    nlp.add_pipe("ner")
examples = [gold(nlp, *data) for data in DATA]
for eg in examples:  # as many labels as finer schemes have
    for i in range(10):
        nlp.get_pipe(nlp.pipe_names[0]).add_label(f"L{i}")
nlp.initialize(lambda: examples)
nlp.max_length = 10**7
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
texts = [" ".join(TEXTS * 1000), *TEXTS * 120]
for doc in nlp.pipe(texts, batch_size=1000):
    pass
print((peak() - before) / 1024)
"""


@cache
def megabytes(name):
    """The memory that a process takes to predict a long doc with a component."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, name], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells the peak of a process alone")
@BOTH
def test_ner_one_long_doc_takes_no_more_memory_than_twice_that_of_spacys_ner(kind):
    assert 0 < megabytes(kind) < 2 * megabytes("ner")
