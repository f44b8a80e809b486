"""What a model repository may do here: provide weights in safetensors, and run no code."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import Errors, SeqMixError, SeqMixFileError
from ..files import parse_json
from ..model_names import resolve

__all__ = ["as_names", "as_paths", "may_run_code", "refusing_code", "require_safetensors"]

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def require_safetensors(name: str, hub: dict[str, Any], auto_class: str) -> None:
    """Make sure that a model's weights can be read without unpickling anything.

    Checked before transformers loads anything: for a repository that has only pickles, it would
    look for a conversion that others made.

    name (str): a folder, or a name on the hub, from which the weights are fetched.
    hub (dict[str, Any]): "revision" and "local_files_only" for the hub.
    auto_class (str): the class of transformers that converts such a model, for the message.
    RAISES (SeqMixError): S312 if there are none in safetensors, or an index leads to other files.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        if _file(name, WEIGHTS, hub) is not None:
            return
        index = _file(name, INDEX, hub)
        safe = index is not None and _only_safetensors(index)
    except LocalEntryNotFoundError:
        # Offline nobody knows what is missing in the repository. If nothing was downloaded,
        # transformers will say so.
        safe = not any(_in_cache(name, file, hub) for file in PICKLES)
    if not safe:
        raise SeqMixError(Errors.E312.format(name=name, auto_class=auto_class))


def as_names(trusted: str | Collection[str]) -> frozenset[str]:
    """Names as a set. A single string is one name, not a collection of letters."""
    return frozenset([trusted] if isinstance(trusted, str) else trusted)


def as_paths(trusted: str | Collection[str]) -> frozenset[str]:
    """Names as a set, with paths in place of names in installed packages."""
    return frozenset(_path_of(name) for name in as_names(trusted))


def may_run_code(name: str, trusted: Collection[str], hub: dict[str, Any]) -> bool:
    """Whether the user named this model as one whose own Python code may run.

    name (str): the model.
    trusted (Collection[str]): the names that the user trusts.
    hub (dict[str, Any]): "revision" and "local_files_only" for the hub.
    RETURNS (bool): what to give transformers as ``trust_remote_code``.
    RAISES (SeqMixError): S313 if the code is that of another repository, which is not named.
    """
    if name not in trusted:
        return False
    for other in _repositories_of_code(name, hub):
        if other not in trusted:
            raise SeqMixError(Errors.E313.format(name=other))
    return True


@contextmanager
def refusing_code(name: str) -> Iterator[None]:
    """Raise S313 where transformers refuses to run a model's own code."""
    try:
        yield
    except ValueError as err:
        if "trust_remote_code" in str(err):
            raise SeqMixError(Errors.E313.format(name=name)) from err
        raise


def _path_of(name: str) -> str:
    try:
        return resolve(name)
    except SeqMixFileError:  # trust in what is not installed
        return name


def _file(name: str, file: str, hub: dict[str, Any]) -> Path | None:
    """A file of a folder or hub repository, fetched if need be; None where it does not exist."""
    if Path(name).is_dir():
        path = Path(name, file)
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file, **hub))
    except LocalEntryNotFoundError:
        raise
    except EntryNotFoundError:
        return None


def _in_cache(name: str, file: str, hub: dict[str, Any]) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, file, revision=hub.get("revision")), str)


def _only_safetensors(index: Path) -> bool:
    """Whether all files in an index are safetensors by their names, as transformers judges them."""
    files = parse_json(index.read_bytes())["weight_map"].values()
    return all(str(file).endswith(".safetensors") for file in files)


def _repositories_of_code(name: str, hub: dict[str, Any]) -> set[str]:
    """The other repositories whose code a model asks for: "owner/repo--module.Class"."""
    from transformers.configuration_utils import PretrainedConfig
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    config, _ = PretrainedConfig.get_config_dict(name, **hub)
    maps = [config.get("auto_map"), get_tokenizer_config(name, **hub).get("auto_map")]
    classes: list[Any] = []
    for auto_map in maps:
        for value in auto_map.values() if isinstance(auto_map, dict) else [auto_map]:
            classes += value if isinstance(value, (list, tuple)) else [value]
    return {one.split("--")[0] for one in classes if isinstance(one, str) and "--" in one}
