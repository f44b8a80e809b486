"""Recipes on docs: what is stored, what is refused, what survives."""

from __future__ import annotations

from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_seqmix.annotation import recipes
from spacy_seqmix.annotation.recipes import Recipe

VOCAB = spacy.blank("en").vocab
RECIPE = Recipe((1, 3), ("Ana", "Porto"), ("Olga", None), (0.25, 0.5))


def make_doc() -> Doc:
    doc = Doc(VOCAB, words=["So", "Ana", "left", "Porto", "."])
    recipes.put(doc, RECIPE)
    return doc


def test_recipes_round_trips() -> None:
    doc = make_doc()
    assert recipes.get(doc) == RECIPE
    assert recipes.get(Doc(VOCAB).from_bytes(doc.to_bytes())) == RECIPE
    kept = DocBin(docs=[doc], store_user_data=True).to_bytes()
    assert [recipes.get(d) for d in DocBin().from_bytes(kept).get_docs(VOCAB)] == [RECIPE]
    recipes.put(doc, None)
    assert recipes.get(doc) is None
    assert not doc.user_data


def test_recipes_empty_is_none() -> None:
    doc = make_doc()
    recipes.put(doc, Recipe((), (), (), ()))
    assert recipes.get(doc) is None


@pytest.mark.parametrize(
    "recipe",
    [
        {"tokens": (1,)},
        {"tokens": (3, 1)},
        {"tokens": (1, 1)},
        {"tokens": (-1, 3)},
        {"weights": (0.5, 1.5)},
        {"weights": (0.5, float("nan"))},
        {"partners": ("Olga", " ")},
    ],
)
def test_recipes_refuses_what_is_none(recipe: dict[str, Any]) -> None:
    doc = make_doc()
    parts = {name: getattr(RECIPE, name) for name in ("tokens", "own", "partners", "weights")}
    with pytest.raises(ValueError, match="S241"):
        recipes.put(doc, Recipe(**{**parts, **recipe}))
    doc.user_data[recipes.KEY] = {"tokens": [1]}
    with pytest.raises(ValueError, match="S241"):
        recipes.get(doc)


def test_recipes_know_their_doc_again() -> None:
    other = Doc(VOCAB, words=["So", "An", "a", "left", "Porto"])
    with pytest.raises(ValueError, match="S240"):
        recipes.put(other, RECIPE)
    assert recipes.get(other) is None
    with pytest.raises(ValueError, match="S240"):
        recipes.carry(make_doc(), other)
    doc = make_doc()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    with pytest.raises(ValueError, match="S240"):
        recipes.get(doc)


def test_recipes_carry_to_a_part() -> None:
    part = Doc(VOCAB, words=["left", "Porto", "."])
    recipes.carry(make_doc(), part, start=2)
    assert recipes.get(part) == Recipe((1,), ("Porto",), (None,), (0.5,))
    none = Doc(VOCAB, words=["left"])
    recipes.carry(make_doc(), none, start=2)
    assert recipes.get(none) is None
