"""The component: annotations, streams, errors, serialisation."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_seqmix.lm.causal_lm import CausalLM, perplexity
from spacy_seqmix.lm.shared import shared_lm

NAME = "seqmix_discriminator"
LOCAL = "ignore:.*W314:UserWarning"
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
    assert pipe.discriminator._lm is None
    pipe.initialize(lambda: [])
    assert pipe.discriminator._lm is not None
    bad = make_nlp(model="/no/such/model")
    with pytest.raises(OSError, match=r"\[S301\]"):
        bad.initialize()


def test_discriminator_bad_range(make_nlp):
    with pytest.raises(ValueError, match=r"\[S308\]"):
        make_nlp(min_perplexity=2.0, max_perplexity=1.0)


@pytest.mark.filterwarnings(LOCAL)
def test_discriminator_keeps_settings_without_weights(make_nlp, tmp_path):
    nlp = make_nlp(min_perplexity=2.0, max_perplexity=77.0, batch_size=3, start_token="x")
    nlp.to_disk(tmp_path)
    assert sorted(p.name for p in (tmp_path / NAME).iterdir()) == ["cfg"]
    again = spacy.load(tmp_path)
    assert again.get_pipe(NAME).settings == nlp.get_pipe(NAME).settings
    assert again(TEXTS[0])._.perplexity == nlp(TEXTS[0])._.perplexity
    assert len(nlp.get_pipe(NAME).to_bytes()) < 1000
    from_bytes = nlp.from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert from_bytes.get_pipe(NAME).settings == nlp.get_pipe(NAME).settings


@pytest.mark.filterwarnings(LOCAL)
def test_discriminator_settings_of_the_config_win(make_nlp, tmp_path):
    """Each setting, its default included: what ``nlp.config`` shows is what counts."""
    nlp = make_nlp(sentencizer=True, max_perplexity=1e9, sentences=True)
    assert nlp(TEXTS[0])._.plausible
    nlp.to_disk(tmp_path)
    new = {
        "min_perplexity": 0.5,
        "max_perplexity": 1.5,
        "sentences": False,
        "batch_size": 7,
        "max_batch_items": 99,
        "dtype": "auto",
        "start_token": "x",
        "device": "cpu",
        "save_weights": True,
        "revision": "main",
        "trust_remote_code": ["a/b"],
    }
    defaults = nlp.get_factory_meta(NAME).default_config
    assert new.keys() == defaults.keys() - {"model"}  # which has a test of its own
    for key, value in [*new.items(), *((key, defaults[key]) for key in new)]:
        again = spacy.load(tmp_path, config={f"components.{NAME}.{key}": value})
        pipe = again.get_pipe(NAME)
        assert getattr(pipe if hasattr(pipe, key) else pipe.settings, key) == value, key
        assert again.config["components"][NAME][key] == value
    low = spacy.load(tmp_path, config={f"components.{NAME}.max_perplexity": 1.5})
    assert not low(TEXTS[0])._.plausible


@pytest.mark.filterwarnings(LOCAL)
def test_discriminator_model_of_the_config_wins(make_nlp, tiny_lm_dir, tmp_path):
    make_nlp(max_perplexity=77.0).to_disk(tmp_path / "nlp")
    moved = str(shutil.copytree(tiny_lm_dir, tmp_path / "moved"))
    nlp = spacy.load(tmp_path / "nlp", config={"components": {NAME: {"model": moved}}})
    settings = nlp.get_pipe(NAME).settings
    assert (settings.model, settings.max_perplexity) == (moved, 77.0)


def test_discriminator_saved_weights_give_way_to_another_model(make_nlp, tiny_lm_dir, tmp_path):
    source = str(shutil.copytree(tiny_lm_dir, tmp_path / "source"))
    make_nlp(save_weights=True, model=source).to_disk(tmp_path / "nlp")
    for settings in ({"model": str(tiny_lm_dir)}, {"save_weights": False}):
        nlp = spacy.load(tmp_path / "nlp", config={"components": {NAME: settings}})
        nlp(TEXTS[0])
        assert nlp.get_pipe(NAME).discriminator.lm.name != str(tmp_path / "nlp" / NAME / "model")
    nlp = spacy.load(tmp_path / "nlp")
    assert nlp.get_pipe(NAME).discriminator.lm.name == str(tmp_path / "nlp" / NAME / "model")


@pytest.fixture
def packaged(tiny_lm_dir, tmp_path, monkeypatch):
    """The tiny language model inside an installed package."""
    package = tmp_path / "site" / "tiny_lm_package"
    shutil.copytree(tiny_lm_dir, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    return package


@pytest.mark.parametrize("name", ["package:{0}", "no-such-lm | package:{0}"])
@pytest.mark.filterwarnings("ignore:.*W220:UserWarning")
def test_discriminator_takes_a_model_in_a_package(
    make_nlp, lm, packaged, tmp_path, monkeypatch, name
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    name = name.format("tiny_lm_package/model")
    nlp = make_nlp(model=name)
    want = perplexity(lm.token_nlls(TEXTS[:1])[0])
    assert nlp(TEXTS[0])._.perplexity == pytest.approx(want, rel=1e-4)
    nlp.to_disk(tmp_path / "nlp")  # without a warning
    assert str(tmp_path) not in (tmp_path / "nlp" / "config.cfg").read_text("utf8")
    assert spacy.load(tmp_path / "nlp")(TEXTS[0])._.perplexity == pytest.approx(want, rel=1e-4)
    shutil.rmtree(packaged)
    shared_lm.cache_clear()
    with pytest.raises(OSError, match="tiny_lm_package") as err:
        spacy.load(tmp_path / "nlp")
    assert err.value.code == "S316"
    assert f"exclude=['{NAME}']" in str(err.value)
    assert spacy.load(tmp_path / "nlp", exclude=[NAME]).pipe_names == []


def test_discriminator_warns_of_a_path_that_others_do_not_have(make_nlp, tmp_path, tiny_lm_dir):
    with pytest.warns(UserWarning, match=r"\[W314\].*save_weights") as caught:
        make_nlp().to_disk(tmp_path / "plain")
    assert str(tiny_lm_dir) in str(caught[0].message)
    make_nlp(save_weights=True).to_disk(tmp_path / "carried")  # without a warning


@pytest.mark.filterwarnings(LOCAL)
def test_discriminator_loading_tells_what_is_missing(make_nlp, tiny_lm_dir, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    source = shutil.copytree(tiny_lm_dir, tmp_path / "source")
    nlp = make_nlp(model=str(source))
    nlp.to_disk(tmp_path / "nlp")
    data = nlp.to_bytes()
    for name in (str(tmp_path / "gone"), "no-such-owner/no-such-model"):
        with pytest.raises(OSError, match=name) as err:
            spacy.load(tmp_path / "nlp", config={f"components.{NAME}.model": name})
        assert err.value.code == "S316"
    shutil.rmtree(source)
    for load in (
        lambda: spacy.load(tmp_path / "nlp"),
        lambda: nlp.from_config(nlp.config).from_bytes(data),
    ):
        with pytest.raises(OSError, match="source") as err:
            load()
        assert err.value.code == "S316"


@pytest.mark.filterwarnings(LOCAL)
def test_discriminator_loading_tells_that_gguf_is_missing(make_nlp, tmp_path, monkeypatch):
    (tmp_path / "x.gguf").touch()
    make_nlp(model=str(tmp_path / "x.gguf")).to_disk(tmp_path / "nlp")
    monkeypatch.setattr("spacy_seqmix.pipeline.discriminator.find_spec", lambda name: None)
    with pytest.raises(OSError, match=r"x\.gguf") as err:
        spacy.load(tmp_path / "nlp")
    assert err.value.code == "S317"


def test_discriminator_perplexity_does_not_depend_on_neighbours(tiny_lm_dir, monkeypatch):
    """Also where the hardware is fast at bfloat16, whose rounding changes with the batch."""
    monkeypatch.setattr("spacy_seqmix.lm.causal_lm.fast_bfloat16", lambda device: True)
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config={"model": str(tiny_lm_dir)})  # the component's own dtype
    alone = [nlp(text)._.perplexity for text in TEXTS if text]
    for neighbours in (["fox"], ["Norway beat Somerset . " * 9], [*TEXTS, "a b c"] * 4):
        docs = nlp.pipe([*neighbours, *(text for text in TEXTS if text)])
        got = [doc._.perplexity for doc in docs][len(neighbours) :]
        np.testing.assert_allclose(got, alone, rtol=1e-4)


@pytest.mark.models
@pytest.mark.slow
def test_discriminator_perplexity_does_not_depend_on_neighbours_smollm2(smollm2_path):
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config={"model": smollm2_path})
    texts = [" ".join(TEXTS), *(text for text in TEXTS if text)] * 3
    texts += ["The harbour master closed both piers after the storm."] * 9
    together = [doc._.perplexity for doc in nlp.pipe(texts)]
    alone = [nlp(text)._.perplexity for text in texts[:4]]
    # In nats: how much float32 rounds depends on the processor.
    np.testing.assert_allclose(np.log(together[:4]), np.log(alone), rtol=1e-4)


def test_discriminator_carries_weights_on_request(make_nlp, tiny_lm_dir, tmp_path):
    source = shutil.copytree(tiny_lm_dir, tmp_path / "source")
    nlp = make_nlp(save_weights=True, model=str(source))
    want = nlp(TEXTS[0])._.perplexity
    nlp.to_disk(tmp_path / "nlp")
    data = nlp.to_bytes()
    shutil.rmtree(source)
    (tmp_path / "nlp").rename(tmp_path / "moved")
    again = spacy.load(tmp_path / "moved")
    assert again(TEXTS[0])._.perplexity == want
    again.to_disk(tmp_path / "moved")  # over the files that its weights came from
    assert spacy.load(tmp_path / "moved")(TEXTS[0])._.perplexity == want
    from_bytes = nlp.from_config(nlp.config).from_bytes(data)
    assert from_bytes(TEXTS[0])._.perplexity == want


def test_discriminator_pipe_streams_mixed_lengths_in_bounded_batches(make_nlp, monkeypatch):
    """Neither many docs nor long ones make a batch larger than it may be."""
    nlp = make_nlp(max_batch_items=64, batch_size=8)
    lm = nlp.get_pipe(NAME).discriminator.lm
    assert lm._packs  # which the model is tried for once
    shapes = []
    logits = lm._logits
    monkeypatch.setattr(lm, "_logits", lambda x, *m: shapes.append(tuple(x.shape)) or logits(x, *m))
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
    assert max(width for _, width in shapes) >= lm.window


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
