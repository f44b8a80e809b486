"""How exactly torch multiplies matrices while a run lasts."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from .schema import Precision


@contextmanager
def matmul_precision(name: Precision) -> Iterator[None]:
    """Set the precision of torch's products of float32 matrices, and restore it at the end.

    name (str): "highest", "high" or "medium", as ``torch.set_float32_matmul_precision`` has them:
        tensors stay float32, and devices without faster products take no notice. "bfloat16" is
        "medium" and, on the CPU, torch's autocast besides: what is multiplied is rounded to
        bfloat16, while weights, sums over layers and what a model gives out stay float32.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if name == "bfloat16" else name)
    try:
        if name == "bfloat16":
            # The context spans many steps, after each of which copies of weights would be stale.
            with torch.autocast("cpu", torch.bfloat16, cache_enabled=False), _float32_outputs():
                yield
        else:
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _float32_outputs() -> Iterator[None]:
    """Make the outputs of the outermost module float32: NumPy, and so thinc, has no bfloat16."""
    depth = 0

    def enter(module: torch.nn.Module, args: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(module: torch.nn.Module, args: Any, output: Any) -> Any:
        nonlocal depth
        depth -= 1
        return output if depth else _to_float32(output)

    hooks = [
        register_module_forward_pre_hook(enter),
        # Also where a module raises, or the depth would be wrong from there on.
        register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _to_float32(output: Any) -> Any:
    """The same with its bfloat16 tensors as float32; transformers' outputs are changed in place."""
    if isinstance(output, torch.Tensor):
        return output.float() if output.dtype == torch.bfloat16 else output
    if isinstance(output, MutableMapping):
        for name, value in output.items():
            output[name] = _to_float32(value)
        return output
    if type(output) in (tuple, list):
        return type(output)(map(_to_float32, output))
    return output
