"""One pipeline with every kind of component that has probabilities, and docs in four scripts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed

from ..tiny import TINY_CNN

# Labels with what splits names apart elsewhere.
PLACE, PERSON = "GEO-place: x", "人 name"
TEXTS = (
    ("Ann Lee saw Rome .", [(0, 2, PERSON), (3, 4, PLACE)]),
    ("José Ñandú voló a Córdoba", [(0, 2, PERSON), (4, 5, PLACE)]),
    ("李 明 去 北 京 了", [(0, 2, PERSON), (3, 5, PLACE)]),
    ("سافرت ليلى حداد إلى حلب", [(1, 3, PERSON), (4, 5, PLACE)]),
    ("nobody came", []),
    ("Rome", [(0, 1, PLACE)]),
    ("\n Zoë \n left", [(1, 2, PERSON)]),
)
VECTORS = {
    "own": TINY_CNN,
    "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 16, "upstream": "*"},
    "transformer": {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
        "grad_factor": 1.0,
        "upstream": "*",
    },
}
NER_MODEL = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 8,
    "maxout_pieces": 2,
    "use_upper": True,
}
SUGGESTER = {"@misc": "spacy.ngram_suggester.v1", "sizes": [1, 2]}
# name of the component: its factory and settings, but for the tok2vec layer of its model
PIPES = {
    "seqmix_ner": ("seqmix_ner", {}),
    "seqmix_crf": ("seqmix_ner", {"model": {"@architectures": "spacy-seqmix.CRFTagger.v1"}}),
    "ner": ("ner", {"model": NER_MODEL}),
    "beam_ner": ("beam_ner", {"model": NER_MODEL, "beam_width": 8, "beam_density": 0.001}),
    "tagger": ("tagger", {"model": {"normalize": False}}),
    "normalised_tagger": ("tagger", {"model": {"normalize": True}}),
    "seqmix_tagger": ("seqmix_tagger", {}),
    "morphologizer": ("morphologizer", {}),
    "spancat": ("spancat", {"suggester": SUGGESTER}),
    "spancat_singlelabel": ("spancat_singlelabel", {"suggester": SUGGESTER}),
}


def add_pipes(nlp: Language, tok2vec: dict[str, object]) -> None:
    """Add every kind of component, over these token vectors."""
    for name, (factory, settings) in PIPES.items():
        model = {**settings.get("model", {}), "tok2vec": tok2vec}
        nlp.add_pipe(factory, name=name, config={**settings, "model": model})


def train(nlp: Language, docs: list[Doc], steps: int) -> None:
    """A few steps on these docs, so that the output layers are not zero; in every order of tests
    from the same weights."""
    fix_random_seed(0)

    def examples() -> list[Example]:
        return [Example(bare(nlp, doc), doc) for doc in docs]

    nlp.initialize(examples)
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.01
    for _ in range(steps):
        nlp.update(examples(), sgd=optimizer)


def bare(nlp: Language, doc: Doc) -> Doc:
    """The words of a doc."""
    return Doc(nlp.vocab, words=[t.text for t in doc])


@pytest.fixture(scope="session")
def gold() -> Callable[[Language], list[Doc]]:
    """A function to docs with entities, tags, morphology and spans."""

    def make(nlp: Language) -> list[Doc]:
        docs = []
        for text, spans in TEXTS:
            words = text.split(" ")
            inside = {i for start, end, _ in spans for i in range(start, end)}
            tags = ["N-1: a" if i in inside else "其他" for i in range(len(words))]
            morphs = ["Number=Sing" if i in inside else "" for i in range(len(words))]
            pos = ["PROPN" if i in inside else "X" for i in range(len(words))]
            doc = Doc(nlp.vocab, words=words, tags=tags, morphs=morphs, pos=pos)
            found = [Span(doc, start, end, label=label) for start, end, label in spans]
            doc.set_ents(found)
            doc.spans["sc"] = found
            docs.append(doc)
        return docs

    return make


@pytest.fixture(scope="session", params=["own", "tok2vec", "transformer"])
def trained(
    request: pytest.FixtureRequest, gold: Callable[[Language], list[Doc]], tiny_bert_dir: Path
) -> Language:
    """The pipeline, with token vectors of each component's own, or with shared ones."""
    nlp = spacy.blank("xx")
    if request.param == "tok2vec":
        nlp.add_pipe("tok2vec", config={"model": TINY_CNN})
    if request.param == "transformer":
        encoder = {
            "@architectures": "spacy-transformers.TransformerModel.v3",
            "name": str(tiny_bert_dir),
            "get_spans": {"@span_getters": "spacy-transformers.strided_spans.v1"},
        }
        nlp.add_pipe("transformer", config={"model": encoder})
    add_pipes(nlp, VECTORS[request.param])
    train(nlp, gold(nlp), 4)
    return nlp


@pytest.fixture
def unlabelled(trained: Language) -> list[Doc]:
    """The same texts and a few more, without annotation; some are empty."""
    texts = [text.split(" ") for text, _ in TEXTS]
    more = [[], ["\n"], [" ", "\t"], ["Rome"] * 30, [], ["a", "b"]]
    return [Doc(trained.vocab, words=words) for words in (*texts, *more)]
