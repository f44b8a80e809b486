"""Token probabilities from a component of a pipeline."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ..errors import Errors, SeqMixError
from ..types import Floats2d, TokenProbs
from .sources import SOURCES, Source


def token_probs(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    batch_size: int = 128,
    progress: Callable[[int], object] | None = None,
    source: Source | None = None,
) -> TokenProbs:
    """Run the pipeline up to a component and ask that for its probabilities.

    nlp (Language): a trained pipeline.
    component (str): the name of a component that has token probabilities.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are not changed.
    batch_size (int): docs at once; they are sorted by length, so that little is padded.
    progress (Callable | None): called with the number of docs done.
    source (Callable | None): (component, docs) -> arrays; by default what the component's factory
        needs, see ``sources.SOURCES``.
    RETURNS (TokenProbs): one array (T, L) a doc, in the order of ``docs``. Rows are distributions:
        a row a token, or for span categorisers a row a decision (none without candidate spans).
    RAISES (SeqMixError): S401 when the component has no token probabilities, S425 when they are
        not numbers.
    """
    if source is None:
        check_has_probs(nlp, component)
        source = SOURCES[nlp.get_pipe_meta(component).factory]
    proc: Any = nlp.get_pipe(component)
    found: dict[int, Floats2d] = {}
    for numbers, batch in annotated_batches(nlp, component, docs, batch_size):
        for i, p in zip(numbers, source(proc, batch), strict=True):
            found[i] = check_numbers(p, component)
        if progress is not None:
            progress(len(numbers))
    return [found[i] for i in range(len(docs))]


def annotated_batches(
    nlp: Language, component: str, docs: Sequence[Doc], batch_size: int
) -> Iterator[tuple[list[int], list[Doc]]]:
    """Copies of docs that the pipeline has annotated up to a component, in batches.

    YIELDS (tuple): the numbers of a batch's docs, and the copies; docs of like length together.
    """
    before = [proc for _, proc in nlp.pipeline[: nlp.pipe_names.index(component)]]
    lengths = encoded_lengths(before, docs)
    order = sorted(range(len(docs)), key=lengths.__getitem__)
    for at in range(0, len(order), batch_size):
        numbers = order[at : at + batch_size]
        batch = [copy_tokens(docs[i], nlp) for i in numbers]
        for earlier in before:
            batch = _annotate(earlier, batch)
        yield numbers, batch


def encoded_lengths(procs: Sequence[Any], docs: Sequence[Doc]) -> list[int]:
    """How long each doc is for the encoder: in word pieces where a transformer reads them.

    Batches sorted by words would be a quarter padding, since words are one to ten pieces.
    """
    for proc in procs:
        tokenizer: Any = getattr(getattr(proc, "model", None), "tokenizer", None)
        if getattr(tokenizer, "is_fast", False) and docs:
            texts = [doc.text for doc in docs]
            pieces = tokenizer(texts, return_attention_mask=False, verbose=False)["input_ids"]
            return [len(one) for one in pieces]
    return [len(doc) for doc in docs]


def check_numbers(p: Any, component: str) -> Any:
    """The array itself. RAISES (SeqMixError): S425 where any of it is not a number."""
    if not np.isfinite(p).all():
        raise SeqMixError(Errors.E425.format(name=component))
    return p


def check_has_probs(nlp: Language, component: str) -> None:
    """RAISES (SeqMixError): S401, naming the components that do have token probabilities."""
    able = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in SOURCES]
    if component not in able:
        raise SeqMixError(
            Errors.E401.format(name=component, pipes=nlp.pipe_names, able=able or "none")
        )


def check_config_has_probs(config: Config, component: str) -> None:
    """The same check before anything is built; sourced components are only known once loaded.

    config (Config): an interpolated training config that has the component.
    RAISES (SeqMixError): S401.
    """
    pipes = config["nlp"]["pipeline"]
    components = config["components"]
    able = [name for name in pipes if components.get(name, {}).get("factory") in SOURCES]
    if component not in able and "source" not in components.get(component, {}):
        raise SeqMixError(Errors.E401.format(name=component, pipes=pipes, able=able or "none"))


def copy_tokens(doc: Doc, nlp: Language) -> Doc:
    """The words and spaces of a doc, without any annotation."""
    if doc.has_unknown_spaces:
        return Doc(nlp.vocab, words=[t.text for t in doc])
    return Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])


def _annotate(proc: Any, docs: list[Doc]) -> list[Doc]:
    if hasattr(proc, "pipe"):
        return list(proc.pipe(docs, batch_size=len(docs)))
    return [proc(doc) for doc in docs]
