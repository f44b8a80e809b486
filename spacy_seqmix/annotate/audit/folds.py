"""The folds of an audit, and the pipeline that is trained for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import dict_to_dot
from thinc.api import Config

from ...active.fit import FitSettings, check_training_config, fit
from ...active.schema import MAX_EPOCHS, Steps
from ...config import interpolated, load_config, problems_of
from ...errors import Errors, SeqMixError
from ...query.doubts import LOG_PROBS, check_can_judge
from ..page.start import NewRun, base_config

__all__ = ["Trainer", "folds_of"]


def folds_of(texts: Sequence[str], n: int, seed: int) -> list[int]:
    """The fold of each text, 0 to n − 1: drawn at random, with equal texts in one fold.

    RETURNS (list[int]): in the order of the texts. The folds differ by one text at most, but for
        texts that occur several times.
    """
    groups: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        groups.setdefault(text, []).append(i)
    listed = list(groups.values())
    # The largest first: then the others make up for the differences.
    order = np.random.default_rng(seed).permutation(len(listed)).tolist()
    order.sort(key=lambda i: -len(listed[i]))
    sizes = [0] * n
    folds = [0] * len(texts)
    for group in (listed[i] for i in order):
        fold = sizes.index(min(sizes))
        sizes[fold] += len(group)
        for i in group:
            folds[i] = fold
    return folds


class _Section(BaseModel):
    """What an audit takes from [active]."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    component: str | None = None
    epochs: float = Field(10.0, gt=0, le=MAX_EPOCHS)
    max_steps: Steps | list[Steps] | None = None


@dataclass(frozen=True)
class Trainer:
    """How the pipeline of a fold is trained.

    config (Config): a training config, interpolated.
    component (str): the component that recognises entities.
    epochs (float): passes over the docs of the other folds.
    steps (int | None): optimiser steps in place of epochs.
    seed (int): of the weights and of the order of the docs.
    use_gpu (int): GPU id, -1 for the CPU.
    progress (bool): show progress bars.
    """

    config: Config
    component: str
    epochs: float
    steps: int | None
    seed: int = 0
    use_gpu: int = -1
    progress: bool = True

    @classmethod
    def of(
        cls,
        new: NewRun,
        overrides: Mapping[str, Any],
        *,
        seed: int = 0,
        use_gpu: int = -1,
        progress: bool = True,
    ) -> Trainer:
        """Read the config that options name: those of ``annotate``.

        overrides (Mapping[str, Any]): values of the config by dotted name; they win.
        RAISES (SeqMixError): S402, S408, S720 for a config that can't be used; those of
            ``base_config`` and of the config.
        """
        path, values = base_config(new)
        config = interpolated(load_config(path, {**values, **overrides}))
        try:
            section = _Section.model_validate(config.get("active", {}))
        except ValidationError as err:
            raise SeqMixError(Errors.E402.format(problems=problems_of(err, "active"))) from None
        training = Config({k: v for k, v in config.items() if k not in ("active", "augment")})
        sections = training.get("components", {})
        factories = {name: str(one.get("factory")) for name, one in sections.items()}
        able = [name for name, factory in factories.items() if factory in LOG_PROBS]
        component = section.component or next(iter(able), "ner")
        check_training_config(training, component)
        if "source" not in sections.get(component, {}):
            check_can_judge(component, factories)
        steps = section.max_steps if isinstance(section.max_steps, int) else None
        return cls(training, component, section.epochs, steps, seed, use_gpu, progress)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides how a pipeline comes out, by names."""
        own = {name: getattr(self, name) for name in ("component", "epochs", "steps", "seed")}
        return {**own, **dict_to_dot(self.config)}

    def fit(self, docs: Sequence[Doc], work: Path) -> Language:
        """Train a pipeline on docs.

        work (Path): a folder for files that only the training needs.
        RAISES (SeqMixError): those of ``active.fit.fit``.
        """
        settings = FitSettings(
            component=self.component,
            seed=self.seed,
            steps=self.steps,
            epochs=self.epochs,
            use_gpu=self.use_gpu,
            progress=self.progress,
        )
        return fit(self.config, docs, docs, work, settings, None)[0]
