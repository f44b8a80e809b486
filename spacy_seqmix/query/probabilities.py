"""Token probabilities from a component of a pipeline."""

from collections.abc import Callable, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from ..errors import Errors
from ..pipeline.ner import SeqMixNER
from ..types import TokenProbs


def token_probs(
    nlp: Language,
    component: str,
    docs: Sequence[Doc],
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> TokenProbs:
    """Run the pipeline up to a component and ask that for its probabilities.

    nlp (Language): a trained pipeline.
    component (str): the name of a component that has token probabilities.
    docs (Sequence[Doc]): unlabelled docs, tokenised. They are not changed.
    batch_size (int): docs at once; they are sorted by length, so that little is padded.
    progress (Callable | None): called with the number of docs done.
    RETURNS (TokenProbs): one array (n_tokens, L) a doc, in the order of ``docs``.
    RAISES (ValueError): S401 when the component has no token probabilities.
    """
    check_has_probs(nlp, component)
    order = sorted(range(len(docs)), key=lambda i: len(docs[i]))
    found: TokenProbs = [None] * len(docs)  # type: ignore[list-item]
    for numbers in minibatch(order, size=batch_size):
        batch = [copy_tokens(docs[i], nlp) for i in numbers]
        for name, proc in nlp.pipeline:
            if name == component:
                probs = [proc.model.ops.to_numpy(p) for p in proc.predict(batch)]
                break
            batch = list(proc.pipe(batch, batch_size=batch_size))
        for i, p in zip(numbers, probs, strict=True):
            found[i] = p
        if progress is not None:
            progress(len(numbers))
    return found


def check_has_probs(nlp: Language, component: str) -> None:
    """RAISES (ValueError): S401, naming the components that do have token probabilities."""
    able = [name for name, proc in nlp.pipeline if isinstance(proc, SeqMixNER)]
    if component not in able:
        raise ValueError(
            Errors.E401.format(name=component, pipes=nlp.pipe_names, able=able or "none")
        )


def copy_tokens(doc: Doc, nlp: Language) -> Doc:
    """The words and spaces of a doc, without any annotation."""
    if doc.has_unknown_spaces:
        return Doc(nlp.vocab, words=[t.text for t in doc])
    return Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])
