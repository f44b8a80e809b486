"""GGUF files, converted once into a cache folder that transformers loads in a second."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import Errors, SeqMixFileError
from .loading import describe, quiet


def cache_root(cache_dir: str | Path | None = None) -> Path:
    """The folder of converted models.

    cache_dir (str | Path | None): the folder to use; None for $SPACY_SEQMIX_CACHE, or
        ``spacy_seqmix`` in the user's cache folder.
    RETURNS (Path): the folder, which may not exist yet.
    """
    if cache_dir is None:
        cache_dir = os.environ.get("SPACY_SEQMIX_CACHE")
    if cache_dir is None:
        cache_dir = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "spacy_seqmix")
    return Path(cache_dir).expanduser()


def converted_folder(path: Path, cache_dir: str | Path | None = None) -> Path:
    """Convert a GGUF file to a folder of safetensors and tokenizer, unless that was done before.

    The folder is named by the file's name, size and content, so an edited file is converted again.
    It is renamed into place, so that a killed conversion leaves nothing that could be loaded.

    path (Path): the ``.gguf`` file.
    cache_dir (str | Path | None): see ``cache_root``.
    RETURNS (Path): a folder for ``from_pretrained``; weights are de-quantised to float32.
    RAISES (SeqMixFileError): S302 if the file can't be converted or the cache can't be written.
    """
    root = cache_root(cache_dir) / "gguf"
    try:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        name = f"{path.stem}-{path.stat().st_size}-{digest.hexdigest()[:16]}"
        folder = root / name
        if not folder.is_dir():
            root.mkdir(parents=True, exist_ok=True)
            _convert(path, folder)
    except Exception as err:
        # transformers raises nearly every type here; a MemoryError or an interrupt passes through.
        if isinstance(err, MemoryError):
            raise
        values = {"path": str(path), "reason": describe(err), "cache": str(root)}
        raise SeqMixFileError(Errors.E302.format(**values)) from err
    return folder


def _convert(path: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        parent, file = str(path.parent), path.name
        with quiet():
            # Code in the same folder must not run.
            options: dict[str, Any] = {"gguf_file": file, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(  # type: ignore[no-untyped-call]
                parent, **options
            )
            tokenizer.save_pretrained(temporary)
            model = AutoModelForCausalLM.from_pretrained(parent, **options)
            model.save_pretrained(temporary)
        try:
            os.replace(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same content
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
