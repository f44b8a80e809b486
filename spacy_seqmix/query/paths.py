"""The probability of the tag sequence that a component decodes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config
from thinc.util import to_numpy

from ..decoding import viterbi
from ..errors import Errors
from ..types import Floats1d, TokenProbs
from .probabilities import annotated_batches, check_numbers, token_probs

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

    A component with a method ``path_probs(docs)`` (a CRF) answers itself; otherwise the tokens
    are independent, and the path is that of ``viterbi_path_probs``.

    nlp (Language): a trained pipeline.
    component (str): the name of a component with token probabilities.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are not changed.
    batch_size (int): docs at once.
    progress (Callable | None): called with the number of docs done.
    RETURNS (Floats1d): shape (n_docs,), P(y* given x), in the order of ``docs``.
    RAISES (ValueError): S401 or S424 when the component has no such probabilities, S425 when
        they are not numbers.
    """
    check_has_paths(nlp, component)
    proc: Any = nlp.get_pipe(component)
    if not hasattr(proc, "path_probs"):
        return viterbi_path_probs(
            token_probs(nlp, component, docs, batch_size, progress), proc.tags
        )
    found = np.zeros(len(docs), dtype="float32")
    for numbers, batch in annotated_batches(nlp, component, docs, batch_size):
        answer: Any = to_numpy(proc.path_probs(batch))  # type: ignore[no-untyped-call]
        found[numbers] = check_numbers(answer, component)
        if progress is not None:
            progress(len(numbers))
    return found


def viterbi_path_probs(probs: TokenProbs, tags: Sequence[str]) -> Floats1d:
    """P(y* given x) = Π_t p_t(y*_t) for independent tokens, y* the most probable valid path.

    probs (TokenProbs): one array (n_tokens, L) a doc.
    tags (Sequence[str]): the L IOB2 tags of the columns.
    RETURNS (Floats1d): shape (n_docs,); 1 for a doc without tokens.
    """
    paths = viterbi(probs, tags)
    found = [
        p.astype("float64")[np.arange(len(p)), path].prod()
        for p, path in zip(probs, paths, strict=True)
    ]
    return np.array(found, dtype="float32")


def check_has_paths(nlp: Language, component: str) -> None:
    """RAISES (ValueError): S424 for a component that cannot tell how probable its path is."""
    proc: Any = nlp.get_pipe(component)
    if not hasattr(proc, "path_probs") and not hasattr(proc, "tags"):
        raise ValueError(Errors.E424.format(name=component))


def check_config_has_paths(config: Config, component: str) -> None:
    """The same check before anything is built; sourced components are only known once loaded."""
    section = config["components"].get(component, {})
    if section.get("factory") not in FACTORIES and "source" not in section:
        raise ValueError(Errors.E424.format(name=component))
