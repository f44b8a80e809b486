"""What the commands share: options, and how text, warnings and errors are shown."""

import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer
from click import NoSuchOption
from spacy.cli._util import import_code, parse_config_overrides
from wasabi import msg

from .. import __version__
from ..errors import Errors, SeqMixError, SeqMixFileError

# For commands whose other options are overrides of config values.
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
# Line breaks and tabs apart. Terminals obey some of them: they can clear the screen.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LONGEST = 1000
_NO_MEMORY = "can't allocate memory"  # a RuntimeError of torch, on the CPU
OURS = r"\[W[2-9]\d\d\]"  # spaCy's own have lower numbers


def _import_code(path: Path | None) -> Path | None:
    import_code(path)  # where that fails, it says why and exits
    return path


CODE_HELP = "Python file with registered functions to import first"
CodeOption = Annotated[
    Path | None, typer.Option("--code", "-c", callback=_import_code, help=CODE_HELP)
]
GpuOption = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU id, or -1 for the CPU")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def show_version(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit"
        ),
    ] = False,
) -> None:
    """Define the options of `spacy seqmix` itself, and prepare the output of all commands."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal can't encode is no error
            stream.reconfigure(errors="replace")
    if not shows_colour():
        msg.show_color = False


def shows_colour() -> bool:
    """Whether standard output is a terminal, and the user has not set NO_COLOR."""
    return sys.stdout.isatty() and not os.getenv("NO_COLOR")


def printable(text: str) -> str:
    """Escape control characters, but line breaks and tabs: docs, labels and names may have any."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def names_of(text: str) -> list[str]:
    """The names in an option that commas separate."""
    return [name.strip() for name in text.split(",")]


def read_overrides(ctx: typer.Context) -> dict[str, Any]:
    """Read overrides of config values as spaCy's commands do. A wrong one ends the command.

    Each needs a value. In spaCy's commands one without is "true", which would pass for 1.
    """
    args = ctx.args
    for name, value in zip_longest(args, args[1:], fillvalue="--"):
        if name.startswith("--") and "." in name and "=" not in name and value.startswith("--"):
            msg.fail(f"{name} has no value. Give one: {name} VALUE", exits=1)
    try:
        return parse_config_overrides(list(args))
    except NoSuchOption as err:
        known = [name for option in ctx.command.params for name in option.opts]
        near = get_close_matches(err.option_name, known, 1)
        hint = "Write config values with their section: --active.n_seed 100"
        hint = f"Did you mean {near[0]}?" if near else hint
        msg.fail(f"No such option: {err.option_name}. {hint}", exits=1)


@contextmanager
def show_messages() -> Iterator[None]:
    """Show warnings and errors as messages; an error ends the command."""
    try:
        with show_warnings():
            yield
    except BrokenPipeError:  # the reader of the output has ended
        raise
    except (ValueError, ImportError, OSError, MemoryError, RuntimeError) as err:
        if isinstance(err, RuntimeError) and not _is_of_memory(err):
            raise  # a bug, of this package or of a library: its traceback is wanted
        from ..active.journal import LOCKED_EXIT_CODE

        msg.fail(_shown(_with_code(err)))
        locked = getattr(err, "code", None) == "S412"
        raise typer.Exit(LOCKED_EXIT_CODE if locked else 1) from err


def _shown(message: Exception | str) -> str:
    """A message on the terminal: of a long text that it quotes, the beginning and its own end."""
    text = printable(str(message))
    return text if len(text) <= 2 * LONGEST else f"{text[:LONGEST]} [...] {text[-LONGEST:]}"


def _is_of_memory(err: Exception) -> bool:
    """Whether Python, NumPy, torch or CuPy had too little memory."""
    if isinstance(err, RuntimeError):  # of torch, which may not be imported
        return type(err).__name__ == "OutOfMemoryError" or _NO_MEMORY in str(err)
    return isinstance(err, MemoryError)


def _with_code(err: Exception) -> Exception:
    """Give errors of memory and of the operating system a code; the latter also name the file."""
    if _is_of_memory(err):
        reason = (str(err).strip().splitlines() or [type(err).__name__])[0]
        return SeqMixError(Errors.E619.format(reason=reason.rstrip(".")))
    if not isinstance(err, OSError) or err.errno is None:
        return err
    path = "a file" if err.filename is None else str(err.filename)
    return SeqMixFileError(Errors.E600.format(path=path, reason=err.strerror))


@contextmanager
def show_warnings() -> Iterator[None]:
    """Show warnings of this package and of spaCy as messages, without the line of code."""
    with warnings.catch_warnings():
        as_usual = warnings.showwarning

        def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if str(message).startswith("[W"):
                msg.warn(_shown(message))
            else:
                as_usual(message, *args, **kwargs)

        warnings.showwarning = show
        warnings.filterwarnings("default", message=OURS)
        yield
