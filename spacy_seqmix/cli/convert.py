"""`spacy seqmix convert`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

__all__ = ["Format", "convert_cli"]


class Format(str, Enum):
    """The formats that can be read."""

    brackets = "brackets"
    conll = "conll"
    relations = "relations"
    semeval = "semeval"


def convert_cli(
    in_path: Annotated[Path, typer.Argument(metavar="IN.txt", help="File to convert")],
    out_path: Annotated[Path, typer.Argument(metavar="OUT.spacy", help="DocBin to write")],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="brackets: [PER Ana Duarte] left, one sentence a line; conll: columns of "
            "CoNLL-2003; relations: JSON lines of tokens, entities and relations; semeval: "
            "sentences with <e1> and <e2>, of SemEval-2010 Task 8",
        ),
    ] = Format.brackets,
    lang: Annotated[
        str, typer.Option("--lang", "-l", help="Language whose tokenizer is used")
    ] = "en",
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="The only labels to accept in brackets, comma-separated; any in capitals if "
            "left out",
        ),
    ] = None,
    whole_docs: Annotated[
        bool,
        typer.Option(
            "--whole-docs", help="Of conll: a Doc for the sentences between two -DOCSTART- lines"
        ),
    ] = False,
    no_relation: Annotated[
        str | None,
        typer.Option(
            "--no-relation",
            help="Of relations and semeval: labels that stand for no relation, comma-separated; "
            "'Other' in semeval if left out",
        ),
    ] = None,
) -> None:
    """Convert annotated sentences to spaCy's binary format, a Doc a sentence.

    Bracket markup skips blank lines and lines that start with "# "; literal brackets are written
    with a backslash in front.
    """
    from ..convert import convert_brackets, convert_conll, convert_relations, convert_semeval
    from ..errors import Errors

    try:
        if whole_docs and format is not Format.conll:
            raise ValueError(Errors.E520)
        relational = {Format.relations: convert_relations, Format.semeval: convert_semeval}
        if no_relation is not None and format not in relational:
            formats = " or ".join(name.value for name in relational)
            raise ValueError(Errors.E538.format(option="--no-relation", formats=formats))
        if format in relational:
            chosen = {} if no_relation is None else {"no_relation": _names(no_relation)}
            n_docs = relational[format](in_path, out_path, lang=lang, **chosen)
        elif format is Format.conll:
            n_docs = convert_conll(in_path, out_path, lang=lang, whole_docs=whole_docs)
        else:
            names = None if labels is None else _names(labels)
            n_docs = convert_brackets(in_path, out_path, lang=lang, labels=names)
    except (ValueError, ImportError, OSError) as error:
        msg.fail(str(error), exits=1)
    msg.good(f"Wrote {n_docs} docs to {out_path}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
