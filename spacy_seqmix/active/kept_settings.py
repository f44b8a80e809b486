"""What a folder of results began with: the same command goes on there, another one is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SeqMixError
from ..files import parse_json, replacing
from .run_folder import DOLLAR

__all__ = ["keep_settings"]


def keep_settings(path: Path, settings: Mapping[str, Any], changed: str, unusable: str) -> None:
    """Write what a folder begins with, or compare it with what the folder has begun with.

    path (Path): the file of settings. A folder without it has to be empty.
    settings (Mapping[str, Any]): all that decides what comes out, by names.
    changed (str): one of ``Errors``, with places for {path}, the folder, and {fields}.
    unusable (str): another, with places for {path} and {reason}.
    RAISES (SeqMixError): these two.
    """
    folder = path.parent

    def error(reason: str) -> SeqMixError:
        return SeqMixError(unusable.format(path=folder, reason=reason))

    if "$" in str(folder):
        raise error(DOLLAR)
    given = json.loads(json.dumps(settings, default=str))
    # Looked for first: another process that begins at the same time writes the settings before
    # anything else.
    others = any(not one.name.endswith(".tmp") for one in folder.iterdir())
    if not path.exists():
        if others:
            raise error("it has other files")
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(given, indent=1), encoding="utf8")
        return
    try:
        known = parse_json(path.read_bytes())
        differing = [n for n in {**known, **given} if known.get(n) != given.get(n)]
    except (ValueError, TypeError, AttributeError) as err:
        raise error(f"{path.name} is damaged ({err})") from err
    if differing:
        raise SeqMixError(changed.format(path=folder, fields=", ".join(differing)))
