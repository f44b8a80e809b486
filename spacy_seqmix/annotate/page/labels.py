"""The labels that people may give in the page: ``page/labels.json``, in their order."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from ...active.answers import AnswerRecord
from ...errors import Errors, SeqMixError, SeqMixFileError
from ...files import parse_json, replacing

AnswerT = TypeVar("AnswerT", bound=AnswerRecord)

__all__ = ["PageLabel", "check_label", "read_labels", "split_labels", "update_labels"]


@dataclass(frozen=True)
class PageLabel:
    """A label of the page.

    name (str): as it stands in the pipeline.
    since (str): when it was added: ISO time in UTC. Texts that were labelled before deserve a
        second look.
    """

    name: str
    since: str

    def older(self, answers: Iterable[AnswerT]) -> Iterator[AnswerT]:
        """Those of the answers that were given before the label existed."""
        return (one for one in answers if not one.skipped and one.at < self.since)


def split_labels(text: str) -> list[str]:
    """Read the labels of an option: "PER,ORG". Blanks around them do not count.

    RAISES (SeqMixError): S680 for an empty label, or one that is given twice.
    """
    names: list[str] = []
    for name in text.split(","):
        names.append(check_label(name, names))
    return names


def check_label(name: str, others: Sequence[str] = ()) -> str:
    """A label without the blanks around it.

    others (Sequence[str]): the labels that there are.
    RAISES (SeqMixError): S680.
    """
    stripped = name.strip()
    if not stripped:
        raise SeqMixError(Errors.E680.format(label=name, reason="it is empty"))
    for sign, called in ((",", "a comma"), (";", "a semicolon")):
        if sign in stripped:
            raise SeqMixError(Errors.E680.format(label=name, reason=f"it has {called}"))
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in stripped):
        reason = "it has control characters or line breaks"
        raise SeqMixError(Errors.E680.format(label=name, reason=reason))
    # What a component can't learn: "!LOC" means "not LOC", and "-" is a missing tag.
    if stripped.startswith("!") or stripped in ("-", "O"):
        reason = "spaCy reads it as a tag with a meaning of its own"
        raise SeqMixError(Errors.E680.format(label=name, reason=reason))
    # Who types "role" means "ROLE"; two such labels would divide the examples.
    if (same := next((o for o in others if o.casefold() == stripped.casefold()), None)) is not None:
        reason = f"there is {same!r} already"
        raise SeqMixError(Errors.E680.format(label=name, reason=reason))
    return stripped


def read_labels(path: Path) -> list[PageLabel]:
    """Read the labels; none where there is no file. RAISES (SeqMixFileError): S600."""
    if not path.exists():
        return []
    try:
        return [PageLabel(**row) for row in parse_json(path.read_bytes())]
    except (OSError, ValueError, TypeError) as err:
        raise SeqMixFileError(Errors.E600.format(path=path, reason=err)) from err


def update_labels(
    path: Path, wanted: Sequence[str], now: str, used: Container[str] | None = None
) -> list[PageLabel]:
    """Write the labels, those that are new at the end.

    wanted (Sequence[str]): all labels, or none to keep those that there are.
    now (str): when new ones are added.
    used (Container[str] | None): the labels that texts have; None where any may be used.
    RAISES (SeqMixError): S681 where a label of the file is used and not among those wanted. S682
        where there are none at all.
    """
    before = known = read_labels(path)
    if wanted and used is not None:
        known = [one for one in known if one.name in wanted or one.name in used]
    missing = [one.name for one in known if one.name not in wanted]
    if wanted and missing:
        names = shlex.quote(",".join(one.name for one in known))
        left_out = ", ".join(map(repr, missing))
        raise SeqMixError(Errors.E681.format(path=path, missing=left_out, names=names))
    old = {one.name for one in known}
    labels = [*known, *(PageLabel(name, now) for name in wanted if name not in old)]
    if not labels:
        raise SeqMixError(Errors.E682.format(path=path.parent.parent))
    if labels != before:
        with replacing(path) as temporary:
            rows = [asdict(one) for one in labels]
            temporary.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf8")
    return labels
