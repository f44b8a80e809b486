"""One battery for whatever setup.cfg registers: it resolves, and it behaves."""

import configparser
import importlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import registry

from spacy_seqmix import recipes, soft_labels
from spacy_seqmix.mixing.origin import by_key, get_origin
from spacy_seqmix.models.head import head_of

from .mixed import mix_of, part_of
from .registered import POLICIES, rng
from .registered import global_random_state as global_random_state  # the fixture

pytestmark = pytest.mark.usefixtures("encoders_once")

# Loading a transformer warns about its own internals.
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SETUP = Path(__file__).parent.parent / "setup.cfg"
KINDS = {
    "spacy_architectures": "architectures",
    "spacy_augmenters": "augmenters",
    "spacy_readers": "readers",
    "spacy_scorers": "scorers",
    "spacy_misc": "misc",
}
PAIRS = ("spacy-seqmix.PairClassifier.v1",)
SCORERS = ("spacy-seqmix.relations_scorer.v1",)
TAGGERS = ("spacy-seqmix.SoftTagger.v1", "spacy-seqmix.CRFTagger.v1")
# With the settings that the short samples take.
WINDOWS = {
    "spacy-seqmix.SubSequence.v1": {"density": 0.2, "window": 2},
    "spacy-seqmix.WholeSequence.v1": {"density": 0.2},
    "spacy-seqmix.LabelConstrained.v1": {"density": 0.2, "window": 2},
}
POOLS = {
    "spacy-seqmix.Mention.v1": {},
    "spacy-seqmix.Token.v1": {"outside": False},
    "spacy-seqmix.MentionReplacement.v1": {},
}
STRATEGIES = {**WINDOWS, **POOLS}
# Layers that mix by recipes, each with the plain one that it stands for.
MIXING_LAYERS = {
    "spacy-seqmix.MixTransformerModel.v1": "spacy-transformers.TransformerModel.v3",
    "spacy-seqmix.MixEmbed.v1": "spacy.MultiHashEmbed.v2",
}
TABLES = (
    "spacy-seqmix.PieceTable.v1",
    "spacy-seqmix.WordTable.v1",
    "spacy-seqmix.ContextualTable.v1",
    "spacy-seqmix.VectorsTable.v1",
)
ORACLES = ("spacy-seqmix.GoldOracle.v1",)
NEAREST, INTERPOLATED = "spacy-seqmix.NearestToken.v1", "spacy-seqmix.Interpolated.v1"
# Each with a table it looks words up in, where it does.
REALISERS = (*((NEAREST, table) for table in TABLES), (INTERPOLATED, None))
OTHERS = (
    "spacy-seqmix.PerplexityDiscriminator.v1",
    "spacy-seqmix.Relation.v1",  # of docs with relations: tests/mixing/test_relation_pairs.py
    # They take a lexicon or give one: tests/mixing/test_synonyms.py.
    "spacy-seqmix.Synonym.v1",
    "spacy-seqmix.WordNet.v1",
    "spacy-seqmix.TableNeighbours.v1",
)


def entry_points():
    config = configparser.ConfigParser(delimiters=("=",))
    config.optionxform = str
    config.read(SETUP, encoding="utf8")
    for group, text in config["options.entry_points"].items():
        for line in text.split("\n"):
            if line.strip():
                name, _, where = line.partition("=")
                yield group, name.strip(), where.strip()


ENTRIES = list(entry_points())


@pytest.mark.parametrize(("group", "name", "where"), ENTRIES, ids=[e[1] for e in ENTRIES])
def test_registered_resolves(group, name, where):
    module, _, attribute = where.partition(":")
    expected = getattr(importlib.import_module(module), attribute)
    if group == "spacy_factories":
        assert spacy.blank("en").has_factory(name)
    elif group != "spacy_cli":
        assert name.startswith("spacy-seqmix.")
        assert registry.get(KINDS[group], name) is expected
    assert expected.__doc__ or group == "spacy_cli"


