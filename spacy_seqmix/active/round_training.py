"""The trainings of a round: one on all docs, or two with the mixing between them.

Algorithm 1 of SeqMix trains a round once, on labelled and mixed docs. The code released with the
paper trains the seed round twice: on labelled docs, then the same model on the mixed docs as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..query.probabilities import check_needs
from .committee import Committee, save_model
from .config import ActiveConfig
from .fit import FitSettings, fit
from .memory import release_memory
from .run_folder import RunFolder

# The stream of random numbers of second trainings; see ``querying`` for others.
SECOND = 11


@dataclass(frozen=True)
class RoundTraining:
    """Trains the models of a run.

    folder (RunFolder): its work folder has the files that only a training needs.
    committee (Committee | None): checks that it can use each pipeline.
    use_gpu (int): GPU id, -1 for the CPU.
    progress (bool): show progress bars.
    """

    config: ActiveConfig
    folder: RunFolder
    committee: Committee | None
    use_gpu: int
    progress: bool

    def goes_on(self, number: int) -> bool:
        """Whether a round trains its model twice, and mixes in between."""
        return self.config.active.second_epochs_of(number) > 0

    def first(
        self,
        number: int,
        labelled: Sequence[Doc],
        dev: Sequence[Doc],
        seed: int,
        start: Path | None,
    ) -> tuple[Language, int]:
        """Train on labelled docs alone, with a share of the round's steps if these are fixed.

        start (Path | None): pipeline to go on with; None trains from scratch.
        RETURNS (tuple): the pipeline, and the optimiser steps that it took.
        """
        active = self.config.active
        wanted, second = active.steps_of(number), active.second_epochs_of(number) or active.epochs
        if wanted is not None:
            share = int(wanted * active.epochs / (active.epochs + second))
            wanted = min(max(2, share), wanted - 2)
        nlp, steps = self._fit(labelled, dev, seed, start, wanted, active.epochs)
        if self.goes_on(number):
            save_model(nlp, self._first_path)
        return nlp, steps

    def last(
        self,
        number: int,
        docs: Sequence[Doc],
        dev: Sequence[Doc],
        seed: int,
        start: Path | None,
        taken: int,
    ) -> tuple[Language, int]:
        """Train on labelled and mixed docs; the first model goes on, where the round trains twice.

        The learning rate's schedule begins anew, and so does the optimiser.

        start (Path | None): as in ``first``, where the round trains once.
        taken (int): the optimiser steps of the first training, 0 where there was none.
        RETURNS (tuple): as of ``first``.
        """
        active, wanted = self.config.active, self.config.active.steps_of(number)
        left = None if wanted is None else wanted - taken
        if not self.goes_on(number):
            return self._fit(docs, dev, seed, start, left, active.epochs)
        release_memory()  # of the first model, which is read again
        # With the first seed, docs would come in the same order again.
        seed = int(np.random.SeedSequence([seed, SECOND]).generate_state(1)[0])
        return self._fit(docs, dev, seed, self._first_path, left, active.second_epochs_of(number))

    def member(
        self,
        number: int,
        labelled: Sequence[Doc],
        docs: Sequence[Doc],
        dev: Sequence[Doc],
        seed: int,
        start: Path | None,
        taken: int,
    ) -> Language:
        """Train another member of the committee in the same way, on the same mixed docs."""
        if self.goes_on(number):
            self.first(number, labelled, dev, seed, start)
        return self.last(number, docs, dev, seed, start, taken)[0]

    @property
    def _first_path(self) -> Path:
        return self.folder.work / "first"

    def _fit(
        self,
        docs: Sequence[Doc],
        dev: Sequence[Doc],
        seed: int,
        start: Path | None,
        steps: int | None,
        epochs: float,
    ) -> tuple[Language, int]:
        active = self.config.active
        settings = FitSettings(
            component=active.component,
            seed=seed,
            steps=steps,
            epochs=epochs,
            best=active.select_model == "best" and len(dev) > 0,
            use_gpu=self.use_gpu,
            progress=self.progress,
        )
        work = self.folder.work
        nlp, taken = fit(self.config.training, docs, dev or docs, work, settings, start)
        check_needs(active.policy.needs, nlp, active.component)
        if self.committee is not None:
            self.committee.check(nlp)
        return nlp, taken
