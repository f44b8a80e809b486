"""How exactly torch multiplies matrices while a run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Set the precision of torch's products of float32 matrices, and restore it at the end.

    name (str): "highest", "high" or "medium", as ``torch.set_float32_matmul_precision`` has them.
        Tensors stay float32 with each; devices without faster products take no notice.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
