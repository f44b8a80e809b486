"""Labelled and unlabelled ids, and the docs behind them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError


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

    RAISES (SeqMixError): S404 when it is smaller than asked for or than the seed set.
    """
    check_size(len(docs), size or n_seed, "pool_size" if size else "n_seed", path)
    check_size(size or n_seed, n_seed, "n_seed", path)
    return Pool({i: docs[i] for i in sample(len(docs), size, [seed, 1])})


def check_size(found: int, wanted: int, field: str, path: Path) -> None:
    """RAISES (SeqMixError): S404 where a file has fewer docs than a field asks for."""
    if found < wanted:
        raise SeqMixError(Errors.E404.format(path=path, found=found, field=field, wanted=wanted))


def sample(n_docs: int, size: int | None, seed: Sequence[int]) -> list[int]:
    """So many numbers of docs, drawn at random, in order; all of them for None."""
    if size is None:
        return list(range(n_docs))
    return sorted(np.random.default_rng(seed).permutation(n_docs)[:size].tolist())


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
