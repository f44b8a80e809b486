"""``seqmix_uncertainty``: how sure a pipeline is of a doc, and of each span that it found."""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from ..extensions import register_extensions
from ..query.policies import QueryPolicy, score_docs
from ..query.probabilities import SOURCES
from ..query.reading import reading, spans_found

# Components that write what others listen to.
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


class SeqMixUncertainty(Pipe):
    """Sets ``doc._.uncertainty`` and each found span's ``span._.confidence``.

    The uncertainty is what a query policy makes of the token probabilities: higher means that an
    annotator's time is better spent there. The confidence is the probability of exactly this span:
    for ``seqmix_ner`` a sum over all tag sequences that have it, for ``ner`` and ``beam_ner`` over
    the parses in a beam, for span categorisers their score. Log-scores are divided by the
    temperature first (Guo et al. 2017); ``spacy seqmix confidence`` fits it to labelled docs.
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
            taken; None: the only one before it that has any.
        policy (QueryPolicy): what makes a number of a doc's token probabilities.
        temperature (float): above 1 the component counts as less sure than it says.
        RAISES (SeqMixError): S443 for a temperature that is not positive, S444 for a policy that
            needs more than token probabilities.
        """
        if policy.needs != "tokens":
            raise SeqMixError(Errors.E444.format(name=name, needs=policy.needs))
        self.nlp = nlp
        self.name = name
        self.component = component
        self.policy = policy
        self.temperature = check_temperature(temperature)
        register_extensions()

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one doc."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of docs, ``batch_size`` at a time."""
        error_handler: Callable[..., None] = self.get_error_handler()
        for docs in util.minibatch(stream, size=batch_size):  # type: ignore[no-untyped-call]
            try:
                self._annotate(docs)
            except Exception as err:
                error_handler(self.name, self, docs, err)
            else:
                yield from docs

    def asked(self) -> str:
        """The name of the component whose probabilities are taken.

        RAISES (SeqMixError): S442 when it is none, or not clear which; S448 when an encoder stands
            between, whose output the component would take for that of its own.
        """
        names = self.nlp.component_names
        before = names[: names.index(self.name)] if self.name in names else names
        able = [name for name in before if self.nlp.get_pipe_meta(name).factory in SOURCES]
        if self.component not in able and (self.component is not None or len(able) != 1):
            raise SeqMixError(
                Errors.E442.format(
                    name=self.name,
                    component=repr(self.component) if self.component else "not set",
                    pipes=names,
                    able=able or "none",
                )
            )
        asked = self.component or able[0]
        for name in before[before.index(asked) :]:
            if self.nlp.get_pipe_meta(name).factory in ENCODERS:
                raise SeqMixError(Errors.E448.format(name=self.name, asked=asked, encoder=name))
        return asked

    def _annotate(self, docs: list[Doc]) -> None:
        if any(doc.vocab is not self.nlp.vocab for doc in docs):
            raise SeqMixError(Errors.E449.format(name=self.name))
        component = self.asked()
        found = reading(self.nlp, component, docs)
        probs = dict(zip(map(id, docs), found.tokens(self.temperature), strict=True))
        # A policy that draws would need a generator of its own; those over probabilities do not.
        scores = score_docs(
            self.policy,
            docs,
            lambda kept: [probs[id(doc)] for doc in kept],
            np.random.default_rng(0),
        )
        for doc, score in zip(docs, scores.tolist(), strict=True):
            doc._.uncertainty = score if math.isfinite(score) else None
        if found.spans is not None:
            for doc, values in zip(docs, found.spans(self.temperature), strict=True):
                for span, value in zip(
                    spans_found(self.nlp, component, doc), values.tolist(), strict=True
                ):
                    span._.confidence = None if math.isnan(value) else value

    # What is saved is what can be fitted after the pipeline was made.

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialise the temperature."""
        writers: dict[str, Callable[[], Any]] = {"cfg": self._cfg}
        return bytes(util.to_bytes(writers, exclude))

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SeqMixUncertainty":
        """Load the temperature from bytes."""
        readers: dict[str, Callable[[Any], Any]] = {"cfg": self._load}
        util.from_bytes(data, readers, exclude)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the temperature to a folder."""
        util.to_disk(path, {"cfg": lambda p: srsly.write_json(p, self._cfg())}, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SeqMixUncertainty":
        """Load the temperature from a folder."""
        util.from_disk(path, {"cfg": lambda p: self._load(srsly.read_json(p))}, exclude)
        return self

    def _cfg(self) -> dict[str, float]:
        return {"temperature": self.temperature}

    def _load(self, cfg: dict[str, Any]) -> None:
        self.temperature = check_temperature(cfg["temperature"])


def check_temperature(temperature: float) -> float:
    """RAISES (SeqMixError): S443 for a temperature that is not a positive number."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise SeqMixError(Errors.E443.format(temperature=temperature))
    return float(temperature)
