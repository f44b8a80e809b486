"""What policies score: probabilities of pipelines, computed here or by other machines."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.lazy_docs import unpacked
from ..annotation.vocabulary import temporary_words
from ..parallel.workers import RayOptions, in_order, workers_of
from ..query.dropout import dropout_probs
from ..query.policies import evidence
from ..query.probabilities import Needs, token_probs
from .precision import matmul_precision
from .schema import Precision

__all__ = ["Evidence", "Packed", "computed_by_workers", "packed_pipeline"]

# What ``LazyDocs.packed`` gives.
Packed: TypeAlias = list[list[str] | bytes]


@dataclass(frozen=True)
class Evidence:
    """How a policy's evidence is computed: plain values, so that another process can have them.

    needs (str): the kind, see ``QueryPolicy``.
    component (str): the component that is asked.
    lang (str): the language whose tokenizer reads texts.
    precision (str): of products of matrices, see ``matmul_precision``.
    dropout (float): the rate of the passes of a committee.
    seeds (tuple[int, ...]): of each pass; none where a committee's members are pipelines.
    """

    needs: Needs
    component: str
    lang: str
    precision: Precision
    dropout: float = 0.0
    seeds: tuple[int, ...] = ()

    def of(
        self,
        pipelines: Sequence[Language],
        docs: Sequence[Doc],
        progress: Callable[[int], object] | None = None,
    ) -> Any:
        """The evidence of docs.

        pipelines (Sequence[Language]): one, or the members of a committee.
        progress (Callable | None): called with the number of docs done, for each pass.
        RAISES (SeqMixError): those of ``evidence`` and ``dropout_probs``.
        """
        found = [self._of_one(nlp, docs, progress) for nlp in pipelines]
        members = self.needs == "committee" and not self.seeds
        return found if members else found[0]

    def _of_one(
        self, nlp: Language, docs: Sequence[Doc], progress: Callable[[int], object] | None
    ) -> Any:
        """The evidence of one pipeline."""
        with temporary_words(nlp):
            if self.seeds:
                given = self.dropout, self.seeds, progress
                return dropout_probs(nlp, self.component, docs, *given)
            if self.needs == "committee":
                return token_probs(nlp, self.component, docs, progress=progress)
            return evidence(self.needs, nlp, self.component, docs, progress)


def computed_by_workers(
    how: Evidence,
    pipelines: Sequence[bytes],
    docs: Iterable[Packed],
    ray: RayOptions,
) -> Iterator[Any]:
    """Let the workers of a Ray cluster compute evidence.

    pipelines (Sequence[bytes]): see ``packed_pipeline``; the cluster gets them once.
    docs (Iterable[Packed]): docs whose evidence is computed together.
    YIELDS: the evidence of each, in their order; equal to that of ``Evidence.of``.
    RAISES (SeqMixError): those of ``Evidence.of``, and S770 to S775.
    """
    make = partial(_make, how, tuple(pipelines))
    with workers_of(make, ray) as workers:
        yield from in_order(workers, docs, "scoring the pool")


def packed_pipeline(path: Path) -> bytes:
    """The files of a saved pipeline, for another process."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(path, arcname=".")
    return file.getvalue()


def _make(how: Evidence, pipelines: tuple[bytes, ...]) -> Callable[[Packed], Any]:
    """Load pipelines in a worker. RETURNS (Callable): from packed docs to their evidence."""
    loaded = [_unpacked_pipeline(one) for one in pipelines]
    blank = spacy.blank(how.lang)

    def compute(packed: Packed) -> Any:
        with temporary_words(blank, tokenises=True), matmul_precision(how.precision):
            return how.of(loaded, unpacked(packed, blank))

    return compute


def _unpacked_pipeline(packed: bytes) -> Language:
    with TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        return spacy.load(folder)
