"""Entities that a pipeline suggests to a person, with confidence where it gives any."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..annotation.texts import tokenise
from ..annotation.whitespace import is_blank
from ..types import Suggestion
from .confidence import WITH_SPANS, TemperedProbs, spans_of_component, tempered_probs
from .probabilities import Progress, annotate, check_enabled, copy_tokens, encoded_lengths
from .temperature import temperature_of

# Start, end and label of a span, and its confidence by a component's own probabilities.
Confidences: TypeAlias = dict[tuple[int, int, str], float]
# What components say they set that has entities or spans.
ASSIGNED = ("doc.ents", "doc.spans", "token.ent_")


@dataclass(frozen=True)
class Prediction:
    """What a pipeline finds in a text.

    doc (Doc): the text as the pipeline has annotated it.
    suggestions (tuple[Suggestion, ...]): its entities, in the order of the text.
    certainty (float | None): the least of their confidences, and of the probabilities that the
        components with probabilities give to the best tag of each word: a word that may be an
        entity counts, too. None where nothing has a probability.
    """

    doc: Doc
    suggestions: tuple[Suggestion, ...]
    certainty: float | None


@dataclass
class _Known:
    """What components with probabilities say of a doc: confidences, and the least sure word."""

    spans: Confidences = field(default_factory=dict)
    words: list[float] = field(default_factory=list)


def suggest(
    nlp: Language,
    component: str | None,
    docs: Sequence[Doc],
    labels: Mapping[str, str] | None = None,
    *,
    retokenise: bool = False,
    batch_size: int = 128,
    progress: Progress | None = None,
) -> list[tuple[Suggestion, ...]]:
    """Predict entities of docs.

    The confidence is that of the component's own probabilities, at the temperature of the
    pipeline's ``seqmix_uncertainty`` if there is one; else ``span._.score``; else that of the
    attribute "scores" of a span group; else None. What is not in 0..1 is no confidence.

    nlp (Language): any pipeline. It may have another tokenizer, and another vocabulary.
    component (str | None): the component whose spans are suggested; the pipeline is run up to it.
        None: the whole pipeline is run. Its entities are suggested, and in docs where it sets none,
        the spans of its groups; of overlapping ones the longest.
    docs (Sequence[Doc]): docs to predict; they are not changed, and their annotation is ignored.
    labels (Mapping | None): names of labels in the pipeline, and what they are called here; all
        others are left out. None keeps all labels as they are.
    retokenise (bool): let the pipeline's own tokenizer cut the texts, as a foreign pipeline may
        need. Entities that do not begin and end with tokens of the docs are left out.
    batch_size (int): docs in a batch; they are sorted by length, so that little is padded.
    progress (Callable | None): called with the number of docs done.
    RETURNS (list): the suggestions of each doc, in the order of the text; none for components that
        set no spans.
    RAISES (SeqMixError): S570 for a component that is disabled; S601 for a text that takes the
        pipeline's tokenizer minutes.
    """
    out: list[tuple[Suggestion, ...]] = [()] * len(docs)
    found = predict(
        nlp,
        component,
        docs,
        labels,
        retokenise=retokenise,
        batch_size=batch_size,
        progress=progress,
    )
    for number, one in found:
        out[number] = one.suggestions
    return out


def predict(
    nlp: Language,
    component: str | None,
    docs: Sequence[Doc],
    labels: Mapping[str, str] | None = None,
    *,
    words: bool = False,
    retokenise: bool = False,
    batch_size: int = 128,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Prediction]]:
    """Predict entities of docs, as ``suggest`` does.

    words (bool): let the certainty count words; otherwise it is that of the suggestions.
    YIELDS (tuple[int, Prediction]): the number of a doc, and what was found; in the order of their
        lengths, without docs that have no words.
    RAISES (SeqMixError): S570 and S601, as ``suggest``.
    """
    if component is not None:
        check_enabled(nlp, component)
    lengths = encoded_lengths([proc for _, proc in nlp.pipeline], docs)
    order = sorted((i for i, doc in enumerate(docs) if not is_blank(doc)), key=lengths.__getitem__)
    for at in range(0, len(order), batch_size):
        numbers = order[at : at + batch_size]
        copies = [_copy(nlp, docs[i], retokenise) for i in numbers]
        for i, doc, known in zip(numbers, *_predict(nlp, component, copies, words), strict=True):
            spans = _spans(nlp, component, doc)
            found = _suggestions(docs[i], spans, known.spans, labels, retokenise)
            sure = [*known.words, *(s.confidence for s in found if s.confidence is not None)]
            yield i, Prediction(doc, found, min(sure, default=None))
        if progress is not None:
            progress(len(numbers))


def may_suggest(nlp: Language) -> bool:
    """Whether a pipeline may set entities or spans."""
    return any(sets_entities(nlp, name) for name in nlp.pipe_names)


def sets_entities(nlp: Language, name: str) -> bool:
    """Whether a component may set entities or spans: one that does not say what it sets may, and
    those of spacy-llm don't say."""
    names = nlp.get_pipe_meta(name).assigns
    return not names or any(one.startswith(ASSIGNED) for one in names)


