"""What is done when Label Studio says that something has happened there."""

from __future__ import annotations

from ...errors import Errors, SeqMixError, Warnings
from ..training import Training
from .log import Log
from .settings import BackendFolder

__all__ = ["Webhooks"]

# The actions after which there may be new answers, or other tasks.
NEWS = ("ANNOTATION", "TASKS_", "PROJECT_UPDATED")
START = "START_TRAINING"


class Webhooks:
    """Label Studio sends each webhook once, and waits a second for the answer. So nothing depends
    on them: they only make what happens anyway happen at once."""

    def __init__(self, folder: BackendFolder | None, training: Training | None, log: Log) -> None:
        """
        folder (BackendFolder | None): of the run that is served; None for a pipeline.
        training (Training | None): where this server trains.
        """
        self.folder, self.training, self.log = folder, training, log
        self._told = 0.0

    def answer(self, action: str) -> str:
        """What will be done about an action, in words."""
        if action == START:
            if self.training is None:
                return (
                    "This server does not train. Start it with --train, or train with "
                    "`spacy seqmix active`."
                )
            return "The training runs." if self.training.is_alive else "The training starts."
        return "Noted." if self._is_news(action) else "Nothing to do."

    def act(self, action: str) -> None:
        """Do it. Errors are logged: nobody waits for them."""
        try:
            if action == START and self.training is not None:
                self.training.start()
            elif self._is_news(action) and self.folder is not None:
                self.folder.nudge()
        except SeqMixError as err:
            self.log.once(str(err))
        except OSError as err:
            path = self.folder.path if self.folder is not None else "a file"
            self.log.once(Errors.E600.format(path=path, reason=err.strerror))

    def watch(self) -> None:
        """Log W793 when the training has failed."""
        if self.training is None or self._told == self.training.since:
            return
        reason = self.training.message()
        if reason is not None:
            self._told = self.training.since
            self.log(Warnings.W793.format(reason=reason, path=self.training.log))

    def _is_news(self, action: str) -> bool:
        return action.startswith(NEWS)
