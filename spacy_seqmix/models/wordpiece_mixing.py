"""Mixing by recipes in an encoder's word pieces: the plan of the pieces, and their embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc, Span, Token
from thinc.types import Ragged

from ..annotation.recipes import Recipe
from ..errors import Errors, SeqMixError
from .input_embeddings import changed

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PieceMix:
    """The mixed word pieces of a batch: P of them, each with up to K pieces of a partner.

    rows, columns (Ints): the positions of the pieces, (P,) each.
    weights (Floats): λ of the piece's own embedding, (P,).
    partners (Ints): the partners' ids, (P, K).
    shares (Floats): their weights, (P, K); a row sums to 1 − λ. Zeros fill what is not used.
    """

    rows: Ints
    columns: Ints
    weights: Floats
    partners: Ints
    shares: Floats


def partner_pieces(tokenizer: Any, words: Sequence[str | None]) -> dict[str | None, list[int]]:
    """The piece ids of partners as words inside a text; None is the padding token.

    A piece that contains only the space before the word does not count, as in tokens of a doc.

    RAISES (SeqMixError): S242 for a word without pieces, S243 for None without a padding token.
    """
    pieces: dict[str | None, list[int]] = {}
    if None in words:
        if tokenizer.pad_token_id is None:
            raise SeqMixError(Errors.E243.format(name=getattr(tokenizer, "name_or_path", "?")))
        pieces[None] = [tokenizer.pad_token_id]
    texts = list(dict.fromkeys(word for word in words if word is not None))
    if not texts:
        return pieces
    encoded = tokenizer(
        [f" {text}" for text in texts],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        return_offsets_mapping=tokenizer.is_fast,
    )
    for k, text in enumerate(texts):
        ids = encoded["input_ids"][k]
        if tokenizer.is_fast:
            ends = [end for _, end in encoded["offset_mapping"][k]]
            ids = [i for i, end in zip(ids, ends, strict=True) if end > 1]
        if not ids:
            raise SeqMixError(Errors.E242.format(word=text))
        pieces[text] = ids
    return pieces


def resample(pieces: Sequence[int], size: int) -> list[list[int]]:
    """Spread the pieces of a partner over the ``size`` pieces of a token.

    If the partner has more pieces, they are split into runs of nearly equal length; if it has
    fewer, b, piece i of n gets piece floor(i·b / n).

    RETURNS (list[list[int]]): for each piece of the token, the ids whose embeddings are averaged.
    """
    if len(pieces) > size:
        return [run.tolist() for run in np.array_split(np.asarray(pieces), size)]
    return [[pieces[i * len(pieces) // size]] for i in range(size)]


def plan(
    mixtures: Mapping[Doc, Recipe],
    partners: Mapping[str | None, Sequence[int]],
    spans: Sequence[Span],
    align: Ragged,
    offsets: Any,
    n_columns: int,
) -> PieceMix | None:
    """Turn the recipes of a batch into mixed pieces; None where no mixed token has a piece.

    A token may occur in several texts, and in each its partner is spread over the pieces there (a
    long text may be truncated). A piece that two mixed tokens share belongs to the first token.

    mixtures (Mapping): the docs that have a recipe.
    partners (Mapping): the ids of the partners.
    spans (Sequence[Span]): the texts of the batch, a row each.
    align (Ragged): for each token of the batch, the flat positions of its pieces.
    offsets (Ints | None): the characters of each piece, (rows, columns, 2), where known. Then only
        pieces with a character of the token itself count: in spacy-transformers, a piece that
        begins with a space also belongs to the token before the space.
    n_columns (int): pieces in a row.
    """
    starts: dict[Doc, int] = {}
    n_tokens = 0
    for span in spans:
        if span.doc not in starts:
            starts[span.doc] = n_tokens
            n_tokens += len(span.doc)
    lengths: Any = align.lengths
    ends = np.cumsum(lengths)
    taken: dict[int, float] = {}
    groups: list[list[int]] = []
    for doc, recipe in mixtures.items():
        for i, word, weight in zip(recipe.tokens, recipe.partners, recipe.weights, strict=True):
            if doc not in starts:
                continue
            at = starts[doc] + i
            places: dict[int, list[int]] = {}
            for flat in align.dataXd[ends[at] - lengths[at] : ends[at]].tolist():
                row, column = divmod(flat, n_columns)
                if offsets is None or _holds(spans[row], doc[i], *offsets[row][column]):
                    places.setdefault(row, []).append(flat)
            for flats in places.values():
                own = [flat for flat in flats if flat not in taken]
                groups += resample(partners[word], len(own)) if own else []
                taken |= dict.fromkeys(own, weight)
    if not taken:
        return None
    return _fill(np.array(list(taken)), np.array(list(taken.values())), groups, n_columns)


@contextmanager
def mixed(encoder: Any, ids: NDArray[Any], mix: PieceMix | None) -> Iterator[None]:
    """Make calls of an encoder in this thread mix the input embeddings of their pieces.

    e = λ e_own + (1 − λ) e_partner in the embeddings' own precision, before positions and types are
    added (SegMix, 2023). Gradients reach the rows of both.

    encoder (PreTrainedModel): a Hugging Face model.
    ids (Ints): the ids that the encoder will read, (rows, columns); it may pad or transpose them.
    mix (PieceMix | None): what to mix in them.
    RAISES (SeqMixError): S244 if the encoder did not look up these ids in its input embeddings.
    """
    if mix is None:
        yield
        return

    def change(module: torch.nn.Module, output: torch.Tensor, transposed: bool) -> torch.Tensor:
        index = tuple(torch.as_tensor(i, device=output.device) for i in (mix.rows, mix.columns))
        return _mix(module, output, index[::-1] if transposed else index, mix)

    with changed(encoder, ids, change):
        yield


def _holds(span: Span, token: Token, low: int, high: int) -> bool:
    """Whether the characters from low to high of a text include one of the token."""
    start = token.idx - span.start_char
    return bool(low < start + len(token) and high > start)


def _fill(flats: Ints, weights: Floats, groups: Sequence[list[int]], n_columns: int) -> PieceMix:
    """Arrange the groups of partner ids as an array; its padding has weight 0."""
    sizes = np.array([len(group) for group in groups])
    used = np.arange(sizes.max()) < sizes[:, None]
    partners = np.zeros(used.shape, dtype="int64")
    partners[used] = np.concatenate(groups)
    shares = used * ((1.0 - weights) / sizes)[:, None]
    rows, columns = np.divmod(flats, n_columns)
    return PieceMix(rows, columns, weights.astype("float32"), partners, shares.astype("float32"))


def _mix(
    module: torch.nn.Module, output: torch.Tensor, where: tuple[Any, ...], mix: PieceMix
) -> torch.Tensor:
    def on_device(values: NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(values, device=output.device, dtype=dtype)

    # forward, not a call: that would run the hook again
    partners = module.forward(on_device(mix.partners, torch.long))
    shares = on_device(mix.shares, output.dtype)
    own = on_device(mix.weights, output.dtype)[:, None] * output[where]
    mixture = own + (shares[..., None] * partners).sum(dim=1)
    return output.index_put(where, mixture)
