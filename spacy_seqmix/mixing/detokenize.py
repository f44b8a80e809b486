"""Whitespace of mixed docs: the text must read as text and tokenise back to its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import category

from spacy.language import Language
from spacy.tokens import Doc

# Marks that join the word before or after them; brackets and quotation marks do so by their
# category in Unicode. The escapes are the comma, semicolon and question mark of Arabic, and the
# commas, stop, exclamation mark, question mark, semicolon and colon of Chinese.
CLOSING = frozenset(".,;:!?%…\u060c\u061b\u061f\u3001\u3002\uff0c\uff01\uff1f\uff1b\uff1a")
OPENING = frozenset("$£€#¿¡")
CLITICS = ("'s", "'re", "'ve", "'ll", "'d", "'m", "n't", "’s", "’re", "’ve", "’ll", "’d", "’m")


class Edit(NamedTuple):
    """Tokens ``start`` to ``end`` (exclusive) of a doc, and the words in their place."""

    start: int
    end: int
    words: Sequence[str]


def join_words(target: Doc, edits: Sequence[Edit], nlp: Language) -> tuple[Doc, bool]:
    """Replace words of a target doc, and set the spaces between words.

    Spaces outside the edits stay as they are. Inside edits and at their borders, they stay where
    both neighbours are of the same kind as before (letters for letters, a comma for a comma).
    Elsewhere words are separated by a space, except before closing and after opening marks, or
    where the target writes most of its words without spaces.

    target (Doc): the surrounding doc.
    edits (Sequence[Edit]): which tokens give way to which words, in order and apart.
    nlp (Language): the pipeline whose tokeniser must agree.
    RETURNS (tuple): a new doc, without annotation; and whether it counts as pre-tokenised, since
        its text does not tokenise back to the words, or the target's spaces are not known.
    """
    old = [t.text for t in target]
    new: list[str] = []
    places: list[int | None] = []  # which token of the target each word stands for
    edited: set[int] = set()  # words whose space after them is to be settled
    at = 0
    for start, end, words in edits:
        new += [*old[at:start], *words]
        places += [*range(at, start)]
        edited.update(range(max(0, len(places) - 1), len(places) + len(words)))
        places += [start + k if start + k < end else None for k in range(len(words))]
        at = end
    new += old[at:]
    places += range(at, len(old))
    if target.has_unknown_spaces:
        return Doc(nlp.vocab, words=new), True
    known = [bool(t.whitespace_) for t in target]
    spaced = _is_spaced(old, known)
    spaces = [place is not None and known[place] for place in places]
    for k in sorted(edited):
        if k == len(new) - 1:
            spaces[k] = known[-1]
            continue
        here, there = places[k], places[k + 1]
        kept = (
            here is not None
            and there == here + 1
            and _kind(old[here]) == _kind(new[k])
            and _kind(old[there]) == _kind(new[k + 1])
        )
        if not kept:
            spaces[k] = spaced and _want_space(new[k], new[k + 1])
    doc = Doc(nlp.vocab, words=new, spaces=spaces)
    return doc, [t.text for t in nlp.make_doc(doc.text)] != new


def _kind(word: str) -> str:
    """The kind of a word, as far as spaces depend on it: clitic, word, or the mark itself."""
    if word.lower() in CLITICS:
        return "clitic"
    return "word" if any(c.isalnum() for c in word) else word


def _want_space(left: str, right: str) -> bool:
    if left.isspace() or right.isspace():
        return False
    joins_left = right.lower() in CLITICS or _all_are(right, CLOSING, ("Pe", "Pf"))
    return not (joins_left or _all_are(left, OPENING, ("Ps", "Pi")))


def _all_are(word: str, marks: frozenset[str], categories: tuple[str, ...]) -> bool:
    return all(c in marks or category(c) in categories for c in word)


def _is_spaced(words: Sequence[str], spaces: Sequence[bool]) -> bool:
    """Whether at least half of the neighbouring words of a text are separated by spaces."""
    is_word = [_kind(word) == "word" for word in words]
    between_words = [spaces[k] for k in range(len(words) - 1) if is_word[k] and is_word[k + 1]]
    return 2 * sum(between_words) >= len(between_words)
