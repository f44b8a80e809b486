"""Word vectors from a Hugging Face encoder: input embeddings, or the states of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language

from ..errors import Errors, SeqMixError, SeqMixFileError
from ..lm.batches import MAX_BATCH_ITEMS, position_limit
from ..lm.safety import refusing_code, require_safetensors
from ..model_names import resolve, without_hub
from ..types import Floats2d

if TYPE_CHECKING:
    import torch

MAX_LENGTH = 512  # word pieces of context
Floats3d: TypeAlias = NDArray[np.float32]


def not_loaded(name: str, err: Exception) -> SeqMixFileError:
    """The error S220 for an encoder that can't be loaded."""
    reason = (str(err).strip() or type(err).__name__).splitlines()[0][:200]
    if name.startswith((".", "/")) and not Path(name).exists():
        reason = "there is no such folder"
    return SeqMixFileError(Errors.E220.format(name=name, reason=reason))


class Encoder:
    """A pretrained encoder, or that of a trained pipeline, as a source of vectors for words."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """model: a Hugging Face model with input embeddings; tokenizer: its fast tokenizer."""
        if not getattr(tokenizer, "is_fast", False):
            raise SeqMixError(Errors.E221.format(name=getattr(tokenizer, "name_or_path", "?")))
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, name: str) -> Encoder:
        """Load an encoder onto the device that spaCy uses.

        Weights are read from safetensors only, and no code of the model runs.

        name (str): a name on the hub, a folder, ``package:NAME/PATH``, or alternatives ("A | B").
        RAISES (SeqMixFileError): S220 if that fails, S224 if no alternative is available.
        RAISES (SeqMixError): S312 for weights in pickle files, S313 for a model that needs code.
        """
        from thinc.util import get_torch_default_device
        from transformers import AutoModel, AutoTokenizer

        name = without_hub(resolve(name))
        try:
            with refusing_code(name):
                options = {"trust_remote_code": False}  # the default asks at the keyboard
                tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True, **options)  # type: ignore[no-untyped-call]
                require_safetensors(name, {}, "AutoModel")
                model = AutoModel.from_pretrained(name, use_safetensors=True, **options)
        except SeqMixError:
            raise
        except Exception as err:  # damaged files raise errors of json, safetensors or torch
            raise not_loaded(name, err) from err
        return cls(model.eval().to(get_torch_default_device()), tokenizer)

    @classmethod
    def of_pipeline(cls, nlp: Language) -> Encoder | None:
        """The encoder of a pipeline's transformer; None where there is none or it is not ready."""
        for _, proc in nlp.pipeline:
            model: Any = getattr(proc, "model", None)
            hf = getattr(model, "transformer", None)
            tokenizer = getattr(model, "tokenizer", None)
            if hf is not None and tokenizer is not None:
                return cls(hf, tokenizer)
        return None

    def embed(self, words: Sequence[str]) -> Floats2d:
        """The input embedding of each word, averaged over its pieces; unknown pieces (UNK) do not
        count.

        RETURNS (Floats2d): shape (n_words, width); zeros for a word without known pieces.
        """
        matrix = self._input_embeddings()
        if not words:
            return np.zeros((0, matrix.shape[1]), dtype="float32")
        pieces = self._known_pieces(words)
        lengths = np.array([len(ids) for ids in pieces])
        flat = np.array([i for ids in pieces for i in ids], dtype="int64")
        sums = np.zeros((len(words), matrix.shape[1]), dtype="float32")
        np.add.at(sums, np.repeat(np.arange(len(words)), lengths), matrix[flat])
        means: Floats2d = sums / np.maximum(lengths, 1)[:, None].astype("float32")
        return means

    def count_unknown(self, words: Sequence[str]) -> int:
        """How many words have no known pieces, as those of a script that the encoder never saw."""
        return sum(not ids for ids in self._known_pieces(words)) if words else 0

    def _known_pieces(self, words: Sequence[str]) -> list[list[int]]:
        encoded = self.tokenizer(list(words), add_special_tokens=False)["input_ids"]
        unknown = self.tokenizer.unk_token_id
        return [[i for i in ids if i != unknown] for ids in encoded]

    def pieces(self) -> tuple[list[str], Floats2d]:
        """The vocabulary without special and unused entries, as (words, (n, width) vectors).

        Continuation marks ("##ing", "Ġthe") are removed, so that the text of the piece is left.
        """
        special = set(self.tokenizer.all_special_tokens)
        matrix = self._input_embeddings()
        seen: dict[str, int] = {}
        # "ing" and "##ing" have the same text: the piece that can begin a word comes first.
        vocab = self.tokenizer.get_vocab().items()
        for token, i in sorted(vocab, key=lambda item: (item[0].startswith("##"), item[1])):
            if token in special or token.startswith("[unused") or i >= len(matrix):
                continue
            word = self.tokenizer.convert_tokens_to_string([token]).strip().removeprefix("##")
            if word and not word.isspace() and "\ufffd" not in word:
                seen.setdefault(word, i)
        return list(seen), matrix[list(seen.values())]

    def contextual(
        self, docs: Sequence[Sequence[str]], layer: int, batch_size: int = 32
    ) -> Iterator[tuple[int, Floats2d]]:
        """Yield the token vectors of docs in context, in batches sorted by length.

        docs (Sequence[Sequence[str]]): the words of each doc.
        layer (int): which hidden state, 0 for the embeddings, -1 for the last.
        YIELDS (tuple): the number of a doc and its vectors (n_tokens, width): the mean over the
            known pieces of each token, or zeros if all are unknown (UNK).
        """
        order = sorted((i for i in range(len(docs)) if len(docs[i])), key=lambda i: len(docs[i]))
        for at in range(0, len(order), batch_size):
            yield from self._batch(docs, order[at : at + batch_size], layer)

    def _batch(
        self, docs: Sequence[Sequence[str]], numbers: list[int], layer: int
    ) -> Iterator[tuple[int, Floats2d]]:
        limit = position_limit(self.model.config, MAX_LENGTH)
        encoded = self.tokenizer(
            [list(docs[i]) for i in numbers],
            is_split_into_words=True,
            padding=True,
            truncation=True,
            max_length=limit,
            stride=limit // 4,
            return_overflowing_tokens=True,
            return_tensors="pt",
        )
        sums: dict[int, Floats2d] = {}
        counts = [np.zeros(len(docs[i]), dtype="float32") for i in numbers]
        unknown = self.tokenizer.unk_token_id
        of_rows = zip(
            encoded["overflow_to_sample_mapping"].tolist(),
            self._rows(encoded["input_ids"], encoded["attention_mask"], layer),
            strict=True,
        )
        for row, (which, states) in enumerate(of_rows):
            if which not in sums:
                sums[which] = np.zeros((len(counts[which]), states.shape[-1]), dtype="float32")
            pairs = zip(encoded.word_ids(row), encoded["input_ids"][row].tolist(), strict=True)
            known = [(p, w) for p, (w, i) in enumerate(pairs) if w is not None and i != unknown]
            at, to = [p for p, _ in known], [w for _, w in known]
            np.add.at(sums[which], to, states[at])
            np.add.at(counts[which], to, 1.0)
        for which, (i, count) in enumerate(zip(numbers, counts, strict=True)):
            yield i, (sums[which] / np.maximum(count, 1.0)[:, None]).astype("float32")

    def _rows(self, input_ids: torch.Tensor, mask: torch.Tensor, layer: int) -> Iterator[Floats2d]:
        """Yield the hidden states of each row; few rows at a time, since a long doc has many."""
        size = max(1, MAX_BATCH_ITEMS // input_ids.shape[1])
        for at in range(0, len(input_ids), size):
            yield from self._states(input_ids[at : at + size], mask[at : at + size], layer)

    def _states(self, input_ids: torch.Tensor, mask: torch.Tensor, layer: int) -> Floats3d:
        """The hidden states of a layer, without dropout; the mode of the model is restored."""
        import torch

        device = next(self.model.parameters()).device
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                output = self.model(
                    input_ids=input_ids.to(device),
                    attention_mask=mask.to(device),
                    output_hidden_states=True,
                )
        finally:
            self.model.train(was_training)
        n = len(output.hidden_states)
        if not -n <= layer < n:
            raise SeqMixError(Errors.E226.format(layer=layer, last=n - 1, first=-n))
        states: Floats3d = output.hidden_states[layer].float().cpu().numpy()
        return states

    def _input_embeddings(self) -> Floats2d:
        weight: Floats2d = self.model.get_input_embeddings().weight.detach().float().cpu().numpy()
        return weight
