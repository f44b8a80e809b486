"""`spacy seqmix convert`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from ._common import show_warnings

__all__ = ["Format", "convert_cli"]


class Format(str, Enum):
    """The formats that can be read."""

    brackets = "brackets"
    conll = "conll"
    relations = "relations"
    semeval = "semeval"
    ace05 = "ace05"
    jmee = "jmee"
    dygiepp = "dygiepp"
    oneie = "oneie"


RELATIONS = (Format.relations, Format.semeval)
EVENTS = (Format.ace05, Format.jmee, Format.dygiepp, Format.oneie)


def convert_cli(
    in_path: Annotated[
        Path, typer.Argument(metavar="IN", help="File to convert; for ace05 a folder")
    ],
    out_path: Annotated[Path, typer.Argument(metavar="OUT.spacy", help="DocBin to write")],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="brackets: [PER Ana Duarte] left, one sentence per line; conll: columns of "
            "CoNLL-2003; relations: JSON lines of tokens, entities and relations; semeval: "
            "SemEval-2010 Task 8, sentences with <e1> and <e2>; ace05: event triggers from a "
            "folder of .sgm and .apf.xml files; jmee, dygiepp, oneie: triggers from their JSON",
        ),
    ] = Format.brackets,
    lang: Annotated[
        str, typer.Option("--lang", "-l", help="Language whose tokenizer is used")
    ] = "en",
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="For brackets: accepted labels, comma-separated; by default any word in capitals",
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
    types: Annotated[
        bool, typer.Option("--types", help="For events: Conflict instead of Conflict:Attack")
    ] = False,
    skip: Annotated[
        bool,
        typer.Option("--skip", help="Of events: leave out triggers that are not where they should"),
    ] = False,
    docs: Annotated[
        Path | None,
        typer.Option("--docs", help="For ace05: file with the names of the documents to convert"),
    ] = None,
) -> None:
    """Convert annotated sentences to spaCy's binary format, one Doc per sentence.

    Bracket markup skips blank lines and lines that start with "# "; write literal brackets with a
    backslash in front.
    """
    from .. import convert
    from ..errors import Errors, SeqMixError

    given = {
        "--labels": (labels, (Format.brackets,)),
        "--whole-docs": (whole_docs, (Format.conll,)),
        "--no-relation": (no_relation, RELATIONS),
        "--types": (types, EVENTS),
        "--skip": (skip, EVENTS),
        "--docs": (docs, (Format.ace05,)),
    }
    try:
        for option, (value, formats) in given.items():
            if value and format not in formats:
                known = ", ".join(name.value for name in formats)
                raise SeqMixError(Errors.E538.format(option=option, formats=known))
        if format in EVENTS:
            with show_warnings():
                if format is Format.ace05:
                    counts = convert.convert_ace(
                        in_path, out_path, lang=lang, types=types, skip=skip, only=docs
                    )
                else:
                    counts = convert.convert_events(
                        in_path, out_path, layout=format.value, lang=lang, types=types, skip=skip
                    )
            msg.info(
                f"{counts.triggers} triggers, {counts.several_tokens} of several tokens; left out: "
                f"{counts.overlapping} that overlapped, {counts.skipped} that were elsewhere"
            )
            n_docs = counts.sentences
        elif format in RELATIONS:
            read = {
                Format.relations: convert.convert_relations,
                Format.semeval: convert.convert_semeval,
            }
            names = None if no_relation is None else _names(no_relation)
            chosen: dict[str, Any] = {} if names is None else {"no_relation": names}
            n_docs = read[format](in_path, out_path, lang=lang, **chosen)
        elif format is Format.conll:
            n_docs = convert.convert_conll(in_path, out_path, lang=lang, whole_docs=whole_docs)
        else:
            accepted = None if labels is None else _names(labels)
            n_docs = convert.convert_brackets(in_path, out_path, lang=lang, labels=accepted)
    except (ValueError, ImportError, OSError) as error:
        msg.fail(str(error), exits=1)
    msg.good(f"Wrote {n_docs} docs to {out_path}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