def test_registered_functions_are_all_in_the_battery():
    policies = {name for name, _ in POLICIES}
    known = {*STRATEGIES, NEAREST, INTERPOLATED, *TABLES, *policies, *ORACLES, *OTHERS}
    assert {name for group, name, _ in ENTRIES if group == "spacy_misc"} == known


def test_registered_architectures_are_all_in_the_battery():
    found = {name for group, name, _ in ENTRIES if group == "spacy_architectures"}
    assert found == {*TAGGERS, *MIXING_LAYERS, *PAIRS}


@pytest.mark.parametrize("name", TAGGERS)
def test_registered_taggers(name, news, blank_en):
    # Layers draw their first weights from numpy's global generator, as all of thinc's do.
    tok2vec = registry.get("architectures", "spacy.HashEmbedCNN.v2")(
        width=16,
        depth=1,
        embed_size=50,
        window_size=1,
        maxout_pieces=2,
        subword_features=True,
        pretrained_vectors=None,
    )
    state = np.random.get_state()
    model = registry.get("architectures", name)(tok2vec, nO=9)
    model.initialize(X=news[:2])
    np.random.set_state(state)
    batch = [Doc(blank_en.vocab), news[0], news[1]]
    scores = model.predict(batch)
    assert [p.shape for p in scores] == [(len(doc), 9) for doc in batch]
    assert all(np.allclose(p.sum(axis=1), 1.0, atol=1e-5) for p in scores)
    head = head_of(model)
    assert [len(path) for path in head.decode(scores, batch)] == [len(doc) for doc in batch]
    assert head.path_probs(scores)[0] == 1.0
    assert [len(p) for p in head.span_probs(scores, [[], [(0, 1, 0)], []])] == [0, 1, 0]
    loss, gradient = head.loss(scores, scores)
    assert loss > 0
    assert [d.shape for d in gradient] == [p.shape for p in scores]
    before = [p.copy() for p in scores]
    assert all(map(np.array_equal, before, model.predict(batch)))


@pytest.mark.parametrize("name", STRATEGIES)
def test_registered_strategies(name, news, blank_en):
    strategy = registry.get("misc", name)()
    assert list(strategy([], rng())) == []
    assert list(strategy([Doc(blank_en.vocab)], rng())) == []
    assert list(strategy(news[:1], rng())) == []
    assert list(strategy([blank_en.make_doc("nobody was there at all")] * 3, rng())) == []
    plans = list(islice(strategy(news, rng(5)), 1000))
    assert plans == list(islice(strategy(news, rng(5)), 1000))
    assert plans != list(islice(strategy(news, rng(6)), 1000))
    sides = [(mix_of(plan).left, mix_of(plan).right) for plan in plans]
    # A pool mixes either of two segments with the other, which gives other docs.
    assert len(plans) == len(set(sides if name in POOLS else map(frozenset, sides))) > 0
    assert plans[:3] == list(islice(strategy(news, rng(5)), 3))
    for plan in plans:
        if name in WINDOWS:
            assert len(mix_of(plan).left) == len(mix_of(plan).right)
        assert mix_of(plan).left.doc != mix_of(plan).right.doc
        assert mix_of(plan).right.end <= len(news[mix_of(plan).right.doc])
        assert 0.0 <= mix_of(plan).lam <= 1.0
    assert all(strategy.eligible(news[mix_of(p).left.doc]) for p in plans)
    assert strategy.describe()


def table_source(name, docs, encoder_dir, tmp_path):
    """Settings of a table: where its vectors come from."""
    if name != "spacy-seqmix.VectorsTable.v1":
        return {"encoder": str(encoder_dir)}
    nlp = spacy.blank("xx")
    for i, word in enumerate(sorted({t.text for doc in docs for t in doc})):
        nlp.vocab.set_vector(word, rng(i).normal(size=8).astype("float32"))
    nlp.to_disk(tmp_path)
    return {"vectors": str(tmp_path)}


