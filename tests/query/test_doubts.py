"""Where a model doubts given entities: the probabilities against every path written out."""

from itertools import pairwise, product

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_seqmix.annotation.iob import plain_tags, transition_scores
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.query.doubts import Version, differences, find_doubts

from ..tiny import TINY_CNN

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
MODELS = {
    "softmax": {"@architectures": "spacy-seqmix.SoftTagger.v1", "tok2vec": TINY_CNN},
    "crf": {"@architectures": "spacy-seqmix.CRFTagger.v1", "tok2vec": TINY_CNN},
}


def make(nlp, words, *ents, missing=()):
    doc = Doc(nlp.vocab, words=words)
    spans = [Span(doc, start, end, label=label) for start, end, label in ents]
    doc.set_ents(spans, missing=[doc[i : i + 1] for i in missing])
    return doc


def build(factory, steps=4, **config):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, name="ner", config=config)
    docs = (
        make(nlp, ["Ann", "met", "Lee", "Roe", "."], (0, 1, "PER"), (2, 4, "PER")),
        make(nlp, ["Rome", "is", "old"], (0, 1, "LOC")),
    )
    examples = [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module", params=MODELS)
def tagger(request):
    return build("seqmix_ner", model=MODELS[request.param])


def valid(path):
    start, moves = transition_scores(plain_tags(len(TAGS)))
    pairs = pairwise(path)
    return start[path[0]] == 0 and all(moves[i, j] == 0 for i, j in pairs)


def test_differences_pairs_what_overlaps():
    given = [(0, 2, "PER"), (3, 4, "LOC"), (6, 7, "ORG"), (7, 9, "ORG")]
    found = [(0, 2, "PER"), (3, 4, "PER"), (5, 8, "ORG"), (10, 11, "LOC")]
    assert list(differences(given, found)) == [
        (Version(3, 4, ((3, 4, "LOC"),)), Version(3, 4, ((3, 4, "PER"),))),
        (Version(5, 9, ((6, 7, "ORG"), (7, 9, "ORG"))), Version(5, 9, ((5, 8, "ORG"),))),
        (Version(10, 11, ()), Version(10, 11, ((10, 11, "LOC"),))),
    ]
    assert list(differences(given, given)) == []
    assert list(differences([], [])) == []


def test_doubts_have_the_probabilities_of_paths(tagger):
    proc = tagger.get_pipe("ner")
    words = ["Ann", "Lee", "saw", "Rome"]
    doc = make(tagger, words, (0, 1, "LOC"), (2, 4, "PER"))
    bare = Doc(tagger.vocab, words=words)
    marginals = proc.predict([bare])
    paths = np.array(list(product(range(len(TAGS)), repeat=4)))
    if hasattr(marginals.scores, "lattice"):
        lattice = marginals.scores.lattice
        paths = np.array([path for path in paths.tolist() if valid(path)])
        probs = np.array([float(lattice.log_prob(0, 0, path.tolist()).exp()) for path in paths])
    else:
        probs = np.prod([marginals[0][t, paths[:, t]] for t in range(4)], axis=0)
    assert probs.sum() == pytest.approx(1.0, abs=1e-4)

    def prob(start, tags):
        end, inside = start + len(tags), tags[-1] + tags[-1] % 2
        fits = (paths[:, start:end] == tags).all(axis=1)
        if tags[-1] and end < 4:
            fits &= paths[:, end] != inside
        return float(probs[fits].sum())

    (made,) = find_doubts(tagger, "ner", [doc])
    assert made.confidence == pytest.approx((prob(0, [1]), prob(2, [3, 4])), rel=1e-3)
    found = {(e.start, e.end, e.label_) for e in tagger(bare).ents}
    assert made.found == len(found)
    assert made.doubts
    for one in made.doubts:
        for entities, value in ((one.given, one.given_log_prob), (one.found, one.found_log_prob)):
            tags = [0] * (one.end - one.start)
            for start, end, label in entities:
                column = TAGS.index(f"B-{label}")
                tags[start - one.start] = column
                for i in range(start + 1, end):
                    tags[i - one.start] = column + 1
            assert np.exp(value) == pytest.approx(prob(one.start, tags), rel=1e-3)
        assert one.log_odds == one.found_log_prob - one.given_log_prob
    assert {e for one in made.doubts for e in one.found} <= found
    assert [e.label_ for e in doc.ents] == ["LOC", "PER"]  # the doc is as it was


def test_doubts_of_a_beam_are_those_of_its_parses():
    nlp = build("ner", steps=12)
    docs = [make(nlp, ["Ann", "met", "Rome"], (0, 1, "LOC")), make(nlp, ["Rome", "is", "old"])]
    made = find_doubts(nlp, "ner", docs)
    found = [[(e.start, e.end, e.label_) for e in nlp(Doc(nlp.vocab, w)).ents] for w in WORDS]
    assert [one.found for one in made] == [len(one) for one in found]
    assert any(one.doubts for one in made)
    for of_doc in made:
        for one in of_doc.doubts:
            assert -50 <= one.given_log_prob <= 1e-5
            assert one.log_odds > 0  # the best parse is the most probable one


WORDS = (["Ann", "met", "Rome"], ["Rome", "is", "old"])


def test_doubts_leave_out_what_nobody_knows(tagger):
    words = ["Ann", "Lee", "saw", "Rome"]
    (whole,) = find_doubts(tagger, "ner", [make(tagger, words, (0, 1, "LOC"), (2, 4, "PER"))])
    assert {(one.start, one.end) for one in whole.doubts} & {(0, 1), (0, 2), (2, 4)}
    everywhere = make(tagger, words, missing=range(4))
    no_label = make(tagger, words, (0, 4, "TEAM"))
    first, second, third = find_doubts(
        tagger, "ner", [everywhere, no_label, Doc(tagger.vocab, words=[])]
    )
    assert (first.doubts, first.confidence) == ((), ())
    assert (second.doubts, second.confidence) == ((), (None,))
    assert (third.found, third.doubts) == (0, ())


def test_doubts_do_not_count_whitespace(tagger):
    ents = (0, 1, "LOC"), (2, 4, "PER")
    (plain,) = find_doubts(tagger, "ner", [make(tagger, ["Ann", "Lee", "saw", "Rome"], *ents)])
    words = ["\n", "Ann", "Lee", "saw", " ", "Rome", "\n"]
    doc = make(tagger, words, (0, 2, "LOC"), (3, 7, "PER"))
    (spaced,) = find_doubts(tagger, "ner", [doc])
    assert len(spaced.doubts) == len(plain.doubts)
    kept = [1, 2, 3, 5]
    for one, other in zip(plain.doubts, spaced.doubts, strict=True):
        assert (other.start, other.end) == (kept[one.start], kept[one.end - 1] + 1)
    assert len(spaced.confidence) == 2


def test_doubts_need_a_recogniser():
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger")
    nlp.add_pipe("seqmix_ner")
    with pytest.raises(SeqMixError, match=r"\[S720\] 'tagger'"):
        find_doubts(nlp, "tagger", [])
