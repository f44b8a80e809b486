"""Event triggers as entities: what the readers of event corpora share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..errors import Errors, SeqMixError
from .files import attempt

__all__ = ["Counts", "Sentence", "Trigger", "to_docs"]


@dataclass(frozen=True)
class Trigger:
    """A trigger: tokens ``start`` to ``end`` (exclusive) of its sentence, and the event's type.

    text (str | None): what the corpus says these tokens are, to check them by.
    """

    start: int
    end: int
    label: str
    text: str | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence of words; ``spaces`` says after which of them a blank stands."""

    words: Sequence[str]
    triggers: Sequence[Trigger]
    where: str
    spaces: Sequence[bool] | None = None


@dataclass
class Counts:
    """What became of triggers. overlapping: left out, since a longer or earlier one is there;
    skipped: not what the corpus says."""

    sentences: int = 0
    triggers: int = 0
    several_tokens: int = 0
    overlapping: int = 0
    skipped: int = 0


def to_docs(
    sentences: Iterable[Sentence], nlp: Language, counts: Counts, *, types: bool, skip: bool
) -> Iterator[Doc]:
    """Make a Doc of each sentence, its triggers as entities.

    Of triggers that overlap the longest is kept, of equally long ones the first.

    types (bool): take "Conflict" of "Conflict:Attack" alone.
    skip (bool): leave out triggers that are not what the corpus says, with a warning each.
    RAISES (SeqMixError): S541 for these triggers otherwise.
    """
    for sentence in sentences:
        doc = Doc(nlp.vocab, words=list(sentence.words), spaces=_spaces(sentence))
        spans = []
        for trigger in sentence.triggers:
            found = attempt(skip, _checked, sentence, trigger)
            if found is None:
                counts.skipped += 1
                continue
            label = found.label.partition(":")[0] if types else found.label
            spans.append(Span(doc, found.start, found.end, label=label))
        kept = filter_spans(spans)
        counts.sentences += 1
        counts.triggers += len(kept)
        counts.overlapping += len(spans) - len(kept)
        counts.several_tokens += sum(len(span) > 1 for span in kept)
        doc.set_ents(kept)
        yield doc


def _spaces(sentence: Sentence) -> list[bool]:
    if sentence.spaces is not None:
        return list(sentence.spaces)
    return [True] * (len(sentence.words) - 1) + [False] * bool(sentence.words)


def _checked(sentence: Sentence, trigger: Trigger) -> Trigger:
    """The trigger, if its tokens are what the corpus says."""
    words = sentence.words
    found = words[trigger.start : trigger.end]
    inside = 0 <= trigger.start < trigger.end <= len(words)
    if not inside or (trigger.text is not None and not same_text(found, trigger.text)):
        beyond = f"only that it is in a sentence of {len(words)} tokens"
        raise SeqMixError(
            Errors.E541.format(
                where=sentence.where,
                start=trigger.start,
                end=trigger.end,
                found=" ".join(found),
                text=beyond if trigger.text is None else repr(trigger.text),
            )
        )
    return trigger


def same_text(words: Sequence[str], text: str) -> bool:
    """Whether words are a text, whatever the blanks."""
    return "".join("".join(words).split()) == "".join(text.split())
