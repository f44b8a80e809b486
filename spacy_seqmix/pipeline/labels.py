"""Which entity labels examples carry, hard or soft."""

from collections.abc import Iterable

from spacy.training import Example

from .. import recipes, soft_labels
from ..layers import ENTS


def known_labels(eg: Example) -> set[str]:
    """The entity labels that an example's reference gives any weight."""
    soft = soft_labels.get(eg.reference)
    if soft is None or soft.layer != ENTS:
        return {ent.label_ for ent in eg.reference.ents}
    used = soft.probs.sum(axis=0) > 0
    return {tag[2:] for tag, on in zip(soft.labels, used, strict=True) if on and tag != "O"}


def labels_of(examples: Iterable[Example]) -> list[str]:
    """All of them; sorted, so that the columns do not change from run to run."""
    found: set[str] = set()
    for eg in examples:
        found |= known_labels(eg)
    return sorted(found)


def have_recipes(examples: Iterable[Example]) -> bool:
    """Whether some example is to be mixed in its embeddings."""
    return any(recipes.KEY in eg.reference.user_data for eg in examples)
