"""ACE 2005 as the LDC distributes it: pairs of NAME.sgm and NAME.apf.xml.

Offsets count the characters of the .sgm file without its tags; "&amp;" counts as it is written.
What lies in <TEXT> is cut into paragraphs at tags and blank lines, and these into sentences by
spaCy's sentencizer; names of speakers and posters and dates of posts are left out. A trigger that
lies across two sentences joins them.
"""

from __future__ import annotations

import html
import re
from bisect import bisect, bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from operator import itemgetter
from pathlib import Path
from xml.etree import ElementTree

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from .files import attempt, read_lines, tokenise
from .triggers import Counts, Sentence, Trigger

__all__ = ["read_ace"]

TAG = re.compile(r"<(/?)(\w*)[^<>]*>")
BODY = "TEXT"
# Not sentences, and not annotated.
ABOUT = ("SPEAKER", "POSTER", "POSTDATE")
# Folders beside each other that the LDC's distribution has for each source: the same documents by
# the first annotators, by the second, adjudicated, and with times normalised.
PASSES, LAST_PASS = ("fp1", "fp2", "adj"), "timex2norm"
PARAGRAPH = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class _Anchor:
    """A trigger by characters of the text without tags; the end is exclusive."""

    start: int
    end: int
    label: str
    text: str


def read_ace(
    folder: Path,
    nlp: Language,
    counts: Counts,
    *,
    skip: bool = False,
    only: Path | None = None,
) -> Iterator[Sentence]:
    """Read all documents below a folder, in the order of their names.

    nlp (Language): whose tokenizer is used; it gets a sentencizer if it has none.
    skip (bool): leave out triggers where the two files disagree, with a warning each.
    only (Path | None): a file with the names of the documents to read, one a line; None for all.
    YIELDS (Sentence): with the document's name in ``where``.
    RAISES (SeqMixError): S501, S542 for documents without their other half, S543 for a trigger
        that the text does not have, S544 for names without a document, S545 for two documents of
        one name, S546 for an empty file of names.
    """
    if "sentencizer" not in nlp.pipe_names:
        nlp.add_pipe("sentencizer")
    found = _find(folder)
    names = sorted(found if only is None else set(_names(only)))
    lacking = [name for name in names if name not in found]
    if lacking:
        raise SeqMixError(Errors.E544.format(path=folder, names=", ".join(lacking[:10])))
    for name in names:
        annotation = found[name]
        source = annotation.with_name(f"{name}.sgm")
        if not source.exists():
            raise SeqMixError(Errors.E542.format(path=annotation, lacking=source.name))
        yield from _read_document(source, annotation, nlp, counts, skip)


def _find(folder: Path) -> dict[str, Path]:
    """The annotation of each document by its name: of several passes the last."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.apf.xml")):
        if (path.parent.parent / LAST_PASS).is_dir() and path.parent.name in PASSES:
            continue
        name = path.name.removesuffix(".apf.xml")
        if name in found:
            raise SeqMixError(Errors.E545.format(one=found[name], other=path))
        found[name] = path
    return found


def _read_document(
    source: Path, annotation: Path, nlp: Language, counts: Counts, skip: bool
) -> Iterator[Sentence]:
    raw = "\n".join(read_lines(source))
    text, regions = _plain(raw)
    listed = list(_anchors(annotation))
    checked = [attempt(skip, _checked, anchor, text, regions, source) for anchor in listed]
    anchors = [anchor for anchor in checked if anchor is not None]
    counts.skipped += len(listed) - len(anchors)
    inside: dict[int, list[_Anchor]] = {}
    for anchor in anchors:
        inside.setdefault(_region(anchor, regions), []).append(anchor)
    for number, (start, end) in enumerate(regions):
        own = inside.get(number, [])
        yield from _sentences(text, start, end, own, nlp, f"{source}, character {start}")


def _region(anchor: _Anchor, regions: Sequence[tuple[int, int]]) -> int:
    """The number of the paragraph that a trigger lies in; -1 for none."""
    number = bisect(regions, (anchor.start, inf)) - 1
    return number if number >= 0 and anchor.end <= regions[number][1] else -1


def _plain(raw: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without tags, and where its paragraphs lie: one pass over the tags."""
    pieces: list[str] = []
    regions: list[tuple[int, int]] = []
    # An element that is never closed is none.
    last_close = {name: raw.upper().rfind(f"</{name}>") for name in (BODY, *ABOUT)}
    in_body, about = False, ""
    at = removed = 0
    for tag in [*TAG.finditer(raw), None]:
        end = tag.start() if tag else len(raw)
        pieces.append(raw[at:end])
        if in_body and not about:
            regions += [(a - removed, b - removed) for a, b in _paragraphs(raw, at, end)]
        if tag is None:
            break
        closes, name = bool(tag[1]), tag[2].upper()
        if name == BODY:
            in_body = not closes and (in_body or tag.start() < last_close[BODY])
        elif name in ABOUT and closes:
            about = "" if name == about else about
        elif name in ABOUT and not about and tag.start() < last_close[name]:
            about = name
        removed += len(tag[0])
        at = tag.end()
    return "".join(pieces), regions


