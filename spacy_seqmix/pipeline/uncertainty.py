"""The component ``seqmix_uncertainty``: the uncertainty of docs, and the confidence in spans."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.extensions import register_extensions
from ..errors import Errors, SeqMixError
from ..query.confidence import spans_of_component, tempered_probs
from ..query.policies import QueryPolicy, score_docs
from ..query.probabilities import SOURCES, check_enabled
from .labels import annotate_in_batches
from .member import PipelineMember

# Components whose output others listen to.
ENCODERS = ("tok2vec", "transformer", "curated_transformer")


@Language.factory(
    "seqmix_uncertainty",
    assigns=["doc._.uncertainty", "span._.confidence"],
    default_config={
        "component": None,
        "policy": {"@misc": "spacy-seqmix.NTE.v1"},
        "temperature": 1.0,
    },
)
def make_seqmix_uncertainty(
    nlp: Language,
    name: str,
    component: str | None,
    policy: QueryPolicy,
    temperature: float,
) -> "SeqMixUncertainty":
    """Construct a ``seqmix_uncertainty``. See ``SeqMixUncertainty`` for the arguments."""
    return SeqMixUncertainty(nlp, name, component=component, policy=policy, temperature=temperature)


class SeqMixUncertainty(PipelineMember):
    """A component that sets ``doc._.uncertainty``, and ``span._.confidence`` of predicted spans.

    The uncertainty is a query policy's score of the token probabilities: labels of docs with high
    scores help most. The confidence is the probability of exactly this span:
    for ``seqmix_ner`` a sum over all tag sequences with the span, for ``ner`` and ``beam_ner`` over
    the parses in a beam, for span categorisers their score. Log-scores are divided by the
    temperature first (Guo et al. 2017); ``spacy seqmix confidence`` fits it to labelled docs.

    The component saves nothing itself: all settings are in the pipeline's config, so that overrides
    apply when it is loaded.
    """

    def __init__(
        self,
        nlp: Language,
        name: str = "seqmix_uncertainty",
        *,
        component: str | None = None,
        policy: QueryPolicy,
        temperature: float = 1.0,
    ) -> None:
        """Create the component.

        nlp (Language): the pipeline that it is part of.
        name (str): its name.
        component (str | None): the component, earlier in the pipeline, whose probabilities are
            used; None: the only component before it that has any.
        policy (QueryPolicy): scores a doc by its token probabilities.
        temperature (float): the divisor of log-scores; above 1, confidences get lower.
        RAISES (SeqMixError): S443 for a temperature that is not positive, S444 for a policy that
            needs more than token probabilities.
        """
        if policy.needs != "tokens":
            raise SeqMixError(Errors.E444.format(name=name, needs=policy.needs))
        self.component = component
        self.policy = policy
        self._temperature = check_temperature(temperature)
        self._names: list[str] = []
        super().__init__(nlp, name)
        register_extensions()

    @property
    def temperature(self) -> float:
        """The divisor of log-scores. Setting it changes the pipeline's config too.

        RAISES (SeqMixError): S443 for a temperature that is not positive.
        """
        return self._temperature

    @temperature.setter
    def temperature(self, temperature: float) -> None:
        self._temperature = check_temperature(temperature)
        for nlp in self.pipelines():
            self._save(nlp, "temperature", self._temperature)

    def join(self, nlp: Language) -> None:
        """Remember a pipeline, and follow the component that is asked to its new name there."""
        known = [ref() for ref in self._pipelines[-1:]] == [nlp]
        super().join(nlp)
        before, self._names = self._names, self.names_before(nlp)
        # spaCy tells of every change by itself: a name that went while the number of components
        # stayed the same is that of a component that was renamed.
        if known and self.component in before and len(before) == len(self._names):
            self.component = self._names[before.index(self.component)]
            self._save(nlp, "component", self.component)

    def _save(self, nlp: Language, setting: str, value: object) -> None:
        """Change a setting in a pipeline's config, if the component is part of it."""
        for name, proc in nlp.components:
            if proc is self:
                nlp.get_pipe_config(name)[setting] = value

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one doc."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of docs, ``batch_size`` at a time."""
        yield from annotate_in_batches(self, stream, batch_size, self._annotate)

    def observed(self, nlp: Language | None = None) -> str:
        """The name of the component whose probabilities are used.

        nlp (Language | None): the pipeline; by default that into which the component came last.
        RAISES (SeqMixError): S442 if there is none, or more than one; S448 if an encoder comes
            between, whose output would replace that of the component's own encoder; S570 if it is
            disabled.
        """
        nlp = nlp or self.latest()
        before = self.names_before(nlp)
        able = [name for name in before if nlp.get_pipe_meta(name).factory in SOURCES]
        if self.component not in able and (self.component is not None or len(able) != 1):
            raise SeqMixError(
                Errors.E442.format(
                    name=self.name,
                    component=repr(self.component) if self.component else "not set",
                    pipes=nlp.component_names,
                    able=able or "none",
                )
            )
        component = self.component or able[0]
        for encoder in before[before.index(component) :]:
            if nlp.get_pipe_meta(encoder).factory in ENCODERS:
                values = {"name": self.name, "component": component, "encoder": encoder}
                raise SeqMixError(Errors.E448.format(**values))
        check_enabled(nlp, component)
        return component

    def _annotate(self, docs: list[Doc]) -> None:
        if not docs:
            return
        nlp = self.pipeline_of(docs[0].vocab, lambda nlp: nlp.get_pipe(self.observed(nlp)))
        component = self.observed(nlp)
        scores_of = tempered_probs(nlp, component, docs)
        probs = dict(zip(map(id, docs), scores_of.tokens(self.temperature), strict=True))
        # Only policies that draw use the generator, and those over token probabilities do not.
        scores = score_docs(
            self.policy,
            docs,
            lambda kept: [probs[id(doc)] for doc in kept],
            np.random.default_rng(0),
        )
        scores = self.policy.adjusted(scores, docs)
        for doc, score in zip(docs, scores.tolist(), strict=True):
            doc._.uncertainty = score if math.isfinite(score) else None
        if scores_of.spans is not None:
            for doc, values in zip(docs, scores_of.spans(self.temperature), strict=True):
                for span, value in zip(
                    spans_of_component(nlp, component, doc), values.tolist(), strict=True
                ):
                    span._.confidence = None if math.isnan(value) else value


def check_temperature(temperature: float) -> float:
    """Return the temperature. RAISES (SeqMixError): S443 if it is not a positive number."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise SeqMixError(Errors.E443.format(temperature=temperature))
    return float(temperature)
