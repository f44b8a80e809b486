"""Files and folders that appear whole or not at all, JSON, and progress bars."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any

from tqdm import tqdm

from .errors import Errors, SeqMixError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Half of a character, or the first half of one.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

__all__ = [
    "ProgressBar",
    "check_output",
    "file_digest",
    "link_folder",
    "parse_json",
    "progress_bar",
    "replacing",
    "replacing_folder",
]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


class ProgressBar(tqdm):  # type: ignore[misc]
    """A progress bar that ``progress_bar`` shows. ``ProgressBar.write`` prints a line above it."""

    monitor_interval = 0  # no thread of tqdm: a bar that is shown ticks by itself


def _own_lock() -> None:
    """Give the bars of this process a lock of their own. Forks share that of tqdm: one that is
    killed while it has the lock stops all others."""
    ProgressBar.set_lock(RLock())


_own_lock()
if hasattr(os, "register_at_fork"):  # a thread that has the lock is not in the fork
    os.register_at_fork(after_in_child=_own_lock)


@contextmanager
def progress_bar(
    total: int | None, phase: str, *, shown: bool = True, unit: str = "it"
) -> Iterator[ProgressBar]:
    """Show the progress of a phase, in terminals only; the bar goes when the phase ends.

    total (int | None): the number of steps; None shows the time alone.
    YIELDS (ProgressBar): the bar. It ticks every second, so that a long step does not look like a
        halt.
    """
    layout = "{desc}: {elapsed}" if total is None else None
    disable = None if shown else True  # None: where standard error is no terminal
    ended = Event()

    def tick() -> None:
        while not ended.wait(1.0):
            bar.refresh()

    with ProgressBar(
        total=total, desc=phase, unit=unit, leave=False, bar_format=layout, disable=disable
    ) as bar:
        ticker = Thread(target=tick, daemon=True)
        if not bar.disable:
            ticker.start()
        try:
            yield bar
        finally:
            ended.set()
            if ticker.is_alive():
                ticker.join()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name and rename it once the block has ended well.

    Where the block raises, the temporary file is removed and `path` is as it was before.

    path (Path): the file to write; its folder is made if need be. A link stays one: what it leads
        to is replaced.
    YIELDS (Path): the name to write to, in the same folder: an empty file.
    RAISES (OSError): with the name of `path`.
    """
    path = Path(os.path.realpath(path))
    with _temporary(path, folder=False) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder under a temporary name and rename it once the block has ended well.

    YIELDS (Path): the folder to write to, new and empty.
    RAISES (OSError): with the name of `path`.
    """
    path = Path(os.path.realpath(path))
    with _temporary(path, folder=True) as temporary:
        yield temporary
        if path.exists():
            with _temporary(path, folder=True) as old:
                os.replace(path, old)
                os.replace(temporary, path)
        else:
            os.replace(temporary, path)


def link_folder(link: Path, target: Path) -> None:
    """Let a path lead to a folder beside or below it; where links can't be had, copy the folder.

    link (Path): what it led to before is replaced.
    RAISES (OSError): with the name of `link`.
    """
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    if link.is_symlink() or not link.exists():
        with suppress(OSError), _temporary(link, folder=True) as temporary:
            (temporary / "link").symlink_to(relative, target_is_directory=True)
            os.replace(temporary / "link", link)
            return
        link.unlink(missing_ok=True)
    with replacing_folder(link) as copy:
        shutil.copytree(target, copy, dirs_exist_ok=True)


@contextmanager
def _temporary(path: Path, *, folder: bool) -> Iterator[Path]:
    """A new file or folder beside `path`. No other process has its name, and it is short.

    It is locked as long as it is in use: what nobody has locked was left by a killed process, and
    goes as soon as anything is written in the same folder.
    """
    temporary = path
    handle: int | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(path.parent)
        while handle is None:
            temporary = path.with_name(f".seqmix-{secrets.token_hex(8)}.tmp")
            handle = _create(temporary, folder)
        try:
            yield temporary
        finally:
            os.close(handle)
            _remove(temporary)
    except OSError as err:
        # Of a full disk, say, the system does not name the file.
        if err.errno is None or (err.filename and temporary.name not in str(err.filename)):
            raise
        raise OSError(err.errno, err.strerror, str(path)) from err


def _create(temporary: Path, folder: bool) -> int | None:
    """Make and lock a new file or folder; None where another process took it for a left-over."""
    if folder:
        temporary.mkdir()
    else:
        temporary.touch(exist_ok=False)
    # An open file of Windows can't be renamed.
    try:
        handle = os.open(os.devnull if fcntl is None else temporary, os.O_RDONLY)
    except FileNotFoundError:
        return None
    _lock(handle, wait=True)
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return None


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file or folder. RETURNS (bool): whether it is locked now."""
    if fcntl is None:
        return False
    with suppress(OSError):  # another process has it, or the file system knows no locks
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    return False


def _remove_left_over(folder: Path) -> None:
    """Remove the temporary files of killed processes."""
    for path in folder.glob(".seqmix-*.tmp") if fcntl is not None else ():
        with suppress(OSError):  # it has gone by now, or belongs to another user
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if _lock(handle, wait=False):
                    _remove(path)
            finally:
                os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file or a folder, which need not be there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def parse_json(text: str | bytes) -> Any:
    """Read JSON of any origin.

    Not srsly's reader: it gives 0.6 back as another number.

    RAISES (ValueError): where it is no JSON in UTF-8, is nested too deeply, or has numbers of
        thousands of digits or escapes that are no characters.
    """
    text = text.decode("utf8") if isinstance(text, bytes) else text
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):  # which may neither be written nor become a token
            json.dumps(value, ensure_ascii=False).encode("utf8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over an input, whatever its name: links count. RAISES (SeqMixError): S549."""
    real = os.path.realpath(path)
    for other in inputs:
        same = real == os.path.realpath(other)
        if same or (os.path.exists(real) and other.exists() and other.samefile(real)):
            raise SeqMixError(Errors.E549.format(path=path))
