"""Finding, refusing, sharing, saving and converting language models."""

import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from spacy_seqmix.lm import gguf
from spacy_seqmix.lm.causal_lm import CausalLM
from spacy_seqmix.lm.loading import start_id
from spacy_seqmix.lm.shared import get_shared

TEXTS = ["The quick brown fox jumps over the lazy dog.", "Friday"]


@pytest.fixture(scope="module")
def lm(tiny_lm_dir):
    return CausalLM.load(str(tiny_lm_dir), dtype="float32")


def test_load_start_token(tiny_lm_dir, lm, tmp_path):
    assert lm.tokenizer.convert_ids_to_tokens(lm.start_id) == "<|endoftext|>"
    other = CausalLM.load(str(tiny_lm_dir), start_token="x")
    assert other.tokenizer.convert_ids_to_tokens(other.start_id) == "x"
    with pytest.raises(ValueError, match=r"\[S304\].*'<nope>'.*start_token"):
        CausalLM.load(str(tiny_lm_dir), start_token="<nope>")


@pytest.mark.parametrize(
    ("names", "want"),
    [
        ({"bos_token": "B", "eos_token": "E"}, "B"),
        ({"bos_token": None, "eos_token": "E"}, "E"),
        ({"bos_token": None, "eos_token": None}, None),
    ],
)
def test_load_start_token_without_endoftext(names, want):
    tokenizer = SimpleNamespace(get_vocab=lambda: {"B": 5, "E": 6}, **names)
    if want is None:
        with pytest.raises(ValueError, match=r"\[S304\]"):
            start_id(tokenizer, None, "m")
    else:
        assert start_id(tokenizer, None, "m") == tokenizer.get_vocab()[want]


def test_load_save_and_load(lm, tmp_path):
    lm.save(tmp_path)
    again = CausalLM.load(str(tmp_path))
    again.save(tmp_path)  # over the file that its weights may be mapped from
    assert (tmp_path / "model.safetensors").is_file()
    for one in (again, CausalLM.load(str(tmp_path))):
        got = one.token_nlls(TEXTS[:1], dtype="float32")
        assert np.array_equal(got[0].nlls, lm.token_nlls(TEXTS[:1])[0].nlls)


def test_load_get_shared_loads_once(tiny_lm_dir):
    assert get_shared(str(tiny_lm_dir)) is get_shared(str(tiny_lm_dir), device="cpu")
    assert get_shared(str(tiny_lm_dir)) is not get_shared(str(tiny_lm_dir), start_token="x")


@pytest.mark.parametrize("name", ["", "no-such-owner/no-such-model", "/no/such/folder", "no.gguf"])
def test_load_not_found(name):
    with pytest.raises(OSError, match=r"\[S301\].*could not be loaded.*save_pretrained"):
        CausalLM.load(name, local_files_only=True)


def test_load_broken_folders(tiny_lm_dir, tmp_path):
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        folder = shutil.copytree(tiny_lm_dir, tmp_path / file.split(".")[0])
        folder.joinpath(file).write_text("{")
        with pytest.raises(OSError, match=r"\[S301\]"):
            CausalLM.load(str(folder), local_files_only=True)
    with pytest.raises(OSError, match=r"\[S301\].*device"):
        CausalLM.load(str(tiny_lm_dir), device="no-such-device")


def test_load_gguf_that_is_none(tmp_path):
    path = tmp_path / "junk.gguf"
    path.write_bytes(b"junk")
    with pytest.raises(OSError, match=r"\[S302\].*junk\.gguf.*SPACY_SEQMIX_CACHE"):
        CausalLM.load(str(path), cache_dir=tmp_path / "cache")
    with pytest.raises(OSError, match=r"\[S301\].*none\.gguf"):
        CausalLM.load(str(tmp_path / "none.gguf"))
    assert [path.name for path in (tmp_path / "cache" / "gguf").iterdir()] == ["lock"]


def test_load_refuses_encoders(tmp_path, tiny_lm_dir):
    from transformers import BertConfig, BertLMHeadModel, BertModel

    tokenizer = AutoTokenizer.from_pretrained(tiny_lm_dir)
    config = BertConfig(
        len(tokenizer), 16, 2, 2, 16, max_position_embeddings=32, initializer_range=0.3
    )
    for sub, model, code in (
        ("headless", BertModel(config), "S306"),
        ("bidirectional", BertLMHeadModel(config), "S305"),
    ):
        model.save_pretrained(tmp_path / sub)
        tokenizer.save_pretrained(tmp_path / sub)
        with pytest.raises(ValueError, match=rf"\[{code}\]"):
            CausalLM.load(str(tmp_path / sub))


def test_load_refuses_a_tokenizer_of_another_model(tiny_lm_dir, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_lm_dir)
    model.resize_token_embeddings(300)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_lm_dir).save_pretrained(tmp_path)
    with pytest.raises(OSError, match=r"\[S301\].*tokenizer has 385 tokens, its weights only 300"):
        CausalLM.load(str(tmp_path))


