"""`spacy seqmix augment`."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import plural
from ._common import CodeOption, read_overrides, show_messages
from ._ray import CpusOption, GpusOption, RayAddressOption, WorkersOption, ray_options

__all__ = ["augment_cli"]


def augment_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config with [augment]")],
    in_path: Annotated[Path, typer.Argument(metavar="IN.spacy", help="Labelled docs")],
    out_path: Annotated[Path, typer.Argument(metavar="OUT.spacy", help="File to write")],
    with_originals: Annotated[
        bool, typer.Option("--with-originals", help="Also write the docs of IN, in front")
    ] = False,
    ray_address: RayAddressOption = None,
    ray_workers: WorkersOption = None,
    ray_cpus: CpusOption = 1.0,
    ray_gpus: GpusOption = 0.0,
    code: CodeOption = None,
) -> None:
    """Mix the docs of a .spacy file: round(rate x docs) new docs, with soft labels and sources.

    Any value of CONFIG can be overridden: --augment.rate 0.5 --paths.encoder bert-base-cased.
    Show the result with `spacy seqmix show OUT.spacy`.
    """
    from ..config import load_config, read_layers
    from ..files import check_output, progress_bar
    from ..training.augment_file import augment_file

    overrides = read_overrides(ctx)
    with show_messages():
        with progress_bar(None, f"Reading {config_path.name}"):
            config = load_config(config_path, overrides)
        check_output(out_path, read_layers(config_path, overrides))
        counts, mixed = augment_file(
            config,
            in_path,
            out_path,
            with_originals=with_originals,
            progress=True,
            ray=ray_options(ray_address, ray_workers, ray_cpus, ray_gpus, code),
        )
    msg.info(counts.summary())
    written = mixed + counts.docs * with_originals
    if counts.kept > mixed:
        msg.info(f"Candidates are made in batches: {mixed} of those kept were needed")
    msg.good(f"Wrote {plural(written, 'doc')} to {out_path}")
