"""Whitespace of mixed docs: the text must read as text and tokenise back to its words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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


def join_words(
    target: Doc, edits: Sequence[Edit], nlp: Language, others: Sequence[Doc] = ()
) -> tuple[Doc, bool]:
    """Replace words of a target doc, and set the spaces between words.

    Spaces outside the edits stay as they are. Inside edits and at their borders, they stay where
    both neighbours are of the same kind as before (letters for letters, a comma for a comma).
    Elsewhere words are separated by a space, except before closing and after opening marks, which
    are joined or not as in the target (or, if it has none, the others), or where the target writes
    most of its words without spaces. In the end the tokenizer decides: words that it would not
    take apart are separated, and words that it takes apart only without a space are joined (but
    not where marks stand alone, as in files of columns).

    target (Doc): the surrounding doc.
    edits (Sequence[Edit]): which tokens give way to which words, in order and apart.
    nlp (Language): the pipeline whose tokeniser must agree.
    others (Sequence[Doc]): docs from which the words come.
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
    habits = [_habits(doc) for doc in (target, *others) if not doc.has_unknown_spaces]
    spaces = [place is not None and known[place] for place in places]
    edited.discard(len(new) - 1)
    for k in sorted(edited):
        here, there = places[k], places[k + 1]
        kept = (
            here is not None
            and there == here + 1
            and _kind(old[here]) == _kind(new[k])
            and _kind(old[there]) == _kind(new[k + 1])
        )
        if not kept:
            spaces[k] = spaced and _want_space(new[k], new[k + 1], habits)
    if new:
        spaces[-1] = known[-1]
    doc = Doc(nlp.vocab, words=new, spaces=spaces)
    if _tokens(nlp, doc.text) == new:
        return doc, False
    if spaced:
        alone = next((_is_spaced_mark(habit) for habit in habits if habit), False)
        for k in sorted(edited):
            spaces[k] = _checked_space(new, spaces, k, nlp) or (alone and spaces[k])
        doc = Doc(nlp.vocab, words=new, spaces=spaces)
    return doc, _tokens(nlp, doc.text) != new


def _tokens(nlp: Language, text: str) -> list[str]:
    return [t.text for t in nlp.make_doc(text)]


def _checked_space(words: Sequence[str], spaces: Sequence[bool], k: int, nlp: Language) -> bool:
    """Whether a space is to follow word k, if the tokenizer is to find the words again."""
    pair = [*words[k : k + 2]]
    if any(word.isspace() for word in pair):
        return spaces[k]
    if spaces[k]:
        only_joined = _tokens(nlp, " ".join(pair)) != pair == _tokens(nlp, "".join(pair))
        return not only_joined
    first = next((i + 1 for i in range(k - 1, -1, -1) if spaces[i]), 0)
    last = next((i for i in range(k + 1, len(words)) if spaces[i]), len(words) - 1)
    before, chunk = "".join(words[first : k + 1]), "".join(words[first : last + 1])
    return len(before) not in {token.idx for token in nlp.make_doc(chunk)}


# For each mark of a text, whether a space stood between it and the word that it belongs to; for
# all of them under "".
Habits = Mapping[str, Sequence[bool]]


def _habits(doc: Doc) -> Habits:
    """How a doc writes the marks that may be joined to the word before or after them."""
    habits: defaultdict[str, list[bool]] = defaultdict(list)
    for token in doc[:-1]:
        mark = _joining_mark(token.text, doc[token.i + 1].text)
        if mark is not None:
            for key in (mark, ""):
                habits[key].append(bool(token.whitespace_))
    return habits


def _kind(word: str) -> str:
    """The kind of a word, as far as spaces depend on it: clitic, word, or the mark itself."""
    if word.lower() in CLITICS:
        return "clitic"
    return "word" if any(c.isalnum() for c in word) else word


def _want_space(left: str, right: str, habits: Sequence[Habits]) -> bool:
    """Whether a space separates two words, by the first of the habits that knows their mark."""
    if left.isspace() or right.isspace():
        return False
    mark = _joining_mark(left, right)
    if mark is None:
        return True
    for key in (mark, ""):
        for habit in habits:
            if key in habit:
                return _is_spaced_mark(habit, key)
    return False


def _is_spaced_mark(habit: Habits, mark: str = "") -> bool:
    return 2 * sum(habit[mark]) > len(habit[mark])


def _joining_mark(left: str, right: str) -> str | None:
    """The mark (or "clitic") that joins two words in running text, if there is one."""
    if left.isspace() or right.isspace():
        return None
    if right.lower() in CLITICS or _all_are(right, CLOSING, ("Pe", "Pf")):
        return _kind(right)
    return _kind(left) if _all_are(left, OPENING, ("Ps", "Pi")) else None


def _all_are(word: str, marks: frozenset[str], categories: tuple[str, ...]) -> bool:
    return all(c in marks or category(c) in categories for c in word)


def _is_spaced(words: Sequence[str], spaces: Sequence[bool]) -> bool:
    """Whether at least half of the neighbouring words of a text are separated by spaces."""
    is_word = [_kind(word) == "word" for word in words]
    between_words = [spaces[k] for k in range(len(words) - 1) if is_word[k] and is_word[k + 1]]
    return 2 * sum(between_words) >= len(between_words)
