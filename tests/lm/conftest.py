"""Docs and a language model whose scores can be computed by hand."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_seqmix.annotation.provenance import set_origin
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.lm.scores import TokenNlls

from ..mixed import origin_of


class FakeLM:
    """Has a token for each word, of as many nats as the word has letters."""

    def token_nlls(self, texts, *, progress=None, **others):
        out = []
        for text in texts:
            words, at = text.split(), 0
            offsets = []
            for word in words:
                at = text.index(word, at)
                offsets.append((at, at + len(word)))
                at += len(word)
            nlls = np.array([len(word) for word in words], dtype="float32")
            out.append(TokenNlls(nlls, np.array(offsets, dtype="int64").reshape(-1, 2)))
        return out


@pytest.fixture(scope="session")
def vocab():
    return spacy.blank("en").vocab


@pytest.fixture
def make_discriminator():
    def make(unit="doc"):
        discriminator = make_perplexity_discriminator("owner/fake", unit=unit)
        discriminator.lm = FakeLM()
        return discriminator

    return make


@pytest.fixture
def make_doc(vocab):
    """A doc of words; capitalised ones are entities, starts are those of sentences, and a window
    makes it a mixed doc."""

    def make(text, *, starts=None, window=None):
        words = text.split()
        sents = None if starts is None else [i in starts for i in range(len(words))]
        ents = ["B-PER" if word[0].isupper() else "O" for word in words]
        doc = Doc(vocab, words=words, ents=ents, sent_starts=sents)
        if window is not None:
            set_origin(doc, origin_of(*window, words[slice(*window)]))
        return doc

    return make


@pytest.fixture
def save(tmp_path):
    def write(*docs, name="docs.spacy"):
        DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / name)
        return tmp_path / name

    return write
