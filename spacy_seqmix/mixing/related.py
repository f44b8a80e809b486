"""The entities and relations of a doc that was mixed by its relations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spacy.tokens import Doc, Span

from .. import relations
from ..relations import NONE, RelationLabels
from .origin import Origin, Part


def annotate_relations(doc: Doc, parents: Mapping[str, Doc], origin: Origin) -> None:
    """Write the target's entities and relations into the mixed doc, one of them with mixed labels.

    SegMix, RMix: ỹ = λ y_i + (1 − λ) y_j for the relation whose arguments were mixed. Entities keep
    their types, other relations their labels; both move with the words.
    """
    target, part = parents[origin.target], origin.parts[0]
    if target.has_annotation("ENT_IOB"):
        doc.set_ents(
            [
                Span(doc, *_moved((ent.start, ent.end), origin.parts), ent.label_)
                for ent in target.ents
            ]
        )
    ours, theirs = relations.of(target), relations.of(parents[part.other])
    if ours is None or theirs is None or origin.relations is None:
        return
    names = sorted({*ours.labels, *theirs.labels} - {NONE})
    columns = (NONE, *names)
    rows = relations.with_columns(ours, columns)
    mine, other = origin.relations
    # In float64, so that equal labels mix to exactly the same.
    partner = relations.with_columns(theirs, columns)[other]
    rows[mine] = part.weight * rows[mine].astype("float64") + (1.0 - part.weight) * partner
    pairs = tuple(
        (_moved(head, origin.parts), _moved(tail, origin.parts)) for head, tail in ours.pairs
    )
    relations.put_labels(doc, RelationLabels(pairs, columns, rows))


def _moved(span: tuple[int, int], parts: Sequence[Part]) -> tuple[int, int]:
    """Where a span of the target is in the mixed doc."""
    start, end = span
    for part in parts:
        if (start, end) == (part.target_start, part.target_end):
            return part.start, part.end
    first, last = _border(start, parts), _border(end, parts)
    return first, max(last, first + 1)


def _border(token: int, parts: Sequence[Part]) -> int:
    """Where the border in front of a token of the target is."""
    shift = 0
    for part in parts:
        if token <= part.target_start:
            break
        if token < part.target_end:
            return min(part.start + token - part.target_start, part.end)
        shift = part.end - part.target_end
    return token + shift
