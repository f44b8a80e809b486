"""Transfer of labels to other tokens: to the predicted doc of an example, or to a rebuilt doc."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from spacy.attrs import ENT_IOB, IS_SPACE, ORTH
from spacy.tokens import Doc, Token
from spacy.training import Example

from ..errors import Errors, SeqMixError, Warnings
from ..types import Floats2d
from . import recipes, relations, soft_labels
from .iob import split_tag
from .layers import ENTS, is_iob
from .provenance import KEY as ORIGIN

# For each token of a doc, the corresponding tokens of another doc.
Places: TypeAlias = list[list[int]]
# What spaCy's augmenters drop when they rebuild a reference.
CARRIED = (soft_labels.KEY, recipes.KEY, relations.KEY, relations.SOFT_KEY, ORIGIN)

# The number of O in spaCy's column ENT_IOB.
OUTSIDE = 2
# How spaCy marks the entities of one token, and the last token of longer ones.
IOB2 = {"U": "B", "L": "I"}


def aligned(example: Example, tags: Sequence[str], layer: str = ENTS) -> Floats2d:
    """Align the reference's soft labels with the tokens of ``example.predicted``.

    A token that covers several reference tokens takes the row of the first (all zeros where their
    types differ). A token that is a later part of a reference token takes the row of that token,
    with "B-" turned into "I-" in IOB2, since the entity continues.

    tags (Sequence[str]): the L columns wanted.
    layer (str): "ents" or "tags".
    RETURNS (Floats2d): shape (n_predicted_tokens, L), rows of zeros where nothing is known.
    """
    lost = recipes.KEY in example.reference.user_data
    if lost and recipes.KEY not in example.predicted.user_data:
        warnings.warn(Warnings.W225, stacklevel=3)
    soft = soft_labels.get(example.reference)
    if soft is None or soft.layer != layer:
        return _aligned_hard(example, tags, layer)
    rows = soft_labels.with_tags(soft, tags)
    if have_same_words(example):
        return rows
    later = continued(rows, tags) if is_iob(layer) else rows
    out = np.zeros((len(example.predicted), len(tags)), dtype="float32")
    x2y, y2x = example.alignment.x2y, example.alignment.y2x
    for i in range(len(example.predicted)):
        covered = [int(j) for j in x2y[i]]
        if not covered:
            if is_iob(layer) and example.predicted[i].is_space:
                out[i, list(tags).index("O")] = 1.0
            continue
        first = covered[0]
        if np.abs(later[covered] - later[first]).max() > soft_labels.TOLERANCE:
            continue
        is_later_part = int(y2x[first][0]) < i
        out[i] = later[first] if is_later_part else rows[first]
    return out


def continued(rows: Floats2d, tags: Sequence[str]) -> Floats2d:
    """Move the mass of every "B-X" to "I-X"; shapes (n, L) as given."""
    out: Floats2d = rows.copy()
    for i, tag in enumerate(tags):
        iob, label = split_tag(tag)
        if iob == "B" and f"I-{label}" in tags:
            out[:, list(tags).index(f"I-{label}")] += out[:, i]
            out[:, i] = 0.0
    return out


def _aligned_hard(example: Example, tags: Sequence[str], layer: str) -> Floats2d:
    """One-hot rows by spaCy's own alignment; all zeros for misaligned tokens."""
    out = np.zeros((len(example.predicted), len(tags)), dtype="float32")
    column = {tag: i for i, tag in enumerate(tags)}
    for i, tag in enumerate(_spacy_tags(example, layer)):
        if tag in column:
            out[i, column[tag]] = 1.0
    return out


def have_same_words(example: Example) -> bool:
    """Whether both docs have the same tokens, and no whitespace among them: then token i is
    aligned with token i, which spaCy would find character by character."""
    predicted, reference = example.predicted, example.reference
    same = np.array_equal(predicted.to_array(ORTH), reference.to_array(ORTH))
    return same and not predicted.to_array(IS_SPACE).any()


def _spacy_tags(example: Example, layer: str) -> list[str]:
    if have_same_words(example):
        return _own_tags(example.reference, layer)
    if layer == ENTS:
        biluo = [tag or "-" for tag in example.get_aligned_ner()]
        return [IOB2.get(tag[0], tag[0]) + tag[1:] for tag in biluo]
    return [tag or "" for tag in example.get_aligned("TAG", as_string=True)]


