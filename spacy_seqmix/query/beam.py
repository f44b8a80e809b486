"""Token probabilities of spaCy's transition-based NER: marginals over the parses of a beam."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from spacy.tokens import Doc

from ..annotation.iob import tag_names
from ..errors import Errors, SeqMixError
from ..types import Floats2d

# The probability of a parse, and start, end and label of each of its entities.
Parse: TypeAlias = tuple[float, list[tuple[int, int, str]]]
# The attributes of entities on tokens, in the order that Doc.from_array needs.
ENTITY: list[int | str] = ["ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID"]

# The beam for a component that is trained, and decodes, without one.
WIDTH = 16
DENSITY = 0.0001


def beam_probs(
    proc: Any, docs: Sequence[Doc], width: int | None = None, density: float | None = None
) -> list[Floats2d]:
    """The probability of each token's tags: P(tag) = Σ P(parse) over the parses with that tag.

    proc (Any): spaCy's ``ner`` or ``beam_ner``.
    docs (Sequence[Doc]): docs that the components before it have seen.
    width, density (int | None, float | None): see ``beam_parses``.
    RETURNS (list[Floats2d]): shape (n_tokens, L) a doc, for the L ``tag_names`` of the component's
        labels.
    """
    return parse_marginals(proc, docs, beam_parses(proc, docs, width, density))


def parse_marginals(
    proc: Any, docs: Sequence[Doc], parses: Sequence[Sequence[Parse]]
) -> list[Floats2d]:
    """Token probabilities from the parses of a beam; see ``beam_probs``."""
    columns = {tag: i for i, tag in enumerate(tag_names(proc.labels))}
    return [_marginals(of_doc, len(doc), columns) for of_doc, doc in zip(parses, docs, strict=True)]


def beam_parses(
    proc: Any, docs: Sequence[Doc], width: int | None = None, density: float | None = None
) -> list[list[Parse]]:
    """The parses in the beam of each doc, with their probabilities.

    The probability of a parse is the softmax, over the parses in the beam, of the summed scores of
    its transitions. The docs' own entities are removed for the time and restored: they would
    constrain the parses, and add their labels to the component.

    width (int | None): parses to keep at each step; by default the component's own number
        (``beam_ner`` has one), or 16.
    density (float | None): parses less probable than this fraction of the best one are dropped at
        each step; by default the component's own density, or 0.0001.
    """
    has_beam = proc.cfg["beam_width"] > 1
    if width is None:
        width = proc.cfg["beam_width"] if has_beam else WIDTH
    if density is None:
        density = proc.cfg["beam_density"] if has_beam else DENSITY
    if not any(len(doc) for doc in docs):
        return [[] for _ in docs]
    with _without_ents(docs):
        try:
            beams = proc.beam_parse(docs, beam_width=width, beam_density=density)
            return [proc.moves.get_beam_parses(beam) for beam in beams]
        except AssertionError as err:  # for scores that are not numbers
            raise SeqMixError(Errors.E425.format(name=proc.name)) from err


@contextmanager
def _without_ents(docs: Sequence[Doc]) -> Iterator[None]:
    before: list[Any] = [doc.to_array(ENTITY) for doc in docs]
    for doc in docs:
        doc.set_ents([], default="missing")
    try:
        yield
    finally:
        for doc, array in zip(docs, before, strict=True):
            doc.from_array(ENTITY, array)


def _marginals(
    parses: Iterable[Parse],
    n_tokens: int,
    columns: Mapping[str, int],
) -> Floats2d:
    probs = np.zeros((n_tokens, len(columns)))
    for prob, ents in parses:
        outside = np.ones(n_tokens, dtype=bool)
        for start, end, label in ents:
            probs[start, columns[f"B-{label}"]] += prob
            probs[start + 1 : end, columns[f"I-{label}"]] += prob
            outside[start:end] = False
        probs[outside, columns["O"]] += prob
    return probs.astype("float32")
