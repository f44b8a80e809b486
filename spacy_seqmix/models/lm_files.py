"""A language model as the files that it is saved in, to be carried in bytes. Imports no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .causal_lm import CausalLM


def files_of(lm: CausalLM) -> dict[str, bytes]:
    """The files that ``CausalLM.save`` writes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        lm.save(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def load_folder(
    folder: str | Path, start_token: str | None, trusted: Collection[str] = ()
) -> CausalLM:
    """Load what ``CausalLM.save`` wrote.

    folder (str | Path): the folder.
    start_token (str | None): see ``CausalLM.load``.
    trusted (Collection[str]): if any, code in the folder may run, and that of these repositories.
    RETURNS (CausalLM): the model.
    RAISES (OSError, ValueError): as ``CausalLM.load``.
    """
    from .causal_lm import CausalLM

    names = [*trusted, str(folder)] if trusted else []
    return CausalLM.load(str(folder), start_token=start_token, trust_remote_code=names)


def load_files(
    files: Mapping[str, bytes], start_token: str | None, trusted: Collection[str] = ()
) -> CausalLM:
    """Load what ``files_of`` gave; otherwise as ``load_folder``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, Path(name).name).write_bytes(content)
        return load_folder(folder, start_token, trusted)
