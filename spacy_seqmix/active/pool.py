"""The docs of a run: the pool and its labelled ids, the other files, and the oracle."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import read_docs, read_numbered_docs
from ..annotation.whitespace import is_blank
from ..errors import Errors, SeqMixError, plural
from .annotation import GoldLabels
from .journal import RoundRecord
from .schema import ActiveConfig, DocOracle

# The fields that name files of docs.
FILES = ("pool", "dev", "test", "unlabelled")
# Streams of random numbers, besides those of the loop.
POOL, UNLABELLED = 1, 6


@dataclass(frozen=True)
class Pool:
    """The docs of a run, and which of them are labelled.

    docs (Mapping[int, Doc]): by their number in the pool's file, where empty docs count too.
    labelled (tuple[int, ...]): ids, in the order in which they were labelled.
    """

    docs: Mapping[int, Doc]
    labelled: tuple[int, ...] = ()

    @property
    def unlabelled(self) -> list[int]:
        """Ids in the order of the file."""
        done = set(self.labelled)
        return [i for i in self.docs if i not in done]

    def take(self, ids: Iterable[int]) -> list[Doc]:
        """The docs of these ids, in their order."""
        return [self.docs[i] for i in ids]

    def with_labels(self, ids: Sequence[int], docs: Sequence[Doc]) -> "Pool":
        """The pool with more labelled docs; this one stays as it is."""
        changed = {**self.docs, **dict(zip(ids, docs, strict=True))}
        return replace(self, docs=changed, labelled=(*self.labelled, *ids))


class Data(NamedTuple):
    """The docs of a run; the annotation of ``unlabelled`` is ignored."""

    pool: Pool
    dev: list[Doc]
    test: list[Doc] | None
    unlabelled: list[Doc]


def read_data(
    config: ActiveConfig, nlp: Language, labels_of: GoldLabels, *, progress: bool = False
) -> Data:
    """Read the files that a config names.

    nlp (Language): the docs get its vocabulary.
    labels_of (GoldLabels): what the component learns from a doc.
    progress (bool): show progress bars.
    RAISES (SeqMixError): S403 and S404 for files that can't be used, S431 where nothing that the
        component learns is annotated.
    """
    active = config.active

    def labelled(path: Path) -> dict[int, Doc]:
        docs = read_numbered_docs(path, nlp, need_entities=False, progress=progress)
        if not any(labels_of(doc) for doc in docs.values()):
            factory = config.training["components"][active.component]["factory"]
            name = active.component
            raise SeqMixError(Errors.E431.format(path=path, name=name, factory=factory))
        return docs

    docs = labelled(active.pool)
    pool = make_pool(docs, active.pool_size, active.n_seed, active.seed, active.pool)
    dev = list(labelled(active.dev).values())
    test = list(labelled(active.test).values()) if active.test else None
    return Data(pool, dev, test, _read_unlabelled(config, nlp, progress))


def digests(config: ActiveConfig) -> dict[str, str]:
    """SHA-256 of each file that ``read_data`` reads, by the field that names it."""
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
    docs = {i: doc for i, doc in docs.items() if not is_blank(doc)}
    check_size(len(docs), size or n_seed, "pool_size" if size else "n_seed", path)
    check_size(size or n_seed, n_seed, "n_seed", path)
    ids = list(docs)
    return Pool({ids[i]: docs[ids[i]] for i in sample(len(docs), size, [seed, POOL])})


def pool_of(docs: Mapping[int, Doc], records: Sequence[RoundRecord], journal: Path) -> Pool:
    """The pool after the rounds of a journal.

    docs (Mapping[int, Doc]): all docs of the pool.
    RAISES (SeqMixError): S510 where the journal has docs that the pool has not.
    """
    labelled = tuple(number for record in records for number in record.queried)
    if unknown := [number for number in labelled if number not in docs]:
        reason = (
            f"the pool has no doc with the number {unknown[0]}, or it is blank: older versions "
            "asked for blank docs too"
        )
        name = journal.parent.name
        raise SeqMixError(Errors.E510.format(name=name, path=journal, reason=reason))
    return Pool(docs, labelled)


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


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_gold_oracle() -> DocOracle:
    """Create the oracle that reveals the annotation that the pool has: for simulations."""
    return list


def ask(oracle: DocOracle, docs: Sequence[Doc]) -> list[Doc]:
    """Have docs labelled. RAISES (SeqMixError): S435 unless the oracle returns as many docs."""
    labelled = list(oracle(docs))
    if len(labelled) != len(docs):
        raise SeqMixError(
            Errors.E435.format(returned=plural(len(labelled), "doc"), given=len(docs))
        )
    return labelled


def _read_unlabelled(config: ActiveConfig, nlp: Language, progress: bool) -> list[Doc]:
    active = config.active
    if active.unlabelled is None or not config.of_pool:
        return []
    docs = read_docs(active.unlabelled, nlp, need_entities=False, progress=progress)
    size = active.unlabelled_size
    check_size(len(docs), size or 0, "unlabelled_size", active.unlabelled)
    return [docs[i] for i in sample(len(docs), size, [active.seed, UNLABELLED])]
