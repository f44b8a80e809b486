"""The embedding layer of a CNN, which mixes its rows by recipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..annotation.recipes import Recipe
from .interpolation_layers import Forward, Step, mix_in


def build_mix_embed(
    embed: Model[list[Doc], list[Floats2d]],
) -> Model[list[Doc], list[Floats2d]]:
    """Make the embedding layer of a tok2vec mix by recipes in training.

    The row of a mixed token becomes λ e_own + (1 − λ) e_partner (SegMix, 2023), where e is the
    layer's output for a word: hashed features, characters, static vectors. Partners are read as
    docs of one word, without context. The padding token (None) is a row of zeros. Without recipes,
    and in prediction, the layer is unchanged; so are its structure and its bytes.

    embed (Model[list[Doc], list[Floats2d]]): vectors without context, (n_tokens, width) a doc.
    RETURNS (Model[list[Doc], list[Floats2d]]): the same layer.
    """
    mix_in(embed, _mixing)
    return embed


def _mixing(
    plain: Forward, model: Any, docs: Sequence[Doc], of_docs: Sequence[Recipe | None]
) -> Step:
    ops = model.ops
    partners = [word for recipe in of_docs if recipe for word in recipe.partners]
    words = sorted({word for word in partners if word is not None})
    number = {word: i for i, word in enumerate(words)}
    mixtures = [
        (
            k,
            ops.asarray1i(recipe.tokens),
            # The last row of the partners' table is the padding token's.
            ops.asarray1i([len(words) if w is None else number[w] for w in recipe.partners]),
            ops.asarray2f([[weight] for weight in recipe.weights]),
        )
        for k, recipe in enumerate(of_docs)
        if recipe
    ]
    # Behind the docs, in one pass with them: layers keep what their own backward pass needs. One
    # word a doc, since spaCy's characters lose gradient where words of a doc share some.
    behind = [Doc(docs[0].vocab, words=[word]) for word in words]
    rows, backprop_rows = plain(model, [*docs, *behind], True)
    output = list(rows[: len(docs)])
    padding = ops.alloc2f(1, output[0].shape[1])
    table = ops.xp.vstack([*rows[len(docs) :], padding])
    for k, tokens, which, weights in mixtures:
        output[k] = output[k].copy()
        output[k][tokens] = weights * output[k][tokens] + (1.0 - weights) * table[which]

    def backprop(d_output: Sequence[Floats2d]) -> Any:
        d_rows: list[Any] = list(d_output)
        d_table = ops.alloc2f(*table.shape)
        for k, tokens, which, weights in mixtures:
            d_rows[k] = d_rows[k].copy()
            ops.scatter_add(d_table, which, (1.0 - weights) * d_rows[k][tokens])
            d_rows[k][tokens] *= weights
        return backprop_rows([*d_rows, *(d_table[i : i + 1] for i in range(len(words)))])

    return output, backprop
