"""`spacy seqmix ingest`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from ..errors import plural
from ._common import names_of, printable, show_messages
from ._label_studio import TOKEN_ENV, ProjectOption, TokenOption, server_of

if TYPE_CHECKING:
    from ..annotate.annotators import Annotator, Confusion
    from ..annotate.place import Note

__all__ = ["Cut", "Overlap", "ToolFormat", "ingest_cli"]

# Notes that are shown one by one, by the beginning of the line.
SHOWN = {
    "not placed": "Not placed",
    "dropped": "Dropped",
    "snapped": "Snapped",
    "replaced": "Not counted",
    "offsets": "Offsets",
}
# Of a kind that most texts have, only these many are shown without --verbose.
MOST = 20
MOST_CONFUSIONS = 3


class ToolFormat(str, Enum):
    """The formats of annotation tools; ``annotate.formats.FORMATS`` has their readers."""

    auto = "auto"
    brackets = "brackets"
    label_studio = "label-studio"
    prodigy = "prodigy"
    doccano = "doccano"
    brat = "brat"
    jsonl = "jsonl"


class Cut(str, Enum):
    """What is done with a span that cuts a token."""

    snap = "snap"
    refuse = "refuse"


class Overlap(str, Enum):
    """What is done with spans that overlap."""

    longest = "longest"
    refuse = "refuse"


def ingest_cli(
    output: Annotated[Path, typer.Option("--output", "-o", help="DocBin to write")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="EXPORT...", help="Files of a tool; for brat folders"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", help="Address of a Label Studio server: read a project of it"),
    ] = None,
    project: ProjectOption = None,
    token_env: TokenOption = TOKEN_ENV,
    format: Annotated[
        ToolFormat, typer.Option("--format", "-f", help="Format of the export; auto: detect it")
    ] = ToolFormat.auto,
    pool: Annotated[
        list[Path] | None,
        typer.Option(
            "--pool",
            "-p",
            help="The texts that were asked: a .spacy, .txt, .jsonl or .parquet file, a pattern or "
            "a folder; repeatable. Answers are joined with them",
        ),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Write all docs of the pool (.spacy), unlabelled ones as they are there"
        ),
    ] = False,
    lang: Annotated[
        str, typer.Option("--lang", "-l", help="Language whose tokenizer is used")
    ] = "en",
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Pipeline whose tokenizer is used instead"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="Refuse other labels than these, which commas separate"),
    ] = None,
    annotators: Annotated[
        str | None,
        typer.Option(
            "--annotators",
            "-a",
            help="Of several people's answers to a text: soft learns how often each of them errs, "
            "and keeps doubt as soft labels; vote takes the majority's tags; a name counts the "
            "answers of one person. By default the last answer counts",
        ),
    ] = None,
    confirmed: Annotated[
        bool,
        typer.Option("--confirmed", help="For doccano: the export is of confirmed texts only"),
    ] = False,
    cut: Annotated[
        Cut,
        typer.Option("--cut", help="Spans that cut a token: snap outwards, or refuse"),
    ] = Cut.snap,
    overlap: Annotated[
        Overlap,
        typer.Option("--overlap", help="Spans that overlap: keep the longest, or refuse them"),
    ] = Overlap.longest,
    skip: Annotated[
        bool,
        typer.Option("--skip", help="Leave out texts that can't be read, with a warning for each"),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List everything that was moved or left out")
    ] = False,
) -> None:
    """Make a .spacy file of what people labelled in an annotation tool, from its exports or from a
    project of Label Studio.

    Give all exports at once: where several people labelled, one file each, the name of a file
    stands for the person.

    The file has the labelled texts only, those without any entity among them. Skipped texts, and
    those that nobody has labelled yet, are counted and left out.
    """
    import spacy

    from ..annotate.ingest import ingest_file
    from ..annotate.label_studio.transfer import ingest_project
    from ..annotate.place import Rules

    with show_messages():
        nlp = spacy.blank(lang) if model is None else spacy.load(model)
        rules = Rules(cut.value, overlap.value, None if labels is None else names_of(labels))
        how: dict[str, Any] = {
            "pool": pool or (),
            "rules": rules,
            "annotators": annotators,
            "skip": skip,
            "whole": whole,
        }
        unused = {"--format": format is not ToolFormat.auto, "--confirmed": confirmed}
        server = server_of("--from", source, project, token_env, paths, "EXPORT", unused)
        if server is not None and project is not None:
            made, there = ingest_project(server, project, output, nlp, **how)
            msg.info(f"Read {there.where}")
        else:
            name = None if format is ToolFormat.auto else format.value
            made = ingest_file(paths or (), output, nlp, format=name, confirmed=confirmed, **how)
    if format is ToolFormat.auto and source is None:
        msg.info(f"Format: {made.format} (detected; --format names another)")
    _show_notes(made.notes, None if verbose else MOST)
    msg.info(made.counts())
    if made.annotators:
        _show_annotators(made.annotators)
        if annotators == "soft":
            msg.info(f"{made.soft} of {plural(made.tokens, 'token')} have soft labels")
    elif annotators is None and (n := _of_others(made.notes)):
        of = f"{plural(n, 'answer')} of other people to the same texts"
        msg.info(f"{of}: --annotators soft or vote joins them")
    written = f"{plural(len(made.docs), 'doc')} ({plural(made.entities, 'entity')})"
    others = f", and all others of {pool[0]}" if whole and pool else ""
    msg.good(f"Wrote {written}{others} to {output}")


def _of_others(notes: list[Note]) -> int:
    """How many answers do not count since another person's does."""
    return sum(note.kind == "replaced" and " by " in note.what for note in notes)


def _show_notes(notes: list[Note], most: int | None) -> None:
    for kind, title in SHOWN.items():
        own = [note for note in notes if note.kind == kind]
        for note in own[:most]:
            msg.warn(printable(f"{title}: {note.where}: {note.what}"))
        if most is not None and len(own) > most:
            msg.warn(f"{title}: {len(own) - most} more, which --verbose lists")


def _show_annotators(annotators: list[Annotator]) -> None:
    """A table of the people: how far they agree with the others, and how they err."""
    rows = [
        (
            printable(one.who) or "(no name)",
            one.texts,
            one.shared,
            "-" if one.agreement is None else f"{100 * one.agreement.fscore:.1f}",
            *(f"{100 * share:.1f} %" for share in (one.missed, one.added, one.mistyped)),
            printable(", ".join(map(_shown, one.confusions[:MOST_CONFUSIONS]))) or "-",
        )
        for one in annotators
    ]
    header = ("Who", "Texts", "Shared", "F1", "Missed", "Added", "Mistyped", "Most often mistyped")
    msg.table(rows, header=header, divider=True, aligns=("l", *"rrrrrr", "l"))


def _shown(one: Confusion) -> str:
    return f"{one.true} as {one.given} {100 * one.share:.1f} % ({one.tokens:.0f})"
