"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "replacing_folder"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name and rename it once the block has ended well.

    Where the block raises, the temporary file is removed and `path` is as it was before.

    path (Path): the file to write; its folder is made if need be.
    YIELDS (Path): the name to write to, in the same folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder under a temporary name and rename it once the block has ended well.

    YIELDS (Path): the folder to write to, new and empty; what a killed run left there is removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    for left_over in path.parent.glob(f".{path.name}.*.tmp"):  # of a killed run
        shutil.rmtree(left_over)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
