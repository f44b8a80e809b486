"""Marginals of a beam, against every parse there is."""

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc, Span

from spacy_seqmix.annotation.iob import tag_names
from spacy_seqmix.query.beam import _marginals, beam_probs
from spacy_seqmix.query.probabilities import token_probs

from ..tiny import TINY_CNN
from .conftest import NER_MODEL, PERSON, PLACE, bare, train

COLUMNS = {tag: i for i, tag in enumerate(tag_names(["A", "B"]))}


@pytest.fixture(scope="module")
def ner(gold):
    """A pipeline with spaCy's own NER alone, a little trained."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner", config={"model": {**NER_MODEL, "tok2vec": TINY_CNN}})
    train(nlp, gold(nlp), 5)
    return nlp


def every_parse(proc, doc):
    """The summed score and the moves of every valid parse, by stepping through the model."""
    moves = proc.moves
    names = [moves.get_class_name(i) for i in range(moves.n_moves)]
    model = proc.model.predict([doc])
    open_states = [(0.0, (), moves.init_batch([doc])[0])]
    for _ in doc:
        scores = model.predict([state for _, _, state in open_states])
        stepped = []
        for (total, taken, state), row in zip(open_states, scores, strict=True):
            for name, score in zip(names, row, strict=True):
                if moves.is_valid(state, name):
                    after = state.copy()
                    moves.apply_transition(after, name)
                    stepped.append((total + float(score), (*taken, name), after))
        open_states = stepped
    assert all(state.is_final() for _, _, state in open_states)
    return [(total, taken) for total, taken, _ in open_states]


@pytest.mark.parametrize(
    "words", [["Rome"], ["李", "明"], ["Zoë", "saw", "حلب"], ["Ann", "\n", "Lee"], ["\n"]]
)
def test_beam_that_holds_every_parse_by_brute_force(ner, words):
    proc = ner.get_pipe("ner")
    parses = every_parse(proc, Doc(ner.vocab, words=words))
    assert len(parses) > 1 or words == ["\n"]
    weights = np.exp([total for total, _ in parses])
    columns = {tag: i for i, tag in enumerate(tag_names(proc.labels))}
    expected = np.zeros((len(words), len(columns)))
    iob = {"B": "B", "U": "B", "I": "I", "L": "I"}
    for weight, (_, taken) in zip(weights / weights.sum(), parses, strict=True):
        for i, move in enumerate(taken):
            tag = move if move == "O" else iob[move[0]] + move[1:]
            expected[i, columns[tag]] += weight
    found = beam_probs(proc, [Doc(ner.vocab, words=words)], width=len(parses), density=0.0)[0]
    assert_allclose(found, expected, atol=1e-5)


def test_marginals_by_hand():
    parses = [(0.5, [(0, 2, "A")]), (0.3, [(0, 1, "A"), (1, 3, "B")]), (0.2, [])]
    expected = [[0.2, 0.8, 0, 0, 0], [0.2, 0, 0.5, 0.3, 0], [0.7, 0, 0, 0, 0.3]]
    assert_allclose(_marginals(parses, 3, COLUMNS), expected, atol=1e-6)


def test_beam_columns_and_whitespace(ner, gold):
    labels = ner.get_pipe("ner").labels
    assert set(labels) == {PERSON, PLACE}
    docs = gold(ner)
    begins = [i for i, tag in enumerate(tag_names(labels)) if tag.startswith("B-")]
    for doc, p in zip(docs, token_probs(ner, "ner", docs, whitespace=True), strict=True):
        assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
        for token in doc:
            if token.is_space:  # spaCy's NER lets no entity begin there
                assert p[token.i, begins].tolist() == [0.0, 0.0]
        assert p[0, [i + 1 for i in begins]].tolist() == [0.0, 0.0]  # nor go on at the start


def test_beam_agrees_with_the_best_parse_where_it_is_sure(gold):
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner", config={"model": {**NER_MODEL, "tok2vec": TINY_CNN}})
    docs = gold(nlp)
    train(nlp, docs, 60)
    tags = tag_names(nlp.get_pipe("ner").labels)
    sure = 0
    for doc, p in zip(docs, token_probs(nlp, "ner", docs, whitespace=True), strict=True):
        parsed = nlp(bare(nlp, doc))
        assert [(e.start, e.end, e.label_) for e in parsed.ents] == [
            (e.start, e.end, e.label_) for e in doc.ents
        ]
        for token, row in zip(parsed, p, strict=True):
            tag = f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"
            if row.max() > 0.5:
                sure += 1
                assert tags[row.argmax()] == tag
    assert sure > 20


def test_beam_width_and_density(ner, gold, monkeypatch):
    proc = ner.get_pipe("ner")
    asked = []
    seen = type("Seen", (), {"__getattr__": lambda self, name: getattr(proc, name)})()
    seen.beam_parse = lambda docs, **options: (
        asked.append(options) or proc.beam_parse(docs, **options)
    )
    docs = [bare(ner, doc) for doc in gold(ner)]
    beam_probs(seen, docs)
    beam_probs(seen, docs, width=3, density=0.5)
    seen.cfg = {**proc.cfg, "beam_width": 5, "beam_density": 0.25}
    beam_probs(seen, docs)
    assert asked == [
        {"beam_width": 16, "beam_density": 0.0001},
        {"beam_width": 3, "beam_density": 0.5},
        {"beam_width": 5, "beam_density": 0.25},
    ]
    narrow = beam_probs(proc, docs, width=1)
    assert all(set(np.unique(p)) <= {0.0, 1.0} for p in narrow)


def test_beam_is_that_of_the_component(trained, unlabelled):
    proc = trained.get_pipe("beam_ner")
    docs = [doc for doc in unlabelled if len(doc)]
    copies = [bare(trained, doc) for doc in docs]
    for name, before in trained.pipeline:
        if name == "beam_ner":
            break
        copies = list(before.pipe(copies))
    for doc in copies:
        doc.set_ents([], default="missing")
    beams = proc.predict(copies)
    labels = tag_names(proc.labels)
    for p, scores in zip(
        token_probs(trained, "beam_ner", docs, whitespace=True),
        proc.scored_ents(beams),
        strict=True,
    ):
        for i, tag in enumerate(labels):
            for t in range(len(p)):
                total = sum(
                    score
                    for (start, end, label), score in scores.items()
                    if tag[2:] == label and (start == t if tag[0] == "B" else start < t < end)
                )
                if tag != "O":
                    assert p[t, i] == pytest.approx(total, abs=1e-5)


def test_beam_takes_no_notice_of_entities_that_are_set(ner):
    proc = ner.get_pipe("ner")
    plain = [Doc(ner.vocab, words=["Ann", "saw", "New", "Rome"]), Doc(ner.vocab)]
    preset = [Doc(ner.vocab, words=["Ann", "saw", "New", "Rome"]), Doc(ner.vocab)]
    preset[0].set_ents(
        [Span(preset[0], 2, 4, label="UNKNOWN")],
        blocked=[preset[0][0:1]],
        default="missing",
    )
    labels, n_moves = proc.labels, proc.moves.n_moves
    found = beam_probs(proc, preset)
    assert_allclose(found[0], beam_probs(proc, plain)[0], atol=1e-6)
    assert found[1].shape == (0, 5)
    assert (proc.labels, proc.moves.n_moves) == (labels, n_moves)


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
def test_beam_refuses_weights_that_are_no_numbers(ner):
    proc = ner.get_pipe("ner")
    node = next(n for n in proc.model.walk() if n.has_param("W") and n.name == "linear")
    weights = node.get_param("W").copy()
    node.set_param("W", np.full_like(weights, np.nan))
    try:
        with pytest.raises(ValueError, match=r"S425.*'ner'"):
            token_probs(ner, "ner", [Doc(ner.vocab, words=["Ann", "saw", "Rome"])])
    finally:
        node.set_param("W", weights)
    assert len(token_probs(ner, "ner", [Doc(ner.vocab, words=["Ann"])])) == 1
