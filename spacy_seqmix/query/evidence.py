"""What policies score: asked of a trained pipeline, as the policy needs it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ..types import Floats1d
from .paths import check_config_has_paths, check_has_paths, path_probs
from .policies import Needs, QueryPolicy
from .probabilities import check_config_has_probs, check_has_probs, token_probs


def score_docs(
    policy: QueryPolicy,
    docs: Sequence[Doc],
    ask: Callable[[Sequence[Doc]], Any],
    rng: np.random.Generator,
) -> Floats1d:
    """How much a policy wants each doc; those without tokens never, and no model sees them.

    policy (QueryPolicy): the policy.
    docs (Sequence[Doc]): unlabelled docs, tokenised.
    ask (Callable): gives the evidence that the policy needs of a list of docs.
    rng (np.random.Generator): for policies that draw.
    RETURNS (Floats1d): shape (n_docs,), higher is more wanted.
    """
    scores = np.full(len(docs), -np.inf, dtype="float32")
    kept = [i for i, doc in enumerate(docs) if len(doc)]
    if kept:
        scores[kept] = policy(ask([docs[i] for i in kept]), rng)
    return scores


def evidence(
    needs: Needs,
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    progress: Callable[[int], object] | None = None,
) -> Any:
    """The evidence that one trained pipeline can give; a committee's takes several.

    RAISES (SeqMixError): S401, S424 or S425, see ``token_probs`` and ``path_probs``.
    """
    if needs == "paths":
        return path_probs(nlp, component, docs, progress=progress)
    return token_probs(nlp, component, docs, progress=progress)


def check_evidence(needs: Needs, nlp: Language, component: str) -> None:
    """RAISES (SeqMixError): S401 or S424 when a component cannot give what a policy needs."""
    if needs != "nothing":
        check_has_probs(nlp, component)
    if needs == "paths":
        check_has_paths(nlp, component)


def check_config_evidence(needs: Needs, config: Config, component: str) -> None:
    """The same check of an interpolated training config, before anything is built."""
    if needs != "nothing":
        check_config_has_probs(config, component)
    if needs == "paths":
        check_config_has_paths(config, component)
