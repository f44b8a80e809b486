"""Token probabilities from a component of a pipeline."""

from collections.abc import Callable, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ..errors import Errors
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
    RAISES (ValueError): S401 when the component has no token probabilities.
    """
    if source is None:
        check_has_probs(nlp, component)
        source = SOURCES[nlp.get_pipe_meta(component).factory]
    order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
    before = nlp.pipeline[: nlp.pipe_names.index(component)]
    proc: Any = nlp.get_pipe(component)
    found: dict[int, Floats2d] = {}
    for at in range(0, len(order), batch_size):
        numbers = order[at : at + batch_size]
        batch = [copy_tokens(docs[i], nlp) for i in numbers]
        for _, earlier in before:
            batch = _annotate(earlier, batch)
        for i, p in zip(numbers, source(proc, batch), strict=True):
            found[i] = p
        if progress is not None:
            progress(len(numbers))
    return [found[i] for i in range(len(docs))]


def check_has_probs(nlp: Language, component: str) -> None:
    """RAISES (ValueError): S401, naming the components that do have token probabilities."""
    able = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory in SOURCES]
    if component not in able:
        raise ValueError(
            Errors.E401.format(name=component, pipes=nlp.pipe_names, able=able or "none")
        )


def check_config_has_probs(config: Config, component: str) -> None:
    """The same check before anything is built; sourced components are only known once loaded.

    config (Config): an interpolated training config that has the component.
    RAISES (ValueError): S401.
    """
    pipes = config["nlp"]["pipeline"]
    components = config["components"]
    able = [name for name in pipes if components.get(name, {}).get("factory") in SOURCES]
    if component not in able and "source" not in components.get(component, {}):
        raise ValueError(Errors.E401.format(name=component, pipes=pipes, able=able or "none"))


def copy_tokens(doc: Doc, nlp: Language) -> Doc:
    """The words and spaces of a doc, without any annotation."""
    if doc.has_unknown_spaces:
        return Doc(nlp.vocab, words=[t.text for t in doc])
    return Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])


def _annotate(proc: Any, docs: list[Doc]) -> list[Doc]:
    if hasattr(proc, "pipe"):
        return list(proc.pipe(docs, batch_size=len(docs)))
    return [proc(doc) for doc in docs]
