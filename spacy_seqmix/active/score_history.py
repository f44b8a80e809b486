"""The scores of a run's queries, round by round, for policies that look back."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import Errors, SeqMixError
from ..files import replacing
from ..types import Floats1d, Floats2d


def write_scores(path: Path, ids: Sequence[int], scores: Floats1d) -> None:
    """Write the scores of docs, by their ids; the file appears whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, ids=np.asarray(ids, dtype="int64"), scores=scores)


def read_history(
    path_of: Callable[[int], Path], number: int, rounds: int, ids: Sequence[int]
) -> Floats2d:
    """Read the scores of the rounds before a round.

    path_of (Callable): the file of a round's scores. One that is missing has none.
    number (int): the round that queries now; round 0 has no scores.
    rounds (int): how many rounds to read.
    ids (Sequence[int]): ids of docs.
    RETURNS (Floats2d): shape (n_docs, n), n at most ``rounds``, the last round in the last column;
        NaN for docs that a round did not score.
    RAISES (SeqMixError): S715 for a file that can't be read.
    """
    before = range(max(1, number - rounds), number)
    columns = [_column(path_of(k), ids) for k in before]
    return np.stack(columns, axis=1) if columns else np.zeros((len(ids), 0), dtype="float32")


def _column(path: Path, ids: Sequence[int]) -> Floats1d:
    if not path.exists():
        return np.full(len(ids), np.nan, dtype="float32")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            known = dict(zip(found["ids"].tolist(), found["scores"].tolist(), strict=True))
    except Exception as err:  # zip, numpy and the file system each have their own
        raise SeqMixError(Errors.E715.format(path=path, reason=err)) from err
    return np.array([known.get(i, np.nan) for i in ids], dtype="float32")
