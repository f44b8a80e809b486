"""`spacy seqmix score`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import plural
from ._common import CodeOption, GpuOption, show_messages
from ._ray import CpusOption, GpusOption, RayAddressOption, WorkersOption, ray_options

__all__ = ["score_cli"]


class Written(str, Enum):
    """What is written beside rows."""

    docs = "docs"


class RowFormat(str, Enum):
    """The formats of rows; ``score.row_files.FORMATS`` has their names."""

    jsonl = "jsonl"
    parquet = "parquet"


def score_cli(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Pipeline: folder or package")],
    pool: Annotated[
        list[Path],
        typer.Argument(
            metavar="POOL", help="Texts: .spacy, .txt, .jsonl or .parquet files, or folders"
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results")],
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            "-p",
            help="Name of a policy, a config with [policy], or none; by default TagCount where "
            "the component has the tag O, else NTE",
        ),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option("--component", help="Component to ask; by default the first that can be"),
    ] = None,
    lm: Annotated[
        str | None,
        typer.Option("--lm", help="Language model: each text also gets its perplexity"),
    ] = None,
    spans: Annotated[
        bool, typer.Option("--spans", help="Each text also gets what MODEL finds, with confidence")
    ] = False,
    write: Annotated[
        list[Written] | None,
        typer.Option("--write", help="docs: also write docs with the probabilities as soft labels"),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option("--shards", min=1, help="Number of shards; by default of 2000 texts each"),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", help="Do one shard alone: 3/64 is the third of 64"),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, help="Also write this many texts with the highest scores"),
    ] = None,
    format: Annotated[
        RowFormat, typer.Option("--format", "-f", help="Format of the shards and of the top")
    ] = RowFormat.jsonl,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of policies that draw")] = 0,
    ray_address: RayAddressOption = None,
    ray_workers: WorkersOption = None,
    ray_cpus: CpusOption = 1.0,
    ray_gpus: GpusOption = 0.0,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar")] = False,
) -> None:
    """Score every text of a pool, shard by shard.

    Each shard is a file with a row for each text: its key and what was asked for. Run the same
    command again to compute the shards that are missing. `spacy seqmix query --scores OUTPUT`
    chooses texts by these scores.
    """
    import spacy
    from spacy.cli._util import setup_gpu

    from ..errors import Errors, SeqMixError
    from ..query.by_name import usual_policy
    from ..score.folder import read_share
    from ..score.run import score_pool
    from ..score.scorer import Wanted

    with show_messages():
        share = None if shard is None else read_share(shard)
        if share is not None and shards not in (None, share.of):
            raise SeqMixError(Errors.E764.format(given=f"{shard} and --shards {shards}"))
        given = ray_address, ray_workers, ray_cpus, ray_gpus
        ray = ray_options(*given, code, use_gpu=use_gpu)
        setup_gpu(use_gpu, silent=False)
        nlp = spacy.load(model)
        if policy is None:
            policy = usual_policy(nlp, component)
        wanted = Wanted(
            model=model,
            component=component,
            policy=None if policy == "none" else policy,
            lm=lm,
            spans=spans,
            docs=Written.docs in (write or ()),
            seed=seed,
        )
        run = score_pool(
            wanted,
            pool,
            output,
            share=share,
            n_shards=shards,
            top=top,
            format=format.value,
            ray=ray,
            nlp=nlp,
            progress=not quiet,
        )
    by = f" by '{run.component}'" if run.component else ""
    how = f"{by} with {wanted.policy}" if wanted.policy else by
    msg.info(f"{plural(run.texts, 'text')}{how}, in {plural(run.shards, 'shard')}")
    left = run.shards - run.done
    new = f"{plural(run.new, 'shard')} computed, {run.done} of {run.shards} done"
    if left:
        msg.warn(f"{new}; run the command again for the rest")
    else:
        msg.good(f"{new}: {output}")
    if run.top is not None:
        msg.good(f"The highest scores: {run.top}")
