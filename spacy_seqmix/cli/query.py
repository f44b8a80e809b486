"""`spacy seqmix query`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from ..errors import plural
from ._common import CodeOption, GpuOption, show_messages
from ._label_studio import TOKEN_ENV, ProjectOption, TokenOption, server_of
from .ingest import ToolFormat

__all__ = ["query_cli"]


def query_cli(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Pipeline: folder or package")],
    pool: Annotated[
        list[Path],
        typer.Argument(
            metavar="POOL...",
            help="Texts to choose from: .spacy, .txt, .jsonl or .parquet files, patterns or "
            "folders",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File of tasks; for brat a folder")
    ] = None,
    n_docs: Annotated[
        int | None, typer.Option("--n-docs", "-n", min=1, help="Number of texts; by default 50")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, help="Number of tokens that may be asked")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            "-p",
            help="Name of a policy, such as NTE or RandomPolicy, or a config with [policy]; by "
            "default TagCount where the component has the tag O, else NTE",
        ),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option("--component", help="Component to ask; by default the first that can be"),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude", "-x", help="File of texts that are not asked, in any format; repeatable"
        ),
    ] = None,
    format: Annotated[
        ToolFormat, typer.Option("--format", "-f", help="Format of the tasks; auto: jsonl")
    ] = ToolFormat.auto,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Address of a Label Studio server: send the tasks there"),
    ] = None,
    project: ProjectOption = None,
    token_env: TokenOption = TOKEN_ENV,
    score_size: Annotated[
        int | None,
        typer.Option("--score-size", min=1, help="Score a random sample of this many texts"),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Folder of `spacy seqmix score`: take its scores"),
    ] = None,
    diverse: Annotated[
        bool,
        typer.Option("--diverse", help="Of the most wanted texts, ask those that are not alike"),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of samples and of ties")] = 0,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
) -> None:
    """Choose the texts that a person labels next, and write them as tasks for an annotation tool,
    or send them to a project of Label Studio.

    Each task has a key, and what MODEL predicts, with its confidence. Near-duplicates are asked
    once. Read what was labelled with `spacy seqmix ingest`.
    """
    import spacy
    from spacy.cli._util import setup_gpu

    from ..annotate.label_studio.transfer import query_project
    from ..annotate.query import query_file
    from ..files import progress_bar
    from ..query.by_name import policy_of, usual_policy
    from ..query.selection import Budget
    from ..score.by_key import read_scores

    with show_messages():
        unused = {"--format": format is not ToolFormat.auto}
        server = server_of("--to", to, project, token_env, output, "--output FILE", unused)
        chosen = None if policy is None else policy_of(policy)
        setup_gpu(use_gpu, silent=False)
        nlp = spacy.load(model)
        if chosen is None:
            policy = usual_policy(nlp, component)
            chosen = policy_of(policy)
        budget = Budget(50 if n_docs is None and tokens is None else n_docs, tokens)
        settings: dict[str, Any] = {
            "component": component,
            "exclude": exclude or (),
            "score_size": score_size,
            "diverse": diverse,
            "seed": seed,
            "model": Path(model).resolve().name,
            "scores": None if scores is None else read_scores(scores),
            "outside": scores,
        }
        with progress_bar(None, "Scoring"):
            if server is not None and project is not None:
                asked, there = query_project(server, project, nlp, pool, chosen, budget, **settings)
            elif output is not None:
                name = "jsonl" if format is ToolFormat.auto else format.value
                asked = query_file(nlp, pool, output, chosen, budget, format=name, **settings)
    known = f"; {asked.known} are known" if asked.known else ""
    by = f" by '{asked.component}'" if asked.component else ""
    how = f" with {policy}" if scores is None else f", by the scores in {scores}"
    verb = "Scored" if scores is None else "Chose among"
    msg.info(f"{verb} {plural(asked.scored, 'text')}{by if scores is None else ''}{how}{known}")
    n_tokens = sum(len(task.doc) for task in asked.tasks)
    written = f"{plural(len(asked.tasks), 'text')} ({plural(n_tokens, 'token')})"
    if to is not None:
        msg.good(f"Sent {written} to {there.where}")
    else:
        msg.good(f"Wrote {written} to {output}")
    options = " ".join(f"--pool {shlex.quote(str(one))}" for one in pool)
    options += f" --model {shlex.quote(model)}"
    source = "EXPORT" if to is None else f"--from {to} --project {there.id}"
    msg.info(f"Once they are labelled: spacy seqmix ingest {source} -o FILE.spacy {options}")
