"""The component: annotations, streams, errors, serialisation."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_seqmix.models.causal_lm import CausalLM, perplexity
from spacy_seqmix.pipeline.discriminator import SeqMixDiscriminator

NAME = "seqmix_discriminator"
TEXTS = ["The quick brown fox .", "", "Friday", "Somerset beat Norway by an innings . The end ."]


@pytest.fixture
def make_nlp(tiny_lm_dir):
    def make(sentencizer=False, **config):
        nlp = spacy.blank("en")
        if sentencizer:
            nlp.add_pipe("sentencizer")
        nlp.add_pipe(NAME, config={"model": str(tiny_lm_dir), "dtype": "float32", **config})
        return nlp

    return make


@pytest.fixture(scope="module")
def lm(tiny_lm_dir):
    return CausalLM.load(str(tiny_lm_dir), dtype="float32")


def test_discriminator_sets_perplexity_and_plausible(make_nlp, lm):
    want = [perplexity(score) for score in lm.token_nlls(TEXTS)]
    limit = sorted(v for v in want if not math.isnan(v))[1]
    docs = list(make_nlp(max_perplexity=limit * 1.001).pipe(TEXTS, batch_size=3))
    assert [doc.text for doc in docs] == TEXTS
    np.testing.assert_allclose([doc._.perplexity for doc in docs], want, rtol=1e-4)
    assert [doc._.plausible for doc in docs] == [value <= limit * 1.001 for value in want]
    assert all(type(d._.perplexity) is float and type(d._.plausible) is bool for d in docs)


def test_discriminator_call_equals_pipe(make_nlp):
    nlp = make_nlp()
    docs = list(nlp.pipe(TEXTS))
    for text, doc in zip(TEXTS, docs, strict=True):
        alone = nlp(text)
        assert alone._.perplexity == pytest.approx(doc._.perplexity, rel=1e-4, nan_ok=True)
        assert alone._.plausible == doc._.plausible


def test_discriminator_empty_doc_is_not_plausible(make_nlp):
    doc = make_nlp(max_perplexity=None)("")
    assert math.isnan(doc._.perplexity)
    assert doc._.plausible is False


def test_discriminator_sentences(make_nlp, lm):
    nlp = make_nlp(sentencizer=True, sentences=True)
    one, empty, _, two = nlp.pipe(TEXTS)
    texts = ["Somerset beat Norway by an innings .", "The end ."]
    want = [perplexity(score) for score in lm.token_nlls(texts)]
    assert [s._.perplexity for s in two.sents] == pytest.approx(want, rel=1e-4)
    assert [s._.perplexity for s in one.sents] == [one._.perplexity]
    assert math.isnan(empty._.perplexity)


def test_discriminator_sentences_need_boundaries(make_nlp):
    with pytest.raises(ValueError, match=r"\[S310\].*sentencizer.*quick brown"):
        make_nlp(sentences=True)(TEXTS[0])


def test_discriminator_errors_go_to_the_handler(make_nlp):
    nlp = make_nlp(sentences=True)
    seen = []
    nlp.set_error_handler(lambda name, proc, docs, err: seen.append((name, len(docs), str(err))))
    assert list(nlp.pipe(TEXTS, batch_size=2)) == []
    assert [(name, n) for name, n, _ in seen] == [(NAME, 2), (NAME, 2)]
    assert all("[S310]" in text for _, _, text in seen)


def test_discriminator_values_survive_bytes_and_docbin(make_nlp):
    nlp = make_nlp(sentencizer=True, sentences=True)
    doc = nlp(TEXTS[3])
    docbin = DocBin(docs=[doc], store_user_data=True)
    copies = [
        Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        *DocBin(store_user_data=True).from_bytes(docbin.to_bytes()).get_docs(nlp.vocab),
    ]
    for copy in copies:
        assert copy._.perplexity == doc._.perplexity
        assert copy._.plausible == doc._.plausible
        assert [s._.perplexity for s in copy.sents] == [s._.perplexity for s in doc.sents]


def test_discriminator_loads_lazily_or_in_initialize(make_nlp):
    pipe = make_nlp().get_pipe(NAME)
    assert pipe.judge._lm is None
    pipe.initialize(lambda: [])
    assert pipe.judge._lm is not None
    bad = make_nlp(model="/no/such/model")
    with pytest.raises(OSError, match=r"\[S301\]"):
        bad.initialize()


def test_discriminator_bad_range(make_nlp):
    with pytest.raises(ValueError, match=r"\[S308\]"):
        make_nlp(min_perplexity=2.0, max_perplexity=1.0)


def test_discriminator_keeps_settings_without_weights(make_nlp, tmp_path):
    nlp = make_nlp(min_perplexity=2.0, max_perplexity=77.0, batch_size=3, start_token="x")
    nlp.to_disk(tmp_path)
    assert sorted(p.name for p in (tmp_path / NAME).iterdir()) == ["cfg"]
    again = spacy.load(tmp_path)
    assert again.get_pipe(NAME).cfg == nlp.get_pipe(NAME).cfg
    assert again(TEXTS[0])._.perplexity == nlp(TEXTS[0])._.perplexity
    # A component that names no model of its own takes the stored one.
    data = nlp.get_pipe(NAME).to_bytes()
    assert SeqMixDiscriminator().from_bytes(data).cfg == nlp.get_pipe(NAME).cfg
    assert len(data) < 1000
    from_bytes = spacy.blank("en")
    from_bytes.add_pipe(NAME)
    assert from_bytes.from_bytes(nlp.to_bytes()).get_pipe(NAME).cfg == nlp.get_pipe(NAME).cfg


def test_discriminator_model_of_the_config_wins(make_nlp, tiny_lm_dir, tmp_path):
    make_nlp(max_perplexity=77.0).to_disk(tmp_path / "nlp")
    moved = str(shutil.copytree(tiny_lm_dir, tmp_path / "moved"))
    nlp = spacy.load(tmp_path / "nlp", config={"components": {NAME: {"model": moved}}})
    cfg = nlp.get_pipe(NAME).cfg
    assert (cfg["model"], cfg["max_perplexity"]) == (moved, 77.0)


def test_discriminator_carries_weights_on_request(make_nlp, tiny_lm_dir, tmp_path):
    source = shutil.copytree(tiny_lm_dir, tmp_path / "source")
    nlp = make_nlp(save_weights=True, model=str(source))
    want = nlp(TEXTS[0])._.perplexity
    nlp.to_disk(tmp_path / "nlp")
    data = nlp.get_pipe(NAME).to_bytes()
    shutil.rmtree(source)
    (tmp_path / "nlp").rename(tmp_path / "moved")
    again = spacy.load(tmp_path / "moved")
    assert again(TEXTS[0])._.perplexity == want
    again.to_disk(tmp_path / "moved")  # over the files that its weights came from
    assert spacy.load(tmp_path / "moved")(TEXTS[0])._.perplexity == want
    from_bytes = SeqMixDiscriminator().from_bytes(data)
    assert from_bytes(again.make_doc(TEXTS[0]))._.perplexity == want


def test_discriminator_pipe_streams_mixed_lengths_in_bounded_batches(make_nlp, monkeypatch):
    """Neither many docs nor long ones make a batch larger than it may be."""
    nlp = make_nlp(max_batch_items=64, batch_size=8)
    lm = nlp.get_pipe(NAME).judge.lm
    shapes = []
    logits = lm._logits
    monkeypatch.setattr(lm, "_logits", lambda x, m: shapes.append(tuple(x.shape)) or logits(x, m))
    taken = []

    def stream():
        for i in range(120):
            taken.append(i)
            yield " ".join(["fox"] * (1 if i % 10 else 200))

    docs = nlp.pipe(stream(), batch_size=20)
    next(docs)
    assert len(taken) <= 40  # not the whole stream: a batch, and what spaCy reads ahead
    rest = list(docs)
    assert len(rest) == 119
    assert all(math.isfinite(doc._.perplexity) for doc in rest)
    assert all(rows <= 8 and rows * width <= 64 for rows, width in shapes)
    assert {width for _, width in shapes} >= {lm.window}


def test_discriminator_pipe_in_several_processes(make_nlp):
    nlp = make_nlp()
    want = [nlp(text)._.perplexity for text in TEXTS]  # loaded before the processes are forked
    docs = list(nlp.pipe(TEXTS, n_process=2, batch_size=1))
    np.testing.assert_allclose([doc._.perplexity for doc in docs], want, rtol=1e-4)


def test_discriminator_docs_list_every_setting():
    page = Path(__file__).parents[2] / "docs" / "discriminator.md"
    cells = [line.split("|")[1:3] for line in page.read_text("utf8").splitlines() if "|" in line]
    said = {name.strip(" `"): default.strip(" `") for name, default in cells}
    for name, default in spacy.blank("en").get_factory_meta(NAME).default_config.items():
        assert json.loads(said[name]) == default, name
