"""Teachers label texts part by part, in this process or on other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from spacy.language import Language

from ..annotation.docbins import docbin_of
from ..annotation.lazy_docs import unpacked
from ..annotation.vocabulary import temporary_words
from ..files import progress_bar, replacing
from ..parallel.workers import Lost, Make, Piece, RayOptions, error_of_lost, results_of
from .folder import DistillFolder
from .student import Student
from .targets import Targets
from .teachers import Teachers, check_same_pipeline, load_teachers
from .texts import RawTexts

__all__ = ["PART", "teach_texts"]

# The texts of a part: what a kill costs.
PART = 500


@dataclass(frozen=True)
class _Wanted:
    """What another process needs to load the same teachers.

    names, digests (tuple[str, ...]): of the pipelines.
    component (str | None): of all of them; None where each is found as in this process.
    """

    names: tuple[str, ...]
    digests: tuple[str, ...]
    component: str | None
    student: Student
    targets: Targets


def teach_texts(
    folder: DistillFolder,
    raw: RawTexts,
    teachers: Teachers,
    student: Student,
    *,
    ray: RayOptions | None = None,
    progress: bool = True,
) -> None:
    """Label the texts that have no labels yet.

    ray (RayOptions | None): let the workers of a Ray cluster do it. They need the teachers under
        the same names; files are read and written here.
    RAISES (SeqMixError): those of ``Teachers.teach``; with Ray, S769 for parts that kill their
        workers, and S770 to S774.
    """
    times = len(teachers.members)
    nlp = student.blank()
    with progress_bar(len(raw) * times, "Labelling", shown=progress, unit="text") as bar:

        def pieces() -> Iterator[Piece]:
            for number, start in enumerate(range(0, len(raw), PART), start=1):
                numbers = raw.numbers[start : start + PART]
                if folder.part(number).exists():
                    bar.update(len(numbers) * times)
                else:
                    yield Piece(number, raw.docs.packed(numbers))

        lost: dict[int, Lost] = {}
        make: Make
        if ray is None:  # they are in memory
            make = partial(partial, _taught, teachers, nlp, bar.update)
        else:
            make = partial(_make, _wanted(teachers, student))
        for number, result in results_of(make, pieces(), ray):
            if isinstance(result, Lost):
                lost[number] = result
                continue
            with replacing(folder.part(number)) as temporary:
                temporary.write_bytes(result)
            if ray is not None:
                bar.update(len(raw.numbers[(number - 1) * PART : number * PART]) * times)
    if lost:
        raise error_of_lost(lost, "part", lambda number: folder.part(number).stem)


def _taught(
    teachers: Teachers,
    nlp: Language,
    progress: Callable[[int], object] | None,
    packed: Sequence[Any],
) -> bytes:
    """The file of a part."""
    with ExitStack() as blocks:
        blocks.enter_context(temporary_words(nlp, tokenises=True))
        for one in teachers.members:
            blocks.enter_context(temporary_words(one.nlp))
        return docbin_of(teachers.teach(unpacked(packed, nlp), nlp, progress)).to_bytes()


def _wanted(teachers: Teachers, student: Student) -> _Wanted:
    names = tuple(one.name for one in teachers.members)
    digests = tuple(one.digest() for one in teachers.members)
    components = {one.component for one in teachers.members}
    component = components.pop() if len(components) == 1 else None
    return _Wanted(names, digests, component, student, teachers.targets)


def _make(wanted: _Wanted) -> Callable[[Sequence[Any]], bytes]:
    """Load the teachers in a worker. RETURNS (Callable): from packed texts to a part's file."""
    teachers = load_teachers(wanted.names, wanted.student, wanted.targets, wanted.component)
    for one, digest in zip(teachers.members, wanted.digests, strict=True):
        check_same_pipeline(one.nlp, one.name, digest)
    return partial(_taught, teachers, wanted.student.blank(), None)
