"""Names that sweeps and reports share: of a section, of files, and of arms."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from .errors import Errors, SeqMixError

# Of a config.
SECTION = "sweep"
# What a sweep's folder consists of, and how a run that ended well is recorded there.
KNOWN = "sweep.json"
DONE = "done"


def choose(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The names that are, or match, any of the patterns, in their own order; all without patterns.

    patterns (Sequence[str]): names, which may have "*" and "?" in them.
    RAISES (SeqMixError): S523 for a pattern without a name.
    """
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in names):
            raise SeqMixError(Errors.E523.format(name=pattern, names=", ".join(names)))
    return [name for name in names if not patterns or any(_fits(name, p) for p in patterns)]


def _fits(name: str, pattern: str) -> bool:
    # Lists of values are written in brackets, which would be classes of letters.
    return fnmatchcase(name, pattern.replace("[", "[[]"))
