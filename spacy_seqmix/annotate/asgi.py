"""What the servers' guards share: bodies that are limited, and short refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

__all__ = ["TooLargeError", "limited", "refuse"]


class TooLargeError(Exception):
    """A body that grows beyond the limit while it is read."""


def limited(receive: Receive, most: int) -> Receive:
    """Cut off a body at a limit, as one without a length must be.

    most (int): the number of bytes.
    RETURNS (Receive): raises ``TooLargeError`` beyond them.
    """
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise TooLargeError
        return message

    return receive_some


async def refuse(send: Send, status: int, reason: str) -> None:
    """Answer with a status, and a line of text that says why."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
