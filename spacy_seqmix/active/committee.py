"""The committee of a run: its members."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language

from ..errors import Errors, SeqMixError
from ..files import replacing_folder
from ..query.dropout import check_has_dropout
from .memory import release_memory
from .run_folder import RunFolder
from .schema import CommitteeSchema

STREAM = 5  # of random numbers, beside those of the loop
Fit = Callable[[int, Path | None], Language]


@dataclass(frozen=True)
class Committee:
    """Members 1 to C of every round; the first is the round's own model.

    settings (CommitteeSchema): the section [active.committee].
    component (str): the component whose probabilities are compared.
    seed (int): the run's seed.
    folder (RunFolder): the folder with the saved members.
    """

    settings: CommitteeSchema
    component: str
    seed: int
    folder: RunFolder

    def member_seed(self, number: int, member: int) -> int:
        """The seed of a member's training, or of its dropout pass."""
        numbers = np.random.SeedSequence([self.seed, STREAM, number, member])
        return int(numbers.generate_state(1)[0])

    @property
    def trained(self) -> range:
        """The members that are trained beside the round's own model."""
        return range(2, self.settings.members + 1) if self.settings.kind == "seeds" else range(0)

    def train(self, number: int, fit: Fit, *, warm: bool) -> None:
        """Train and save the members that the next round's query needs.

        number (int): the round that trained the first member.
        fit (Callable): trains a pipeline from a seed and the path of the pipeline to start from.
        warm (bool): each member starts from its own model of the round before.
        """
        for member in self.trained:
            start = self.folder.trained(number - 1, member) if warm else None
            nlp = fit(self.member_seed(number, member), start)
            save_model(nlp, self.folder.model(number, member))
            del nlp
            release_memory()

    def check(self, nlp: Language) -> None:
        """RAISES (SeqMixError): S423 for dropout passes through a model without dropout."""
        if self.settings.kind == "dropout":
            check_has_dropout(nlp, self.component)

    def seeds(self, number: int) -> tuple[int, ...]:
        """The seeds of dropout passes in the query after a round; none for trained members."""
        if self.settings.kind != "dropout":
            return ()
        return tuple(self.member_seed(number, k + 1) for k in range(self.settings.members))

    def pipelines(self, number: int, first: Language) -> list[Language]:
        """The members, which are in memory together.

        number (int): the round that trained them.
        first (Language): that round's model.
        RAISES (SeqMixError): S407 when a member is missing, S422 when it has other labels.
        """
        found = [first]
        for member in self.trained:
            found.append(spacy.load(self.folder.trained(number, member)))
            check_same_labels(first, found[-1], self.component, member)
        return found


def check_same_labels(first: Language, other: Language, component: str, member: int) -> None:
    """RAISES (SeqMixError): S422 when a member's columns are not those of the first."""
    procs: list[Any] = [nlp.get_pipe(component) for nlp in (first, other)]
    expected, given = (list(proc.labels) for proc in procs)
    if expected != given:
        reason = f"member {member} has the labels {given}, the first has {expected}"
        raise SeqMixError(Errors.E422.format(reason=reason))


def save_model(nlp: Language, path: Path) -> None:
    """Write a pipeline, whole or not at all."""
    with replacing_folder(path) as temporary:
        nlp.to_disk(temporary)
