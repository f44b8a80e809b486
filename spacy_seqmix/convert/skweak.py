"""Weak labels that skweak aggregated: probabilities of labelling functions become soft labels.

Its aggregators for sequences (HMM, majority vote) leave ``doc.spans[NAME].attrs["probs"]``: for
each token with an entity the probabilities of its tags, ``{token: {"B-PER": p}}``, of 0.1 or more.
"O" has the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import iter_docs
from ..annotation.iob import split_tag, tag_names
from ..annotation.posteriors import annotate_rows
from ..annotation.soft_labels import TOLERANCE
from ..errors import Errors, SeqMixError, Warnings, plural
from .files import attempt

__all__ = ["read_skweak"]

PROBS, SOURCES = "probs", "sources"
# Where an entity begins and where it goes on, in the schemes that skweak knows: IO, BIO, BILUO.
BEGINS, GOES_ON = ("B", "U"), ("I", "L")


def read_skweak(
    path: Path,
    nlp: Language,
    *,
    group: str | None = None,
    outside: bool = False,
    skip: bool = False,
) -> Iterator[Doc]:
    """Read docs with the probabilities of a skweak aggregator.

    path (Path): a .spacy file, as ``skweak.utils.docbin_writer`` writes it.
    nlp (Language): whose vocabulary the docs get.
    group (str | None): the span group of the aggregator; None for the only one.
    outside (bool): tokens that no labelling function covers are outside of entities. By default
        nothing is known of them: their tags are missing, and docs without any known tag are left
        out.
    skip (bool): leave out docs whose probabilities can't be read, with a warning each.
    YIELDS (Doc): with the best valid tags as entities, and soft labels; without span groups.
    RAISES (SeqMixError): S403, S582, S732 where no group, or several, have probabilities, S733 for
        probabilities that are none.

    Warns with W732 where most of the known tokens belong to entities.
    """
    docs = list(iter_docs(path, nlp.vocab))
    name = _group(docs, group, path)
    found = {}
    for number, doc in enumerate(docs):
        read = attempt(skip, _probs, doc, name, number, path)
        if read is not None:
            found[number] = read
    labels = sorted({split_tag(tag)[1] for of in found.values() for p in of.values() for tag in p})
    tags = tag_names(labels)
    begins = any(tag[0] in BEGINS for of in found.values() for p in of.values() for tag in p)
    known, n_outside, left_out = 0, 0.0, 0
    for number, probs in found.items():
        doc = docs[number]
        rows = _rows(doc, probs, tags)
        if not begins:
            _begin(rows)
        rows[:, 0] = np.maximum(1.0 - rows.sum(axis=1), 0.0)
        if not outside:
            rows[~_covered(doc, name, probs)] = 0.0
        known += int(rows.any(axis=1).sum())
        n_outside += float(rows[:, 0].sum())
        if rows.any():
            doc.spans.clear()
            annotate_rows(doc, tags, rows)
            yield doc
        else:
            left_out += 1
    if n_outside <= known / 2:
        values = {"path": path, "known": plural(known, "token"), "outside": f"{n_outside:.0f}"}
        text = Warnings.W732.format(left_out=plural(left_out, "doc"), **values)
        warnings.warn(text, stacklevel=2)


def _group(docs: Iterable[Doc], group: str | None, path: Path) -> str:
    """The span group with probabilities. RAISES (SeqMixError): S732."""
    names = dict.fromkeys(key for doc in docs for key in doc.spans if PROBS in doc.spans[key].attrs)
    if group in names:
        return str(group)
    shown = ", ".join(map(repr, names)) or "none"
    if group is not None:
        reason = f"no span group {group!r} has probabilities; those that have: {shown}"
    elif len(names) != 1:
        reason = f"one span group with probabilities is needed, and there are: {shown}"
    else:
        return str(*names)
    raise SeqMixError(Errors.E732.format(path=path, reason=reason))


def _probs(doc: Doc, group: str, number: int, path: Path) -> dict[int, dict[str, float]]:
    """The probabilities of a doc by token and tag. RAISES (SeqMixError): S733."""
    given = doc.spans[group].attrs.get(PROBS) if group in doc.spans else None
    reason = _wrong(given or {}, len(doc))
    if reason:
        values = {"number": number, "path": path, "group": group, "reason": reason}
        raise SeqMixError(Errors.E733.format(**values))
    return {int(i): {tag: float(p) for tag, p in of.items()} for i, of in (given or {}).items()}


def _wrong(given: Any, n_tokens: int) -> str:
    """What is wrong with probabilities; "" if nothing is."""
    if not isinstance(given, Mapping):
        return f"they are {type(given).__name__} in place of a dict"
    for i, of_tag in given.items():
        if not isinstance(i, int | np.integer) or not 0 <= i < n_tokens:
            return f"{i!r} is no token of {n_tokens}"
        if not isinstance(of_tag, Mapping) or not all(map(_is_tag, of_tag)):
            return f"token {i} has {of_tag!r} in place of tags such as B-PER and probabilities"
        ps = list(of_tag.values())
        if not all(isinstance(p, int | float | np.floating) and p >= 0.0 for p in ps):
            return f"token {i} has {of_tag!r}, and not all are numbers from 0 on"
        if sum(ps) > 1.0 + TOLERANCE:
            return f"those of token {i} sum to {sum(ps):.4g}, which is more than 1"
    return ""


def _is_tag(tag: Any) -> bool:
    if not isinstance(tag, str):
        return False
    prefix, label = split_tag(tag)
    return bool(label) and prefix in (*BEGINS, *GOES_ON)


def _rows(
    doc: Doc, probs: Mapping[int, Mapping[str, float]], tags: Sequence[str]
) -> NDArray[np.float64]:
    """The probabilities of entities' tags in IOB2, (n_tokens, L); without those of "O"."""
    column = {tag: n for n, tag in enumerate(tags)}
    rows = np.zeros((len(doc), len(tags)))
    for i, of_tag in probs.items():
        for tag, p in of_tag.items():
            prefix, label = split_tag(tag)
            rows[i, column[f"{'B' if prefix in BEGINS else 'I'}-{label}"]] += p
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), 1.0)  # sums are rounded
    return rows


def _begin(rows: NDArray[np.float64]) -> None:
    """Tags of the scheme IO: an entity begins where the token before has none of its label."""
    inside = rows[:, 2::2].copy()
    before = np.vstack([np.zeros_like(inside[:1]), inside[:-1]])
    rows[:, 1::2] = inside * (1.0 - before)
    rows[:, 2::2] = inside * before


def _covered(doc: Doc, group: str, probs: Mapping[int, object]) -> NDArray[np.bool_]:
    """Which tokens a labelling function covers, or have probabilities; shape (n_tokens,)."""
    out = np.zeros(len(doc), dtype=bool)
    out[list(probs)] = True
    sources = doc.spans[group].attrs.get(SOURCES) or () if group in doc.spans else ()
    for span in (span for name in sources if name in doc.spans for span in doc.spans[name]):
        out[span.start : span.end] = True
    return out