def _paragraphs(raw: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What lies between blank lines of a stretch of text."""
    for gap in [*PARAGRAPH.finditer(raw, start, end), None]:
        stop = gap.start() if gap else end
        if raw[start:stop].strip():
            yield start, stop
        start = gap.end() if gap else end


def _anchors(path: Path) -> Iterator[_Anchor]:
    """The triggers of a file of annotation; ends are inclusive there."""
    try:
        root = ElementTree.parse(path).getroot()
        for event in root.iter("event"):
            label = f"{event.attrib['TYPE']}:{event.attrib['SUBTYPE']}"
            for mention in event.iter("event_mention"):
                sequence = mention.find("anchor/charseq")
                if sequence is None:
                    raise KeyError("anchor/charseq")
                start, last = int(sequence.attrib["START"]), int(sequence.attrib["END"])
                yield _Anchor(start, last + 1, label, sequence.text or "")
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise SeqMixError(Errors.E501.format(path=path, reason=error)) from error


def _checked(
    anchor: _Anchor, text: str, regions: Sequence[tuple[int, int]], source: Path
) -> _Anchor:
    """The trigger, if the text has it there, in one paragraph."""
    start, end = anchor.start, anchor.end
    found = text[start:end]
    if not found.strip() or html.unescape(found).split() != html.unescape(anchor.text).split():
        reason = f"the text has {found!r}"
    elif _region(anchor, regions) < 0:
        reason = "it lies outside of every paragraph"
    else:
        return anchor
    raise SeqMixError(
        Errors.E543.format(path=source, start=start, end=end - 1, text=anchor.text, reason=reason)
    )


def _sentences(
    text: str, start: int, end: int, anchors: Collection[_Anchor], nlp: Language, where: str
) -> Iterator[Sentence]:
    """The sentences of a paragraph."""
    doc, places = _tokenised(text, start, end, nlp, where)
    triggers = []
    for anchor in anchors:
        first = bisect(places, anchor.start, key=itemgetter(1))
        triggers.append(Trigger(first, bisect_left(places, (anchor.end,)), anchor.label))
    borders = [token.i for token in doc if token.is_sent_start]
    kept = [i for i in borders if not any(t.start < i < t.end for t in triggers)]
    for first, stop in zip(kept, [*kept[1:], len(doc)], strict=True):
        own = [t for t in triggers if first <= t.start < stop]
        yield Sentence(
            [token.text for token in doc[first:stop]],
            [Trigger(t.start - first, t.end - first, t.label) for t in own],
            where,
            [bool(token.whitespace_) for token in doc[first:stop]],
        )


def _tokenised(
    text: str, start: int, end: int, nlp: Language, where: str
) -> tuple[Doc, list[tuple[int, int]]]:
    """A paragraph with single blanks and real characters, and where its tokens were."""
    characters: list[str] = []
    origins: list[tuple[int, int]] = []
    for match in re.finditer(r"\s+|&#?\w+;|.", text[start:end].rstrip(), re.DOTALL):
        piece = match.group()
        if piece.isspace():
            if characters:
                characters.append(" ")
                origins.append((start + match.start(), start + match.end()))
            continue
        for character in html.unescape(piece):
            characters.append(character)
            origins.append((start + match.start(), start + match.end()))
    doc = nlp(tokenise(nlp, "".join(characters), where))
    places = [(origins[t.idx][0], origins[t.idx + len(t) - 1][1]) for t in doc]
    return doc, places


def _names(path: Path) -> list[str]:
    """The names of documents in a file. RAISES (SeqMixError): S546 where there are none."""
    lines = [line.strip() for line in read_lines(path)]
    if not any(lines):
        raise SeqMixError(Errors.E546.format(path=path))
    return [Path(one).name.removesuffix(".sgm").removesuffix(".apf.xml") for one in lines if one]
