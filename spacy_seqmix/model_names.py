"""Names of models: hub names, folders, files inside installed packages, and alternatives."""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from .errors import Errors, SeqMixFileError, Warnings

PACKAGE = "package:"
REQUIRED, OR = "||", "|"
SECONDS = 5.0  # to wait for the hub
_SILENT: set[str] = set()  # hubs that did not answer this process


def first_available(names: str, *, check: bool = False) -> str:
    """Return the first of several model names that is available on this machine.

    names (str): alternatives separated by " | ". Each is a folder or file, a name on the Hugging
        Face hub, or "package:NAME/PATH" for a file in an installed Python package. Empty ones
        are skipped. A name before " || " is no alternative: unless it is empty, it is used, and
        nothing else is.
    check (bool): also look for a single name; otherwise it is returned as it is.
    RETURNS (str): a name or path that can be loaded. If it is not the first, a warning (W220)
        says so.
    RAISES (SeqMixFileError): S224 if none is available.
    """
    required, mark, rest = names.partition(REQUIRED)
    wanted = [name.strip() for name in (rest if mark else names).split(OR) if name.strip()]
    if mark and required.strip():
        wanted = [required.strip()]
    if len(wanted) == 1 and not check and not wanted[0].startswith(PACKAGE):
        return wanted[0]
    for name in wanted:
        path = _find(name)
        if path is not None:
            if name != wanted[0]:
                warnings.warn(Warnings.W220.format(wanted=wanted[0], found=name), stacklevel=2)
            return path
    raise SeqMixFileError(Errors.E224.format(names=wanted))


def is_choice(name: str) -> bool:
    """Whether a name has alternatives, or is one that only this package understands."""
    return OR in name or name.startswith(PACKAGE)


def resolve(name: str) -> str:
    """Return a name that transformers can load. Nothing is looked up for a plain name.

    RAISES (SeqMixFileError): S224, see ``first_available``.
    """
    return first_available(name) if is_choice(name) else name


def is_local(name: str) -> bool:
    """Whether a name is a path on this machine, which other machines need not have."""
    return not is_choice(name) and (Path(name).is_absolute() or Path(name).exists())


def short_name(name: str) -> str:
    """A model's name as reports show it: of a path, or in a package, the last two parts."""
    return "/".join(Path(name.removeprefix(PACKAGE)).parts[-2:])


def _find(name: str) -> str | None:
    if name.startswith(PACKAGE):
        package, _, inside = name.removeprefix(PACKAGE).partition("/")
        spec = _spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0], inside)
        return str(path) if path.exists() else None
    return name if Path(name).exists() or _on_hub(name) else None


def _spec(package: str) -> ModuleSpec | None:
    try:
        return find_spec(package) if package.isidentifier() else None
    except ValueError:  # a module that no package contains, such as __main__
        return None


def is_silent(name: str) -> bool:
    """Whether the hub would have to be asked for a model, and does not answer.

    transformers would ask a hub that accepts connections and never answers for minutes. Callers
    give it ``local_files_only``, or the folder of what was downloaded.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or Path(name).exists():
        return False  # nobody will be asked
    try:
        return _hub_status(name) is None
    except ValueError:  # not a valid name on the hub
        return False


def without_hub(name: str) -> str:
    """The folder to which a model was downloaded if the hub is silent, else the name itself.

    RAISES (SeqMixFileError): S224 if the hub is silent and nothing was downloaded.
    """
    if not is_silent(name):
        return name
    config = _downloaded(name)
    if config is None:
        raise SeqMixFileError(Errors.E224.format(names=[name]))
    return str(Path(config).parent)


def _on_hub(name: str) -> bool:
    """Whether a model was downloaded, or the hub has it."""
    from huggingface_hub import constants

    try:
        if _downloaded(name) is not None:
            return True
        status = None if constants.HF_HUB_OFFLINE else _hub_status(name)
        return status is not None and status < 400
    except ValueError:  # not a valid name on the hub
        return False


def _downloaded(name: str) -> str | None:
    """The path of the configuration of a model that was downloaded."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, "config.json")
    return path if isinstance(path, str) else None


def _hub_status(name: str) -> int | None:
    """What the hub answers when it is asked for a model; None if it does not answer.

    One request through the session of the hub's own client, which knows proxies, HF_ENDPOINT,
    tokens and offline mode. The client's functions and transformers would retry for half a minute
    and log each attempt.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    return _status(hf_hub_url(name, "config.json"), tuple(build_hf_headers().items()))


@lru_cache(maxsize=64)
def _status(url: str, headers: tuple[tuple[str, str], ...]) -> int | None:
    """The status of a file on the hub; None if the hub fails. One process asks once.

    A hub that did not answer for one model is not asked for another.
    """
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    hub = urlsplit(url).netloc
    if hub in _SILENT:
        return None
    try:
        status = int(get_session().head(url, headers=dict(headers), timeout=SECONDS).status_code)
    except OSError:  # unreachable
        _SILENT.add(hub)
        return None
    return status if status < 500 else None
