"""The only reader and writer of recipes: what an encoder is to mix into a doc while it trains.

A doc of the interpolated realiser has its own words, soft labels, and a recipe: which tokens are
mixed, with which words, and with which weights (SegMix, 2023). Encoders that mix do so in their
input embeddings; all other models read the words of the doc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from spacy.tokens import Doc

from ..errors import Errors, SeqMixError

KEY = "seqmix_recipe"
T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """Tokens of a doc whose input embeddings are mixed: λ of its own and 1 − λ of the partner.

    tokens (tuple[int, ...]): positions in the doc, ascending.
    own (tuple[str, ...]): the words of the doc at these positions, by which a change of the doc is
        noticed.
    partners (tuple[str | None, ...]): the words that are mixed in; None for the padding token.
    weights (tuple[float, ...]): λ in [0, 1], the share of the doc's own word.
    """

    tokens: tuple[int, ...]
    own: tuple[str, ...]
    partners: tuple[str | None, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.tokens)


def get(doc: Doc) -> Recipe | None:
    """The recipe of a doc, None where it has none. Survives DocBin(store_user_data=True).

    RAISES (SeqMixError): S240 when the doc's words are no longer those of its recipe, S241 for an
        invalid recipe.
    """
    data = doc.user_data.get(KEY)
    if data is None:
        return None
    try:
        recipe = Recipe(*(tuple(data[name]) for name in ("tokens", "own", "partners", "weights")))
        validate(recipe)
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        if isinstance(err, SeqMixError):
            raise
        raise SeqMixError(Errors.E241.format(reason=repr(err))) from None
    words = [doc[i].text if i < len(doc) else None for i in recipe.tokens]
    if words != list(recipe.own):
        raise SeqMixError(Errors.E240.format(own=list(recipe.own), found=words, text=doc.text[:80]))
    return recipe


def put(doc: Doc, recipe: Recipe | None) -> None:
    """Set (or with None, or an empty one, remove) the recipe of a doc.

    RAISES (SeqMixError): S240 when the words differ, S241 for an invalid recipe.
    """
    doc.user_data.pop(KEY, None)
    if recipe is None or not len(recipe):
        return
    validate(recipe)
    doc.user_data[KEY] = {
        "tokens": list(recipe.tokens),
        "own": list(recipe.own),
        "partners": list(recipe.partners),
        "weights": [float(weight) for weight in recipe.weights],
    }
    try:
        get(doc)
    except ValueError:
        del doc.user_data[KEY]
        raise


def carry(source: Doc, target: Doc, start: int = 0) -> None:
    """Copy a recipe to a doc made from part of another doc.

    source (Doc): the whole.
    target (Doc): the part, which begins at token ``start`` of source.
    RAISES (SeqMixError): S240 when the target has other words: the labels would not fit them.
    """
    recipe = get(source)
    if recipe is None:
        return
    inside = [k for k, i in enumerate(recipe.tokens) if start <= i < start + len(target)]
    put(
        target,
        Recipe(
            tokens=tuple(recipe.tokens[k] - start for k in inside),
            own=_pick(recipe.own, inside),
            partners=_pick(recipe.partners, inside),
            weights=_pick(recipe.weights, inside),
        ),
    )


def validate(recipe: Recipe) -> None:
    """Check a recipe without its doc. RAISES (SeqMixError): S241."""
    tokens, n = recipe.tokens, len(recipe.tokens)
    reason = ""
    if not n == len(recipe.own) == len(recipe.partners) == len(recipe.weights):
        reason = "tokens, words, partners and weights differ in number"
    elif not all(isinstance(i, int) for i in tokens):
        reason = f"tokens {tokens} are not all numbers"
    elif any(i < 0 for i in tokens) or any(a >= b for a, b in pairwise(tokens)):
        reason = f"tokens {tokens} do not ascend"
    elif not all(0.0 <= weight <= 1.0 for weight in recipe.weights):
        reason = f"weights {recipe.weights} are not all in [0, 1]"
    elif any(word is not None and not word.strip() for word in recipe.partners):
        reason = f"partners {recipe.partners} have an empty one"
    if reason:
        raise SeqMixError(Errors.E241.format(reason=reason))


def _pick(values: Sequence[T], which: Sequence[int]) -> tuple[T, ...]:
    return tuple(values[k] for k in which)
