"""A pipeline that suggests labels before the first round has trained one."""

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import get_sourced_components, load_config, load_model_from_config

from ..config import reason_of
from ..errors import Errors, SeqMixError
from ..query.diverse import encoder_vectors, text_vectors
from ..query.probabilities import Progress
from ..query.suggestions import may_suggest, sets_entities, suggest
from ..types import Floats2d, Suggestion
from .remarks import without_remarks
from .schema import SeedModelSchema

# What loading a pipeline raises where files, packages or settings are wrong.
LOAD_ERRORS = (OSError, ImportError, ValueError, TypeError, KeyError, configparser.Error)
# spaCy's messages go on with a list of all that is registered.
LISTS = ("Available factories:", "Available names:")


@dataclass(frozen=True)
class SeedModel:
    """A loaded pipeline, its name, and the names of its labels here; see ``suggest``."""

    name: str
    nlp: Language
    labels: Mapping[str, str] | None

    def suggest(
        self, docs: Sequence[Doc], progress: Progress | None = None
    ) -> list[tuple[Suggestion, ...]]:
        """The entities that the pipeline predicts, in the tokens of the docs.

        Its own tokenizer cuts the texts: entities that cut a token of the docs are left out.
        """
        with without_remarks():
            return suggest(self.nlp, None, docs, self.labels, retokenise=True, progress=progress)

    def vectors(self, docs: Sequence[Doc]) -> Floats2d:
        """Vectors by which a diverse sample is chosen: those of the pipeline's last component that
        has token vectors; where none has, those of the texts' characters."""
        found = encoder_vectors(self.nlp, None, docs)
        return text_vectors(docs) if found is None else found


def load_seed_model(settings: SeedModelSchema) -> SeedModel:
    """Load the pipeline that a config names.

    RAISES (SeqMixError): S712 where it can't be loaded, S713 for labels that it does not have, S714
        where nothing in it sets entities.
    """
    try:
        nlp = _load(settings.name)
    except SeqMixError:
        raise
    except LOAD_ERRORS as err:
        reason = reason_of(err)
        for start in LISTS:
            reason = reason.partition(start)[0].strip().rstrip(".")
        raise SeqMixError(Errors.E712.format(name=settings.name, reason=reason)) from err
    if not may_suggest(nlp):
        raise SeqMixError(Errors.E714.format(name=settings.name, pipes=nlp.pipe_names))
    known = labels_of(nlp)
    if known is not None and (unknown := sorted({*(settings.labels or ())} - known)):
        values = {"name": settings.name, "labels": unknown, "known": sorted(known)}
        raise SeqMixError(Errors.E713.format(**values))
    return SeedModel(settings.name, nlp, settings.labels)


def labels_of(nlp: Language) -> set[str] | None:
    """The labels that a pipeline may set; None where a component does not say."""
    found: set[str] = set()
    for name, proc in nlp.pipeline:
        if sets_entities(nlp, name):
            labels: Any = getattr(proc, "labels", None)
            if not isinstance(labels, list | tuple | set | frozenset) or not labels:
                return None
            found |= {*map(str, labels)}
    return found


def _load(name: str) -> Language:
    if Path(name).suffix != ".cfg":
        return spacy.load(name)
    # As spacy assemble does.
    config = load_config(Path(name), interpolate=False)
    nlp = load_model_from_config(config, auto_fill=True)
    sourced = get_sourced_components(config.interpolate())
    nlp._link_components()
    with nlp.select_pipes(disable=[*sourced]):
        nlp.initialize()
    return nlp
