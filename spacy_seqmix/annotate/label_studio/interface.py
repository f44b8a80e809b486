"""What a labelling interface of Label Studio says about suggestions: names, labels, the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.sax.saxutils import quoteattr

from ...errors import Errors, SeqMixError

__all__ = ["Interface", "interface_xml", "read_interface"]


@dataclass(frozen=True)
class Interface:
    """The tags <Text> and <Labels> that suggestions are for.

    text (str): the name of <Text>: "to_name".
    key (str): the key of the text in the tasks' data.
    labels (Mapping): the name of the <Labels> that has a label ("from_name"), and what the label is
        called in results, by label.
    other (str | None): the name of a <Labels> whose labels are in the tasks' data: it may have any.
    relations (frozenset[str]): the labels of relations.
    """

    text: str
    key: str
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    other: str | None = None
    relations: frozenset[str] = frozenset()

    def place(self, label: str) -> tuple[str, str] | None:
        """The name of the <Labels> with a label, and its name there; None where there is none."""
        return self.labels.get(label) or (None if self.other is None else (self.other, label))

    def check(self, wanted: Iterable[str], where: str) -> None:
        """Check that people can mark labels.

        where (str): the project, for messages.
        RAISES (SeqMixError): S785 where one lacks.
        """
        if lacking := [label for label in wanted if self.place(label) is None]:
            having = ", ".join(map(repr, self.labels)) or "no label"
            reason = f"it lacks {', '.join(map(repr, lacking))}, and offers {having}"
            raise SeqMixError(Errors.E785.format(where=where, reason=reason))


def interface_xml(
    labels: Sequence[str], relations: Sequence[str] = (), *, words: bool = True
) -> str:
    """The labelling interface of a new project.

    words (bool): whether marks begin and end with words; not for scripts without blanks.
    """
    tags = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    kinds = "".join(f"<Relation value={quoteattr(label)}/>" for label in relations)
    related = f"<Relations>{kinds}</Relations>" if relations else ""
    unit = "word" if words else "symbol"
    text = f'<Text name="text" value="$text" granularity="{unit}"/>'
    return f'<View><Labels name="label" toName="text">{tags}</Labels>{related}{text}</View>'


@lru_cache(maxsize=64)
def read_interface(xml: str) -> Interface:
    """Read a labelling interface: the first <Text> with value="$key" that a <Labels> points to.

    RAISES (SeqMixError): S793 where it is no XML, has a DTD, or there is no such tag.
    """
    try:
        parser = XMLParser(target=_WithoutDTD())
        parser.feed(xml)
        root = parser.close()
    except (ParseError, ValueError) as err:
        raise _unusable(f"it is no XML that can be read ({err})") from None
    return _interface(list(root.iter()))


class _WithoutDTD(TreeBuilder):
    """Refuses a DTD when it begins: entities could make a few lines fill the memory."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """RAISES (ValueError)"""
        raise ValueError("a DTD, which is refused")


def _interface(tags: list[Element]) -> Interface:
    by_name = {tag.get("name", ""): tag for tag in tags if tag.tag == "Text"}
    keys = {name: key for name, tag in by_name.items() if (key := _key(tag))}
    pointing = [
        (tag, name) for tag in tags if tag.tag == "Labels" for name in _names(tag) if name in keys
    ]
    if not pointing:
        raise _unusable(_why(tags, by_name))
    text = pointing[0][1]
    labels: dict[str, tuple[str, str]] = {}
    other = None
    for tag, name in pointing:
        if name == text:
            own = tag.get("name", "")
            for label, shown in _labels(tag, "Label"):
                labels.setdefault(label, (own, shown))
            if tag.get("value", "").startswith("$"):
                other = other or own
    relations = {label for tag in tags if tag.tag == "Relations" for label in _relations(tag)}
    return Interface(text, keys[text], labels, other, frozenset(relations))


def _key(tag: Element) -> str:
    """The key of a <Text>; empty where its text does not stand in the task as it is."""
    value = tag.get("value", "")
    as_it_is = tag.get("valueType", "text") == "text" and tag.get("encoding", "none") == "none"
    return value[1:] if value.startswith("$") and as_it_is else ""


def _names(tag: Element) -> list[str]:
    return [name.strip() for name in tag.get("toName", "").split(",")]


def _labels(tag: Element, kind: str) -> Iterator[tuple[str, str]]:
    """The names that a label is known by, and the one that results have."""
    for one in tag.iter(kind):
        shown = one.get("alias") or one.get("value")
        for name in (one.get("value"), one.get("alias")):
            if name and shown:
                yield name, shown


def _relations(tag: Element) -> list[str]:
    return [label for label, _ in _labels(tag, "Relation")]


def _why(tags: list[Element], texts: Mapping[str, Element]) -> str:
    if not texts:
        return "it has no tag <Text>"
    if not any(tag.tag == "Labels" for tag in tags):
        return "it has no tag <Labels>"
    return 'no <Labels> points (toName) to a <Text> that has its text from the task (value="$key")'


def _unusable(reason: str) -> SeqMixError:
    return SeqMixError(Errors.E793.format(reason=reason))
