"""The labels that people may give in the page: ``page/labels.json``, in their order."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
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
    names = [check_label(name) for name in text.split(",")]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SeqMixError(Errors.E680.format(label=twice, reason="it is given twice"))
    return names


def check_label(name: str) -> str:
    """A label without the blanks around it. RAISES (SeqMixError): S680."""
    stripped = name.strip()
    if not stripped:
        raise SeqMixError(Errors.E680.format(label=name, reason="it is empty"))
    if "," in stripped:
        raise SeqMixError(Errors.E680.format(label=name, reason="it has a comma"))
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in stripped):
        reason = "it has control characters or line breaks"
        raise SeqMixError(Errors.E680.format(label=name, reason=reason))
    # What a component can't learn: "!LOC" means "not LOC", and "-" is a missing tag.
    if stripped.startswith("!") or stripped in ("-", "O"):
        reason = "spaCy reads it as a tag with a meaning of its own"
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


def update_labels(path: Path, wanted: Sequence[str], now: str) -> list[PageLabel]:
    """Write the labels, those that are new at the end.

    wanted (Sequence[str]): all labels, or none to keep those that there are.
    now (str): when new ones are added.
    RAISES (SeqMixError): S681 where a label of the file is not among those wanted: texts may have
        it. S682 where there are none at all.
    """
    known = read_labels(path)
    missing = [one.name for one in known if one.name not in wanted]
    if wanted and missing:
        names = shlex.quote(",".join(one.name for one in known))
        left_out = ", ".join(map(repr, missing))
        raise SeqMixError(Errors.E681.format(path=path, missing=left_out, names=names))
    old = {one.name for one in known}
    labels = [*known, *(PageLabel(name, now) for name in wanted if name not in old)]
    if not labels:
        raise SeqMixError(Errors.E682.format(path=path.parent.parent))
    if labels != known:
        with replacing(path) as temporary:
            rows = [asdict(one) for one in labels]
            temporary.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf8")
    return labels
