"""``seqmix_uncertainty``: against brute force over tag paths, and as a component."""

from itertools import pairwise, product

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

from ..tiny import TINY_CNN

DATA = [
    ("Ann Lee met Bob in Rome", ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]),
    ("Oslo beat Bergen", ["B-LOC", "O", "B-LOC"]),
    ("Bob sings", ["B-PER", "O"]),
]
TEXT = "Ann Lee met Rome"
ARCHITECTURES = ("SoftTagger", "CRFTagger")


def train(nlp: Language, steps: int) -> None:
    """Initialise a pipeline anew and train it."""
    examples = [
        Example(Doc(nlp.vocab, words=text.split()), Doc(nlp.vocab, words=text.split(), ents=tags))
        for text, tags in DATA
    ]
    nlp.initialize(lambda: examples)
    sgd = Adam(0.02)
    for _ in range(steps):
        nlp.update(examples, sgd=sgd)


def build(architecture: str = "SoftTagger", steps: int = 6, **config: object) -> Language:
    """A recogniser after a few steps, with its uncertainty."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    model = {"@architectures": f"spacy-seqmix.{architecture}.v1", "tok2vec": TINY_CNN}
    nlp.add_pipe("seqmix_ner", config={"model": model})
    train(nlp, steps)
    nlp.add_pipe("seqmix_uncertainty", config=config)
    return nlp


def log_scores(nlp: Language, doc: Doc) -> dict[tuple[int, ...], float]:
    """The unnormalised log-score of every tag path of a doc that the model allows."""
    scores = nlp.get_pipe("seqmix_ner").predict([doc])
    n_tags = scores[0].shape[1]
    paths = list(product(range(n_tags), repeat=len(doc)))
    if not hasattr(scores.scores, "lattice"):
        return {path: sum(np.log(scores[0][t, i]) for t, i in enumerate(path)) for path in paths}
    lattice = scores.scores.lattice
    valid = [
        path
        for path in paths
        if all(j == 0 or j % 2 or i in (j - 1, j) for i, j in pairwise((0, *path)))
    ]
    return {
        path: float(
            lattice.start[0, path[0]]
            + sum(lattice.emissions[t, i] for t, i in enumerate(path))
            + sum(lattice.moves[i, j] for i, j in pairwise(path))
            + lattice.end[0, path[-1]]
        )
        for path in valid
    }


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_confidence_is_a_sum_over_tag_paths(architecture, temperature):
    nlp = build(architecture, temperature=temperature)
    bare = nlp.make_doc(TEXT)
    scores = log_scores(nlp, bare)
    weights = {path: np.exp(score / temperature) for path, score in scores.items()}
    z = sum(weights.values())
    labels = nlp.get_pipe("seqmix_ner").labels
    checked = 0
    for start, end, k in product(range(4), range(1, 5), range(len(labels))):
        if start >= end:
            continue
        doc = nlp.make_doc(TEXT)
        doc.ents = [Span(doc, start, end, label=labels[k])]
        begin = 2 * k + 1
        wanted = (begin, *[begin + 1] * (end - start - 1))
        exact = sum(
            weight
            for path, weight in weights.items()
            if path[start:end] == wanted and (end == len(doc) or path[end] != begin + 1)
        )
        nlp.get_pipe("seqmix_uncertainty")(doc)
        assert doc.ents[0]._.confidence == pytest.approx(exact / z, rel=1e-3, abs=1e-7)
        checked += 1
    assert checked == 20


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_uncertainty_is_the_policy_of_tempered_probabilities(architecture):
    nlp = build(architecture, temperature=2.0)
    doc = nlp(TEXT)
    scores = log_scores(nlp, nlp.make_doc(TEXT))
    marginals = np.zeros((len(doc), 5))
    for path, score in scores.items():
        marginals[np.arange(len(doc)), path] += np.exp(score / 2.0)
    marginals /= marginals.sum(axis=1, keepdims=True)
    known = marginals[marginals > 0]
    entropy = -(known * np.log(known)).sum() / len(doc)
    assert doc._.uncertainty == pytest.approx(entropy, rel=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_uncertainty_changes_nothing_else(temperature):
    nlp = build(temperature=temperature)
    plain = [[(e.text, e.label_) for e in doc.ents] for doc in pipe_without(nlp)]
    assert [[(e.text, e.label_) for e in doc.ents] for doc in nlp.pipe(texts())] == plain
    assert any(plain)


def pipe_without(nlp: Language) -> list[Doc]:
    with nlp.select_pipes(disable="seqmix_uncertainty"):
        return list(nlp.pipe(texts()))


def texts() -> list[str]:
    return [text for text, _ in DATA] + ["", "\n"]


def test_uncertainty_of_docs_one_by_one_as_in_batches():
    nlp = build()
    together = list(nlp.pipe(texts(), batch_size=2))
    for text, doc in zip(texts(), together, strict=True):
        alone = nlp(text)
        blank = not text.strip()  # whitespace has no uncertainty
        assert (alone._.uncertainty is None) == blank == (doc._.uncertainty is None)
        assert (alone._.uncertainty or 0) == pytest.approx(doc._.uncertainty or 0, rel=1e-4)
        assert_allclose(
            [e._.confidence for e in alone.ents], [e._.confidence for e in doc.ents], rtol=1e-4
        )


def test_uncertainty_of_an_empty_doc_is_none():
    assert build()("")._.uncertainty is None


def test_confidence_is_none_for_foreign_entities():
    nlp = build()
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "TEAM", "pattern": "Bergen"}])
    doc = nlp("Oslo beat Bergen")
    found = {e.label_: e._.confidence for e in doc.ents}
    assert found["TEAM"] is None


def test_confidence_survives_what_spacy_keeps():
    nlp = build()
    doc = nlp(DATA[0][0])
    values = [e._.confidence for e in doc.ents]
    assert values
    (saved,) = DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
    assert [e._.confidence for e in saved.ents] == values
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert [e._.confidence for e in again.ents] == values
    assert again._.uncertainty == doc._.uncertainty
    with pytest.warns(UserWarning, match="W101"):  # what is of one doc alone is left out
        joined = Doc.from_docs([nlp("Bob sings"), doc])
    assert [e._.confidence for e in joined.ents][-len(values) :] == values
    part = doc[1:].as_doc(copy_user_data=True)
    assert part.ents[-1]._.confidence == values[-1]


def test_confidence_of_spans_that_differ_in_label_only():
    nlp = build()
    doc = nlp.make_doc(TEXT)
    one, other = Span(doc, 0, 2, label="A"), Span(doc, 0, 2, label="B")
    one._.confidence, other._.confidence = 0.25, 0.5
    assert (one._.confidence, other._.confidence) == (0.25, 0.5)


def test_uncertainty_saves_its_temperature(tmp_path):
    nlp = build()
    nlp.get_pipe("seqmix_uncertainty").temperature = 2.5
    expected = nlp(TEXT)
    nlp.to_disk(tmp_path / "model")
    by_bytes = nlp.from_config(nlp.config).from_bytes(nlp.to_bytes())
    for again in (spacy.load(tmp_path / "model"), by_bytes):
        assert again.get_pipe("seqmix_uncertainty").temperature == 2.5
        assert again(TEXT)._.uncertainty == pytest.approx(expected._.uncertainty, rel=1e-5)


def test_uncertainty_temperature_of_the_config_wins(tmp_path):
    nlp = build(temperature=4.0)
    nlp.get_pipe("seqmix_uncertainty").temperature = 2.5
    assert nlp.config["components"]["seqmix_uncertainty"]["temperature"] == 2.5
    nlp.to_disk(tmp_path)
    for value in (1.0, 4.0, 7.0):
        again = spacy.load(tmp_path, config={"components.seqmix_uncertainty.temperature": value})
        assert again.get_pipe("seqmix_uncertainty").temperature == value
        assert again.config["components"]["seqmix_uncertainty"]["temperature"] == value


def test_uncertainty_works_in_processes():
    nlp = build()
    docs = list(nlp.pipe(texts(), n_process=2))
    assert [doc._.uncertainty is None for doc in docs] == [False, False, False, True, True]


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_uncertainty_refuses_a_temperature(temperature):
    with pytest.raises(ValueError, match="S443"):
        build(temperature=temperature)


@pytest.mark.parametrize("policy", ["RandomPolicy", "QBC"])
def test_uncertainty_refuses_policies_that_need_more(policy):
    with pytest.raises(ValueError, match="S444"):
        build(policy={"@misc": f"spacy-seqmix.{policy}.v1"})


def test_uncertainty_asks_which_component():
    nlp = build()
    with pytest.raises(ValueError, match=r"S442.*none"):
        nlp.add_pipe("seqmix_uncertainty", name="early", first=True)(nlp.make_doc(TEXT))
    nlp.remove_pipe("early")
    nlp.add_pipe("tagger", before="seqmix_uncertainty").add_label("X")
    nlp.initialize(lambda: [Example(nlp.make_doc(TEXT), nlp.make_doc(TEXT))])
    with pytest.raises(ValueError, match=r"S442.*'seqmix_ner', 'tagger'"):
        nlp(TEXT)
    nlp.get_pipe("seqmix_uncertainty").component = "tagger"
    doc = nlp(TEXT)
    assert doc._.uncertainty is not None


def test_uncertainty_refuses_an_encoder_between():
    nlp = build()
    nlp.add_pipe("tok2vec", before="seqmix_uncertainty")
    with pytest.raises(ValueError, match=r"S448.*'tok2vec' stands between 'seqmix_ner'"):
        nlp.get_pipe("seqmix_uncertainty").observed()


def test_uncertainty_of_a_policy_around_another():
    plain, costs = build()(TEXT)._.uncertainty, {"@misc": "spacy-seqmix.TokenCost.v1"}
    policy = {**costs, "policy": {"@misc": "spacy-seqmix.NTE.v1"}, "weight": 1.0}
    assert build(policy=policy)(TEXT)._.uncertainty == pytest.approx(plain / 4)
