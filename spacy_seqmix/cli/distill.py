"""`spacy seqmix distill`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.tables import table

from ..errors import plural
from ._common import CodeOption, GpuOption, read_overrides, show_messages
from ._ray import CpusOption, GpusOption, RayAddressOption, WorkersOption, ray_options

if TYPE_CHECKING:
    from ..distill.folder import Facts
    from ..distill.run import Distilled

__all__ = ["distill_cli"]


class Labels(str, Enum):
    """What the student learns."""

    soft = "soft"
    hard = "hard"


def distill_cli(
    ctx: typer.Context,
    teacher: Annotated[str, typer.Argument(help="Trained pipeline: a folder or a package")],
    student: Annotated[Path, typer.Argument(metavar="STUDENT.cfg", help="Training config")],
    texts: Annotated[
        Path,
        typer.Argument(help="Texts without labels: .txt, .jsonl, .parquet or .spacy, or a folder"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results")],
    more_teachers: Annotated[
        list[str] | None,
        typer.Option("--teacher", "-t", help="One more teacher; probabilities are averaged"),
    ] = None,
    labelled: Annotated[
        Path | None, typer.Option("--labelled", help="Labelled docs that the student learns too")
    ] = None,
    dev: Annotated[
        Path | None, typer.Option("--dev", help="Labelled docs to measure teacher and student on")
    ] = None,
    max_drop: Annotated[
        float,
        typer.Option("--max-drop", min=0.0, help="Points that the student may lose on --dev"),
    ] = 0.0,
    labels: Annotated[
        Labels, typer.Option("--labels", help="Teach probabilities, or only the best tags")
    ] = Labels.soft,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Above 1 evens probabilities, below sharpens")
    ] = 1.0,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", help="TEACHER_LABEL=STUDENT_LABEL; LABEL= for no entity"),
    ] = None,
    component: Annotated[
        str | None, typer.Option("--component", help="Component of the student that learns")
    ] = None,
    teacher_component: Annotated[
        str | None, typer.Option("--teacher-component", help="Component of the teacher")
    ] = None,
    allow_untaught: Annotated[
        bool,
        typer.Option("--allow-untaught", help="Labelled docs may have labels no teacher has"),
    ] = False,
    ray_address: RayAddressOption = None,
    ray_workers: WorkersOption = None,
    ray_cpus: CpusOption = 1.0,
    ray_gpus: GpusOption = 0.0,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars")] = False,
) -> None:
    """Train a small pipeline on what a large one, or several, find in texts without labels.

    The student learns the probabilities of the teacher's tags. With --dev, both are measured, and a
    student that is worse by more than --max-drop is not placed in OUTPUT/model-last. Values of the
    student's config can be overridden: --training.max_steps 500. Run the same command again to go
    on after a stop.
    """
    from spacy.cli._util import setup_gpu

    from ..distill.run import distill
    from ..distill.student import Student
    from ..distill.targets import Targets, read_map
    from ..distill.teachers import load_teachers

    overrides = read_overrides(ctx)
    hard = labels is Labels.hard
    with show_messages():
        targets = Targets(read_map(mapped or ()), temperature, hard)
        config = Student.of(student, overrides, component, hard=hard)
        setup_gpu(use_gpu, silent=False)
        names = [teacher, *(more_teachers or ())]
        made = distill(
            config,
            load_teachers(names, config, targets, teacher_component),
            texts,
            output,
            labelled=labelled,
            dev=dev,
            max_drop=max_drop,
            allow_untaught=allow_untaught,
            use_gpu=use_gpu,
            progress=not quiet,
            ray=ray_options(ray_address, ray_workers, ray_cpus, ray_gpus, code),
        )
        _show(made)
        made.check()
    msg.good(f"Student: {made.path}")


def _show(made: Distilled) -> None:
    """Print what was measured first, then what was done."""
    facts, measured = made.facts, made.facts.measured
    assert measured is not None
    if measured.dev:
        docs = plural(measured.docs, "doc")
        msg.info(f"Measured on {docs} of {measured.dev}; nothing is known of other texts")
    else:
        msg.info("Nothing was measured but speed: give labelled docs with --dev to compare them")
    print(_table(facts))
    texts = plural(facts.texts, "text")
    labelled = f" and {plural(facts.labelled, 'labelled doc')}" * bool(facts.labelled)
    before = " by an earlier command" * made.kept
    msg.text(f"Trained{before} on {texts}{labelled}: {plural(facts.steps, 'step')}")
    if facts.left_out:
        left_out = plural(facts.left_out, "text")
        msg.text(f"Left out, since they are in --dev or --labelled: {left_out}")


def _table(facts: Facts) -> str:
    measured = facts.measured
    assert measured is not None
    name = f"Committee of {len(facts.teachers)}" if len(facts.teachers) > 1 else "Teacher"
    rows = [
        (name, _percent(measured.teacher), f"{measured.teacher_speed:,.0f}"),
        ("Student", _percent(measured.student), f"{measured.student_speed:,.0f}"),
    ]
    header = ("", measured.score or "Score", "Texts per second")
    return str(table(rows, header=header, divider=True, aligns=("l", "r", "r")))


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{100 * score:.1f}"