def _own_tags(doc: Doc, layer: str) -> list[str]:
    """The tags of a doc as spaCy aligns them with the same tokens."""
    if layer != ENTS:
        return [token.tag_ for token in doc]
    tags = ["O" if iob == OUTSIDE else "-" for iob in doc.to_array(ENT_IOB).tolist()]
    for ent in doc.ents:
        inside = [f"I-{ent.label_}"] * (len(ent) - 1)
        tags[ent.start : ent.end] = [f"B-{ent.label_}", *inside]
    return tags


def carry(source: Doc, target: Doc) -> None:
    """Restore the soft labels, recipe, relations and origin that a doc lost when it was rebuilt.

    They move with the words, and only where target is known to be the text of source: with other
    capitals or punctuation marks, other tokens, or another order in which no word occurs twice.
    Target is another doc, and stays as it is, if it has a new origin or shares less than half of
    its words with source.

    source (Doc): the original.
    target (Doc): what an augmenter made of it; it is changed.
    RAISES (SeqMixError): S260 for a changed text in which the words can't be traced, or which a
        recipe or relation does not fit.
    """
    data, theirs = source.user_data, target.user_data
    mixed_anew = ORIGIN in theirs and theirs[ORIGIN] != data.get(ORIGIN)
    lost = [key for key in CARRIED if key in data and key not in theirs]
    if source is target or mixed_anew or not lost:
        return
    places, in_order = _follow(source, target)
    if places is None:
        keys = {_letters(token) for token in source}
        if 2 * sum(_letters(token) in keys for token in target) < len(target):
            return
    same = places == [[i] for i in range(len(target))]
    recipe = recipes.get(source)
    if places is None or (recipe is not None and not same):
        raise SeqMixError(Errors.E260.format(text=target.text[:80]))
    soft = soft_labels.get(source)
    if soft is not None and soft_labels.KEY in lost:
        rows = soft.probs if same else np.zeros((len(target), len(soft.labels)), dtype="float32")
        if not same and in_order:
            rows = aligned(Example(target, source), soft.labels, soft.layer)
        elif not same:
            for row, tokens in zip(soft.probs, places, strict=True):
                rows[tokens] = row
        moved = replace(soft, probs=rows)
        # An augmenter that changes entities has the last word, as a person has.
        if soft_labels.decides(moved, target) or not soft_labels.decides(soft, source):
            soft_labels.put(target, moved)
        else:
            warnings.warn(Warnings.W580.format(which="some docs"), stacklevel=2)
    if relations.KEY in lost:
        _carry_relations(source, target, places)
    if same and ORIGIN in lost:
        theirs[ORIGIN] = data[ORIGIN]
    if recipe is not None:
        # The same places, in other spelling.
        recipes.put(target, replace(recipe, own=tuple(target[i].text for i in recipe.tokens)))


def _follow(source: Doc, target: Doc) -> tuple[Places | None, bool]:
    """Locate the words of source in target.

    RETURNS (tuple): the places (None where they are not known), and whether their order is kept.
    """
    ours, theirs = ([_letters(token) for token in doc] for doc in (source, target))
    if ours == theirs:
        return [[i] for i in range(len(source))], True
    if "".join(source.text.casefold().split()) == "".join(target.text.casefold().split()):
        y2x = Example(target, source).alignment.y2x
        return [[int(i) for i in y2x[j]] for j in range(len(source))], True
    counts = Counter(ours)
    if any(counts[word] != 1 for word in theirs) or len(set(theirs)) < len(theirs):
        return None, False
    number = {word: i for i, word in enumerate(theirs)}
    return [[number[word]] if word in number else [] for word in ours], False


def _carry_relations(source: Doc, target: Doc, places: Places) -> None:
    def moved(span: relations.Offsets) -> relations.Offsets:
        tokens = {i for j in range(*span) for i in places[j]}
        start, end = min(tokens, default=0), max(tokens, default=-1) + 1
        if not tokens or not all(i in tokens or target[i].is_space for i in range(start, end)):
            raise SeqMixError(Errors.E260.format(text=target.text[:80]))
        return start, end

    labels = relations.get_labels(source)
    if labels is not None:
        pairs = tuple((moved(head), moved(tail)) for head, tail in labels.pairs)
        relations.put_labels(target, replace(labels, pairs=pairs))
        return
    old = relations.get(source) or ()
    relations.put(target, [replace(r, head=moved(r.head), tail=moved(r.tail)) for r in old])


def _letters(token: Token) -> str:
    """The letters and digits of a word without case; "" for every punctuation mark."""
    return "".join(char for char in token.text.casefold() if char.isalnum())
