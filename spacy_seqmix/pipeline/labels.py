"""The entity labels of examples, hard or soft."""

from collections.abc import Iterable
from typing import Any

from spacy.errors import Errors as SpacyErrors
from spacy.training import Example

from ..annotation import recipes, soft_labels
from ..annotation.layers import ENTS


def take_label(proc: Any, label: str) -> bool:
    """Append a label to those of a component, whose output layer must be able to grow.

    spaCy's own check counts labels; here the columns of that layer are others.

    proc (TrainablePipe): with its labels in ``cfg``.
    RETURNS (bool): whether the label is new. Then the caller sets the layer's size.
    RAISES (ValueError): spaCy's E187 if the label is no text, E922 if a trained layer can't grow.
    """
    if not isinstance(label, str):
        raise ValueError(SpacyErrors.E187)
    if label in proc.labels:
        return False
    if not proc.is_resizable and proc.model.get_ref("output_layer").has_dim("nO"):
        raise ValueError(SpacyErrors.E922.format(name=proc.name, nO="fixed"))
    proc.cfg["labels"].append(label)
    proc.vocab.strings.add(label)
    return True


def known_labels(eg: Example) -> set[str]:
    """The entity labels that an example's reference gives any weight."""
    soft = soft_labels.get(eg.reference)
    if soft is None or soft.layer != ENTS:
        return {ent.label_ for ent in eg.reference.ents}
    used = soft.probs.sum(axis=0) > 0
    return {tag[2:] for tag, on in zip(soft.labels, used, strict=True) if on and tag != "O"}


def labels_of(examples: Iterable[Example]) -> list[str]:
    """Return all labels of examples, sorted: the columns must not change from run to run."""
    return sorted({label for eg in examples for label in known_labels(eg)})


def have_recipes(examples: Iterable[Example]) -> bool:
    """Whether some example is to be mixed in its embeddings."""
    return any(recipes.KEY in eg.reference.user_data for eg in examples)
