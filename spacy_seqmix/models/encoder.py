"""Word vectors from a Hugging Face encoder: input embeddings, or the states of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.language import Language

from ..errors import Errors
from ..types import Floats2d

if TYPE_CHECKING:
    import torch


class Encoder:
    """A pretrained encoder, or that of a trained pipeline, as a source of vectors for words."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """model: a Hugging Face model with input embeddings; tokenizer: its fast tokenizer."""
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(Errors.E221.format(name=getattr(tokenizer, "name_or_path", "?")))
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, name: str) -> Encoder:
        """Load by hub name or folder. RAISES (OSError): S220 when that fails."""
        from transformers import AutoModel, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
            model = AutoModel.from_pretrained(name)
        except (OSError, ValueError, RuntimeError) as err:
            reason = str(err).splitlines()[0][:200]
            raise OSError(Errors.E220.format(name=name, reason=reason)) from err
        return cls(model.eval(), tokenizer)

    @classmethod
    def of_pipeline(cls, nlp: Language) -> Encoder | None:
        """The encoder of a pipeline's transformer; None where there is none or it is not ready."""
        for _, proc in nlp.pipeline:
            model = getattr(proc, "model", None)
            hf = getattr(model, "transformer", None)
            if hf is not None and getattr(model, "tokenizer", None) is not None:
                return cls(hf, model.tokenizer)
        return None

    def embed(self, words: Sequence[str]) -> Floats2d:
        """The input embedding of each word, averaged over its pieces: words of several pieces
        have a vector of their own and never become UNK.

        RETURNS (Floats2d): shape (n_words, width); zeros for a word without pieces.
        """
        matrix = self._input_embeddings()
        if not words:
            return np.zeros((0, matrix.shape[1]), dtype="float32")
        pieces = self.tokenizer(list(words), add_special_tokens=False)["input_ids"]
        lengths = np.array([len(ids) for ids in pieces])
        flat = np.array([i for ids in pieces for i in ids], dtype="int64")
        sums = np.zeros((len(words), matrix.shape[1]), dtype="float32")
        np.add.at(sums, np.repeat(np.arange(len(words)), lengths), matrix[flat])
        return sums / np.maximum(lengths, 1)[:, None].astype("float32")

    def pieces(self) -> tuple[list[str], Floats2d]:
        """The vocabulary without special and unused entries, as (words, (n, width) vectors).

        Continuation marks ("##ing", "Ġthe") are stripped: what is left is what would be read.
        """
        special = set(self.tokenizer.all_special_tokens)
        matrix = self._input_embeddings()
        seen: dict[str, int] = {}
        for token, i in sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1]):
            if token in special or token.startswith("[unused") or i >= len(matrix):
                continue
            word = self.tokenizer.convert_tokens_to_string([token]).strip().removeprefix("##")
            if word and not word.isspace() and "\ufffd" not in word:
                # "ing" and "##ing" read alike: the one that can begin a word comes first.
                seen.setdefault(word, i)
        return list(seen), matrix[list(seen.values())]

    def contextual(
        self, docs: Sequence[Sequence[str]], layer: int, batch_size: int = 32
    ) -> Iterator[tuple[int, Floats2d]]:
        """Token vectors in context, batches sorted by length.

        docs (Sequence[Sequence[str]]): the words of each doc.
        layer (int): which hidden state, 0 for the embeddings, -1 for the last.
        YIELDS (tuple): the doc's number and its vectors (n_tokens, width), the mean over each
            token's pieces; a token without pieces has zeros.
        """
        import torch

        order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
        device = next(self.model.parameters()).device
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for at in range(0, len(order), batch_size):
                    numbers = [i for i in order[at : at + batch_size] if len(docs[i])]
                    if numbers:
                        yield from self._batch(docs, numbers, layer, device)
        finally:
            self.model.train(was_training)

    def _batch(
        self, docs: Sequence[Sequence[str]], numbers: list[int], layer: int, device: torch.device
    ) -> Iterator[tuple[int, Floats2d]]:
        limit = min(getattr(self.model.config, "max_position_embeddings", 512), 512)
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
        inputs = {k: encoded[k].to(device) for k in ("input_ids", "attention_mask")}
        states = self.model(**inputs, output_hidden_states=True).hidden_states[layer]
        states = states.float().cpu().numpy()
        sums = [np.zeros((len(docs[i]), states.shape[-1]), dtype="float32") for i in numbers]
        counts = [np.zeros(len(docs[i]), dtype="float32") for i in numbers]
        for row, which in enumerate(encoded["overflow_to_sample_mapping"].tolist()):
            words = encoded.word_ids(row)
            at = [p for p, w in enumerate(words) if w is not None]
            to = [w for w in words if w is not None]
            np.add.at(sums[which], to, states[row, at])
            np.add.at(counts[which], to, 1.0)
        for i, total, count in zip(numbers, sums, counts, strict=True):
            yield i, total / np.maximum(count, 1.0)[:, None]

    def _input_embeddings(self) -> Floats2d:
        weight: Floats2d = self.model.get_input_embeddings().weight.detach().float().cpu().numpy()
        return weight
