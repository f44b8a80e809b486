"""The scores of a folder, by the keys of their texts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ..annotation.texts import parts_of_key
from ..errors import Errors, SeqMixError
from .folder import ScoreFolder
from .row_files import read_rows

__all__ = ["ScoresByKey", "read_scores"]


class ScoresByKey(Mapping[str, float]):
    """Scores by the keys of their texts, in 24 bytes each; a dict takes several times as much."""

    def __init__(self, scores: Iterable[tuple[str, float]]) -> None:
        """scores (Iterable): pairs of a key and its score; no key comes twice.

        RAISES (KeyError): for a key that ``task_key`` did not make.
        """
        numbers, digests, values = array("q"), array("q"), array("d")
        for key, score in scores:
            number, digest = _parts(key)
            numbers.append(number)
            digests.append(digest)
            values.append(score)
        order = np.lexsort((digests, numbers))
        self._numbers = np.array(numbers)[order]
        self._digests = np.array(digests)[order]
        self._values = np.array(values)[order]

    def __getitem__(self, key: str) -> float:
        number, digest = _parts(key)
        low, high = np.searchsorted(self._numbers, [number, number + 1])
        at = low + np.searchsorted(self._digests[low:high], digest)
        if at == high or self._digests[at] != digest:
            raise KeyError(key)
        return float(self._values[at])

    def __iter__(self) -> Iterator[str]:
        for number, digest in zip(self._numbers, self._digests, strict=True):
            yield f"{number}-{digest:010x}"

    def __len__(self) -> int:
        return len(self._values)


def _parts(key: str) -> tuple[int, int]:
    found = parts_of_key(key)
    if found is None:
        raise KeyError(key)
    return found


def read_scores(path: Path) -> ScoresByKey:
    """The scores in a folder, by the keys of their texts; without those that have none.

    RAISES (SeqMixError): S766 for another folder, S767 for damaged rows, S768 where no text has a
        score yet.
    """
    folder = ScoreFolder(path)
    if not folder.settings.exists():
        raise SeqMixError(Errors.E766.format(path=path, reason="it has no score.json"))
    found = ScoresByKey(pair for file in folder.files() for pair in _pairs(file))
    if not found:
        raise SeqMixError(Errors.E768.format(path=path))
    return found


def _pairs(path: Path) -> Iterator[tuple[str, float]]:
    for row in read_rows(path):
        if row.get("score") is not None:
            yield row["key"], row["score"]
