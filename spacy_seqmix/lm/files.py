"""A language model as its saved files, to be stored in bytes. Imports no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .safety import as_names
from .settings import LMSettings

if TYPE_CHECKING:
    from .causal_lm import CausalLM


def files_of(lm: CausalLM) -> dict[str, bytes]:
    """The files that ``CausalLM.save`` writes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        lm.save(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def load_folder(folder: str | Path, settings: LMSettings) -> CausalLM:
    """Load a language model from the folder that ``CausalLM.save`` wrote.

    folder (str | Path): the folder.
    settings (LMSettings): the settings of the saved model. Its code may run if the settings trust
        its name.
    RETURNS (CausalLM): the model.
    RAISES (SeqMixError): as ``CausalLM.load``.
    """
    from .causal_lm import CausalLM

    names = as_names(settings.trust_remote_code)
    return CausalLM.load(
        str(folder),
        start_token=settings.start_token,
        device=settings.device,
        trust_remote_code=[*names, str(folder)] if settings.model in names else [],
    )


def load_files(files: Mapping[str, bytes], settings: LMSettings) -> CausalLM:
    """Load a language model from ``files_of``; otherwise as ``load_folder``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, Path(name).name).write_bytes(content)
        return load_folder(folder, settings)
