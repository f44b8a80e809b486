"""The docs of a run: the pool and what is labelled of it, the other files, and the gold oracle."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import is_docbin, read_docs
from ..annotation.lazy_docs import LazyDocs, all_docs_of, docs_of, lazy_docs
from ..annotation.whitespace import is_blank
from ..errors import Errors, SeqMixError, plural
from ..files import file_digest
from ..types import Answer, Oracle
from .annotation import GoldLabels
from .config import ActiveConfig
from .journal import RoundRecord
from .oracles import GoldOracle
from .pool_files import PoolFile, check_known, files_of, generations_of, in_order
from .run_folder import RunFolder

# The fields that name other files of docs.
FILES = ("dev", "test", "unlabelled")
# Streams of random numbers, besides those of the loop.
POOL, UNLABELLED = 1, 6


@dataclass(frozen=True)
class Pool:
    """The docs of a run, and what is known of them.

    docs (Mapping[int, Doc]): by their number in the pool's file, where empty docs count too.
    queried (tuple[int, ...]): ids of what finished rounds labelled, in the order of the rounds.
    held (frozenset[int]): those of them that are set aside for evaluation.
    answers (Mapping[int, Answer]): the last answer to each text that has one, by its id. What has
        none is labelled in the file.
    grown (tuple[int, ...]): the first number of each generation of files but the first.
    """

    docs: Mapping[int, Doc]
    queried: tuple[int, ...] = ()
    held: frozenset[int] = frozenset()
    answers: Mapping[int, Answer] = field(default_factory=dict)
    grown: tuple[int, ...] = ()

    @property
    def labelled(self) -> tuple[int, ...]:
        """Ids to train on, in the order in which they were labelled."""
        return tuple(i for i in self.queried if i not in self.held and not self._is_skipped(i))

    @property
    def held_out(self) -> tuple[int, ...]:
        """Ids of labelled docs that are set aside for evaluation, in the same order."""
        return tuple(i for i in self.queried if i in self.held and not self._is_skipped(i))

    @property
    def skipped(self) -> list[int]:
        """Ids that somebody refused to label."""
        return sorted(i for i in self.answers if self._is_skipped(i))

    @property
    def unlabelled(self) -> list[int]:
        """Ids that may be asked, in the order of the file."""
        done = {*self.queried, *self.skipped}
        return [i for i in self.docs if i not in done]

    @property
    def generations(self) -> list[list[int]]:
        """The ids of the files that the run began with, of those that came next, ..."""
        bounds = [0, *self.grown]
        out: list[list[int]] = [[] for _ in bounds]
        for i in self.docs:
            out[bisect_right(bounds, i) - 1].append(i)
        return out

    def take(self, ids: Iterable[int]) -> list[Doc]:
        """The docs of these ids, in their order; labelled ones with their labels."""
        given = {i: a.doc for i, a in self.answers.items() if a.doc is not None}
        ids = list(ids)
        rest = iter(all_docs_of(self.docs, (i for i in ids if i not in given)))
        return [given[i] if i in given else next(rest) for i in ids]

    def with_batch(self, ids: Sequence[int], held: Iterable[int]) -> Pool:
        """The pool with more labelled docs; this one stays as it is."""
        return replace(self, queried=(*self.queried, *ids), held=self.held.union(held))

    def _is_skipped(self, number: int) -> bool:
        answer = self.answers.get(number)
        return answer is not None and answer.skipped


class Data(NamedTuple):
    """The docs of a run; the annotation of ``unlabelled`` is ignored.

    dev (list[Doc] | None): None where a share of what is labelled is set aside.
    files (list[list[PoolFile]]): the pool's, by generations.
    """

    pool: Pool
    dev: list[Doc] | None
    test: list[Doc] | None
    unlabelled: list[Doc]
    files: list[list[PoolFile]]


def read_data(
    config: ActiveConfig,
    nlp: Language,
    labels_of: GoldLabels,
    folder: RunFolder,
    *,
    progress: bool = False,
) -> Data:
    """Read the files that a config names. Of those of the pool, memory holds places alone.

    nlp (Language): the docs get its vocabulary.
    labels_of (GoldLabels): what the component learns from a doc.
    folder (RunFolder): knows the files that the pool had.
    progress (bool): show progress bars.
    RAISES (SeqMixError): S403, S404, S501 and S610 for files that can't be used, S431 where nothing
        that the component learns is annotated in dev, in test, or in the pool of a gold oracle,
        S760 for a pool that changed otherwise than by new files, S762.
    """
    active, gold = config.active, config.active.oracle.needs_gold

    def labelled(path: Path) -> list[Doc]:
        docs = read_docs(path, nlp, need_entities=False, progress=progress)
        if not any(map(labels_of, docs)):
            raise _without_labels(config, path)
        return docs

    known = folder.pool_files()
    generations = in_order(files_of(active.pool, folder.path), known, folder.path)
    paths = [path for generation in generations for path in generation]
    if gold and (texts := [path for path in paths if not is_docbin(path)]):
        raise _without_labels(config, texts[0])
    docs = lazy_docs(paths, nlp, check=gold, progress=progress)
    check_known(docs, known, folder.path)
    if known and len(generations) > len(known) and active.pool_size is not None:
        raise SeqMixError(Errors.E762.format(path=folder.path))
    if gold and not any(map(labels_of, docs_of(docs, docs))):
        raise _without_labels(config, paths[0])
    # People label all texts where these are fewer than a batch.
    pool = make_pool(docs, active.pool_size, active.n_seed if gold else 1, active.seed, paths[0])
    ends = accumulate(map(len, generations[:-1]))
    pool = replace(pool, grown=tuple(docs.first_of(end) for end in ends))
    dev = labelled(active.dev) if active.dev else None
    test = labelled(active.test) if active.test else None
    unlabelled = _read_unlabelled(config, nlp, progress)
    return Data(pool, dev, test, unlabelled, generations_of(docs, generations))


def _without_labels(config: ActiveConfig, path: Path) -> SeqMixError:
    name = config.active.component
    factory = config.training["components"].get(name, {}).get("factory", "sourced")
    return SeqMixError(Errors.E431.format(path=path, name=name, factory=factory))


def digests(config: ActiveConfig) -> dict[str, str]:
    """SHA-256 of each other file that ``read_data`` reads, by the field that names it."""
    paths = {name: getattr(config.active, name) for name in FILES}
    if not config.of_pool:
        del paths["unlabelled"]
    return {name: file_digest(path) for name, path in paths.items() if path is not None}


def make_pool(
    docs: Mapping[int, Doc], size: int | None, n_seed: int, seed: int, path: Path
) -> Pool:
    """Make a pool of all docs with words, or of a random sample of them.

    RAISES (SeqMixError): S404 when there are fewer docs than the sample or the seed set needs.
    """
    ids = [i for i in docs if isinstance(docs, LazyDocs) or not is_blank(docs[i])]
    check_size(len(ids), size or n_seed, "pool_size" if size else "n_seed", path)
    check_size(size or n_seed, n_seed, "n_seed", path)
    ids = [ids[i] for i in sample(len(ids), size, [seed, POOL])]
    return Pool(docs.only(ids) if isinstance(docs, LazyDocs) else {i: docs[i] for i in ids})


def pool_of(pool: Pool, records: Sequence[RoundRecord], journal: Path) -> Pool:
    """The pool after the rounds of a journal.

    RAISES (SeqMixError): S510 where the journal has docs that the pool has not.
    """
    queried = tuple(number for record in records for number in record.queried)
    if unknown := [number for number in queried if number not in pool.docs]:
        reason = (
            f"the pool has no doc with the number {unknown[0]}, or it is blank: older versions "
            "asked for blank docs too"
        )
        name = journal.parent.name
        raise SeqMixError(Errors.E510.format(name=name, path=journal, reason=reason))
    held = frozenset(number for record in records for number in record.held_out)
    return replace(pool, queried=queried, held=held)


def check_size(available: int, wanted: int, field: str, path: Path) -> None:
    """RAISES (SeqMixError): S404 where a file has fewer docs than a field needs."""
    if available < wanted:
        raise SeqMixError(
            Errors.E404.format(
                path=path, found=plural(available, "doc"), field=field, wanted=wanted
            )
        )


def sample(n_docs: int, size: int | None, seed: Sequence[int]) -> list[int]:
    """Draw some of the numbers below n_docs at random, in order; all of them for None."""
    if size is None:
        return list(range(n_docs))
    return sorted(np.random.default_rng(seed).permutation(n_docs)[:size].tolist())


def make_gold_oracle() -> Oracle:
    """Create the oracle that reveals the annotation that the pool has: for simulations."""
    return GoldOracle()


def _read_unlabelled(config: ActiveConfig, nlp: Language, progress: bool) -> list[Doc]:
    active = config.active
    if active.unlabelled is None or not config.of_pool:
        return []
    docs = read_docs(active.unlabelled, nlp, need_entities=False, progress=progress)
    size = active.unlabelled_size
    check_size(len(docs), size or 0, "unlabelled_size", active.unlabelled)
    return [docs[i] for i in sample(len(docs), size, [active.seed, UNLABELLED])]
