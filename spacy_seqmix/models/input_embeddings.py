"""Change the input embeddings of an encoder from outside, for single calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray

from ..errors import Errors, SeqMixError

# (embedding layer, its output, whether columns come before rows) -> the changed output
Change: TypeAlias = Callable[[torch.nn.Module, torch.Tensor, bool], torch.Tensor]


@contextmanager
def changed(encoder: Any, ids: NDArray[Any], change: Change) -> Iterator[None]:
    """Make calls of an encoder in this thread change the input embeddings of these ids.

    They are changed before the encoder adds positions and types.

    encoder (PreTrainedModel): a Hugging Face model.
    ids (Ints): the ids that the encoder will read, (rows, columns); it may pad or transpose them.
    change (Change): makes the embeddings of the ids.
    RAISES (SeqMixError): S244 if the encoder did not look up these ids in its input embeddings.
    """
    try:
        layer = encoder.get_input_embeddings()
    except NotImplementedError:
        layer = None
    if not isinstance(layer, torch.nn.Module):
        raise SeqMixError(Errors.E244.format(name=type(encoder).__name__))
    thread, count = get_ident(), 0

    def hook(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> Any:
        nonlocal count
        if get_ident() != thread:
            return None
        transposed = _is_transposed(args, ids)
        if transposed is None:
            return None
        count += 1
        return change(module, output, transposed)

    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
    if not count:
        raise SeqMixError(Errors.E244.format(name=type(encoder).__name__))


def _is_transposed(args: tuple[Any, ...], ids: NDArray[Any]) -> bool | None:
    """Whether the input of an embedding layer has the ids' columns first; None for other ids."""
    read = args[0] if args else None
    if not isinstance(read, torch.Tensor) or read.ndim != 2:
        return None
    n_rows, n_columns = ids.shape
    wanted = torch.as_tensor(ids, device=read.device, dtype=read.dtype)
    if torch.equal(read[:n_rows, :n_columns], wanted):
        return False
    if torch.equal(read[:n_columns, :n_rows], wanted.T):  # as XLNet does
        return True
    return None
