"""Query policies: scores of docs by their probabilities."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.vocabulary import is_known
from ..annotation.whitespace import is_blank
from ..errors import Errors, SeqMixError
from ..types import Floats1d, Floats2d, TokenProbs
from .probabilities import Needs, Progress, entity_probs, path_probs, token_probs

# (scores, docs, their scores in earlier rounds) -> the scores that decide
Adjust: TypeAlias = Callable[[Floats1d, Sequence[Doc], Floats2d], Floats1d]


# So many docs are in memory at a time, with their evidence.
TOGETHER = 8192


@dataclass(frozen=True)
class QueryPolicy:
    """A policy and the evidence that it scores.

    score (Callable): (evidence, generator) -> Floats1d (n_docs,); higher scores are queried first.
        It is called with the evidence of at most 8192 docs.
    needs (str): the kind of evidence. "nothing": the docs themselves; "tokens": the token
        probabilities, one array (n_tokens, M) a doc; "entities": the probability of each token to
        be in an entity, one array (n_tokens,) a doc; "paths": the probability of each doc's
        decoded path; "committee": a list of token probabilities, one for each member.
    adjust (Callable | None): what a policy that wraps another makes of its scores, see
        ``adjusted``. It must not keep docs: ``score`` frees them afterwards.
    history (int): how many earlier rounds' scores ``adjusted`` looks at.
    """

    score: Callable[[Any, np.random.Generator], Floats1d]
    needs: Needs = "tokens"
    adjust: Adjust | None = None
    history: int = 0

    @property
    def may_keep_docs(self) -> bool:
        """Whether it gets the docs themselves, and is of another package, which may keep them. Then
        they must not be freed."""
        return self.needs == "nothing" and not is_known(getattr(self.score, "func", self.score))

    def __call__(self, evidence: Any, rng: np.random.Generator) -> Floats1d:
        """Score docs. RAISES (SeqMixError): S426 when a score is not a number."""
        scores = self.score(evidence, rng)
        if np.isnan(scores).any():
            raise SeqMixError(Errors.E426.format(number=int(np.isnan(scores).argmax())))
        return np.asarray(scores + 0.0, dtype="float32")  # no -0.0

    def adjusted(
        self, scores: Floats1d, docs: Sequence[Doc], history: Floats2d | None = None
    ) -> Floats1d:
        """The scores that decide, from those of the evidence.

        scores (Floats1d): shape (n_docs,), as a call of the policy returns them.
        docs (Sequence[Doc]): the docs.
        history (Floats2d | None): shape (n_docs, n), the scores of calls in earlier rounds, the
            last round's in the last column; NaN where a doc was not scored. None: there are none.
        RETURNS (Floats1d): shape (n_docs,); −∞ stays what it is.
        """
        if self.adjust is None:
            return scores
        if history is None:
            history = np.zeros((len(docs), 0), dtype="float32")
        found = self.adjust(scores, docs, history)
        return np.asarray(np.where(np.isneginf(scores), scores, found), dtype="float32")


def score_docs(
    policy: QueryPolicy,
    docs: Sequence[Doc],
    evidence_of: Callable[[Sequence[Doc]], Any],
    rng: np.random.Generator,
    block: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Floats1d:
    """Score docs by their evidence; docs without words are not passed to a model, and come last.

    What a policy that wraps another makes of these scores, ``QueryPolicy.adjusted`` says.

    policy (QueryPolicy): the policy.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are taken 8192 at a time, so that those
        that are made as they are taken need not be in memory together.
    evidence_of (Callable): takes docs, returns the evidence that the policy needs.
    rng (np.random.Generator): the generator of policies that draw.
    block (Callable): makes the context in which docs are taken and scored; it is entered anew for
        each 8192 docs.
    RETURNS (Floats1d): shape (n_docs,); higher scores are queried first.
    """
    scores = np.full(len(docs), -np.inf, dtype="float32")
    for low in range(0, len(docs), TOGETHER):
        with block():
            taken = enumerate(docs[low : low + TOGETHER], low)
            some = {i: doc for i, doc in taken if not is_blank(doc)}
            if some:
                scores[list(some)] = policy(evidence_of(list(some.values())), rng)
    return scores


def evidence(
    needs: Needs,
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    progress: Progress | None = None,
) -> Any:
    """The evidence from a single trained pipeline; a committee needs several.

    RAISES (SeqMixError): S401, S424, S425 or S710, see ``token_probs``, ``path_probs`` and
        ``entity_probs``.
    """
    if needs == "paths":
        return path_probs(nlp, component, docs, progress=progress)
    if needs == "entities":
        return entity_probs(nlp, component, docs, progress=progress)
    return token_probs(nlp, component, docs, progress=progress)


def make_random_policy() -> QueryPolicy:
    """Create the policy that draws at random and needs no model."""
    return QueryPolicy(_uniform, needs="nothing")


def make_nte_policy() -> QueryPolicy:
    """Create the policy of normalised token entropy (SeqMix, Eq. 3).

    −1/T Σ_t Σ_m p_tm log p_tm, in nats per token.
    """
    return QueryPolicy(partial(_of_each, entropy))


def make_least_confidence_policy(mode: str = "sum") -> QueryPolicy:
    """Create the policy of least confidence (SeqMix, Eq. 1 and 2; Culotta and McCallum 2005).

    mode (str): "sum": Σ_t (1 − max_m p_tm), for token classifiers (Eq. 2; long docs win);
        "mean": the same over T; "path": 1 − P(y* given x), y* the decoded path (Eq. 1). Paths
        less probable than some 1e-8 all have the score 1, so ties among them are broken at random.
    RAISES (SeqMixError): S420 for another mode.
    """
    check_mode("LeastConfidence", mode, ("sum", "mean", "path"))
    if mode == "path":
        return QueryPolicy(_path_doubt, needs="paths")
    return QueryPolicy(partial(_of_each, _doubt_sum if mode == "sum" else _doubt_mean))


def make_margin_policy(mode: str = "mean") -> QueryPolicy:
    """Create the policy of the smallest margin between the two best tags (Scheffer et al. 2001).

    With d_t the difference of the two highest p_tm of token t.

    mode (str): "mean": −1/T Σ_t d_t; "smallest": −min_t d_t, one doubtful token suffices.
    RAISES (SeqMixError): S420 for another mode.
    """
    check_mode("Margin", mode, ("mean", "smallest"))
    return QueryPolicy(partial(_of_each, _margin_mean if mode == "mean" else _margin_smallest))


def make_mnlp_policy() -> QueryPolicy:
    """Create the policy of the maximum normalised log-probability (MNLP; Shen et al. 2017).

    −1/T Σ_t log max_m p_tm, in nats per token; the paper minimises its negative.
    """
    return QueryPolicy(partial(_of_each, _mnlp))


def make_tag_count_policy() -> QueryPolicy:
    """Create the policy of the tag count: Σ_t (1 − p_t(O)), the expected number of tokens in
    entities (Kohl et al. 2024, after Marcheggiani and Artières 2014)."""
    return QueryPolicy(partial(_of_each, lambda p: float(p.sum())), needs="entities")


def entropy(p: Floats2d) -> float:
    """The mean entropy of the rows of p, in nats."""
    return float(-(p * np.log(np.maximum(p, 1e-30))).sum() / len(p))


def check_mode(name: str, mode: str, allowed: Sequence[str]) -> None:
    """Check the mode of a policy. RAISES (SeqMixError): S420 for an unknown one."""
    if mode not in allowed:
        raise SeqMixError(Errors.E420.format(name=name, mode=mode, allowed=", ".join(allowed)))


def _of_each(
    measure: Callable[[Floats2d], float], probs: TokenProbs, rng: np.random.Generator
) -> Floats1d:
    """The measure of each doc's token probabilities, shape (n_docs,); −∞ without tokens, NaN where
    they are not finite: a measure could hide that."""
    scores = np.full(len(probs), -np.inf, dtype="float32")
    for i, p in enumerate(probs):
        if len(p):
            scores[i] = measure(p.astype("float64")) if np.isfinite(p).all() else np.nan
    return scores


def _uniform(docs: Sequence[Doc], rng: np.random.Generator) -> Floats1d:
    return rng.random(len(docs), dtype="float32")


def _path_doubt(paths: Floats1d, rng: np.random.Generator) -> Floats1d:
    p = np.asarray(paths, dtype="float64")
    return np.where(np.isfinite(p), 1.0 - p, np.nan).astype("float32")


def _doubt_sum(p: Floats2d) -> float:
    return float((1.0 - p.max(axis=1)).sum())


def _doubt_mean(p: Floats2d) -> float:
    return _doubt_sum(p) / len(p)


def _margins(p: Floats2d) -> Floats1d:
    # A tag of probability 0 beside them, so that there are always two.
    best = np.sort(np.pad(p, ((0, 0), (1, 0))), axis=1)
    return np.asarray(best[:, -1] - best[:, -2])


def _margin_mean(p: Floats2d) -> float:
    return -float(_margins(p).mean())


def _margin_smallest(p: Floats2d) -> float:
    return -float(_margins(p).min())


def _mnlp(p: Floats2d) -> float:
    return -float(np.log(np.maximum(p.max(axis=1), 1e-30)).mean())
