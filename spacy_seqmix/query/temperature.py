"""How well a pipeline's confidences fit labelled docs, and the temperature that fits best."""

import configparser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example

from ..annotation.docbins import read_docs
from ..config import config_errors
from ..errors import Errors, SeqMixError, plural
from ..files import replacing_folder
from ..types import Floats1d, Floats2d
from .confidence import check_has_spans, components_with_spans, spans_of_component, tempered_probs
from .probabilities import copy_tokens

# So close to each other that a finer search does not change the second digit.
TEMPERATURES = np.geomspace(0.25, 8.0, 61)
UNTOUCHED = int(np.abs(np.log(TEMPERATURES)).argmin())  # the number of temperature 1
BINS = 10
FOLDS = 5
FLOOR = 1e-6
FACTORY = "seqmix_uncertainty"
# With fewer spans the temperature itself is off by more than a quarter, as a rule: a span with the
# confidence 0.8 tells p (1 - p) logit(p)^2 = 0.3 about log T, and 1 / sqrt(0.3 * 50) = 0.26.
MIN_SPANS = 50

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoredSpans:
    """The spans that a component predicts in labelled docs, in the order of the docs.

    confidence (Floats2d): shape (n_temperatures, n_spans), one row for each of ``TEMPERATURES``.
    correct (Flags): shape (n_spans,), whether the gold annotation has the same span and label.
    doc (NDArray): shape (n_spans,), the number of the doc.
    """

    confidence: Floats2d
    correct: Flags
    doc: NDArray[np.int64]


@dataclass(frozen=True)
class Bin:
    """The spans with a confidence from ``low`` to ``low`` + 0.1: their number, and their means."""

    low: float
    n: int
    confidence: float
    correct: float


@dataclass(frozen=True)
class Fit:
    """The fit of confidences to the gold annotation.

    error (float): expected calibration error: Σ n_b/n |mean confidence − share correct| over ten
        bins of equal width (Guo et al. 2017, Eq. 3).
    brier (float): mean squared difference of confidence and 1 or 0.
    log_loss (float): mean negative log-probability of the outcomes, in nats.
    """

    error: float
    brier: float
    log_loss: float
    bins: tuple[Bin, ...]


def score_spans(
    nlp: Language, component: str, examples: Sequence[Example], batch_size: int = 128
) -> ScoredSpans:
    """Annotate docs with a pipeline, and compare the spans of a component with the gold ones.

    examples (Sequence[Example]): docs to annotate, with gold references.
    RAISES (SeqMixError): S401 or S440 when the component has no confidences.
    """
    check_has_spans(nlp, component)
    columns: list[Floats2d] = []
    correct: list[bool] = []
    numbers: list[int] = []
    for at in range(0, len(examples), batch_size):
        batch = examples[at : at + batch_size]
        docs = list(nlp.pipe([eg.predicted for eg in batch], batch_size=batch_size))
        scores = tempered_probs(nlp, component, docs)
        assert scores.spans is not None
        rows = [np.concatenate(scores.spans(t)) for t in TEMPERATURES.tolist()]
        columns.append(np.stack(rows))
        for i, (eg, doc) in enumerate(zip(batch, docs, strict=True)):
            gold = {_place(span) for span in spans_of_component(nlp, component, eg.reference)}
            places = [_place(span) for span in spans_of_component(nlp, component, doc)]
            correct += [place in gold for place in places]
            numbers += [at + i] * len(places)
    table = np.concatenate(columns, axis=1) if columns else np.zeros((len(TEMPERATURES), 0), "f")
    known = ~np.isnan(table[0]) if table.size else np.zeros(table.shape[1], dtype=bool)
    return ScoredSpans(
        table[:, known], np.array(correct, bool)[known], np.array(numbers, int)[known]
    )


def best(scored: ScoredSpans, of: Flags | None = None) -> int:
    """The number of the temperature with the lowest log-loss, over some of the spans."""
    chosen = np.ones(len(scored.correct), dtype=bool) if of is None else of
    losses = [_log_loss(row[chosen], scored.correct[chosen]) for row in scored.confidence]
    return int(np.argmin(losses))


def cross_fitted(scored: ScoredSpans, folds: int = FOLDS) -> Floats1d:
    """Confidences at temperatures fitted to other docs: shape (n_spans,).

    The docs are cut, in their order, into folds; each fold's spans get the temperature that fits
    the other folds best.
    """
    fold = scored.doc * folds // (int(scored.doc.max(initial=0)) + 1)
    out = np.zeros(len(scored.correct), dtype="float32")
    for k in range(folds):
        inside = fold == k
        out[inside] = scored.confidence[best(scored, ~inside)][inside]
    return out


