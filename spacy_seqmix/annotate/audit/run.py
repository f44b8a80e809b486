"""Find likely label errors in a file of labelled docs."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import spacy
from spacy.tokens import Doc

from ...active.annotation import all_labels, entity_labels
from ...active.memory import release_memory
from ...active.run_folder import locked
from ...annotation.docbins import read_numbered_docs
from ...annotation.whitespace import is_blank
from ...errors import Errors, SeqMixError, Warnings, plural
from ...files import check_output, file_digest, progress_bar
from ...query.doubts import DocDoubts, find_doubts
from ...types import Task
from ..formats import format_of
from .folds import Trainer, folds_of
from .tasks import Suspect, suspects_of, tasks_of, write_table
from .work import AuditFolder

__all__ = ["Audit", "FoldDone", "audit_file"]


@dataclass(frozen=True)
class FoldDone:
    """A fold that has been audited.

    number (int): counted from 1.
    docs (int): its docs.
    f1 (float): of the entities found in them, against the given ones.
    doubts (int): the places where they differ.
    kept (bool): whether it was audited before.
    """

    number: int
    docs: int
    f1: float
    doubts: int
    kept: bool

    @classmethod
    def of(
        cls, number: int, docs: Mapping[int, Doc], found: Mapping[int, DocDoubts], *, kept: bool
    ) -> FoldDone:
        """Sum up what was found in the docs of a fold."""
        doubts = sum(len(one.doubts) for one in found.values())
        return cls(number, len(found), f1_of(docs, found), doubts, kept)


def f1_of(docs: Mapping[int, Doc], found: Mapping[int, DocDoubts]) -> float:
    """F1 of the entities that were found, against those of the docs; 1 where neither has any."""
    n = sum(len(docs[i].ents) + one.found for i, one in found.items())
    return 2 * sum(one.agreed for one in found.values()) / n if n else 1.0


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    suspects (list[Suspect]): the places whose annotation may be wrong, the worst first.
    tasks (list[Task]): the docs that were written as tasks, that with the worst place first.
    docs (int): the docs that were judged.
    left_out (int): the docs without annotation, and blank ones.
    f1 (float): of the entities found by pipelines that have not seen the docs, against the given.
    folder (AuditFolder): with the file of all suspects.
    """

    suspects: list[Suspect]
    tasks: list[Task]
    docs: int
    left_out: int
    f1: float
    folder: AuditFolder


def audit_file(
    path: Path,
    out_path: Path,
    trainer: Trainer,
    *,
    folds: int = 5,
    seed: int = 0,
    format: str = "jsonl",
    n_docs: int | None = None,
    work: Path | None = None,
    on_fold: Callable[[FoldDone], object] | None = None,
) -> Audit:
    """Find likely label errors, and write the docs that have them as tasks of a format.

    For each fold, a pipeline is trained on the other ones, and says which entities it finds in this
    one. Where they differ from the given entities, one of the two is wrong. A place is the more
    suspicious the more probable the pipeline's version is in proportion to the given one, and the
    more often the corpus labels the same words so, see ``Suspect.score``.

    path (Path): a .spacy file of docs with entities. Docs without annotation are left out.
    out_path (Path): the file of tasks, or for brat the folder; it must not exist. Nothing is
        written where nothing is suspicious.
    trainer (Trainer): how the pipelines are trained.
    folds (int): at least 2.
    seed (int): decides which doc is in which fold.
    format (str): one of ``FORMATS``.
    n_docs (int | None): write so many docs, those with the worst places; None for all.
    work (Path | None): the folder for what each fold found, from which a second run goes on; by
        default beside the output, with the suffix ".audit".
    on_fold (Callable | None): called with each fold that is finished.
    RETURNS (Audit): what was found.
    RAISES (SeqMixError): S403, S405, S412, S549, S640, S651, S721 to S723, and those of the
        training.

    Warns with W720 of labels that occur in one fold only.
    """
    chosen = format_of(format)
    folder = AuditFolder(out_path.with_name(f"{out_path.name}.audit") if work is None else work)
    check_output(out_path, [path])
    check_output(folder.path, [path])
    if out_path.exists():
        raise SeqMixError(Errors.E651.format(path=out_path))
    every = read_numbered_docs(path, spacy.blank(trainer.config["nlp"]["lang"]))
    docs = {
        i: doc for i, doc in every.items() if doc.has_annotation("ENT_IOB") and not is_blank(doc)
    }
    texts = [doc.text for doc in docs.values()]
    if not 2 <= folds <= len(set(texts)):
        n = plural(len(texts), "doc")
        raise SeqMixError(Errors.E721.format(path=path, folds=folds, n=n))
    fold_of = dict(zip(docs, folds_of(texts, folds, seed), strict=True))
    settings = {"sha256": file_digest(path), "folds": folds, "folds_seed": seed}
    found: dict[int, DocDoubts] = {}
    with locked(folder.path):
        folder.open({**settings, **trainer.settings})
        for done, of_fold in _audit_folds(docs, fold_of, trainer, folder):
            found |= of_fold
            if on_fold is not None:
                on_fold(done)
        suspects = suspects_of(docs, found)
        write_table(suspects, folder.table)
    tasks = tasks_of(suspects, found)[:n_docs]
    if tasks:
        chosen.write(tasks, out_path, sorted(all_labels(docs.values(), entity_labels)))
    left_out = len(every) - len(docs)
    return Audit(suspects, tasks, len(docs), left_out, f1_of(docs, found), folder)


def _audit_folds(
    docs: Mapping[int, Doc], fold_of: Mapping[int, int], trainer: Trainer, folder: AuditFolder
) -> Iterator[tuple[FoldDone, dict[int, DocDoubts]]]:
    """Yield what was found in each fold, those first audited now and those of before alike."""
    for fold in range(max(fold_of.values()) + 1):
        held = {i: doc for i, doc in docs.items() if fold_of[i] == fold}
        others = {i: doc for i, doc in docs.items() if fold_of[i] != fold}
        _warn_of_unknown(fold + 1, held, others)
        found = folder.read(fold + 1, held)
        kept = found is not None
        if found is None:
            found = _audit_fold(held, others, trainer, folder)
            folder.write(fold + 1, found)
        yield FoldDone.of(fold + 1, docs, found, kept=kept), found


def _audit_fold(
    held: Mapping[int, Doc], others: Mapping[int, Doc], trainer: Trainer, folder: AuditFolder
) -> dict[int, DocDoubts]:
    try:
        nlp = trainer.fit(list(others.values()), folder.training)
    finally:
        shutil.rmtree(folder.training, ignore_errors=True)
    with progress_bar(len(held), "Judging", shown=trainer.progress) as bar:
        doubts = find_doubts(nlp, trainer.component, list(held.values()), progress=bar.update)
    del nlp
    release_memory()
    return dict(zip(held, doubts, strict=True))


def _warn_of_unknown(number: int, held: Mapping[int, Doc], others: Mapping[int, Doc]) -> None:
    """Warn (W720) of entities that no pipeline can judge."""
    known = all_labels(others.values(), entity_labels)
    unknown = [ent.label_ for doc in held.values() for ent in doc.ents if ent.label_ not in known]
    if unknown:
        text = Warnings.W720.format(
            fold=number, n=plural(len(unknown), "entity"), labels=sorted(set(unknown))
        )
        warnings.warn(text, stacklevel=3)
