"""The labelling interface of a project: the names of its tags, and the labels that it offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from ...errors import Errors, SeqMixError

__all__ = ["Interface", "interface_xml"]


@dataclass(frozen=True)
class Interface:
    """What a labelling interface calls its parts.

    labels_tag, text_tag (str): the names of the tags <Labels> and <Text>.
    field (str): the key of a task's data that the text tag shows.
    labels (tuple[str, ...]): what people can mark.
    """

    labels_tag: str = "label"
    text_tag: str = "text"
    field: str = "text"
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, project: Mapping[str, Any], where: str) -> Interface:
        """The interface of a project, as the server describes it.

        where (str): the project, for messages.
        RAISES (SeqMixError): S785 where it has no <Labels> for a <Text>.
        """
        tags = project.get("parsed_label_config") or {}
        for name, tag in tags.items():
            texts = [one for one in tag.get("inputs", ()) if one.get("type") == "Text"]
            if tag.get("type") == "Labels" and texts and tag.get("to_name"):
                given = tag["to_name"][0], texts[0]["value"], tuple(tag.get("labels", ()))
                return cls(name, *given)
        reason = "it has no <Labels> tag for a <Text> tag"
        raise SeqMixError(Errors.E785.format(where=where, reason=reason))

    def check(self, wanted: Iterable[str], where: str) -> None:
        """Check that it offers labels. RAISES (SeqMixError): S785 where one lacks."""
        if lacking := [label for label in wanted if label not in self.labels]:
            having = ", ".join(map(repr, self.labels)) or "no label"
            names = ", ".join(map(repr, lacking))
            reason = f"it lacks {names}, and offers {having}"
            raise SeqMixError(Errors.E785.format(where=where, reason=reason))


def interface_xml(labels: Sequence[str], relations: Sequence[str] = ()) -> str:
    """The labelling interface of a new project. Marks begin and end with words."""
    tags = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    kinds = "".join(f"<Relation value={quoteattr(label)}/>" for label in relations)
    related = f"<Relations>{kinds}</Relations>" if relations else ""
    text = '<Text name="text" value="$text" granularity="word"/>'
    return f'<View><Labels name="label" toName="text">{tags}</Labels>{related}{text}</View>'
