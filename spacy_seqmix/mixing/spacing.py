"""Whitespace of mixed docs: the text must read as text and tokenise back to its words."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language
from spacy.tokens import Doc

CLOSING = frozenset(".,;:!?)]}%»”’…")
OPENING = frozenset("([{$£€#«“‘")
CLITICS = ("'s", "'re", "'ve", "'ll", "'d", "'m", "n't", "’s", "’re", "’ve", "’ll", "’d", "’m")


def join_words(target: Doc, start: int, words: Sequence[str], nlp: Language) -> Doc:
    """The target's text with ``words`` in place of its tokens from ``start`` on.

    Spaces outside the window stay as they are. Inside and at its borders they stay wherever both
    neighbours are of the kind they were (letters for letters, a comma for a comma); elsewhere a
    word is set off by a space, closing marks join on the left and opening ones on the right. If
    the text that results does not tokenise back to the words, or the target was pre-tokenised
    itself, the doc is marked as pre-tokenised.

    target (Doc): the surrounding doc.
    nlp (Language): the pipeline whose tokeniser must agree.
    RETURNS (Doc): a new doc with as many tokens, without annotation.
    """
    old = [t.text for t in target]
    new = [*old[:start], *words, *old[start + len(words) :]]
    if target.has_unknown_spaces:
        return Doc(nlp.vocab, words=new)
    spaces = [bool(t.whitespace_) for t in target]
    for k in range(max(0, start - 1), min(len(new) - 1, start + len(words))):
        kept = _kind(old[k]) == _kind(new[k]) and _kind(old[k + 1]) == _kind(new[k + 1])
        if not kept:
            spaces[k] = _want_space(new[k], new[k + 1])
    doc = Doc(nlp.vocab, words=new, spaces=spaces)
    if [t.text for t in nlp.make_doc(doc.text)] != new:
        return Doc(nlp.vocab, words=new)
    return doc


def _kind(word: str) -> str:
    """What matters for spaces: clitics and marks are kinds of their own, all words are one."""
    if word.lower() in CLITICS:
        return "clitic"
    return "word" if any(c.isalnum() for c in word) else word


def _want_space(left: str, right: str) -> bool:
    if left.isspace() or right.isspace():
        return False
    joins_left = right.lower() in CLITICS or set(right) <= CLOSING
    return not (joins_left or set(left) <= OPENING)