def _copy(nlp: Language, doc: Doc, retokenise: bool) -> Doc:
    return tokenise(nlp, doc.text, "a text of the pool") if retokenise else copy_tokens(doc, nlp)


def _predict(
    nlp: Language, component: str | None, docs: list[Doc], words: bool
) -> tuple[list[Doc], list[_Known]]:
    """Run the pipeline, and ask components with probabilities before others change the docs: an
    encoder that follows would replace theirs."""
    known = [_Known() for _ in docs]
    for name, proc in nlp.pipeline:
        docs = annotate(proc, docs)
        asked = component in (None, name)
        if asked and nlp.get_pipe_meta(name).factory in WITH_SPANS:
            probs, temperature = tempered_probs(nlp, name, docs), temperature_of(nlp, name)
            assert probs.spans is not None
            values_of = probs.spans(temperature)
            for doc, values, one in zip(docs, values_of, known, strict=True):
                spans = spans_of_component(nlp, name, doc)
                one.spans |= zip(map(_place, spans), values.tolist(), strict=True)
            if words:
                _ask_words(probs, temperature, known)
        if name == component:
            break
    return docs, known


def _ask_words(probs: TemperedProbs, temperature: float, known: list[_Known]) -> None:
    """The probability of the best tag of the least sure word."""
    for rows, one in zip(probs.tokens(temperature), known, strict=True):
        if rows.size:
            one.words.append(min(1.0, float(rows.max(axis=1).min())))


def _spans(nlp: Language, component: str | None, doc: Doc) -> list[tuple[Span, Any]]:
    """The spans to suggest, and the score that their group has for each; None without one."""
    if component is not None:
        if not _sets_spans(nlp, component):
            return []
        found = [(span, None) for span in spans_of_component(nlp, component, doc)]
        return sorted(found, key=lambda pair: (pair[0].start, pair[0].end, pair[0].label_))
    if doc.ents:
        return [(ent, None) for ent in doc.ents]
    scores: dict[tuple[int, int, str], Any] = {}
    spans: list[Span] = []
    for group in doc.spans.values():
        values = group.attrs.get("scores", ())
        if len(values) != len(group):
            values = [None] * len(group)
        spans += list(group)
        scores |= zip(map(_place, group), values, strict=True)
    return [(span, scores[_place(span)]) for span in filter_spans(spans)]


def _sets_spans(nlp: Language, component: str) -> bool:
    meta = nlp.get_pipe_meta(component)
    return meta.factory in WITH_SPANS or "doc.ents" in meta.assigns


def _suggestions(
    doc: Doc,
    spans: Sequence[tuple[Span, Any]],
    confidences: Confidences,
    labels: Mapping[str, str] | None,
    retokenise: bool,
) -> tuple[Suggestion, ...]:
    out = []
    for span, score in spans:
        label = span.label_ if labels is None else labels.get(span.label_)
        place = doc.char_span(span.start_char, span.end_char) if retokenise else span
        if label and place is not None:
            own = confidences.get(_place(span))
            extra = span._.score if Span.has_extension("score") else None
            confidence = next(
                (p for p in map(_probability, (own, extra, score)) if p is not None), None
            )
            out.append(Suggestion(place.start, place.end, label, confidence))
    return tuple(out)


def _probability(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and 0.0 <= number <= 1.0 else None


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label_
