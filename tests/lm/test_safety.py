"""Model repositories hand over safetensors, and run no code unless they are named."""

import json
import os
import shutil

import numpy as np
import pytest
import spacy
import torch
from transformers import AutoModelForCausalLM

from spacy_seqmix.lm.causal_lm import CausalLM
from spacy_seqmix.lm.safety import as_names, require_safetensors
from spacy_seqmix.models.encoder import Encoder

TEXT = "The quick brown fox"
RAN = "SPACY_SEQMIX_TEST_CODE_RAN"
CODE = f"""
import os
from transformers import GPT2Config, GPT2LMHeadModel
os.environ["{RAN}"] = "1"
class OwnConfig(GPT2Config):
    model_type = "own"
class OwnModel(GPT2LMHeadModel):
    config_class = OwnConfig
"""


@pytest.fixture
def pickled_dir(tiny_lm_dir, tmp_path):
    """A model whose weights are a pickle."""
    folder = shutil.copytree(tiny_lm_dir, tmp_path / "pickled")
    state = AutoModelForCausalLM.from_pretrained(tiny_lm_dir).state_dict()
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


@pytest.fixture
def own_code_dir(tiny_lm_dir, tmp_path, monkeypatch):
    """A model that needs Python code from its own folder."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "c"))
    monkeypatch.syspath_prepend(tmp_path / "c")
    monkeypatch.setenv(RAN, "")
    folder = shutil.copytree(tiny_lm_dir, tmp_path / "own_code")
    (folder / "own.py").write_text(CODE)
    write_config(
        folder,
        model_type="own",
        auto_map={"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    )
    return folder


def write_config(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def test_safety_pickles_are_refused(pickled_dir):
    with pytest.raises(ValueError, match=r"\[S312\].*safetensors.*AutoModelForCausalLM as M"):
        CausalLM.load(str(pickled_dir))
    with pytest.raises(ValueError, match=r"\[S312\].*AutoModel as M"):
        Encoder.load(str(pickled_dir))


def test_safety_safetensors_win_over_pickles_beside_them(pickled_dir, tiny_lm_dir):
    (pickled_dir / "pytorch_model.bin").write_bytes(b"would fail if it were read")
    shutil.copy(tiny_lm_dir / "model.safetensors", pickled_dir)
    assert len(CausalLM.load(str(pickled_dir)).token_nlls([TEXT])[0])


@pytest.mark.parametrize(("file", "safe"), [("a.safetensors", True), ("a.bin", False)])
def test_safety_an_index_may_not_lead_to_pickles(tmp_path, file, safe):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "b.safetensors", "y": file}}))
    if safe:
        require_safetensors(str(tmp_path), {}, "AutoModel")
    else:
        with pytest.raises(ValueError, match=r"\[S312\]"):
            require_safetensors(str(tmp_path), {}, "AutoModel")


def test_safety_code_runs_only_if_the_model_is_named(own_code_dir, tiny_lm_dir):
    name = str(own_code_dir)
    for trusted in ((), ("another/model",), name[:-1]):
        with pytest.raises(ValueError, match=r"\[S313\].*trust_remote_code = \["):
            CausalLM.load(name, trust_remote_code=trusted)
    assert os.environ[RAN] == ""
    (got,) = CausalLM.load(name, trust_remote_code=name, dtype="float32").token_nlls([TEXT])
    assert os.environ[RAN] == "1"
    (want,) = CausalLM.load(str(tiny_lm_dir), dtype="float32").token_nlls([TEXT])
    np.testing.assert_allclose(got.nlls, want.nlls, rtol=1e-5)


def test_safety_encoders_never_run_code(own_code_dir):
    with pytest.raises(ValueError, match=r"\[S313\]"):
        Encoder.load(str(own_code_dir))
    assert os.environ[RAN] == ""


def test_safety_code_of_another_repository_must_be_named_too(own_code_dir):
    write_config(own_code_dir, auto_map={"AutoConfig": "owner/other--own.OwnConfig"})
    with pytest.raises(ValueError, match=r"\[S313\].*owner/other"):
        CausalLM.load(str(own_code_dir), trust_remote_code=[str(own_code_dir)])
    assert os.environ[RAN] == ""


def test_safety_a_pipeline_does_not_carry_trust(own_code_dir, tmp_path):
    settings = {"model": str(own_code_dir), "trust_remote_code": [str(own_code_dir)]}
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe("seqmix_discriminator", config=settings)
    assert nlp(TEXT)._.perplexity > 1
    stored = pipe.to_bytes()
    assert b"trust_remote_code" not in stored
    fresh = spacy.blank("en")
    config = {"model": str(own_code_dir)}
    fresh.add_pipe("seqmix_discriminator", config=config).from_bytes(stored)
    with pytest.raises(ValueError, match=r"\[S313\]"):
        fresh(TEXT)


def test_safety_as_names():
    assert as_names("a/b") == {"a/b"}
    assert as_names(["a/b", "c"]) == {"a/b", "c"}
    assert as_names(()) == frozenset()
