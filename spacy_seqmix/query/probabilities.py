"""Probabilities from a component of a trained pipeline: of tags, of decisions, of decoded paths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from thinc.api import Config

from ..annotation.whitespace import words_of
from ..errors import Errors, SeqMixError
from ..models.tagger_head import normalised
from ..types import Floats1d, Floats2d, TokenProbs
from .beam import beam_probs

# What a query policy scores; see ``policies.QueryPolicy``.
Needs: TypeAlias = Literal["nothing", "tokens", "entities", "paths", "committee"]
# (component, docs that the components before it have annotated) -> one array of rows a doc
Source: TypeAlias = Callable[[Any, Sequence[Doc]], list[Floats2d]]
Progress: TypeAlias = Callable[[int], object]

ENTS = "doc.ents"


def predicted_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """The result of ``predict``, for components that return probabilities."""
    return [proc.model.ops.to_numpy(p) for p in proc.predict(docs)]


def softmax_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """The softmax of a tagger's scores; columns are ``proc.labels``."""
    if not any(len(doc) for doc in docs):
        return [np.zeros((0, len(proc.labels)), dtype="float32") for _ in docs]
    scores = proc.model.predict(docs)
    return [proc.model.ops.to_numpy(normalised(proc.model, s)) for s in scores]


def span_label_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """A row for each candidate span: a column for each label, and a last one for no label."""
    n_columns = len(proc.labels) + int(proc.add_negative_label)
    return [scores.reshape(-1, n_columns) for scores in _span_scores(proc, docs)]


def span_decision_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """A row (p, 1 − p) for each label of each candidate span, since labels are independent."""
    flat = [scores.ravel() for scores in _span_scores(proc, docs)]
    return [np.stack([p, 1.0 - p], axis=1) for p in flat]


