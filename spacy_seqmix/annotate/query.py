"""Choose the texts of a pool that a person labels next, with any pipeline and any policy."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..active.pool import sample
from ..active.pool_files import files_of
from ..annotation.lazy_docs import DocsInOrder, LazyDocs, all_docs_of, lazy_docs
from ..annotation.texts import task_key
from ..annotation.vocabulary import temporary_words
from ..errors import Errors, SeqMixError, plural
from ..files import check_output
from ..query.by_name import component_of
from ..query.confidence import components_with_spans
from ..query.diverse import doc_vectors
from ..query.policies import QueryPolicy, evidence, score_docs
from ..query.selection import Budget, NearDuplicates, ranked, select
from ..query.suggestions import suggest
from ..types import Floats1d, Task
from .formats import format_of
from .join import with_key
from .known import known_texts

__all__ = [
    "Asked",
    "labels_of",
    "query",
    "query_file",
    "query_pool",
]

# Streams of random numbers.
SAMPLE, TIES = 0, 1


@dataclass(frozen=True)
class Asked:
    """The texts that were chosen, and how.

    tasks (list[Task]): the most wanted first.
    component (str | None): the component whose probabilities were scored.
    scored (int): the number of texts that were scored.
    known (int): the texts of the pool that were left out since they are known.
    """

    tasks: list[Task]
    component: str | None
    scored: int
    known: int


def query_file(
    nlp: Language,
    pool: Sequence[Path],
    out_path: Path,
    policy: QueryPolicy,
    budget: Budget,
    *,
    format: str = "jsonl",
    exclude: Sequence[Path] = (),
    **how: Any,
) -> Asked:
    """Choose texts of files and write them as tasks of a format.

    out_path (Path): the file of tasks, or for brat the folder; it must not exist.
    format (str): one of ``FORMATS``.
    exclude (Sequence[Path]): files of any format with texts that are not asked.
    **how: see ``query_pool``.
    RAISES (SeqMixError): S549, S640, S651 where the output exists, and those of ``query_pool``.
    """
    chosen = format_of(format)
    check_output(out_path, [*pool, *exclude])
    if out_path.exists():
        raise SeqMixError(Errors.E651.format(path=out_path))
    asked = query_pool(nlp, pool, policy, budget, known=known_texts(exclude), **how)
    chosen.write(asked.tasks, out_path, labels_of(nlp, asked.component))
    return asked


def query_pool(
    nlp: Language,
    pool: Sequence[Path],
    policy: QueryPolicy,
    budget: Budget,
    *,
    known: tuple[Set[str], Set[str]] = (frozenset(), frozenset()),
    component: str | None = None,
    score_size: int | None = None,
    diverse: bool = False,
    seed: int = 0,
    model: str | None = None,
    scores: Mapping[str, float] | None = None,
    outside: Path | None = None,
) -> Asked:
    """Choose texts of files; see ``query``.

    pool (Sequence[Path]): .spacy, .txt, .jsonl and .parquet files, patterns and folders.
    known (tuple): the keys and the texts that are not asked, nor what is nearly the same.
    outside (Path | None): a folder whose files are no texts, see ``files_of``.
    RAISES (SeqMixError): S649 where no text is left, and those of ``query``.
    """
    docs = lazy_docs(files_of(pool, outside), nlp)
    left = _without(docs, *known)
    n_known = len(docs) - len(left)
    if not left:
        reason = f"it has {plural(len(docs), 'text')}, of which {n_known} are known"
        raise SeqMixError(Errors.E649.format(path=", ".join(map(str, pool)), reason=reason))
    near = NearDuplicates(texts=known[1])
    name = component_of(nlp, policy, component)
    tasks, scored = query(
        nlp,
        left,
        policy,
        budget,
        name,
        near,
        score_size,
        seed,
        diverse=diverse,
        model=model,
        scores=scores,
    )
    if not tasks:
        why = "all of them nearly the same as known ones" if scored else "none of them with a score"
        reason = f"{plural(len(left), 'text')}, {why}"
        raise SeqMixError(Errors.E649.format(path=", ".join(map(str, pool)), reason=reason))
    return Asked(tasks, name, scored, n_known)


def _without(docs: LazyDocs, keys: Set[str], texts: Set[str]) -> LazyDocs:
    """The docs that are not known by key or text."""
    if not keys and not texts:
        return docs
    pairs = zip(docs, docs.texts(docs), strict=True)
    return docs.only(n for n, text in pairs if not (text in texts or task_key(n, text) in keys))


def query(
    nlp: Language,
    docs: LazyDocs,
    policy: QueryPolicy,
    budget: Budget,
    component: str | None,
    asked: NearDuplicates | None = None,
    score_size: int | None = None,
    seed: int = 0,
    *,
    diverse: bool = False,
    model: str | None = None,
    scores: Mapping[str, float] | None = None,
) -> tuple[list[Task], int]:
    """Choose texts to label, with suggestions.

    nlp (Language): any trained pipeline.
    docs (LazyDocs): the texts to choose from, with the vocabulary of the pipeline. Those that are
        scored are in memory 8192 at a time.
    policy (QueryPolicy): what scores them.
    budget (Budget): how much may be asked, in docs, in tokens, or both.
    component (str | None): whose probabilities are scored, and whose spans are suggested; None for
        policies that need none, and the suggestions of the whole pipeline.
    asked (NearDuplicates | None): texts that are known; near-duplicates of them, and of each other,
        are not asked. None compares no texts.
    score_size (int | None): score a random sample of this many texts only; None for all.
    seed (int): the seed of the sample, of ties, and of policies that draw.
    diverse (bool): ask one text of each of n clusters among the 10 n best.
    model (str | None): the name of the pipeline, for tools that show it.
    scores (Mapping | None): scores of texts by their keys, which were computed before; texts
        without one are not asked, and the policy is not. None: the policy scores them now.
    RETURNS (tuple): the tasks, and the number of texts that were scored.
    RAISES (SeqMixError): S401, S424 to S426, S444 and S601.
    """
    found = None
    if scores is not None:
        docs, found = _scored(docs, scores)
    numbers = array("q", docs)
    if score_size is not None:
        places = sample(len(docs), score_size, [seed, SAMPLE])
        numbers = array("q", (numbers[place] for place in places))
        found = None if found is None else found[places]
    rng = np.random.default_rng([seed, TIES])
    if found is None:
        evidence_of = partial(_evidence, policy, nlp, component)
        forgetting = partial(temporary_words, nlp, tokenises=True)
        block = nullcontext if policy.may_keep_docs else forgetting
        in_order = DocsInOrder(docs, numbers, forgetting)
        found = policy.adjusted(score_docs(policy, in_order, evidence_of, rng, block), in_order)
    vectors = partial(doc_vectors, nlp, component) if diverse else None
    chosen = select(ranked(found, numbers, rng), docs, budget, asked, vectors, seed)
    made = all_docs_of(docs, chosen)
    suggested = suggest(nlp, component, made)
    tasks = []
    of_chosen = found[np.searchsorted(numbers, chosen)].tolist()
    for n, doc, suggestions, score in zip(chosen, made, suggested, of_chosen, strict=True):
        if score > -np.inf:  # a doc without words
            key = task_key(n, doc.text)
            tasks.append(Task(key, with_key(doc, key, {}), 0, suggestions, score, model))
    return tasks, len(numbers)


def _scored(docs: LazyDocs, scores: Mapping[str, float]) -> tuple[LazyDocs, Floats1d]:
    """The docs that have scores, and these."""
    numbers, found = array("q"), array("f")
    for number, text in zip(docs, docs.texts(docs), strict=True):
        score = scores.get(task_key(number, text))
        if score is not None:
            numbers.append(number)
            found.append(score)
    return docs.only(numbers), np.array(found, dtype="float32")


def _evidence(
    policy: QueryPolicy,
    nlp: Language,
    component: str | None,
    docs: Sequence[Doc],
) -> object:
    if component is None or policy.needs == "nothing":
        return docs
    return evidence(policy.needs, nlp, component, docs)


def labels_of(nlp: Language, component: str | None) -> list[str]:
    """The labels of a component that predicts spans."""
    if component not in components_with_spans(nlp):
        return []
    return list(nlp.get_pipe(component).labels)  # type: ignore[attr-defined]
