"""Query policies over a committee, which prefer docs whose members disagree about the tags."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors, SeqMixError
from ..types import Floats1d, TokenProbs
from .policies import QueryPolicy, check_mode, entropy

# One doc: members, tokens, tags.
Floats3d = NDArray[np.floating[Any]]


def make_qbc_policy(mode: str = "vote_entropy") -> QueryPolicy:
    """Create the policy of query by committee (SeqMix, Eq. 4), over C members.

    mode (str): "vote_entropy": −1/T Σ_t Σ_m V_tm/C log V_tm/C, where V_tm members have m as
        their best tag of token t (Eq. 4); "kl": 1/T Σ_t 1/C Σ_c KL(p_ct ∥ p̄_t), how far the
        members are from their mean p̄ (McCallum and Nigam 1998). Both in nats per token.
    RAISES (SeqMixError): S420 for another mode.
    """
    check_mode("QBC", mode, ("vote_entropy", "kl"))
    measure = vote_entropy if mode == "vote_entropy" else consensus_divergence
    return QueryPolicy(partial(_of_each, measure), needs="committee")


def vote_entropy(p: Floats3d) -> float:
    """The mean entropy of the members' votes; each votes for its (first) best tag."""
    votes = np.eye(p.shape[2])[p.argmax(axis=2)]
    return entropy(votes.mean(axis=0))


def consensus_divergence(p: Floats3d) -> float:
    """The mean divergence KL of the members from their mean; exactly 0 where they are equal."""
    logs = np.log(np.maximum(p, 1e-30))
    consensus = np.log(np.maximum(p.mean(axis=0), 1e-30))
    return float((p * (logs - consensus)).sum(axis=2).mean())


def check_members(members: Sequence[TokenProbs]) -> None:
    """RAISES (SeqMixError): S421 for fewer than two members, S422 when their arrays differ."""
    if len(members) < 2:
        raise SeqMixError(Errors.E421.format(members=len(members)))
    shapes = [[p.shape for p in probs] for probs in members]
    for number, other in enumerate(shapes[1:], start=2):
        if other != shapes[0]:
            reason = f"member {number} has other numbers of docs, tokens or tags than the first"
            raise SeqMixError(Errors.E422.format(reason=reason))


def _of_each(
    measure: Callable[[Floats3d], float],
    members: Sequence[TokenProbs],
    rng: np.random.Generator,
) -> Floats1d:
    """The measure of each doc, shape (n_docs,); −∞ for a doc without tokens, NaN where a member's
    probabilities are not numbers: a vote for its first tag would pass for one."""
    check_members(members)
    scores = np.full(len(members[0]), -np.inf, dtype="float32")
    for i, probs in enumerate(zip(*members, strict=True)):
        p = np.stack(probs).astype("float64")
        if p.shape[1]:
            scores[i] = measure(p) if np.isfinite(p).all() else np.nan
    return scores
