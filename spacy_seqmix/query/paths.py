"""The probability of the tag sequence that a component decodes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ..errors import Errors, SeqMixError
from ..types import Floats1d
from .probabilities import annotated_batches, check_numbers

# Factories of components that know the probability of what they decode.
FACTORIES = ("seqmix_ner",)


def path_probs(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    batch_size: int = 128,
    progress: Callable[[int], object] | None = None,
) -> Floats1d:
    """Run the pipeline up to a component and ask how probable its decoded tags are.

    nlp (Language): a trained pipeline.
    component (str): the name of a component with a method ``path_probs``, such as ``seqmix_ner``.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are not changed.
    batch_size (int): docs at once.
    progress (Callable | None): called with the number of docs done.
    RETURNS (Floats1d): shape (n_docs,), P(y* given x), in the order of ``docs``.
    RAISES (SeqMixError): S424 when the component has no such probabilities, S425 when they are
        not numbers.
    """
    check_has_paths(nlp, component)
    proc: Any = nlp.get_pipe(component)
    found = np.zeros(len(docs), dtype="float32")
    for numbers, batch in annotated_batches(nlp, component, docs, batch_size):
        found[numbers] = check_numbers(proc.path_probs(batch), component)
        if progress is not None:
            progress(len(numbers))
    return found


def check_has_paths(nlp: Language, component: str) -> None:
    """RAISES (SeqMixError): S424 for a component that cannot tell how probable its path is."""
    able = [name for name, proc in nlp.pipeline if hasattr(proc, "path_probs")]
    if component not in able:
        raise SeqMixError(Errors.E424.format(name=component, able=able or "none"))


def check_config_has_paths(config: Config, component: str) -> None:
    """The same check before anything is built; sourced components are only known once loaded."""
    components = config["components"]
    able = [name for name, section in components.items() if section.get("factory") in FACTORIES]
    if component not in able and "source" not in components.get(component, {}):
        raise SeqMixError(Errors.E424.format(name=component, able=able or "none"))
