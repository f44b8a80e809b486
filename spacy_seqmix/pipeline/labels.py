"""What the components share: labels that can grow, target rows, and the loss of soft rows."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from spacy import util
from spacy.errors import Errors as SpacyErrors
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example
from thinc.types import Floats2d

from ..annotation import recipes, soft_labels
from ..annotation.layers import ENTS
from ..errors import Errors, SeqMixError, describe
from ..lm.batches import check_sizes
from ..models.soft_tagger import set_output_size
from ..models.tagger_head import Head, normalised


def annotate_in_batches(
    proc: Any,
    stream: Iterable[Doc],
    batch_size: int,
    annotate: Callable[[list[Doc]], object],
) -> Iterator[Doc]:
    """Annotate a stream of docs; those of a batch that fails go to the component's error handler.

    RAISES (SeqMixError): S311 for an empty batch, with which spaCy would drop all docs in silence.
    """
    check_sizes(batch_size=batch_size)
    error_handler = proc.get_error_handler()
    for docs in util.minibatch(stream, batch_size):  # type: ignore[no-untyped-call]
        try:
            annotate(docs)
        except Exception as err:
            error_handler(proc.name, proc, docs, err)
        else:
            yield from docs


class SizedPipe:
    """A trainable component that refuses empty batches."""

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of docs, ``batch_size`` at a time.

        RAISES (SeqMixError): S311 for an empty batch.
        """
        check_sizes(batch_size=batch_size)
        docs: Iterator[Doc] = super().pipe(stream, batch_size=batch_size)  # type: ignore[misc]
        return docs


class LabelledPipe(SizedPipe, TrainablePipe):  # type: ignore[misc]
    """A component with labels: it saves them in ``cfg``, and its output layer grows by new ones."""

    cfg: dict[str, Any]
    _unknown: set[str]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order in which they were added."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> tuple[str, ...]:
        """What ``spacy init labels`` writes and ``[initialize.components]`` reads."""
        return self.labels

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the output layer, which follow from the labels."""
        raise NotImplementedError

    def add_label(self, label: str) -> int:
        """Add a label; a trained output layer grows by its columns.

        spaCy's own check counts labels, but here the output layer has other columns.

        RETURNS (int): 0 if the label was there already, otherwise 1.
        RAISES (ValueError): spaCy's E187 if the label is not a string, E922 if a trained layer
            can't grow.
        """
        if not isinstance(label, str):
            raise ValueError(SpacyErrors.E187)
        if label in self.labels:
            return 0
        # A model without an output layer is refused when it is initialised.
        has_output = bool(self.model.has_ref("output_layer"))
        is_trained = has_output and self.model.get_ref("output_layer").has_dim("nO")
        if is_trained and not self.is_resizable:
            raise ValueError(SpacyErrors.E922.format(name=self.name, nO="fixed"))
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        if is_trained:
            set_output_size(self.model, len(self.columns))
        if getattr(self, "_rehearsal_model", None) is not None:
            set_output_size(self._rehearsal_model, len(self.columns))
        return 1

    def warn_of_unknown(self, used: Iterable[str], message: str) -> None:
        """Warn once of each label that examples use and the component does not know."""
        for label in sorted({*used} - {*self.columns} - {*self.labels} - self._unknown):
            self._unknown.add(label)
            warnings.warn(message.format(name=self.name, label=label), stacklevel=4)


def initialize_model(
    proc: Any,
    initialize: Callable[[], object],
    X: Any,  # noqa: N803 (thinc's name)
    sizes: Sequence[int],
    n_columns: int,
    example: str,
) -> None:
    """Initialise the model of a component, and check that its outputs are what the component needs.

    Configs choose models by their names alone, so that of a parser or a text categoriser may be
    given to any component.

    proc (TrainablePipe): the component.
    initialize (Callable): initialises its model.
    X (Any): inputs of the model.
    sizes (Sequence[int]): the number of rows of each output.
    n_columns (int): the number of columns.
    example (str): an architecture that fits, for the message.
    RAISES (SeqMixError): S571 if the model does not fit.
    """
    try:
        if isinstance(proc, LabelledPipe) and not proc.model.has_ref("output_layer"):
            raise ValueError("it has no output layer")
        initialize()
        # Only after a wrong model was initialised do its outputs show.
        scores = [np.asarray(_on_cpu(proc.model, rows)) for rows in proc.model.predict(X)]
        wanted = [(size, n_columns) for size in sizes]
        if [rows.shape for rows in scores] != wanted:
            raise ValueError(f"it predicts {[rows.shape for rows in scores]}, not {wanted}")
        wrong = [np.abs(rows.sum(axis=1) - 1.0) for rows in scores]
        if not all((one <= soft_labels.TOLERANCE).all() for one in wrong):
            raise ValueError("the rows that it predicts are not probabilities")
    except SeqMixError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as err:
        values = {"name": proc.name, "model": proc.model.name[:80], "example": example}
        raise SeqMixError(Errors.E571.format(reason=describe(err), **values)) from err


def _on_cpu(model: Any, rows: Any) -> Any:
    return model.ops.to_numpy(rows if "head" in model.attrs else normalised(model, rows))


def soft_loss(
    proc: Any, head: Head, scores: Sequence[Floats2d], rows: Iterable[Any]
) -> tuple[float, list[Floats2d]]:
    """The loss of a component on soft rows.

    proc (TrainablePipe): the component.
    head (Head): what its scores mean.
    rows (Iterable): target rows, an array (n, L) for each of the scores.
    RETURNS (tuple): the loss in nats, summed, and what the backprop of the model takes.
    RAISES (ValueError): spaCy's E910 when the loss is not a number.
    """
    loss, gradient = head.loss(scores, [proc.model.ops.asarray2f(array) for array in rows])
    if np.isnan(loss):
        raise ValueError(SpacyErrors.E910.format(name=proc.name))
    return loss, gradient


def used_labels(eg: Example) -> set[str]:
    """The entity labels to which an example's reference gives any weight."""
    soft = soft_labels.get(eg.reference)
    if soft is None or soft.layer != ENTS:
        return {ent.label_ for ent in eg.reference.ents}
    return {tag[2:] for tag in soft_labels.used(soft.labels, soft.probs) if tag != "O"}


def have_recipes(examples: Iterable[Example]) -> bool:
    """Whether some example is to be mixed in its embeddings."""
    return any(recipes.KEY in eg.reference.user_data for eg in examples)
