"""Names of models: hub names, folders, files inside installed packages, and alternatives."""

from __future__ import annotations

import socket
import warnings
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import Errors, SeqMixFileError, Warnings

PACKAGE = "package:"
WISH, OR = "||", "|"
SECONDS = 5.0  # to wait for the hub


def first_available(names: str, *, check: bool = False) -> str:
    """The first of several model names that can be found here.

    names (str): alternatives separated by " | ". Each is a folder or file, a name on the Hugging
        Face hub, or "package:NAME/PATH" for a file in an installed Python package. Empty ones
        are skipped. What stands before " || " is not an alternative: unless it is empty, it is
        taken or refused.
    check (bool): look for a single name, too; otherwise it comes back as it is.
    RETURNS (str): a name or path that can be loaded. Where it is not the first, a warning (W220)
        says so.
    RAISES (SeqMixFileError): S224 when none can be found.
    """
    wish, mark, rest = names.partition(WISH)
    wanted = [name.strip() for name in (rest if mark else names).split(OR) if name.strip()]
    if mark and wish.strip():
        wanted = [wish.strip()]
    if len(wanted) == 1 and not check and not wanted[0].startswith(PACKAGE):
        return wanted[0]
    for name in wanted:
        found = _find(name)
        if found is not None:
            if name != wanted[0]:
                warnings.warn(Warnings.W220.format(wanted=wanted[0], found=name), stacklevel=2)
            return found
    raise SeqMixFileError(Errors.E224.format(names=wanted))


def is_choice(name: str) -> bool:
    """Whether ``first_available`` has anything to choose or to find."""
    return OR in name or name.startswith(PACKAGE)


def short_name(name: str) -> str:
    """A model's name as reports show it: of a path, or in a package, the last two parts."""
    return "/".join(Path(name.removeprefix(PACKAGE)).parts[-2:])


def _find(name: str) -> str | None:
    if name.startswith(PACKAGE):
        package, _, inside = name.removeprefix(PACKAGE).partition("/")
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0], inside)
        return str(path) if path.exists() else None
    return name if Path(name).exists() or _on_hub(name) else None


def _on_hub(name: str) -> bool:
    """Whether the hub's copy (or a download of it) can be had. Asked of the network only once it
    answers at all: the hub's client would try again for half a minute, aloud."""
    from huggingface_hub import constants, try_to_load_from_cache
    from transformers.configuration_utils import PretrainedConfig

    try:
        cached = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name that the hub could have, such as that of a missing folder
        return False
    if cached is None:
        if constants.HF_HUB_OFFLINE:
            return False
        url = urlsplit(constants.ENDPOINT)
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection((url.hostname or "", port), timeout=SECONDS).close()
        except OSError:
            return False
    try:  # without making anything of it: a model that needs code is there, and refused later
        PretrainedConfig.get_config_dict(name)
    except (OSError, ValueError):
        return False
    return True
