"""GGUF files, converted once into a cache folder that transformers loads in a second."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import Errors, SeqMixFileError, describe
from .loading import quiet

FILES = "files.json"  # in each folder: the sizes of its files by name
LOCK = "lock"
WAIT = 600.0  # seconds to wait for another process that converts


def cache_root(cache_dir: str | Path | None = None) -> Path:
    """The folder of converted models.

    cache_dir (str | Path | None): the folder to use; None for $SPACY_SEQMIX_CACHE, or
        ``spacy_seqmix`` in the user's cache folder.
    RETURNS (Path): the folder, which may not exist yet.
    """
    # An empty variable is not set: it would mean the current folder.
    own = cache_dir or os.environ.get("SPACY_SEQMIX_CACHE")
    general = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own or Path(general, "spacy_seqmix")).expanduser()


def converted_folder(path: Path, cache_dir: str | Path | None = None) -> Path:
    """Convert a GGUF file to a folder of safetensors and tokenizer, unless that was done before.

    The folder is named by the file's name, size and content, so an edited file is converted again.
    It is renamed into place, and lists its files and their sizes, so that what is incomplete is
    converted again. One process at a time converts; what a killed one left is removed.

    path (Path): the ``.gguf`` file.
    cache_dir (str | Path | None): see ``cache_root``.
    RETURNS (Path): a folder for ``from_pretrained``; weights are de-quantised to float32.
    RAISES (SeqMixFileError): S302 if the file can't be converted, S573 if the cache can't be read
        or written by this user.
    """
    root = cache_root(cache_dir) / "gguf"
    try:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        folder = root / f"{path.stem}-{path.stat().st_size}-{digest.hexdigest()[:16]}"
        try:
            if not _is_complete(folder):
                _convert_once(path, folder)
        except (PermissionError, Timeout) as err:
            waited = f"another process has been converting for {WAIT:.0f} seconds"
            reason = waited if isinstance(err, Timeout) else describe(err)
            values = {"folder": str(root), "reason": reason}
            raise SeqMixFileError(Errors.E573.format(**values)) from err
    except (MemoryError, SeqMixFileError):
        raise
    except Exception as err:  # transformers raises nearly every type here
        values = {"path": str(path), "reason": describe(err), "cache": str(root)}
        raise SeqMixFileError(Errors.E302.format(**values)) from err
    return folder


def _is_complete(folder: Path) -> bool:
    """Whether a folder has all files that the conversion wrote, in full, and they can be read."""
    try:
        sizes = json.loads((folder / FILES).read_text("utf8"))
        for name, size in sizes.items():
            with (folder / name).open("rb") as file:
                if os.fstat(file.fileno()).st_size != size:
                    return False
    except (FileNotFoundError, ValueError, AttributeError):
        return False
    return True


def _convert_once(path: Path, folder: Path) -> None:
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / LOCK, timeout=WAIT, mode=0o666):
        if _is_complete(folder):  # by another process, in the meantime
            return
        for left_over in root.glob(".*"):  # of killed conversions, since the lock is ours
            if left_over.is_dir():
                shutil.rmtree(left_over)
        temporary = root / f".{folder.name}"
        # Unlike those of tempfile, it can be read by all users whom the umask lets.
        temporary.mkdir()
        try:
            _convert(path, temporary)
            sizes = {file.name: file.stat().st_size for file in temporary.iterdir()}
            (temporary / FILES).write_text(json.dumps(sizes), encoding="utf8")
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _convert(path: Path, folder: Path) -> None:
    """Write what transformers reads from a GGUF file to a folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parent, file = str(path.parent), path.name
    with quiet():
        # Code in the same folder must not run.
        options: dict[str, Any] = {"gguf_file": file, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(  # type: ignore[no-untyped-call]
            parent, **options
        )
        tokenizer.save_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(parent, **options)
        model.save_pretrained(folder)
