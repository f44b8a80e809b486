"""Choose the texts of a pool that a person labels next, with any pipeline and any policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Config

from ..active.pool import sample
from ..annotation.lazy_docs import DocsInOrder, all_docs_of
from ..config import build_functions, config_errors, interpolated
from ..errors import Errors, SeqMixError, plural
from ..files import check_output
from ..query.confidence import components_with_spans
from ..query.diverse import doc_vectors
from ..query.policies import QueryPolicy, evidence, score_docs
from ..query.probabilities import ENTITY_FACTORIES, SOURCES, check_enabled, check_needs
from ..query.selection import Budget, NearDuplicates, ranked, select
from ..query.suggestions import suggest
from ..types import Task
from .formats import format_of
from .join import DocsOfTexts, PoolText, read_pool
from .known import known_texts

__all__ = [
    "Asked",
    "labels_of",
    "policy_of",
    "query",
    "query_file",
    "query_pool",
    "usual_policy",
]

# See docs/policies.md: measured on two corpora.
USUAL = "TagCount"

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
    keys, texts = known
    every = list(read_pool(pool, nlp, outside))
    left = [one for one in every if one.key not in keys and one.text not in texts]
    n_known = len(every) - len(left)
    if not left:
        reason = f"it has {plural(len(every), 'text')}, of which {n_known} are known"
        raise SeqMixError(Errors.E649.format(path=", ".join(map(str, pool)), reason=reason))
    near = NearDuplicates(texts=texts)
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
        reason = f"{plural(len(left), 'text')}, all of them nearly the same as known ones"
        raise SeqMixError(Errors.E649.format(path=", ".join(map(str, pool)), reason=reason))
    return Asked(tasks, name, scored, n_known)


def query(
    nlp: Language,
    texts: Sequence[PoolText],
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
    texts (Sequence[PoolText]): the texts to choose from.
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
    if scores is not None:
        texts = [text for text in texts if text.key in scores]
    numbers = sample(len(texts), score_size, [seed, SAMPLE])
    rng = np.random.default_rng([seed, TIES])
    docs = DocsOfTexts(texts)
    if scores is None:
        in_order = DocsInOrder(docs, numbers)
        evidence_of = partial(_evidence, policy, nlp, component)
        found = policy.adjusted(score_docs(policy, in_order, evidence_of, rng), in_order)
    else:
        found = np.array([scores[texts[number].key] for number in numbers], dtype="float32")
    vectors = partial(doc_vectors, nlp, component) if diverse else None
    chosen = select(ranked(found, numbers, rng), docs, budget, asked, vectors, seed)
    of_text = dict(zip(numbers, found.tolist(), strict=True))
    made = all_docs_of(docs, chosen)
    suggested = suggest(nlp, component, made)
    tasks = [
        Task(texts[n].key, doc, 0, suggestions, of_text[n], model)
        for n, doc, suggestions in zip(chosen, made, suggested, strict=True)
        if of_text[n] > -np.inf  # a doc without words
    ]
    return tasks, len(numbers)


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


def component_of(nlp: Language, policy: QueryPolicy, name: str | None) -> str | None:
    """The component whose probabilities a policy scores: the one that is named, or the first that
    has what the policy needs, those that predict spans before taggers; None where a policy needs
    none and there is none.

    RAISES (SeqMixError): S401, S424, S444, S570.
    """
    if policy.needs == "committee":
        raise SeqMixError(Errors.E444.format(name="spacy seqmix query", needs="a committee"))
    able = [one for one in nlp.pipe_names if nlp.get_pipe_meta(one).factory in SOURCES]
    able.sort(key=lambda one: one not in components_with_spans(nlp))
    if policy.needs == "nothing" and name is None:
        return able[0] if able else None
    off = [one for one in nlp.disabled if nlp.get_pipe_meta(one).factory in ENTITY_FACTORIES]
    if name is None and off and not components_with_spans(nlp):
        check_enabled(nlp, off[0])  # rather than a tagger's scores, which nobody asked for
    chosen = name or next((one for one in able if _has(policy, nlp, one)), (able or ["ner"])[0])
    check_needs("tokens" if policy.needs == "nothing" else policy.needs, nlp, chosen)
    return chosen


def _has(policy: QueryPolicy, nlp: Language, component: str) -> bool:
    try:
        check_needs(policy.needs, nlp, component)
    except SeqMixError:
        return False
    return True


def usual_policy(nlp: Language, component: str | None) -> str:
    """The name of the policy that measured best for labelling, where a component has what it needs;
    else NTE, which needs no tag O."""
    able = [component] if component else nlp.pipe_names
    return USUAL if any(_has(policy_of(USUAL), nlp, one) for one in able) else "NTE"


def policy_of(name: str) -> QueryPolicy:
    """A policy by the name of its registered function, in full or in short ("NTE"), or by a config
    file that has a section [policy] or [active.policy].

    RAISES (SeqMixError): S410, S652, S653.
    """
    if Path(name).is_file():
        with config_errors(Path(name)):
            config = interpolated(Config().from_disk(name, interpolate=False))
        section = config.get("policy", config.get("active", {}).get("policy"))
    else:
        full = (name, f"spacy-seqmix.{name}.v1", f"spacy-seqmix.{name}Policy.v1")
        found = next((one for one in full if registry.has("misc", one)), None)
        section = None if found is None else {"@misc": found}
    if not isinstance(section, dict):
        raise SeqMixError(Errors.E652.format(policy=name))
    made = build_functions({"policy": section}, "", ["policy"], Errors.E653)["policy"]
    if not isinstance(made, QueryPolicy):
        raise SeqMixError(Errors.E652.format(policy=name))
    return made
