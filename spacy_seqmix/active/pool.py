"""Labelled and unlabelled ids, and the docs behind them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from spacy.tokens import Doc

from ..errors import Errors


@dataclass
class Pool:
    """The docs of a run by their number in the pool's file, and which are labelled so far."""

    docs: dict[int, Doc]
    labelled: list[int] = field(default_factory=list)

    @property
    def unlabelled(self) -> list[int]:
        """Ids in the order of the file."""
        done = set(self.labelled)
        return [i for i in self.docs if i not in done]

    def take(self, ids: Iterable[int]) -> list[Doc]:
        """The docs of these ids, in their order."""
        return [self.docs[i] for i in ids]


def make_pool(docs: Sequence[Doc], size: int | None, n_seed: int, seed: int, path: Path) -> Pool:
    """A pool of all docs, or of a random sample of them.

    RAISES (ValueError): S404 when it is smaller than asked for or than the seed set.
    """
    wanted = size or n_seed
    if len(docs) < wanted:
        field_name = "pool_size" if size else "n_seed"
        raise ValueError(
            Errors.E404.format(path=path, found=len(docs), field=field_name, wanted=wanted)
        )
    if size is not None and size < n_seed:
        raise ValueError(Errors.E404.format(path=path, found=size, field="n_seed", wanted=n_seed))
    ids: list[int] = list(range(len(docs)))
    if size is not None:
        ids = sorted(int(i) for i in np.random.default_rng([seed, 1]).permutation(len(docs))[:size])
    return Pool({i: docs[i] for i in ids})


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
