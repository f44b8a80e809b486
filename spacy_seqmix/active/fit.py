"""Train and evaluate one round with spaCy's own training loop."""

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import dict_to_dot, dot_to_object, registry
from thinc.api import Config

from ..annotation import recipes
from ..annotation.docbins import write_docs
from ..config import MIXERS
from ..errors import Errors, SeqMixError, Warnings
from ..files import progress_bar
from ..model_names import first_available
from ..models.interpolation_layers import check_recipes
from ..training.augmenter import make_example
from .annotation import GoldLabels, all_labels, entity_labels, gold_labels
from .remarks import without_remarks

# spaCy's loop evaluates at its first step and at its last, for its log and for "best". Where the
# last model is taken, a few docs are enough.
PROGRESS_DOCS = 20
# Registered functions that mix by themselves, which the loop does.
MIXING = {*MIXERS, "spacy-seqmix.MixedCorpus.v1"}


@dataclass(frozen=True)
class FitSettings:
    """How a round trains.

    component (str): the component that learns.
    seed (int): replaces the config's training.seed.
    steps (int | None): optimiser steps; None to count them from epochs.
    epochs (float): passes over the training set.
    best (bool): return the model that was best on dev, not the last.
    use_gpu (int): GPU id, -1 for the CPU.
    progress (bool): show a progress bar.
    """

    component: str
    seed: int
    steps: int | None
    epochs: float
    best: bool = False
    use_gpu: int = -1
    progress: bool = True


