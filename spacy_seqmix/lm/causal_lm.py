"""A Hugging Face causal language model that scores every token of a text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that everyone gives it)
from numpy.typing import NDArray

from ..errors import Errors, SeqMixError, SeqMixFileError, describe
from ..model_names import is_silent, resolve
from ..types import Floats1d
from .batches import Chunk, position_limit
from .gguf import converted_folder
from .inputs import MAX_PACKED, MAX_PACKED_CHUNK, packed, padded
from .loading import (
    default_device,
    fast_bfloat16,
    from_pretrained,
    gguf_path,
    start_id,
)
from .safety import as_paths
from .scores import TokenNlls, perplexity, trim_offsets, window_nats
from .settings import check_dtype
from .token_scores import Facts, Inference, LanguageModel

__all__ = ["CausalLM", "TokenNlls", "perplexity", "window_nats"]

MAX_WINDOW = 2048  # tokens of context: attention and logits of more cost memory and change little
LOSS_ROWS = 32  # tokens whose logits are held in float32 at a time: few fit into a CPU's cache


class CausalLM(LanguageModel):
    """A causal language model with its tokenizer and start token; see ``load``."""

    def __init__(
        self, model: Any, tokenizer: Any, start_id: int, *, name: str = "", dtype: str = "auto"
    ) -> None:
        """Wrap a model that is loaded already.

        model (PreTrainedModel): a causal LM; it is set to evaluation.
        tokenizer (PreTrainedTokenizerFast): its tokenizer.
        start_id (int): the token before the first token of every text.
        name (str): for messages.
        dtype (str): the default of ``token_nlls``: "float32", "bfloat16" or "auto".
        RAISES (ValueError): if the dtype is unknown or the model sees later tokens.
        """
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.start_id = start_id
        self.name = name
        self.dtype = check_dtype(dtype)
        self.device = torch.device(model.device)
        self.window = position_limit(model.config, MAX_WINDOW)
        self._require_causal()

    @classmethod
    def load(
        cls,
        name: str,
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str | None = None,
        start_token: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        trust_remote_code: Collection[str] = (),
    ) -> CausalLM:
        """Load a model from the Hugging Face hub, a folder or a GGUF file.

        Weights are read from safetensors (or GGUF), never from pickle files.

        name (str): a name on the hub, a folder, the path of a ``.gguf`` file,
            ``package:NAME/PATH``, or alternatives ("A | B").
        revision (str | None): branch, tag or commit on the hub.
        dtype (str): see ``__init__``.
        device (str | None): a torch device; None for the one that thinc uses (``--gpu-id``).
        start_token (str | None): the token before every text; None for ``<|endoftext|>`` where
            the vocabulary has it, else the tokenizer's token for the beginning, else for the end.
        cache_dir (str | Path | None): where GGUF files are converted to, see ``gguf.cache_root``.
        local_files_only (bool): use no network.
        trust_remote_code (Collection[str]): names of models whose own Python code may run; no
            other code runs, not even of repositories that a model refers to.
        RETURNS (CausalLM): the model, with float32 weights.
        RAISES (SeqMixFileError): if it cannot be read or converted.
        RAISES (SeqMixError): if the model can't be used: weights in pickle files, code that is not
            trusted, no fast tokenizer, no start token, untrained weights, not causal, weights that
            are not numbers.
        """
        check_dtype(dtype)
        gguf = None
        options = {"revision": revision, "local_files_only": local_files_only}
        hub = {key: value for key, value in options.items() if value is not None}
        try:
            place = resolve(name)
            gguf = gguf_path(place)
            if gguf is None and not local_files_only and is_silent(place):
                hub["local_files_only"] = True
            folder = place if gguf is None else str(converted_folder(gguf, cache_dir))
            # What was converted is ours; the user's trust is in names on the hub and folders.
            where, trusted = (hub, as_paths(trust_remote_code)) if gguf is None else ({}, ())
            model, tokenizer, missing = from_pretrained(folder, where, trusted)
            model.to(device or default_device())
        except (SeqMixError, MemoryError):
            raise
        except Exception as err:
            # transformers raises nearly every type here: OSError, ValueError, KeyError, ...
            reason = describe(err)
            if gguf is not None:
                reason += f" It was read from {folder!r}; remove that folder to convert it again."
            values = {"name": name, "revision": revision, "reason": reason}
            raise SeqMixFileError(Errors.E301.format(**values)) from err
        if missing:
            raise SeqMixError(Errors.E306.format(name=name, missing=", ".join(missing[:5])))
        if not getattr(tokenizer, "is_fast", False):
            raise SeqMixError(Errors.E303.format(name=name))
        start = start_id(tokenizer, start_token, name)
        return cls(model, tokenizer, start, name=name, dtype=dtype)

    def save(self, folder: str | Path) -> None:
        """Write weights (safetensors) and tokenizer, to be loaded again with ``load(folder)``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Renamed, never overwritten: the weights at hand may be mapped from this very file.
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            self.model.save_pretrained(temporary)
            self.tokenizer.save_pretrained(temporary)
            for file in Path(temporary).iterdir():
                os.replace(file, folder / file.name)

    def precision(self, dtype: str | None = None) -> str:
        """Resolve "auto": bfloat16 where the hardware is fast at it, else float32."""
        dtype = check_dtype(dtype or self.dtype)
        if dtype == "auto":
            return "bfloat16" if fast_bfloat16(self.device.type) else "float32"
        return dtype

    @property
    def facts(self) -> Facts:
        """See ``Facts``."""
        size = int(self.model.config.vocab_size)
        return Facts(self.start_id, self.window, size, self.device.type)

    @property
    def packs(self) -> bool:
        """Whether the model scores packed chunks like single ones; it is tried for that once."""
        return self._packs

    def tokenise(self, texts: Sequence[str]) -> tuple[list[list[int]], list[NDArray[np.int64]]]:
        """Tokenise texts; see ``LanguageModel``."""
        encoded = self.tokenizer(
            list(texts),
            add_special_tokens=False,  # what "special" means differs: see the start token
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,  # texts longer than the window are expected
        )
        ids = [[self.start_id, *one] for one in encoded["input_ids"]]
        return ids, [
            trim_offsets(*pair) for pair in zip(texts, encoded["offset_mapping"], strict=True)
        ]

    def losses(self, batches: Iterable[Inference], *, bfloat16: bool) -> Iterator[Floats1d]:
        """Compute batches; see ``LanguageModel``. RAISES (SeqMixError): S574."""
        # One autocast around all batches: it casts each weight once and keeps the copy until the
        # end (not in inference mode). A bfloat16 copy of the model is up to 1.2 times as fast, but
        # its rounding errors in log perplexity are four times as large, so far more texts would
        # need a second look.
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16)
        with torch.no_grad(), autocast:
            for batch in batches:
                yield self._losses(batch)

    def _losses(self, batch: Inference) -> Floats1d:
        inputs = batch.inputs
        logits = self._logits(inputs.tokens, inputs.mask, inputs.positions).flatten(0, 1)
        pairs = zip(inputs.chunks, inputs.places, strict=True)
        wanted = [place[c.first - c.start :] for c, place in pairs]
        places = torch.from_numpy(np.concatenate(wanted)).to(self.device)
        targets = torch.from_numpy(batch.targets).to(self.device)
        # Only the rows that count are upcast, a few at a time: the vocabulary is wide.
        losses = [
            F.cross_entropy(logits[rows].float(), some, reduction="none")
            for rows, some in zip(
                torch.split(places, LOSS_ROWS), torch.split(targets, LOSS_ROWS), strict=True
            )
        ]
        flat = torch.cat(losses).cpu().numpy()  # one copy from the device a batch
        self._require_numbers(flat)
        return flat

    @cached_property
    def _packs(self) -> bool:
        """Whether the model scores packed chunks like single ones, found by trying.

        It has to take a mask for every pair of tokens, and positions; models with recurrent states,
        or whose attention depends on places in the row, do not. On other devices than a CPU, larger
        batches with some padding are used instead.
        """
        if self.device.type != "cpu":
            return False
        size = min(self.window, MAX_PACKED_CHUNK)
        n_ids = int(self.model.config.vocab_size)
        rows = range(max(2, MAX_PACKED // size))
        # They begin alike and then differ. The last is as far from the first as chunks can be.
        ids = [[self.start_id, *((row + i) % n_ids for i in range(1, size))] for row in rows]
        chunks = [Chunk(row, 0, size, 0) for row in rows]
        try:
            several, single = packed(chunks, ids, int, 0), padded(chunks[-1:], ids, size, 0)
            with torch.inference_mode():
                got = self._logits(several.tokens, several.mask, several.positions)[0]
                want = self._logits(single.tokens, single.mask)[0]
        except Exception:  # whatever a model raises at inputs that it does not take
            return False
        return torch.allclose(got[several.places[-1]], want, rtol=1e-3, atol=1e-3)

    def _logits(
        self,
        tokens: NDArray[np.int64],
        mask: NDArray[np.bool_],
        positions: NDArray[np.int64] | None = None,
    ) -> torch.Tensor:
        inputs = {"input_ids": tokens, "attention_mask": mask}
        if positions is not None:
            inputs["position_ids"] = positions
        on_device = {name: torch.from_numpy(one).to(self.device) for name, one in inputs.items()}
        if positions is None:
            on_device["attention_mask"] = on_device["attention_mask"].long()
        return torch.as_tensor(self.model(**on_device, use_cache=False).logits)

    def _require_numbers(self, values: NDArray[np.float32]) -> None:
        if np.isnan(values).any():
            raise SeqMixError(Errors.E574.format(name=self.name))

    def _require_causal(self) -> None:
        # AutoModelForCausalLM accepts a BERT too, whose scores would be meaningless.
        tokens = np.array([[self.start_id, 0], [self.start_id, 1]])
        with torch.inference_mode():
            first = self._logits(tokens, np.ones_like(tokens, dtype=np.bool_))[:, 0].float()
        self._require_numbers(first.cpu().numpy())
        if float((first[0] - first[1]).abs().max()) > 1e-4 * float(first.abs().max()):
            raise SeqMixError(Errors.E305.format(name=self.name))
