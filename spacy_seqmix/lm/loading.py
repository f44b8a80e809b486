"""Locate the files of a language model and read them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from thinc.api import get_torch_default_device

from ..errors import Errors, SeqMixError
from .safety import may_run_code, refusing_code, require_safetensors

END_OF_TEXT = "<|endoftext|>"


def gguf_path(name: str) -> Path | None:
    """The path of a GGUF file from its name; None for other models.

    RAISES (OSError): if the file does not exist.
    """
    if not name.lower().endswith(".gguf"):
        return None
    if not Path(name).is_file():
        raise FileNotFoundError(f"{name!r} is no file.")
    return Path(name)


def from_pretrained(
    name: str, hub: dict[str, Any], trust_remote_code: Collection[str] = ()
) -> tuple[Any, Any, list[str]]:
    """The model, in float32 on the CPU, its tokenizer, and the names of untrained weights.

    Weights are read from safetensors only. Code of the repository runs if its name is among
    ``trust_remote_code``.

    RAISES (SeqMixError): S312 for weights in pickle files, S313 for code that is not trusted.
    RAISES: whatever transformers raises.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    # The default of transformers would ask at the keyboard.
    options = {**hub, "trust_remote_code": may_run_code(name, trust_remote_code, hub)}
    # Weights that are missing in a checkpoint are drawn at random (and then refused): not from the
    # user's generator.
    with refusing_code(name), torch.random.fork_rng(devices=[]), quiet():
        # The configuration alone first: it fails after one retried request rather than many.
        config = AutoConfig.from_pretrained(name, **options)
        require_safetensors(name, hub, "AutoModelForCausalLM")
        tokenizer = AutoTokenizer.from_pretrained(name, **options)  # type: ignore[no-untyped-call]
        model, info = AutoModelForCausalLM.from_pretrained(
            name,
            config=config,
            torch_dtype=torch.float32,
            output_loading_info=True,
            use_safetensors=True,
            **options,
        )
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(f"its tokenizer has {len(tokenizer)} tokens, its weights only {rows}.")
    return model, tokenizer, sorted(info["missing_keys"])


def start_id(tokenizer: Any, start_token: str | None, name: str) -> int:
    """The id of the token that stands before every text; see ``CausalLM.load``.

    The beginning-of-text token of a tokenizer cannot be trusted first: the one that transformers
    makes for SmolLM2 from GGUF says ``<|im_start|>``, which multiplies perplexities by five.

    RAISES (SeqMixError): S304 if the start token is unknown, or the tokenizer names none.
    """
    vocab: dict[str, int] = tokenizer.get_vocab()
    if start_token is not None:
        if start_token not in vocab:
            reason = f"{start_token!r} is not in its vocabulary."
            raise SeqMixError(Errors.E304.format(name=name, reason=reason))
        return vocab[start_token]
    for token in (END_OF_TEXT, tokenizer.bos_token, tokenizer.eos_token):
        if token is not None and token in vocab:
            return vocab[token]
    raise SeqMixError(Errors.E304.format(name=name, reason="its tokenizer names none."))


def default_device() -> str:
    """The device that thinc uses: what ``--gpu-id`` or ``spacy.require_gpu`` chose."""
    return str(get_torch_default_device())


def fast_bfloat16(device_type: str) -> bool:
    """Whether bfloat16 arithmetic is native to the device, hence faster than float32."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Private in torch, so its absence must only cost speed.
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device_type == "cpu" and probe is not None and bool(probe())


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' log lines: on untrained weights (our error), on legacy tokenizers."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
