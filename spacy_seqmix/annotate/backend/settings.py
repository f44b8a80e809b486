"""The backend's own folder in a run, and the key of its address."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...active.run_folder import disk_errors
from ...errors import Errors, SeqMixError
from ...files import replacing
from ..label_studio.names import FOLDER, NUDGED
from ..stored import read_stored

__all__ = ["BackendFolder", "new_key"]

# What an address may have without being changed on the way.
KEY = r"[A-Za-z0-9_-]{16,200}"


class _Settings(BaseModel):
    """``label-studio/serve.json``: the secret of the address, which stays."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str = Field(pattern=f"^{KEY}$")


class BackendFolder:
    """The folder ``label-studio`` of a run."""

    def __init__(self, run_dir: Path) -> None:
        self.path = Path(run_dir) / FOLDER
        self.settings = self.path / "serve.json"
        # Touched when people have done something: whoever reads their answers looks at its time.
        self.nudged = self.path / NUDGED
        # What is trained: the run's config, which stands alone here.
        self.config = self.path / "config.cfg"
        self.log = self.path / "training.log"

    def key(self) -> str:
        """The key of the run; made, for the user's eyes only, where there is none.

        RAISES (SeqMixFileError): S411 where it can't be written, S600 where the file is damaged.
        """
        if self.settings.exists():
            return read_stored(_Settings, self.settings).key
        made = _Settings(key=new_key())
        with disk_errors(), replacing(self.settings) as temporary:
            os.chmod(temporary, 0o600)
            temporary.write_text(made.model_dump_json(indent=1) + "\n", "utf8")
        return made.key

    def nudge(self) -> None:
        """Change the time of the file ``nudged``. RAISES (SeqMixFileError): S411."""
        with disk_errors():
            self.path.mkdir(parents=True, exist_ok=True)
            self.nudged.touch()


def new_key(variable: str | None = None) -> str:
    """A new key, or that of an environment variable.

    RAISES (SeqMixError): S792 where the variable is missing, or its value can't be in an address.
    """
    if variable is None:
        return secrets.token_urlsafe(24)
    key = os.environ.get(variable)
    if key is None or not re.fullmatch(KEY, key):
        what = "is not set" if key is None else "has another value"
        raise SeqMixError(Errors.E792.format(name=variable, what=what))
    return key