def test_gguf_cache_root(monkeypatch, tmp_path):
    monkeypatch.setenv("SPACY_SEQMIX_CACHE", str(tmp_path / "own"))
    assert gguf.cache_root() == tmp_path / "own"
    assert gguf.cache_root(tmp_path) == tmp_path
    monkeypatch.delenv("SPACY_SEQMIX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert gguf.cache_root() == tmp_path / "spacy_seqmix"


def test_gguf_cache_root_of_an_empty_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("SPACY_SEQMIX_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gguf.cache_root() == tmp_path / ".cache" / "spacy_seqmix"


@pytest.fixture
def convert(monkeypatch):
    """Stands for transformers' conversion; returns the names of the files that it converted."""
    calls = []

    def convert(source, folder):
        calls.append(source.name)
        folder.joinpath("config.json").write_text("{}")
        folder.joinpath("model.safetensors").write_bytes(source.read_bytes())

    monkeypatch.setattr(gguf, "_convert", convert)
    return calls


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    return path


def test_gguf_converts_once_and_leaves_nothing_half_done(convert, source, tmp_path):
    first = gguf.converted_folder(source, tmp_path)
    assert gguf.converted_folder(source, tmp_path) == first
    assert len(convert) == 1
    source.write_bytes(b"two")  # the same name and size
    assert gguf.converted_folder(source, tmp_path) != first


@pytest.mark.parametrize("damage", ["truncated", "removed", "no list", "empty"])
def test_gguf_converts_again_what_is_incomplete(damage, convert, source, tmp_path):
    folder = gguf.converted_folder(source, tmp_path)
    weights = folder / "model.safetensors"
    if damage == "truncated":
        weights.write_bytes(b"o")
    elif damage == "removed":
        weights.unlink()
    elif damage == "no list":
        (folder / gguf.FILES).unlink()
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    assert gguf.converted_folder(source, tmp_path) == folder
    assert weights.read_bytes() == b"one"
    assert len(convert) == 2


def test_gguf_removes_what_killed_conversions_left(convert, source, tmp_path):
    left_over = tmp_path / "gguf" / ".other-1-abc-xyz"
    left_over.mkdir(parents=True)
    (left_over / "model.safetensors").write_bytes(b"half")
    folder = gguf.converted_folder(source, tmp_path)
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted([folder.name, "lock"])


def test_gguf_killed_conversion_is_done_again(source, tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from spacy_seqmix.lm import gguf\n"
        "def convert(source, folder):\n"
        "    (folder / 'model.safetensors').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "gguf._convert = convert\n"
        "gguf.converted_folder(*map(Path, sys.argv[1:]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, source, tmp_path], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert len([path for path in (tmp_path / "gguf").iterdir() if path.is_dir()]) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf, "_convert", lambda _, folder: (folder / "config.json").write_text("{}"))
        folder = gguf.converted_folder(source, tmp_path)
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_gguf_folders_can_be_read_by_others(convert, source, tmp_path):
    old = os.umask(0o022)
    try:
        folder = gguf.converted_folder(source, tmp_path)
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes.pop(folder.name) == 0o755
    assert set(modes.values()) == {0o644}


def test_gguf_names_permissions(source, tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(gguf, "_is_complete", refuse)
    with pytest.raises(OSError, match=r"\[S573\].*Permission denied.*SPACY_SEQMIX_CACHE"):
        gguf.converted_folder(source, tmp_path)


def test_gguf_message_names_the_converted_folder(source, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf, "_convert", lambda _, folder: (folder / "x").write_text("no model"))
    with pytest.raises(OSError, match=r"\[S301\].*It was read from '.*/gguf/m-3-.*remove"):
        CausalLM.load(str(source), cache_dir=tmp_path)


def test_load_refuses_weights_that_are_not_numbers(tiny_lm_dir, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_lm_dir)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_lm_dir).save_pretrained(tmp_path)
    lm = CausalLM.load(str(tmp_path))
    with torch.no_grad():
        for weights in (model, lm.model):
            weights.get_input_embeddings().weight[0] = float("nan")
    with pytest.raises(ValueError, match=r"\[S574\].*NaN"):
        lm.token_nlls(["Friday"])
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\[S574\]"):
        CausalLM.load(str(tmp_path))


@pytest.mark.models
@pytest.mark.slow
def test_gguf_second_load_reads_the_cache(smollm2_path, monkeypatch):
    first = CausalLM.load(smollm2_path)
    monkeypatch.setattr(gguf, "_convert", None)
    again = CausalLM.load(smollm2_path)
    assert again.token_nlls(["Hi"])[0].nlls == first.token_nlls(["Hi"])[0].nlls


def test_load_refuses_a_slow_tokenizer(tiny_lm_dir, monkeypatch):
    from spacy_seqmix.lm import causal_lm

    def slow(*args):
        model, tokenizer, missing = real(*args)
        monkeypatch.setattr(type(tokenizer), "is_fast", False)
        return model, tokenizer, missing

    real = causal_lm.from_pretrained
    monkeypatch.setattr(causal_lm, "from_pretrained", slow)
    with pytest.raises(ValueError, match="S303"):
        CausalLM.load(str(tiny_lm_dir))
