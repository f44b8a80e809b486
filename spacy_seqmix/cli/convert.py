"""`spacy seqmix convert`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import plural
from ._common import names_of, show_messages

__all__ = ["Format", "convert_cli"]


class Format(str, Enum):
    """The formats that can be read; ``convert.FORMATS`` has their readers."""

    auto = "auto"
    text = "text"
    brackets = "brackets"
    conll = "conll"
    relations = "relations"
    semeval = "semeval"
    skweak = "skweak"
    ace05 = "ace05"
    jmee = "jmee"
    dygiepp = "dygiepp"
    oneie = "oneie"


def convert_cli(
    in_path: Annotated[
        Path, typer.Argument(metavar="IN", help="File to convert; for ace05 a folder")
    ],
    out_path: Annotated[
        Path, typer.Argument(metavar="OUT.spacy", help="DocBin to write, or a folder for IN.spacy")
    ],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="auto: detect it, and say which; text: without labels, a text per line or JSON "
            "lines with 'text'; brackets: [PER Ana Duarte] left, one sentence per line; conll: "
            "columns of tokens and tags, in any IOB or BILOU scheme; relations: JSON lines of "
            "tokens or text, entities and relations; semeval: SemEval-2010 Task 8, sentences with "
            "<e1> and <e2>; skweak: a .spacy file with the probabilities of an aggregator of weak "
            "labels, which become soft labels; ace05: event triggers from a folder of .sgm and "
            ".apf.xml files; jmee, "
            "dygiepp, oneie: triggers from their JSON",
        ),
    ] = Format.auto,
    lang: Annotated[
        str, typer.Option("--lang", "-l", help="Language whose tokenizer is used")
    ] = "en",
    skip: Annotated[
        bool,
        typer.Option("--skip", help="Leave out rows that can't be read, with a warning for each"),
    ] = False,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="For brackets: accepted labels, comma-separated; by default any word in capitals",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            help="For conll: the column of the tags, by number (1 is the first, -1 the last) or by "
            "its name in '# global.columns'; by default the last",
        ),
    ] = None,
    whole_docs: Annotated[
        bool,
        typer.Option(
            "--whole-docs", help="For conll: one Doc for all sentences of a document (-DOCSTART-)"
        ),
    ] = False,
    no_relation: Annotated[
        str | None,
        typer.Option(
            "--no-relation",
            help="For relations and semeval: labels that mean no relation, comma-separated; by "
            "default 'Other' in semeval",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            help="For skweak: the span group of the aggregator, such as hmm; by default the only "
            "one with probabilities",
        ),
    ] = None,
    outside: Annotated[
        bool,
        typer.Option(
            "--outside",
            help="For skweak: tokens that no labelling function covers are outside of entities; by "
            "default nothing is known of them",
        ),
    ] = False,
    types: Annotated[
        bool, typer.Option("--types", help="For events: Conflict instead of Conflict:Attack")
    ] = False,
    docs: Annotated[
        Path | None,
        typer.Option("--docs", help="For ace05: file with the names of the documents to convert"),
    ] = None,
) -> None:
    """Convert sentences to spaCy's binary format, one Doc per sentence.

    Texts without any label become docs that nobody has labelled yet: a pool to ask from. Files of
    annotation tools are read by `spacy seqmix ingest`.

    Bracket markup skips blank lines and lines that start with "# "; write literal brackets with a
    backslash in front.
    """
    from ..convert import convert_file

    given = {
        "labels": None if labels is None else names_of(labels),
        "column": None if column is None else _column(column),
        "whole_docs": whole_docs or None,
        "no_relation": None if no_relation is None else names_of(no_relation),
        "group": group,
        "outside": outside or None,
        "types": types or None,
        "only": docs,
    }
    options = {name: value for name, value in given.items() if value is not None}
    chosen = None if format is Format.auto else format.value
    with show_messages():
        made = convert_file(in_path, out_path, chosen, lang=lang, skip=skip, **options)
    if chosen is None:
        msg.info(f"Format: {made.format} (detected; --format names another)")
    if (counts := made.triggers) is not None:
        msg.info(
            f"{counts.triggers} triggers, {counts.several_tokens} of several tokens; left out: "
            f"{counts.overlapping} that overlapped, {counts.skipped} that were elsewhere"
        )
    if not made.annotated:
        msg.good(
            f"Wrote {plural(made.docs, 'text')} ({plural(made.tokens, 'token')}) to {made.path}"
        )
        msg.warn(
            "The docs have no annotation: nobody has labelled them yet. Use them as a pool, not "
            "to train. If they are labelled, name their format with --format"
        )
        return
    msg.good(
        f"Wrote {plural(made.docs, 'doc')} ({plural(made.tokens, 'token')}, "
        f"{plural(made.entities, 'entity')}) to {made.path}"
    )


def _column(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdecimal() else text
