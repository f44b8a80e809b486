"""Sentences, and batches of them, several in a row of the encoder's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoTokenizer

from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.iob import spans_of, tag_names, viterbi

# Their order is that of the output layer, so other orders give other random weights.
LABELS = ("PER", "ORG", "LOC", "MISC")
TAGS = tag_names(LABELS)
N_SHAPES = 10
# Pieces: more of a sentence are cut off; short sentences share a row of at least this many.
LONGEST, ROW = 160, 96


@dataclass(frozen=True)
class Sentence:
    """Words, the probabilities of their tags (words, tags), and entities as (start, end, label)."""

    words: tuple[str, ...]
    rows: NDArray[np.float32]
    ents: tuple[tuple[int, int, str], ...]


def with_probs(sentence: Sentence, probs: NDArray[np.float32]) -> Sentence:
    """A sentence as a model labels it."""
    (path,) = viterbi([probs], TAGS)
    return Sentence(sentence.words, probs, tuple(spans_of([TAGS[i] for i in path])))


def read_sentences(path: Path) -> list[Sentence]:
    """The docs of a .spacy file, each a sentence."""
    out = []
    for doc in read_docs(path, spacy.blank("en")):
        tags = [f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc]
        if other := set(tags) - set(TAGS):
            raise typer.BadParameter(f"{path} has tags beside those of {LABELS}: {sorted(other)}")
        rows = np.eye(len(TAGS), dtype="float32")[[TAGS.index(tag) for tag in tags]]
        out.append(Sentence(tuple(t.text for t in doc), rows, tuple(spans_of(tags))))
    return out


def word_shape(word: str) -> int:
    """The number of a word's shape; 0 stands for no word.

    Unlike the package's shapes, which came later, a word of letters and digits has the shape of its
    letters ("F1" that of "FA").
    """
    if word.isdigit():
        return 1
    if not any(c.isalpha() for c in word):
        return 2 if any(c.isdigit() for c in word) else 3
    if word.islower():
        return 4
    if word.isupper():
        return 5 if len(word) > 1 else 6
    if word[0].isupper() and word[1:].islower():
        return 7
    return 8 if any(c.isdigit() for c in word) else 9


@dataclass(frozen=True)
class Batch:
    """B sentences of up to W words, whose pieces stand in R rows of T columns.

    ids, positions, sentence, piece_shapes: (R, T): of each piece; its sentence is -1 for padding.
    pieces, words: (pieces of words,): flat places in (R, T) and in (B, W).
    counts: (B * W,): how many pieces each word has, but at least one.
    shapes, mask: (B, W); the mask is 1 for words.
    rows: (B, W, tags).
    """

    ids: Tensor
    positions: Tensor
    sentence: Tensor
    piece_shapes: Tensor
    pieces: Tensor
    words: Tensor
    counts: Tensor
    shapes: Tensor
    mask: Tensor
    rows: Tensor


class Batcher:
    """Makes batches for an encoder, and remembers the pieces of sentences."""

    def __init__(self, encoder: str) -> None:
        load: Any = AutoTokenizer.from_pretrained
        tokenizer = load(encoder)

        @cache
        def pieces(words: tuple[str, ...]) -> tuple[list[int], list[int | None]]:
            found = tokenizer(
                list(words), is_split_into_words=True, truncation=True, max_length=LONGEST
            )
            return found["input_ids"], found.word_ids()

        self.pieces = pieces

    def __call__(self, sentences: Sequence[Sentence], packed: bool = True) -> Batch:
        """A batch; unless it is packed, each sentence has a row of its own."""
        pieces = [self.pieces(sentence.words) for sentence in sentences]
        lengths = [len(ids) for ids, _ in pieces]
        places = (
            pack(lengths, max(ROW, *lengths)) if packed else [(i, 0) for i in range(len(pieces))]
        )
        size = (
            max(row for row, _ in places) + 1,
            max(at + n for (_, at), n in zip(places, lengths, strict=True)),
        )
        ids, positions, shapes_in = (torch.zeros(size, dtype=torch.long) for _ in range(3))
        owner = torch.full(size, -1)
        width = max(len(sentence.words) for sentence in sentences)
        rows = torch.zeros(len(sentences), width, len(TAGS))
        mask = torch.zeros(len(sentences), width)
        shapes = torch.zeros(len(sentences), width, dtype=torch.long)
        of_pieces, of_words = [], []
        for i, sentence in enumerate(sentences):
            (row, at), (own, words), n = places[i], pieces[i], lengths[i]
            ids[row, at : at + n] = torch.tensor(own)
            positions[row, at : at + n] = torch.arange(n)
            owner[row, at : at + n] = i
            known = torch.tensor([word_shape(word) for word in sentence.words])
            for k, word in enumerate(words):
                if word is not None:
                    of_pieces.append(row * size[1] + at + k)
                    of_words.append(i * width + word)
                    shapes_in[row, at + k] = known[word]
            shapes[i, : len(known)] = known
            mask[i, : len(known)] = 1
            rows[i, : len(known)] = torch.from_numpy(sentence.rows)
        words_at = torch.tensor(of_words)
        counts = torch.bincount(words_at, minlength=mask.numel()).clamp(min=1).float()
        return Batch(
            ids,
            positions,
            owner,
            shapes_in,
            torch.tensor(of_pieces),
            words_at,
            counts,
            shapes,
            mask,
            rows,
        )


def pack(lengths: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Row and column of each sentence: the longest first, each to the first row with room."""
    used: list[int] = []
    places = {}
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        row = next((k for k, n in enumerate(used) if n + lengths[i] <= width), len(used))
        if row == len(used):
            used.append(0)
        places[i] = (row, used[row])
        used[row] += lengths[i]
    return [places[i] for i in range(len(lengths))]
