"""Score a pool, shard by shard: what is done is not done again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from heapq import nlargest
from pathlib import Path

from filelock import FileLock
from spacy.language import Language

from .. import __version__
from ..active.pool_files import files_of
from ..annotation.lazy_docs import LazyDocs, lazy_docs
from ..annotation.texts import number_in
from ..distill.teachers import pipeline_digest
from ..errors import Errors, SeqMixError, Warnings, plural
from ..files import check_output, progress_bar
from ..parallel.workers import Lost, Piece, RayOptions, error_of_lost, results_of
from .folder import ScoreFolder, Share, release
from .row_files import check_format
from .scorer import Part, Row, Scorer, Wanted, make_scorer

__all__ = ["ScoreRun", "score_pool"]

# Texts of a shard, where their number is not given.
SIZE = 2000


@dataclass(frozen=True)
class ScoreRun:
    """What a call did.

    texts, shards (int): of the whole pool.
    new, done (int): the shards that this call computed, and those that are done by now.
    failed (tuple[Row, ...]): the texts for which a component failed, of the shards that this call
        was to compute and that are done by now, whoever computed them: with ``share`` of one shard,
        else of all.
    component (str | None): the component that was asked.
    top (Path | None): the file of the texts with the highest scores.
    """

    texts: int
    shards: int
    new: int
    done: int
    failed: tuple[Row, ...]
    component: str | None
    top: Path | None


def score_pool(
    wanted: Wanted,
    pool: Sequence[Path],
    out: Path,
    *,
    share: Share | None = None,
    n_shards: int | None = None,
    top: int | None = None,
    format: str = "jsonl",
    ray: RayOptions | None = None,
    nlp: Language | None = None,
    progress: bool = True,
) -> ScoreRun:
    """Compute what is wanted of each text of a pool.

    wanted (Wanted): what is computed.
    pool (Sequence[Path]): files, patterns and folders, see ``files_of``.
    out (Path): the folder of the results.
    share (Share | None): do one shard alone, of so many; None for all.
    n_shards (int | None): divide the pool into so many; None for 2000 texts each.
    top (int | None): also write so many texts with the highest scores, of all that are done.
    format (str): of the files of rows, one of ``FORMATS``.
    ray (RayOptions | None): let the workers of a Ray cluster compute, see ``results_of``. They need
        the same model at the same place; the files are read and written here.
    nlp (Language | None): the pipeline, where it is loaded already.
    progress (bool): show a progress bar.
    RAISES (SeqMixError): S403, S501 and S610 for texts that can't be read, S549 for an output over
        an input, S582 for a damaged doc, once the shards without one are done, S761 for a file
        that changed, S763 for more shards than texts, S765 and S766 for a
        folder with other results, S750 and S751 for the format, S769 for shards that kill their
        workers, those of ``Scorer``, and S770 to S774.

    Warns with W760 of texts for which a component failed.
    """
    paths = files_of(pool, out)
    check_format(format, out)
    check_output(out, [*paths, Path(wanted.model)])
    # Where workers compute, this machine need not have the language model.
    scorer = Scorer(wanted if ray is None else replace(wanted, lm=None), nlp)
    digest = pipeline_digest(scorer.nlp)
    docs = lazy_docs(paths, scorer.nlp, progress=progress)
    ids = list(docs)
    n_shards = n_shards if share is None else share.of
    n_shards = -(-len(ids) // SIZE) if n_shards is None else n_shards
    if n_shards > len(ids):
        found = plural(len(ids), "text")
        raise SeqMixError(Errors.E763.format(shards=n_shards, found=found))
    folder = ScoreFolder(out, n_shards, format)
    folder.open(_settings(wanted, docs, digest, folder))
    numbers = range(n_shards) if share is None else [share.number - 1]
    with progress_bar(len(ids), "Scoring", shown=progress, unit="text") as bar:
        work = _Work(folder, docs, ids, bar.update)
        # Here the pipeline is in memory already.
        make = (lambda: scorer) if ray is None else partial(make_scorer, wanted, digest)
        try:
            for number, result in results_of(make, work.pieces(numbers), ray):
                work.keep(number, result)
        finally:
            work.release()
    if work.lost:
        raise error_of_lost(work.lost, "shard", lambda number: folder.shard(number).stem)
    if work.damaged:
        raise work.damaged[0]
    new, done = work.new, folder.done()
    failed = tuple(work.failed(sorted({*numbers} & {*done})))
    if failed:
        shown = "; ".join(f"{row['key']}: {row['error']}" for row in failed[:3])
        text = Warnings.W760.format(n=plural(len(failed), "text"), shown=shown)
        warnings.warn(text, stacklevel=2)
    if top is not None:
        _write_top(folder, done, docs, top)
    component = scorer.component
    return ScoreRun(
        len(ids), n_shards, new, len(done), failed, component, None if top is None else folder.top
    )


@dataclass
class _Work:
    """The shards that this call computes."""

    folder: ScoreFolder
    docs: LazyDocs
    ids: Sequence[int]
    update: Callable[[int], object]
    new: int = 0
    errors: dict[int, list[Row]] = field(default_factory=dict)
    claims: dict[int, FileLock] = field(default_factory=dict)
    lost: dict[int, Lost] = field(default_factory=dict)
    damaged: list[SeqMixError] = field(default_factory=list)

    def pieces(self, numbers: Iterable[int]) -> Iterator[Piece]:
        """The texts of the shards that nobody has computed or computes."""
        for number in numbers:
            some = ids_of(self.ids, number, self.folder.n_shards)
            done = self.folder.shard(number).exists()
            claim = None if done else self.folder.claim(number)
            if claim is None:
                self.update(len(some))
            else:
                self.claims[number] = claim
                packed = self._packed(some)
                if packed is None:
                    release(self.claims.pop(number))
                    self.update(len(some))
                else:
                    yield Piece(number, Part(number, some, packed))

    def _packed(self, some: Sequence[int]) -> list[list[str] | bytes] | None:
        """The texts of a shard; None where a doc is damaged. The other shards go on."""
        try:
            return self.docs.packed(some)
        except SeqMixError as err:
            if err.code != "S582":
                raise
            self.damaged.append(err)
            return None

    def keep(self, number: int, result: tuple[list[Row], bytes | None] | Lost) -> None:
        """Write a shard that is done."""
        if isinstance(result, Lost):
            self.lost[number] = result
        else:
            self.folder.write(number, *result)
            self.errors[number] = _errors(result[0])
            self.new += 1
        release(self.claims.pop(number))
        self.update(len(ids_of(self.ids, number, self.folder.n_shards)))

    def failed(self, numbers: Iterable[int]) -> Iterator[Row]:
        """The rows of texts that failed; those of other calls are read."""
        for number in numbers:
            known = self.errors.get(number)
            yield from _errors(self.folder.rows(number)) if known is None else known

    def release(self) -> None:
        """Let other processes have what is not done."""
        for claim in self.claims.values():
            release(claim)


def ids_of(ids: Sequence[int], number: int, n_shards: int) -> Sequence[int]:
    """The texts of a shard: all of them are as large, but for one text."""
    return ids[number * len(ids) // n_shards : (number + 1) * len(ids) // n_shards]


def _settings(
    wanted: Wanted, docs: LazyDocs, digest: str, folder: ScoreFolder
) -> dict[str, object]:
    # Folders of older versions, which have lines of JSON, do not name the format.
    return {
        **({} if folder.format == "jsonl" else {"format": folder.format}),
        **asdict(wanted),
        "model": digest,
        "pool": [file.sha256 for file in docs.files],
        "shards": folder.n_shards,
        "version": __version__,
    }


def _errors(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if "error" in row]


def _rows(folder: ScoreFolder, done: Iterable[int]) -> Iterator[Row]:
    return (row for number in done for row in folder.rows(number))


def _write_top(folder: ScoreFolder, done: Iterable[int], docs: LazyDocs, top: int) -> None:
    scored = (row for row in _rows(folder, done) if row.get("score") is not None)
    best = nlargest(top, scored, key=lambda row: float(row["score"]))
    numbers = [number_in(row["key"]) for row in best]
    texts = docs.texts(number for number in numbers if number is not None)
    folder.write_top([{**row, "text": text} for row, text in zip(best, texts, strict=True)])