def relation_probs(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """A row for each candidate pair of entities: "no_relation", then the labels."""
    return [labels.probs for labels in proc.predict(docs)]


# By the name of a component's factory.
SOURCES: dict[str, Source] = {
    "seqmix_ner": predicted_probs,
    "ner": beam_probs,
    "beam_ner": beam_probs,
    "tagger": softmax_probs,
    "seqmix_tagger": softmax_probs,
    "morphologizer": softmax_probs,
    "spancat": span_decision_probs,
    "spancat_singlelabel": span_label_probs,
    "seqmix_relations": relation_probs,
}
# Components that can compute the probability of the tags that they decode.
PATH_FACTORIES = ("seqmix_ner",)
# Components whose first column is that of "O", the tag outside of entities.
ENTITY_FACTORIES = ("seqmix_ner", "ner", "beam_ner")
# Components with a row for each token.
TOKEN_FACTORIES = ("seqmix_ner", "ner", "beam_ner", "tagger", "seqmix_tagger", "morphologizer")
# Components whose rows depend on entities, and those that set entities the same way every time.
PAIR_FACTORIES = ("seqmix_relations",)
LIMITED = {"paths": (PATH_FACTORIES, Errors.E424), "entities": (ENTITY_FACTORIES, Errors.E710)}
RULES = ("entity_ruler", "span_ruler")


def check_needs(needs: Needs, pipeline: Language | Config, component: str) -> None:
    """Check that a component can provide what a policy needs.

    pipeline (Language | Config): a pipeline, or an interpolated training config before anything is
        built, where components with a ``source`` pass: they are known once they are loaded.
    RAISES (SeqMixError): S401 without probabilities, S424 without the probability of a path, S710
        without that of an entity, S436 for a committee whose members would score other pairs of
        entities, S570 for a component that is disabled.
    """
    if needs == "nothing":
        return
    if isinstance(pipeline, Language):
        check_enabled(pipeline, component)
        factories = {n: pipeline.get_pipe_meta(n).factory for n in pipeline.pipe_names}
    else:
        sections = {n: pipeline["components"].get(n, {}) for n in pipeline["nlp"]["pipeline"]}
        if "source" in sections.get(component, {}):
            return
        factories = {n: section.get("factory", "") for n, section in sections.items()}
    pipes = list(factories)
    able = [name for name, factory in factories.items() if factory in SOURCES]
    if component not in able:
        raise SeqMixError(Errors.E401.format(name=component, pipes=pipes, able=able or "none"))
    if needs in LIMITED:
        limited, message = LIMITED[needs]
        able = [name for name, factory in factories.items() if factory in limited]
        if component not in able:
            raise SeqMixError(message.format(name=component, able=able or "none"))
    if needs == "committee" and factories[component] in PAIR_FACTORIES:
        setter = entity_setter({n: factories[n] for n in pipes[: pipes.index(component)]})
        if setter is not None:
            raise SeqMixError(Errors.E436.format(name=component, setter=setter))


def check_enabled(nlp: Language, component: str) -> None:
    """Check that a pipeline runs a component. RAISES (SeqMixError): S570 if it is disabled."""
    if component in nlp.disabled:
        raise SeqMixError(Errors.E570.format(name=component))


def entity_setter(factories: Mapping[str, str]) -> str | None:
    """The first component that predicts entities, except by rules; factories are by component."""
    for name, factory in factories.items():
        known = Language.has_factory(factory) and factory not in RULES
        if known and ENTS in Language.get_factory_meta(factory).assigns:
            return name
    return None


def token_probs(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    batch_size: int = 128,
    progress: Progress | None = None,
    source: Source | None = None,
    whitespace: bool = False,
) -> TokenProbs:
    """Run the pipeline up to a component, and return the probabilities of that component.

    nlp (Language): a trained pipeline.
    component (str): the name of a component that has probabilities.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are not changed.
    batch_size (int): docs in a batch; they are sorted by length, so that little is padded.
    progress (Callable | None): called with the number of docs done.
    source (Callable | None): (component, docs) -> arrays; by default the one in ``SOURCES``.
    whitespace (bool): keep the rows of whitespace tokens, about which there is nothing to ask.
    RETURNS (TokenProbs): one array (T, L) a doc, in the order of ``docs``. Rows are distributions:
        one a token; for span categorisers one a decision, for relations one a candidate pair.
    RAISES (SeqMixError): S401 when the component has no probabilities, S425 when they are not
        numbers.
    """
    if source is None:
        check_needs("tokens", nlp, component)
        source = SOURCES[nlp.get_pipe_meta(component).factory]
    proc: Any = nlp.get_pipe(component)
    out: dict[int, Floats2d] = {}
    for numbers, batch in annotated_batches(nlp, component, docs, batch_size):
        rows = source(proc, batch)
        if not whitespace and nlp.get_pipe_meta(component).factory in TOKEN_FACTORIES:
            rows = without_whitespace(rows, batch)
        for i, p in zip(numbers, rows, strict=True):
            out[i] = check_numbers(p, component)
        if progress is not None:
            progress(len(numbers))
    return [out[i] for i in range(len(docs))]


def without_whitespace(rows: Sequence[Floats2d], docs: Sequence[Doc]) -> list[Floats2d]:
    """The rows of the tokens that are not whitespace, from those of all tokens of each doc."""
    return [p[words_of(doc)] for p, doc in zip(rows, docs, strict=True)]


def path_probs(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    batch_size: int = 128,
    progress: Progress | None = None,
) -> Floats1d:
    """Run the pipeline up to a component, and return the probability of the tags it decodes.

    component (str): the name of a component with a method ``path_probs``, such as ``seqmix_ner``.
        Other arguments as for ``token_probs``.
    RETURNS (Floats1d): shape (n_docs,), P(y* given x), in the order of ``docs``.
    RAISES (SeqMixError): S401, S424 when the component has no such probabilities, S425 when they
        are not numbers.
    """
    check_needs("paths", nlp, component)
    proc: Any = nlp.get_pipe(component)
    out = np.zeros(len(docs), dtype="float32")
    for numbers, batch in annotated_batches(nlp, component, docs, batch_size):
        out[numbers] = check_numbers(proc.path_probs(batch), component)
        if progress is not None:
            progress(len(numbers))
    return out


def entity_probs(
    nlp: Language, component: str, docs: Sequence[Doc], progress: Progress | None = None
) -> list[Floats1d]:
    """Run the pipeline up to an entity recogniser; return the tokens' probability to be in an
    entity.

    RETURNS (list[Floats1d]): 1 − P(O), shape (n_tokens,) a doc, without whitespace tokens.
    RAISES (SeqMixError): S401 or S710 for other components, S425 where they are not numbers.
    """
    check_needs("entities", nlp, component)
    return [1.0 - p[:, 0] for p in token_probs(nlp, component, docs, progress=progress)]


def annotated_batches(
    nlp: Language, component: str, docs: Sequence[Doc], batch_size: int
) -> Iterator[tuple[list[int], list[Doc]]]:
    """Yield copies of docs, annotated by the components before a component, in batches.

    YIELDS (tuple): the numbers of a batch's docs, and the copies; sorted by length.
    """
    given = takes_entities(nlp, component)
    before = [proc for _, proc in nlp.pipeline[: nlp.pipe_names.index(component)]]
    lengths = encoded_lengths(before, docs)
    order = sorted(range(len(docs)), key=lengths.__getitem__)
    for at in range(0, len(order), batch_size):
        numbers = order[at : at + batch_size]
        batch = [copy_tokens(docs[i], nlp) for i in numbers]
        if given:
            for i, copy in zip(numbers, batch, strict=True):
                copy.set_ents([Span(copy, e.start, e.end, label=e.label_) for e in docs[i].ents])
        for earlier in before:
            batch = annotate(earlier, batch)
        yield numbers, batch


def takes_entities(nlp: Language, component: str) -> bool:
    """Whether docs must have entities: a component needs them, and none before it sets them."""
    before = nlp.pipe_names[: nlp.pipe_names.index(component)]
    needed = ENTS in nlp.get_pipe_meta(component).requires
    return needed and not any(ENTS in nlp.get_pipe_meta(name).assigns for name in before)


def encoded_lengths(procs: Sequence[Any], docs: Sequence[Doc]) -> list[int]:
    """The length of each doc for the encoder: in word pieces for a transformer, else in tokens.

    Sorted by words, a quarter of a batch would be padding, since a word has one to ten pieces.
    """
    for proc in procs:
        tokenizer: Any = getattr(getattr(proc, "model", None), "tokenizer", None)
        if getattr(tokenizer, "is_fast", False) and docs:
            texts = [doc.text for doc in docs]
            pieces = tokenizer(texts, return_attention_mask=False, verbose=False)["input_ids"]
            return [len(one) for one in pieces]
    return [len(doc) for doc in docs]


def check_numbers(p: Any, component: str) -> Any:
    """Return the array. RAISES (SeqMixError): S425 if any value is not a number."""
    if not np.isfinite(p).all():
        raise SeqMixError(Errors.E425.format(name=component))
    return p


def copy_tokens(doc: Doc, nlp: Language) -> Doc:
    """The words and spaces of a doc, without any annotation."""
    if doc.has_unknown_spaces:
        return Doc(nlp.vocab, words=[t.text for t in doc])
    return Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])


def annotate(proc: Any, docs: list[Doc]) -> list[Doc]:
    """Run one component of a pipeline over docs, in one batch."""
    if hasattr(proc, "pipe"):
        return list(proc.pipe(docs, batch_size=len(docs)))
    return [proc(doc) for doc in docs]


def _span_scores(proc: Any, docs: Sequence[Doc]) -> list[Floats2d]:
    """The scores (n_spans, n_labels) of each doc's candidates; (0, 0) where no doc has any."""
    indices, scores = proc.predict(docs)
    if len(scores):
        scores = normalised(proc.model, scores)
    ends = np.cumsum(proc.model.ops.to_numpy(indices.lengths))
    return np.split(proc.model.ops.to_numpy(scores), ends)[:-1]