@pytest.mark.parametrize("name", TABLES)
def test_registered_tables(name, news, blank_en, tiny_encoder_dir, tmp_path):
    source = table_source(name, news, tiny_encoder_dir, tmp_path)

    def build(docs):
        return registry.get("misc", name)(**source)(docs, (), None)

    for docs in ([], [Doc(blank_en.vocab)], news[:1], news):
        built = build(docs)
        assert len(built.table.words) == len(built.table.vectors)
        vectors = built.of_docs(docs)
        assert [len(v) for v in vectors] == [len(doc) for doc in docs]
        built.held_out(docs, vectors)
    again = build(news)
    assert again.table.words == built.table.words
    assert np.array_equal(again.table.vectors, built.table.vectors)


@pytest.mark.parametrize("lang", ["en", "es", "zh", "ar"])
@pytest.mark.parametrize(("realiser", "table"), REALISERS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_registered_mixing_keeps_text_and_offsets(
    strategy, realiser, table, lang, sample, letters_encoder_dir, tmp_path
):
    nlp, docs = sample(lang)
    docs.insert(2, Doc(nlp.vocab))
    plans = registry.get("misc", strategy)(**STRATEGIES[strategy])(docs, rng())
    settings = []
    if table is not None:
        source = table_source(table, docs, letters_encoder_dir, tmp_path)
        settings = [registry.get("misc", table)(**source)]
    prepared = registry.get("misc", realiser)(*settings).prepare(docs, (), nlp, None)
    mixed = prepared(list(islice(plans, 30)))
    assert mixed
    # Few are so odd that they count as pre-tokenised.
    assert np.mean([get_origin(doc).pretokenised for doc in mixed]) <= 0.4
    parents = by_key(docs)
    stored = DocBin(docs=mixed, store_user_data=True).to_bytes()
    for doc, back in zip(mixed, DocBin().from_bytes(stored).get_docs(nlp.vocab), strict=True):
        origin, part = get_origin(doc), part_of(doc)
        parent, other = parents[origin.target], parents[part.other]
        start, end = part.target_start, part.target_end
        assert [t.text for t in doc] == [
            *(t.text for t in parent[:start]),
            *part.words,
            *(t.text for t in parent[end:]),
        ]
        check_words(part, parent[start:end], other[part.other_start : part.other_end], realiser)
        assert (recipes.get(doc) is not None) == (realiser == INTERPOLATED and part.weight > 0)
        assert not any(t.is_space for t in doc[part.start : part.end])
        assert all(doc.text[t.idx : t.idx + len(t)] == t.text for t in doc)
        for ent in doc.ents:
            assert doc.text[ent.start_char : ent.end_char] == ent.text
            found = doc.char_span(ent.start_char, ent.end_char)
            assert (found.start, found.end) == (ent.start, ent.end)
        assert all(e.text.strip() == e.text for e in doc.ents)
        assert np.allclose(soft_labels.of(doc).probs.sum(axis=1), 1.0, atol=1e-5)
        found = [t.text for t in nlp.make_doc(doc.text)]
        assert (found == [t.text for t in doc]) != origin.pretokenised
        after = parent.text[parent[end].idx :] if end < len(parent) else ""
        assert doc.text.startswith(parent[:start].text)
        assert doc.text.endswith(after)
        assert back.text == doc.text
        assert [(e.text, e.label_) for e in back.ents] == [(e.text, e.label_) for e in doc.ents]
        assert recipes.get(back) == recipes.get(doc)


def check_words(part, ours, theirs, realiser):
    """The words of a mixed segment are those that its realiser gives."""
    n = min(len(ours), len(theirs))
    rest = (*(t.text for t in ours[n:]), *(t.text for t in theirs[n:]))
    if part.weight == 0:
        assert part.words == tuple(t.text for t in theirs)
    elif realiser == INTERPOLATED:
        assert part.words == (*(t.text for t in ours[:n]), *rest)
    else:
        assert part.words[n:] == rest
        own = {t.lower_ for t in (*ours[:n], *theirs[:n])}
        assert own.isdisjoint(word.lower() for word in part.words[:n])


@pytest.mark.parametrize("name", ORACLES)
def test_registered_oracles(name, news):
    oracle = registry.get("misc", name)()
    assert oracle([]) == []
    assert [doc.text for doc in oracle(news)] == [doc.text for doc in news]
