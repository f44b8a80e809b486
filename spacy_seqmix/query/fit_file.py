"""How well a saved pipeline's confidences fit labelled docs; the pipeline with a temperature."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.training import Example

from ..atomic import replacing_folder
from ..docbin import read_docs
from ..errors import Errors, SeqMixError
from .probabilities import copy_tokens
from .reading import span_finders
from .temperature import TEMPERATURES, UNTOUCHED, Fit, best, cross_fitted, find_spans, fit_of

FACTORY = "seqmix_uncertainty"


@dataclass(frozen=True)
class FileFit:
    """What was found.

    component (str): the component that found the spans.
    n_spans, n_correct (int): how many there are, and how many are correct.
    before (Fit): at temperature 1.
    after (Fit): each fifth of the docs at the temperature that fits the other four best.
    temperature (float): what fits all of them best.
    """

    component: str
    n_spans: int
    n_correct: int
    before: Fit
    after: Fit
    temperature: float


def fit_file(
    model: str, path: Path, output: Path | None = None, component: str | None = None
) -> FileFit:
    """Fit the temperature of a pipeline's confidences to a .spacy file that it was not trained on.

    model (str): a pipeline: a folder or an installed package.
    path (Path): gold docs; the development set, not the training set.
    output (Path | None): a new folder, for the pipeline with a ``seqmix_uncertainty`` (added behind
        the component if there is none) that has the temperature.
    component (str | None): what finds the spans; by default the only component that does.
    RETURNS (FileFit): how well the confidences fit.
    RAISES (SeqMixError): S401, S403, S440, S442, S445, S446; OSError if the model can't be loaded.
    """
    if output is not None and output.exists() and (output.is_file() or any(output.iterdir())):
        raise SeqMixError(Errors.E446.format(path=output))
    nlp = spacy.load(model)
    component = component or _only(nlp)
    gold = read_docs(path, nlp, need_entities=False)
    found = find_spans(nlp, component, [Example(copy_tokens(doc, nlp), doc) for doc in gold])
    n_correct = int(found.correct.sum())
    if not 0 < n_correct < len(found.correct):
        raise SeqMixError(
            Errors.E445.format(
                component=component, found=len(found.correct), path=path, correct=n_correct
            )
        )
    temperature = float(TEMPERATURES[best(found)])
    if output is not None:
        _set_temperature(nlp, component, temperature)
        with replacing_folder(output) as temporary:
            nlp.to_disk(temporary)
    return FileFit(
        component,
        len(found.correct),
        n_correct,
        fit_of(found.confidence[UNTOUCHED], found.correct),
        fit_of(cross_fitted(found), found.correct),
        temperature,
    )


def _only(nlp: Language) -> str:
    able = span_finders(nlp)
    if not able:
        raise SeqMixError(Errors.E440.format(name="the pipeline", able="none"))
    if len(able) != 1:
        raise SeqMixError(Errors.E447.format(pipes=nlp.pipe_names, able=able))
    return able[0]


def _set_temperature(nlp: Language, component: str, temperature: float) -> None:
    names = [n for n in nlp.component_names if nlp.get_pipe_meta(n).factory == FACTORY]
    for name in names:
        proc: Any = nlp.get_pipe(name)
        if proc.observed() == component:
            proc.temperature = temperature
            return
    name = FACTORY if FACTORY not in nlp.component_names else f"{FACTORY}_{component}"
    config = {"component": component, "temperature": temperature}
    nlp.add_pipe(FACTORY, name=name, after=component, config=config)
