"""A component's probabilities on docs that it has annotated, at any temperature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span

from ..annotation.layers import SPAN_CATEGORISERS
from ..errors import Errors, SeqMixError
from ..models.tagger_head import entity_spans, head_of, tag_probs, tempered_rows
from ..types import Floats1d, TokenProbs
from .beam import Parse, beam_parses, parse_marginals
from .probabilities import (
    SOURCES,
    TOKEN_FACTORIES,
    Source,
    check_enabled,
    check_needs,
    without_whitespace,
)


@dataclass(frozen=True)
class TemperedProbs:
    """Probabilities as functions of a temperature T, by which log-scores are divided.

    T = 1 changes nothing; above 1, the component is less certain.

    tokens (Callable): T to token probabilities, one array a doc, with the rows that policies score:
        none of whitespace.
    spans (Callable | None): T to the confidence in each span of ``spans_of_component``, one array
        (n_spans,) a doc; None for components without spans.
    """

    tokens: Callable[[float], TokenProbs]
    spans: Callable[[float], list[Floats1d]] | None


def tempered_probs(nlp: Language, component: str, docs: Sequence[Doc]) -> TemperedProbs:
    """Score docs with a component once, for all temperatures.

    nlp (Language): a trained pipeline.
    component (str): the name of a component that has token probabilities.
    docs (Sequence[Doc]): docs that the pipeline has annotated; they are not changed.
    RAISES (SeqMixError): S401 when the component has no token probabilities.
    """
    check_needs("tokens", nlp, component)
    factory = nlp.get_pipe_meta(component).factory
    proc: Any = nlp.get_pipe(component)
    if factory in WITH_SPANS:
        return WITH_SPANS[factory](proc, docs)
    probs = SOURCES[factory](proc, docs)
    if factory in TOKEN_FACTORIES:
        probs = without_whitespace(probs, docs)
    return TemperedProbs(_rows(probs), None)


def spans_of_component(nlp: Language, component: str, doc: Doc) -> list[Span]:
    """The spans that a component sets: for span categorisers those of its key, else entities."""
    if nlp.get_pipe_meta(component).factory in SPAN_CATEGORISERS:
        proc: Any = nlp.get_pipe(component)
        return list(doc.spans.get(proc.key, ()))
    return list(doc.ents)


def components_with_spans(nlp: Language) -> list[str]:
    """The components of a pipeline that can compute the confidence of spans."""
    return [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in WITH_SPANS]


def check_has_spans(nlp: Language, component: str) -> None:
    """Check that a component can compute the confidence of spans. RAISES (SeqMixError): S440;
    S570 if it is disabled."""
    check_enabled(nlp, component)
    able = components_with_spans(nlp)
    if component not in able:
        raise SeqMixError(Errors.E440.format(name=component, able=able or "none"))


def _rows(probs: TokenProbs) -> Callable[[float], TokenProbs]:
    return lambda t: [tempered_rows(p, t) for p in probs]


def _of_head(proc: Any, docs: Sequence[Doc]) -> TemperedProbs:
    """``seqmix_ner``, whose model has a head that turns scores into probabilities."""
    head, spans = head_of(proc.model), entity_spans(docs, proc.labels)
    # Cached, since tokens and spans use the same temperature and a CRF sums over paths for each.
    scores = tag_probs(proc.model, proc.predict(docs), docs).scores
    tempered = lru_cache(maxsize=1)(partial(head.tempered, scores))

    def tokens(temperature: float) -> TokenProbs:
        return [proc.model.ops.to_numpy(p) for p in tempered(temperature)]

    return TemperedProbs(tokens, lambda t: head.span_probs(tempered(t), spans))


def _of_beam(proc: Any, docs: Sequence[Doc]) -> TemperedProbs:
    """spaCy's transition-based recognisers: the summed probability of the parses with a span."""
    parses_of = beam_parses(proc, docs)
    spans = [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]

    def tokens(temperature: float) -> TokenProbs:
        parses = [_tempered(of_doc, temperature) for of_doc in parses_of]
        return without_whitespace(parse_marginals(proc, docs, parses), docs)

    def confidences(temperature: float) -> list[Floats1d]:
        out = []
        for parses, of_doc in zip(parses_of, spans, strict=True):
            tempered = [(p, set(ents)) for p, ents in _tempered(parses, temperature)]
            sums = [sum(p for p, ents in tempered if span in ents) for span in of_doc]
            out.append(np.array(sums, dtype="float32"))
        return out

    return TemperedProbs(tokens, confidences)


def _tempered(parses: Sequence[Parse], temperature: float) -> list[Parse]:
    probs = tempered_rows(np.array([p for p, _ in parses]), temperature)
    return [(float(p), ents) for p, (_, ents) in zip(probs, parses, strict=True)]


def _of_group(proc: Any, docs: Sequence[Doc], source: Source) -> TemperedProbs:
    """Span categorisers: the score of each span against its complement."""
    # spaCy's single-label categoriser keeps them as a column.
    scores = [np.asarray(_group_scores(proc, doc), dtype="float32").ravel() for doc in docs]

    def confidences(temperature: float) -> list[Floats1d]:
        pairs = [np.stack([s, 1.0 - s], axis=1) for s in scores]
        return [tempered_rows(p, temperature)[:, 0] for p in pairs]

    return TemperedProbs(_rows(source(proc, docs)), confidences)


def _group_scores(proc: Any, doc: Doc) -> Any:
    if proc.key not in doc.spans:
        return []
    group = doc.spans[proc.key]
    scores = group.attrs.get("scores", ())
    if len(scores) != len(group):
        raise SeqMixError(Errors.E441.format(key=proc.key, text=doc.text[:80]))
    return scores


Tempering: TypeAlias = Callable[[Any, Sequence[Doc]], TemperedProbs]
WITH_SPANS: dict[str, Tempering] = {
    "seqmix_ner": _of_head,
    "ner": _of_beam,
    "beam_ner": _of_beam,
    **{name: partial(_of_group, source=SOURCES[name]) for name in SPAN_CATEGORISERS},
}