def fit_of(confidence: Floats1d, correct: Flags) -> Fit:
    """Expected calibration error, Brier score and log-loss of confidences."""
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for b in range(BINS):
        inside = number == b
        if inside.any():
            means = float(confidence[inside].mean()), float(correct[inside].mean())
            bins.append(Bin(b / BINS, int(inside.sum()), *means))
    error = sum(b.n * abs(b.confidence - b.correct) for b in bins) / max(1, len(correct))
    brier = float(((confidence - correct) ** 2).mean())
    return Fit(error, brier, _log_loss(confidence, correct), tuple(bins))


def _log_loss(confidence: Floats1d, correct: Flags) -> float:
    p = np.clip(confidence.astype("float64"), FLOOR, 1.0 - FLOOR)
    return float(-np.log(np.where(correct, p, 1.0 - p)).mean()) if len(p) else 0.0


def _place(span: Span) -> tuple[int, int, str]:
    return (span.start_char, span.end_char, span.label_)


@dataclass(frozen=True)
class FileFit:
    """The fit of confidences to a file.

    component (str): the component that predicts the spans.
    n_spans, n_correct (int): the number of spans, and of correct ones among them.
    before (Fit): at temperature 1.
    after (Fit): each fifth of the docs at the temperature that is best for the other four fifths.
    temperature (float): the temperature that is best for all docs.
    """

    component: str
    n_spans: int
    n_correct: int
    before: Fit
    after: Fit
    temperature: float

    @property
    def doubt(self) -> str | None:
        """Why the temperature should not be used; None where it should."""
        if self.n_spans < MIN_SPANS:
            return f"{self.n_spans} spans are too few to fit a temperature ({MIN_SPANS} or more)"
        for name, a, b in (
            ("log-loss", self.before.log_loss, self.after.log_loss),
            ("calibration error", self.before.error, self.after.error),
        ):
            if b >= a:
                return f"on other docs it does not lower the {name} ({a:.4f} before, {b:.4f} after)"
        return None


def fit_file(
    model: str, path: Path, output: Path | None = None, component: str | None = None
) -> FileFit:
    """Fit the temperature of a pipeline's confidences to a .spacy file that it was not trained on.

    model (str): a pipeline: a folder or an installed package.
    path (Path): gold docs; the development set, not the training set.
    output (Path | None): a new folder, for the pipeline with a ``seqmix_uncertainty`` (added behind
        the component if there is none) with the temperature. It is made only where the temperature
        should be used, see ``FileFit.doubt``.
    component (str | None): the component that predicts the spans; by default the only one.
    RETURNS (FileFit): the fit of the confidences.
    RAISES (SeqMixError): S401, S403, S440, S442, S445, S446; OSError if the model can't be loaded.
    """
    if output is not None and output.exists() and (output.is_file() or any(output.iterdir())):
        raise SeqMixError(Errors.E446.format(path=output))
    with config_errors(Path(model), (configparser.Error,)):
        nlp = spacy.load(model)
    component = component or _only(nlp)
    gold = read_docs(path, nlp, need_entities=False)
    scored = score_spans(nlp, component, [Example(copy_tokens(doc, nlp), doc) for doc in gold])
    n_correct = int(scored.correct.sum())
    if not 0 < n_correct < len(scored.correct):
        raise SeqMixError(
            Errors.E445.format(
                component=component,
                found=plural(len(scored.correct), "span"),
                path=path,
                correct=n_correct,
            )
        )
    result = FileFit(
        component,
        len(scored.correct),
        n_correct,
        fit_of(scored.confidence[UNTOUCHED], scored.correct),
        fit_of(cross_fitted(scored), scored.correct),
        float(TEMPERATURES[best(scored)]),
    )
    if output is not None and result.doubt is None:
        _set_temperature(nlp, component, result.temperature)
        with replacing_folder(output) as temporary:
            nlp.to_disk(temporary)
    return result


def _only(nlp: Language) -> str:
    able = components_with_spans(nlp)
    if not able:
        raise SeqMixError(Errors.E440.format(name="the pipeline", able="none"))
    if len(able) != 1:
        raise SeqMixError(Errors.E447.format(pipes=nlp.pipe_names, able=able))
    return able[0]


def temperature_of(nlp: Language, component: str) -> float:
    """The temperature that a pipeline has for a component's confidences; 1 without one."""
    proc = _observer(nlp, component)
    return 1.0 if proc is None else float(proc.temperature)


def _observer(nlp: Language, component: str) -> Any:
    """The first ``seqmix_uncertainty`` that uses a component's probabilities, if there is one."""
    names = [n for n in nlp.component_names if nlp.get_pipe_meta(n).factory == FACTORY]
    procs: list[Any] = [nlp.get_pipe(name) for name in names]
    return next((proc for proc in procs if proc.observed() == component), None)


def _set_temperature(nlp: Language, component: str, temperature: float) -> None:
    proc = _observer(nlp, component)
    if proc is not None:
        proc.temperature = temperature
        return
    name = FACTORY if FACTORY not in nlp.component_names else f"{FACTORY}_{component}"
    config = {"component": component, "temperature": temperature}
    nlp.add_pipe(FACTORY, name=name, after=component, config=config)
