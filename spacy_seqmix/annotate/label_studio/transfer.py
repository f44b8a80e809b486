"""`query` and `ingest` with a project of a server in place of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language

from ...files import check_output
from ...query.by_name import component_of
from ...query.policies import QueryPolicy
from ...query.selection import Budget
from ..ingest import ingest_rows
from ..ingested import Ingested
from ..known import known_texts
from ..query import Asked, labels_of, query_pool
from .project import SAMPLING, Project, take_project
from .server import Server

__all__ = ["ingest_project", "query_project"]


def query_project(
    server: Server,
    name: str | int,
    nlp: Language,
    pool: Sequence[Path],
    policy: QueryPolicy,
    budget: Budget,
    *,
    component: str | None = None,
    exclude: Sequence[Path] = (),
    model: str | None = None,
    **how: Any,
) -> tuple[Asked, Project]:
    """Choose texts of files and send them to a project, with what the pipeline suggests.

    Texts that the project has are not asked again. It then serves first what the policy wants most.

    name (str | int): the project's number, or its title. Where no project has the title, one is
        created with the labels of the component.
    exclude (Sequence[Path]): files of any format with texts that are not asked.
    model (str | None): the name of the pipeline, which the server shows with its suggestions.
    **how: see ``query_pool``.
    RETURNS (tuple): what was asked, and the project.
    RAISES (SeqMixError): S781 to S787, and those of ``query_pool``.
    """
    component = component_of(nlp, policy, component)
    project = take_project(server, name, labels_of(nlp, component), needed=False)
    keys, texts = known_texts(exclude)
    for _, key, text in project.tasks():
        keys.add(key)
        texts.add(text)
    known = keys - {""}, texts
    asked = query_pool(
        nlp, pool, policy, budget, known=known, component=component, model=model, **how
    )
    project.add(asked.tasks, suggest=True)
    # The server refuses a version that no task has.
    project.change(sampling=SAMPLING, model_version=asked.tasks[0].model)
    return asked, project


def ingest_project(
    server: Server,
    name: str | int,
    out_path: Path,
    nlp: Language,
    *,
    skip: bool = False,
    **how: Any,
) -> tuple[Ingested, Project]:
    """Write what people labelled in a project to a .spacy file.

    name (str | int): the project's number, or its title.
    skip (bool): leave out what can't be read, with a warning each.
    **how: see ``ingest_rows``.
    RETURNS (tuple): what they said, and the project.
    RAISES (SeqMixError): S549, S781 to S787, and those of ``ingest_rows``.
    """
    if out_path.is_dir():
        out_path = out_path / f"{name}.spacy"
    check_output(out_path, list(how.get("pool", ())))
    project = take_project(server, name)
    rows = [row for _, rows in project.changed(skip=skip) for row in rows]
    made = ingest_rows("label-studio", rows, project.where, out_path, nlp, skip=skip, **how)
    return made, project
