"""Training with recipes, from the augmenter to the encoder: what is mixed, and what is told."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Corpus, Example

from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.segment_pool import make_mention, make_mention_replacement
from spacy_seqmix.training.augmenter import create_seqmix_augmenter
from spacy_seqmix.training.corpus import create_corpus

EMBED = {
    "@architectures": "spacy.MultiHashEmbed.v2",
    "width": 16,
    "attrs": ["NORM", "SHAPE"],
    "rows": [200, 100],
    "include_static_vectors": False,
}


def pipeline(mixes=True, name="seqmix_ner"):
    embed = {"@architectures": "spacy-seqmix.MixEmbed.v1", "embed": EMBED} if mixes else EMBED
    tok2vec = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": embed,
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": 16,
            "depth": 1,
            "window_size": 1,
            "maxout_pieces": 2,
        },
    }
    tagger = "Tagger.v2" if name == "seqmix_tagger" else "SoftTagger.v1"
    kind = f"{'spacy' if tagger == 'Tagger.v2' else 'spacy-seqmix'}.{tagger}"
    nlp = spacy.blank("en")
    nlp.add_pipe(name, config={"model": {"@architectures": kind, "tok2vec": tok2vec}})
    return nlp


@pytest.fixture
def mixed(news, blank_en):
    mixer = Mixer(make_mention(), make_interpolated(), rate=0.5)
    return mix_docs(news, mixer, np.random.default_rng(0), blank_en)[0]


@pytest.fixture
def path(news, mixed, tmp_path):
    write_docs([*mixed, *news], tmp_path / "mixed.spacy")
    return tmp_path / "mixed.spacy"


def test_training_sees_the_mixture(path):
    nlp = pipeline()
    read = create_corpus(path)
    nlp.initialize(lambda: read(nlp))
    examples = list(read(nlp))[:15]
    proc = nlp.get_pipe("seqmix_ner")
    docs = [eg.predicted for eg in examples]
    trained, _ = proc.model.begin_update(docs)
    plain = proc.model.predict(docs)
    for eg, one, other in zip(examples, trained, plain, strict=True):
        assert not np.allclose(one, other), eg.predicted.text
    losses = [nlp.update(examples)["seqmix_ner"] for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["seqmix_ner", "seqmix_tagger"])
def test_plain_encoder_is_told(path, name):
    nlp = pipeline(mixes=False, name=name)
    read = create_corpus(path)

    def examples():
        for eg in read(nlp):
            for token in eg.reference:
                token.tag_ = "X"
            yield eg

    with pytest.warns(UserWarning, match="W224"):
        nlp.initialize(examples)


def test_augmenter_tells_of_a_plain_encoder(news):
    nlp = pipeline(mixes=False)
    nlp.initialize(lambda: [Example(doc.copy(), doc) for doc in news])
    augment = create_seqmix_augmenter(make_interpolated(), make_mention(), rate=0.5)
    with pytest.warns(UserWarning, match="W224"):
        for doc in news:
            list(augment(nlp, Example(doc.copy(), doc)))
    # Replaced mentions are plain text.
    augment = create_seqmix_augmenter(make_interpolated(), make_mention_replacement(), rate=0.5)
    for doc in news:
        list(augment(nlp, Example(doc.copy(), doc)))


def test_recipe_that_was_lost_is_told(path):
    nlp = pipeline()
    read = create_corpus(path)
    nlp.initialize(lambda: read(nlp))
    examples = list(Corpus(path)(nlp))[:5]
    with pytest.warns(UserWarning, match="W225"):
        nlp.update(examples)


def test_docs_with_recipes_keep_them_in_a_docbin_of_spacys_own(mixed, blank_en):
    docs = list(DocBin(docs=mixed).get_docs(blank_en.vocab))
    # without user data there is nothing left, and soft labels say so
    assert not any(doc.user_data for doc in docs)
    with pytest.raises(ValueError, match="S101"):
        pipeline().initialize(lambda: [Example(doc.copy(), doc) for doc in docs])
