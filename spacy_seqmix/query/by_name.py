"""Policies by the names that users give, and the components that they score."""

from __future__ import annotations

from pathlib import Path

from spacy.language import Language
from spacy.util import registry
from thinc.api import Config

from ..config import build_functions, config_errors, interpolated
from ..errors import Errors, SeqMixError
from .confidence import components_with_spans
from .policies import QueryPolicy
from .probabilities import ENTITY_FACTORIES, SOURCES, check_enabled, check_needs

__all__ = ["component_of", "policy_of", "usual_policy"]

# See docs/policies.md: measured on two corpora.
USUAL = "TagCount"


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