def fit(
    config: Config,
    docs: Sequence[Doc] | Path,
    dev: Sequence[Doc],
    work: Path,
    settings: FitSettings,
    start: Path | None,
) -> tuple[Language, int]:
    """Train a pipeline on these docs.

    config (Config): a training config as ``spacy train`` takes it.
    docs (Sequence[Doc] | Path): labelled docs to train on, or a folder of .spacy files of them,
        for which ``settings`` has a number of steps.
    dev (Sequence[Doc]): labelled docs to choose the best model with.
    work (Path): folder for the corpora, which the config's readers read.
    start (Path | None): pipeline to go on with (a warm start); None trains from scratch.
    RETURNS (tuple): the trained pipeline and the number of optimiser steps it took.
    RAISES (SeqMixError): S408 for a config that cannot be used so, S409 when the loss is not a
        number, S430 and S432 for labels and entities that the component cannot learn.
    """
    config = config.copy()
    seen_dev = dev if settings.best else dev[:PROGRESS_DOCS]
    _set_corpus(config, "train_corpus", docs, work / "train.spacy")
    _set_corpus(config, "dev_corpus", seen_dev, work / "dev.spacy")
    training = config["training"]
    training["seed"] = settings.seed
    in_memory = () if isinstance(docs, Path) else docs
    steps = settings.steps or count_steps(config, in_memory, settings.epochs)
    # spaCy's loop stops after the step that has this number, and the first has number 0.
    training.update(max_steps=steps - 1, max_epochs=0, patience=0)
    training["eval_frequency"] = max(1, (steps - 1) // 4) if settings.best else steps - 1
    training["logger"] = {
        "@loggers": "spacy.ConsoleLogger.v3",
        "progress_bar": "train" if settings.progress else None,
        # Without it there is no bar either. What it prints goes nowhere, see ``_train``.
        "console_output": settings.progress,
    }
    _fit_schedule(training["optimizer"], steps)
    if start is not None:
        for name in config["nlp"]["pipeline"]:
            config["components"][name] = {"source": str(start)}
    with without_remarks():
        with progress_bar(None, "Initialising", shown=settings.progress):
            nlp = init_nlp(config, use_gpu=settings.use_gpu)
        if any(recipes.KEY in doc.user_data for doc in in_memory):
            check_recipes(nlp)
        if start is not None:
            _add_labels(nlp, settings.component, in_memory)
        return _train(nlp, settings, work / "out"), steps


def _train(nlp: Language, settings: FitSettings, out: Path) -> Language:
    # spaCy takes the average of the weights, and the best model, only for what it saves.
    averaged = nlp.config["training"]["optimizer"].get("use_averages", True)
    saved = out / ("model-best" if settings.best else "model-last")
    on_disk = settings.best or averaged
    if on_disk:
        out.mkdir(parents=True, exist_ok=True)
    try:
        train(
            nlp,
            out if on_disk else None,
            use_gpu=settings.use_gpu,
            stdout=io.StringIO(),
            stderr=sys.stderr,
        )
    except ValueError as err:
        if "[E910]" in str(err) or "[E940]" in str(err):
            raise SeqMixError(Errors.E409.format(name=settings.component)) from err
        raise
    except AssertionError as err:
        if err.args or not _has_beam(nlp.get_pipe(settings.component)):
            raise
        raise SeqMixError(Errors.E432.format(name=settings.component)) from err
    if not _is_finite(nlp.get_pipe(settings.component)):  # components that do not look at the loss
        raise SeqMixError(Errors.E409.format(name=settings.component))
    return spacy.load(saved) if on_disk else nlp


def _has_beam(proc: Any) -> bool:
    """Whether this is a ``beam_ner``, or another of spaCy's parsers that trains with a beam."""
    return bool(proc.cfg.get("beam_update_prob"))


def _is_finite(proc: Any) -> bool:
    """Whether every weight of a component's own layers is a number."""
    return all(
        bool(node.ops.xp.isfinite(node.get_param(name)).all())
        for node in proc.model.walk()
        for name in node.param_names
        if node.has_param(name)
    )


def count_steps(config: Config, docs: Iterable[Doc], epochs: float) -> int:
    """The optimiser steps of some passes, by the config's own batcher; at least 2."""
    return max(2, round(epochs * count_batches(config, docs)))


def count_batches(config: Config, docs: Iterable[Doc]) -> int:
    """The batches of one pass, by the config's own batcher."""
    section = {"batcher": config["training"]["batcher"]}
    batcher: Callable[..., Any] = registry.resolve(section)["batcher"]
    nlp = spacy.blank(config["nlp"]["lang"])
    return sum(1 for _ in batcher(make_example(nlp, doc) for doc in docs))


def warn_of_unseen(
    train_docs: Sequence[Doc],
    docs: Sequence[Doc],
    name: str,
    labels_of: GoldLabels = entity_labels,
) -> None:
    """Warn (W401) of labels that a corpus has and the training set does not: they are misses."""
    unseen = sorted(all_labels(docs, labels_of) - all_labels(train_docs, labels_of))
    if unseen:
        warnings.warn(Warnings.W401.format(corpus=name, labels=unseen), stacklevel=2)


def check_training_config(config: Config, component: str) -> None:
    """RAISES (SeqMixError): S408 for a config without the component or without corpora to set."""
    for section in ("nlp", "components", "training", "corpora"):
        if section not in config:
            raise SeqMixError(Errors.E408.format(reason=f"section [{section}] is missing"))
    if not isinstance(config["nlp"].get("lang"), str):
        reason = "nlp.lang is missing, which names the language"
        raise SeqMixError(Errors.E408.format(reason=reason))
    for field in ("batcher", "optimizer"):
        if not isinstance(config["training"].get(field), dict):
            reason = f"section [training.{field}] is missing"
            raise SeqMixError(Errors.E408.format(reason=reason))
    if component not in config["nlp"].get("pipeline", []):
        reason = f"[nlp] pipeline has no '{component}' (active.component)"
        raise SeqMixError(Errors.E408.format(reason=reason))
    size = config["nlp"].get("batch_size", 1)
    if size is not None and not (isinstance(size, int) and size >= 1):
        reason = f"nlp.batch_size is a whole number from 1, not {size!r}"
        raise SeqMixError(Errors.E408.format(reason=reason))
    for field in ("train_corpus", "dev_corpus"):
        _corpus_section(config, field)


def check_encoders(section: Any) -> None:
    """Check that the encoders of components are there.

    section (Any): [components] of a training config, or a part of it.
    RAISES (SeqMixFileError): S224 for one that is not.
    """
    if not isinstance(section, dict):
        return
    name = section.get("name")
    if "Transformer" in str(section.get("@architectures")) and isinstance(name, str):
        first_available(name, check=True)
    for part in section.values():
        check_encoders(part)


def without_own_mixing(config: Config) -> Config:
    """Remove the mixing augmenter of the training corpus, since [active.mixing] mixes.

    RAISES (SeqMixError): S408 where something else in the corpus mixes.

    Warns with W402 when an augmenter is removed.
    """
    config = config.copy()
    name = config["training"]["train_corpus"]
    section = _corpus_section(config, "train_corpus")
    augmenter = section.get("augmenter")
    if isinstance(augmenter, dict) and augmenter.get("@augmenters") in MIXERS:
        section["augmenter"] = None
        kind = augmenter["@augmenters"]
        warnings.warn(Warnings.W402.format(name=name, augmenter=kind), stacklevel=3)
    for kind in sorted(MIXING & registered_names(section)):
        reason = (
            f"[{name}] mixes by itself ({kind}), as [active.mixing] does; take "
            "spacy-seqmix.Corpus.v1 as its reader, with augmenters that do not mix"
        )
        raise SeqMixError(Errors.E408.format(reason=reason))
    return config


def registered_names(section: dict[str, Any]) -> set[str]:
    """The names of the registered functions of a section and of those within it."""
    values: dict[str, Any] = dict_to_dot(section)
    return {str(value) for key, value in values.items() if key.rpartition(".")[2].startswith("@")}


def _corpus_section(config: Config, field: str) -> dict[str, Any]:
    name = str(config["training"].get(field, ""))
    section: Any = None
    with suppress(KeyError):
        section = dot_to_object(config, name)
    if not isinstance(section, dict) or "path" not in section:
        reason = f"training.{field} = '{name}' names no corpus with a 'path'"
        raise SeqMixError(Errors.E408.format(reason=reason))
    return section


def _set_corpus(config: Config, field: str, docs: Sequence[Doc] | Path, path: Path) -> None:
    if isinstance(docs, Path):
        path = docs
    else:
        write_docs(docs, path)
    _corpus_section(config, field)["path"] = str(path)


def _fit_schedule(optimizer: dict[str, Any], steps: int) -> None:
    """Stretch a learning rate schedule over the round: warmup keeps its share of the whole."""
    rate = optimizer.get("learn_rate")
    if isinstance(rate, dict) and rate.get("total_steps"):
        share = rate.get("warmup_steps", 0) / rate["total_steps"]
        rate.update(total_steps=steps, warmup_steps=round(share * steps))


def _add_labels(nlp: Language, component: str, docs: Sequence[Doc]) -> None:
    """Add labels that are new to the last model: a warm start does not initialise.

    RAISES (SeqMixError): S430 where the component cannot grow.
    """
    proc: Any = nlp.get_pipe(component)
    labels_of = gold_labels(nlp.config["components"][component])
    new = sorted(all_labels(docs, labels_of) - set(proc.labels))
    if new and not proc.is_resizable:
        raise SeqMixError(Errors.E430.format(name=component, labels=new))
    for label in new:
        proc.add_label(label)
