"""The options of commands that use a Label Studio server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ..annotate.label_studio.names import TOKEN_ENV
from ..errors import Errors, SeqMixError

if TYPE_CHECKING:
    from ..annotate.label_studio.server import Server

__all__ = ["TOKEN_ENV", "ProjectOption", "TokenOption", "server_of"]

ProjectOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--project", help="Its project: the number, or the title"),
]
TokenOption: TypeAlias = Annotated[
    str,
    typer.Option("--token-env", help="Environment variable that has a token of a user"),
]


def server_of(
    option: str,
    url: str | None,
    project: str | None,
    token_env: str,
    files: Path | list[Path] | None,
    instead: str,
    unused: Mapping[str, bool],
) -> Server | None:
    """The server that a command names, if it names one.

    option (str): what names it, such as "--to".
    files (object): what is given in place of a server.
    instead (str): how that is given, for messages.
    unused (Mapping): options that files alone have, and whether they are given.
    RAISES (SeqMixError): S781, S782, and S788 where both are given, or none, or a part.
    """
    if url is None:
        if project is not None:
            raise SeqMixError(Errors.E788.format(option="--project", fix=f"give {option} URL"))
        if not files:
            raise SeqMixError(Errors.E788.format(option=option, fix=f"give it, or {instead}"))
        return None
    if project is None:
        raise SeqMixError(Errors.E788.format(option=option, fix="give --project as well"))
    if files:
        raise SeqMixError(Errors.E788.format(option=option, fix=f"leave out {instead}"))
    for name, is_given in unused.items():
        if is_given:
            raise SeqMixError(Errors.E788.format(option=option, fix=f"leave out {name}"))
    from ..annotate.label_studio.server import Server

    return Server(url, token_env)
