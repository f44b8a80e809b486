"""What a run of the page consists of: its settings, its labels and its config."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from thinc.api import Config

from ...config import config_errors, problems_of
from ...errors import Errors, SeqMixError, SeqMixFileError
from ...files import parse_json, replacing
from .labels import update_labels
from .rows import now_utc
from .start import NewRun, check_texts, config_of

__all__ = ["PageFolder", "PageSettings", "begin", "go_on"]


class PageSettings(BaseModel):
    """``page/settings.json``.

    texts (str): the file of texts.
    identity (str): names the run in the browser's storage, and its cookie.
    token (str): the secret of the link. It stays, so that a tab outlives the server.
    blind (float): the share of texts that are shown without suggestions.
    options (dict): those that say what is trained, as they were given.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    texts: str
    identity: str
    token: str
    blind: float = 0.0
    options: dict[str, Any] = {}


class PageFolder:
    """The folder ``page`` of a run: the server's own."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = Path(run_dir)
        self.path = self.run_dir / "page"
        self.settings_path = self.path / "settings.json"
        self.config_path = self.path / "config.cfg"
        self.labels_path = self.path / "labels.json"

    @property
    def exists(self) -> bool:
        """Whether a run was begun."""
        return self.settings_path.exists()

    def read(self) -> PageSettings:
        """The settings. RAISES (SeqMixError): S600 where they can't be read."""
        try:
            return PageSettings.model_validate(parse_json(self.settings_path.read_bytes()))
        except (OSError, ValueError) as err:
            reason = problems_of(err) if isinstance(err, ValidationError) else err
            text = Errors.E600.format(path=self.settings_path, reason=reason)
            raise SeqMixFileError(text) from err

    def facts(self) -> dict[str, Any]:
        """What the page shows of the config: the language, and the docs that must be set aside
        before there is a score."""
        with config_errors(self.config_path):
            config = Config().from_disk(self.config_path, interpolate=False)
        return {"lang": config["nlp"]["lang"], "dev_min": config["active"].get("dev_min", 30)}

    def write(self, settings: PageSettings) -> None:
        """Write the settings, for the user's eyes only: they have the secret."""
        with replacing(self.settings_path) as temporary:
            os.chmod(temporary, 0o600)
            temporary.write_text(settings.model_dump_json(indent=1), "utf8")


def begin(
    folder: PageFolder, new: NewRun, overrides: Mapping[str, Any], *, blind: float = 0.0
) -> PageSettings:
    """Begin a run: write its config, labels and settings. Nothing is trained.

    overrides (Mapping[str, Any]): values of the config by dotted name.
    RAISES (SeqMixError): S682, S685, and those of ``config_of``.
    """
    # A kill while a run begins leaves the folder "page" without settings.
    names = {path.name for path in folder.run_dir.glob("*") if path.suffix != ".tmp"}
    if new.texts is None or names - {"page"}:
        raise SeqMixError(Errors.E685.format(path=folder.run_dir))
    if not new.labels:
        raise SeqMixError(Errors.E682.format(path=folder.run_dir))
    check_texts(new.texts)
    config = config_of(new, overrides)
    folder.labels_path.unlink(missing_ok=True)
    update_labels(folder.labels_path, new.labels, now_utc())
    with replacing(folder.config_path) as temporary:
        config.to_disk(temporary)
    settings = PageSettings(
        texts=str(new.texts.resolve()),
        identity=secrets.token_hex(4),
        token=secrets.token_urlsafe(24),
        blind=blind,
        options=_options(new, overrides),
    )
    folder.write(settings)  # the last: from here on the run exists
    return settings


def go_on(
    folder: PageFolder,
    new: NewRun,
    overrides: Mapping[str, Any],
    *,
    blind: float | None = None,
) -> PageSettings:
    """Go on with a run; new labels are added.

    RAISES (SeqMixError): S681 for labels that are left out, S684 for another file of texts, S691
        for options with other values than the run began with.
    """
    settings = folder.read()
    known, given = settings.options, _options(new, overrides)
    if other := [name for name, value in given.items() if known.get(name) != value]:
        raise SeqMixError(Errors.E691.format(path=folder.run_dir, options=", ".join(other)))
    if new.texts is not None and str(new.texts.resolve()) != settings.texts:
        raise SeqMixError(
            Errors.E684.format(path=folder.run_dir, known=settings.texts, given=new.texts)
        )
    update_labels(folder.labels_path, new.labels, now_utc())
    if blind is not None and blind != settings.blind:
        settings = settings.model_copy(update={"blind": blind})
        folder.write(settings)
    return settings


def _options(new: NewRun, overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {**new.given(), **{f"--{name}": value for name, value in overrides.items()}}
