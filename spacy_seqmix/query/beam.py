"""Token probabilities of spaCy's transition-based NER: marginals over the parses of a beam."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..decoding import tag_names
from ..types import Floats2d

# The beam over a component that is trained and decodes without one.
WIDTH = 16
DENSITY = 0.0001


def beam_probs(
    proc: Any, docs: Sequence[Doc], width: int | None = None, density: float | None = None
) -> list[Floats2d]:
    """P(tag of a token) = Σ of the probabilities of those parses in the beam that give it the tag.

    The probability of a parse is the softmax, over the parses in the beam, of the summed scores of
    its transitions. Entities that an earlier component has set are taken off the docs first: they
    would force the parses, and the component would grow by the labels that it does not know.

    proc (Any): spaCy's ``ner`` or ``beam_ner``.
    docs (Sequence[Doc]): docs that the components before it have seen.
    width (int | None): parses to keep at each step; by default the component's own number
        (``beam_ner`` has one), or 16.
    density (float | None): parses less probable than this fraction of the best step are dropped;
        by default the component's own, or 0.0001.
    RETURNS (list[Floats2d]): shape (n_tokens, L) a doc; L IOB2 tags, as ``tag_names`` of the
        component's labels.
    """
    has_beam = proc.cfg["beam_width"] > 1
    if width is None:
        width = proc.cfg["beam_width"] if has_beam else WIDTH
    if density is None:
        density = proc.cfg["beam_density"] if has_beam else DENSITY
    columns = {tag: i for i, tag in enumerate(tag_names(proc.labels))}
    if not any(len(doc) for doc in docs):
        return [_marginals([], 0, columns) for _ in docs]
    for doc in docs:
        doc.set_ents([], default="missing")
    beams = proc.beam_parse(docs, beam_width=width, beam_density=density)
    return [
        _marginals(proc.moves.get_beam_parses(beam), len(doc), columns)
        for doc, beam in zip(docs, beams, strict=True)
    ]


def _marginals(
    parses: Iterable[tuple[float, list[tuple[int, int, str]]]],
    n_tokens: int,
    columns: Mapping[str, int],
) -> Floats2d:
    found = np.zeros((n_tokens, len(columns)))
    for prob, ents in parses:
        outside = np.ones(n_tokens, dtype=bool)
        for start, end, label in ents:
            found[start, columns[f"B-{label}"]] += prob
            found[start + 1 : end, columns[f"I-{label}"]] += prob
            outside[start:end] = False
        found[outside, columns["O"]] += prob
    return found.astype("float32")
