"""SMix: lexicons, and plans that mix words with synonyms."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from spacy.tokens import Doc

from spacy_seqmix.annotation import recipes, soft_labels
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.realise import make_nearest_token
from spacy_seqmix.mixing.synonyms import make_synonym, make_table_neighbours, make_wordnet
from spacy_seqmix.mixing.vectors import make_word_table

# Part of speech, and the words of each of its senses.
SENSES = {
    "noun": [["car", "auto", "motor_car"], ["car", "coach"], ["inch", "in"], ["Rome", "Roma"]],
    "verb": [["car", "drive"], ["fly", "soar"]],
}
FILES = ("adj", "adv", "noun", "verb")


@pytest.fixture(scope="module")
def wordnet_dir(tmp_path_factory):
    """WordNet's own file format, with a handful of senses."""
    folder = tmp_path_factory.mktemp("nltk_data")
    root = folder / "corpora" / "wordnet"
    root.mkdir(parents=True)
    for name in FILES:
        data, index = "  1 made for tests\n", {}
        for words in SENSES.get(name, []):
            listed = " ".join(f"{word} 0" for word in words)
            line = f"{len(data):08d} 00 {name[0]} {len(words):02x} {listed} 000 | none\n"
            for word in words:
                index.setdefault(word.lower(), []).append(len(data))
            data += line
        rows = [
            f"{word} {name[0]} {len(at)} 0 {len(at)} 0 {' '.join(f'{k:08d}' for k in at)}\n"
            for word, at in sorted(index.items())
        ]
        (root / f"data.{name}").write_text(data, "utf8")
        (root / f"index.{name}").write_text("".join(rows), "utf8")
        (root / f"{name}.exc").write_text("", "utf8")
    (root / "index.sense").write_text("", "utf8")
    (root / "lexnames").write_text("00\tnoun.Tops\t1\n", "utf8")
    return folder


def of(doc, lexicon):
    lookup = lexicon([doc])
    return {token.text: list(lookup(token)) for token in doc if lookup(token)}


def test_synonyms_of_wordnet(wordnet_dir, blank_en):
    doc = blank_en.make_doc("In Rome a car and Cars and CAR fly")
    assert of(doc, make_wordnet(wordnet_dir)) == {
        "Rome": ["Roma"],
        "car": ["auto", "coach", "drive"],
        "CAR": ["AUTO", "COACH", "DRIVE"],
        "fly": ["soar"],
    }
    assert of(doc, make_wordnet(wordnet_dir, n=1))["car"] == ["auto"]
    for token in doc:
        token.pos_ = "NOUN"
    assert of(doc, make_wordnet(wordnet_dir))["car"] == ["auto", "coach"]
    assert "fly" not in of(doc, make_wordnet(wordnet_dir))


def test_synonyms_need_wordnet(tmp_path, blank_en, monkeypatch):
    with pytest.raises(OSError, match=r"S262.*nltk\.downloader"):
        make_wordnet(tmp_path)([])
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(ValueError, match="S261"):
        make_wordnet(tmp_path)([])
    for make in (make_wordnet, lambda n: make_table_neighbours(lambda *_: None, n)):
        with pytest.raises(ValueError, match="S210"):
            make(n=0)


def test_synonyms_of_a_table(news, tiny_encoder_dir):
    table = make_word_table(str(tiny_encoder_dir))
    built = table(news, (), None).table
    found = make_table_neighbours(table, 3, same_shape=False)(news)(news[0][0])
    assert len(set(found)) == 3
    assert "Anna" not in found
    prepared, _ = built._prepare(built.vectors)
    near = [built.words[i] for i in np.argsort(-(prepared @ prepared[built.number["Anna"]]))]
    assert found == near[1:4]
    unknown = Doc(news[0].vocab, words=["Zyzzyva"])
    assert list(make_table_neighbours(table)(news)(unknown[0])) == []


def test_synonyms_are_mixed_in_and_labels_stay(news, blank_en, wordnet_dir, labelled):
    docs = [labelled("[PER Ann] will fly a car."), labelled("[LOC Rome] won."), *news]
    strategy = make_synonym(make_wordnet(wordnet_dir), segments=0)
    mixer = Mixer(strategy, make_interpolated(), rate=0.1)
    mixed, _ = mix_docs(docs, mixer, np.random.default_rng(0), blank_en)
    assert len(mixed) == 3
    for doc in mixed:
        assert not soft_labels.is_marked(doc)
        recipe = recipes.get(doc)
        assert set(recipe.own) <= {"fly", "car", "Rome"}
        assert set(recipe.partners) <= {"soar", "auto", "coach", "drive", "Roma"}
    assert {len(recipes.get(doc)) for doc in mixed} == {1, 2}


def test_synonyms_as_nearest_words(news, blank_en, wordnet_dir, tiny_encoder_dir, labelled):
    docs = [labelled("[PER Ann] will fly a car."), *news]
    realiser = make_nearest_token(make_word_table(str(tiny_encoder_dir)), same_shape=False)
    mixer = Mixer(make_synonym(make_wordnet(wordnet_dir)), realiser, rate=0.1)
    mixed, _ = mix_docs(docs, mixer, np.random.default_rng(0), blank_en)
    for doc in mixed:
        (part,) = get_origin(doc).parts
        assert part.partners[0] in {"soar", "auto", "coach", "drive"}
        assert part.words[0] not in {"fly", "car", *part.partners}
        assert [e.text for e in doc.ents] == ["Ann"]


def test_synonyms_choose_words_alone(labelled, wordnet_dir):
    strategy = make_synonym(make_wordnet(wordnet_dir), outside=False)
    doc = labelled("[LOC Rome] has a car")
    assert strategy.eligible(doc)
    (plan,) = strategy([doc], np.random.default_rng(0))
    assert plan.mixes[0].words == ("Roma",)
    assert strategy.layer == "ents"
    assert strategy.describe()
    assert not strategy.eligible(labelled("nobody has a car"))
