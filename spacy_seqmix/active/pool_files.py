"""The files of a pool: found by their names, in an order that a run keeps while they grow more."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..annotation.lazy_docs import LazyDocs
from ..annotation.texts import TEXT_SUFFIXES
from ..errors import Errors, SeqMixError, plural
from ..files import parse_json

__all__ = ["PoolFile", "check_known", "files_of", "generations_in", "in_order"]

SUFFIXES = (*TEXT_SUFFIXES, ".spacy")


class PoolFile(NamedTuple):
    """A file as the run folder remembers it.

    path (str): empty in folders of older versions, whose pools were one file.
    """

    path: str
    sha256: str


def files_of(pool: Iterable[Path], outside: Path | None = None) -> list[Path]:
    """The files that a pool names: each is a file, a pattern with ``*``, ``?`` or ``**``, or a
    folder, for all files of texts in it.

    outside (Path | None): a folder whose files do not count for patterns and folders: that of the
        output, which may lie among the texts.
    RETURNS (list[Path]): each file once, those of a pattern or a folder by their names.
    RAISES (SeqMixError): S403 for a pattern or a folder without files, for files of other kinds.
    """
    found: dict[Path, None] = {}
    for one in pool:
        found |= dict.fromkeys(_files(one, outside))
    return list(found)


def _files(path: Path, outside: Path | None) -> list[Path]:
    name = str(path)
    if path.is_dir():
        inside = _pools(path.rglob("*"), outside)
        if not inside:
            other = "" if outside is None else f" outside of {outside}"
            raise _unusable(path, f"the folder has no {_kinds()} files{other}")
        return inside
    if path.exists() or glob.escape(name) == name:
        if path.exists() and path.suffix.lower() not in SUFFIXES:
            raise _unusable(path, f"it is no {_kinds()} file")
        return [path]
    inside = _pools(map(Path, glob.glob(name, recursive=True)), outside)
    if not inside:
        raise _unusable(path, f"there is no {_kinds()} file with such a name")
    return inside


def _pools(paths: Iterable[Path], outside: Path | None) -> list[Path]:
    some = sorted(one for one in paths if one.suffix.lower() in SUFFIXES and one.is_file())
    if outside is None:
        return some
    folder = outside.resolve()
    return [one for one in some if folder not in one.resolve().parents]


def _kinds() -> str:
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _unusable(path: Path, reason: str) -> SeqMixError:
    return SeqMixError(Errors.E403.format(path=path, reason=reason))


def in_order(
    paths: Sequence[Path], known: Sequence[Sequence[PoolFile]], folder: Path
) -> list[list[Path]]:
    """The files by generations: those that the run began with, those that came next, ...

    known (Sequence): what the run folder remembers; the new files are one more generation.
    folder (Path): of the run, for messages.
    RAISES (SeqMixError): S760 where a file is missing.
    """
    before = [[Path(file.path) if file.path else paths[0] for file in one] for one in known]
    flat = [path for generation in before for path in generation]
    given = set(paths)
    if missing := [path for path in flat if path not in given or not path.is_file()]:
        raise _changed(folder, missing, "missing")
    new = [path for path in paths if path not in set(flat)]
    return [*before, *([new] if new else [])]


def check_known(docs: LazyDocs, known: Sequence[Sequence[PoolFile]], folder: Path) -> None:
    """Check that the files are those of before. RAISES (SeqMixError): S760 where some changed."""
    files = [file for generation in known for file in generation]
    now = docs.files[: len(files)]
    changed = [new.path for old, new in zip(files, now, strict=True) if new.sha256 != old.sha256]
    if changed:
        raise _changed(folder, changed, "changed")


def _changed(folder: Path, paths: Sequence[Path], how: str) -> SeqMixError:
    names = ", ".join(f"'{path}'" for path in paths[:3]) + ", ..." * (len(paths) > 3)
    what = f"{plural(len(paths), 'file')} {how} ({names})"
    return SeqMixError(Errors.E760.format(path=folder, what=what))


def generations_of(docs: LazyDocs, generations: Iterable[Sequence[Path]]) -> list[list[PoolFile]]:
    """What the run folder is to remember."""
    files = iter(docs.files)
    out = []
    for generation in generations:
        of_generation = [next(files) for _ in generation]
        out.append([PoolFile(str(one.path), one.sha256) for one in of_generation])
    return out


def generations_in(inputs: Path) -> list[list[PoolFile]]:
    """What a run folder remembers of its pool; nothing where no run has begun there.

    inputs (Path): the file inputs.json.
    RAISES (ValueError, TypeError, KeyError, AttributeError): for a damaged file.
    """
    if not inputs.exists():
        return []
    found: dict[str, Any] = parse_json(inputs.read_bytes())
    if "pool" in found:
        # Older versions also wrote how many texts a file has.
        return [[PoolFile(*file[:2]) for file in generation] for generation in found["pool"]]
    return [[PoolFile("", found["sha256"]["pool"])]]
