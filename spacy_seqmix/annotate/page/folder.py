"""What a run of the page consists of: its settings, its labels and its config."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from thinc.api import Config

from ...annotation.texts import TEXT_SUFFIXES, read_texts
from ...config import load_config, problems_of
from ...errors import Errors, SeqMixError, SeqMixFileError
from ...files import parse_json, replacing
from .labels import update_labels
from .rows import now_utc

__all__ = ["PAGE_ORACLE", "PageFolder", "PageSettings", "begin", "go_on", "shipped_config"]

PAGE_ORACLE = "spacy-seqmix.Page.v1"


class PageSettings(BaseModel):
    """``page/settings.json``.

    texts (str): the file of texts.
    identity (str): names the run in the browser's storage, and its cookie.
    token (str): the secret of the link. It stays, so that a tab outlives the server.
    blind (float): the share of texts that are shown without suggestions.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    texts: str
    identity: str
    token: str
    blind: float = 0.0


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

    def write(self, settings: PageSettings) -> None:
        """Write the settings, for the user's eyes only: they have the secret."""
        with replacing(self.settings_path) as temporary:
            os.chmod(temporary, 0o600)
            temporary.write_text(settings.model_dump_json(indent=1), "utf8")


def begin(
    folder: PageFolder,
    texts: Path,
    labels: list[str],
    config: Path,
    overrides: Mapping[str, Any],
    *,
    blind: float = 0.0,
) -> PageSettings:
    """Begin a run: write its config, labels and settings. Nothing is trained.

    config (Path): one with [active]; its pool and its oracle are replaced.
    overrides (Mapping[str, Any]): values by dotted name.
    RAISES (SeqMixError): S680, S682, S685, S688, and those of the config.
    """
    run_dir = folder.run_dir
    if run_dir.exists() and any(not one.name.endswith(".tmp") for one in run_dir.iterdir()):
        # A kill while a run begins leaves the folder "page" without settings.
        if {one.name for one in run_dir.iterdir() if one.suffix != ".tmp"} != {"page"}:
            raise SeqMixError(Errors.E685.format(path=run_dir))
    texts = texts.resolve()
    check_texts(texts)
    made = load_config(config, {**overrides, "active.pool": str(texts)})
    made["active"].pop("extends", None)
    made["active"]["oracle"] = {"@misc": PAGE_ORACLE}
    update_labels(folder.labels_path, labels, now_utc())
    with replacing(folder.config_path) as temporary:
        made.to_disk(temporary)
    settings = PageSettings(
        texts=str(texts),
        identity=secrets.token_hex(4),
        token=secrets.token_urlsafe(24),
        blind=blind,
    )
    folder.write(settings)  # the last: from here on the run exists
    return settings


def go_on(
    folder: PageFolder, texts: Path | None, labels: list[str], *, blind: float | None = None
) -> PageSettings:
    """Go on with a run; new labels are added.

    RAISES (SeqMixError): S681 for labels that are left out, S684 for another file of texts.
    """
    settings = folder.read()
    if texts is not None and str(texts.resolve()) != settings.texts:
        raise SeqMixError(
            Errors.E684.format(
                path=folder.run_dir, what="the texts", known=settings.texts, given=texts
            )
        )
    update_labels(folder.labels_path, labels, now_utc())
    if blind is not None and blind != settings.blind:
        settings = settings.model_copy(update={"blind": blind})
        folder.write(settings)
    return settings


def check_texts(path: Path) -> None:
    """RAISES (SeqMixError): S501, S600, S610 for a file that can't be read, S688 for an empty one."""
    if path.suffix in TEXT_SUFFIXES:
        if next(read_texts(path), None) is None:
            raise SeqMixError(Errors.E688.format(path=path))
    elif path.suffix != ".spacy" or not path.is_file():
        reason = "it is no .txt, .jsonl or .spacy file" if path.exists() else "no such file"
        raise SeqMixFileError(Errors.E600.format(path=path, reason=reason))


def shipped_config(name: str) -> Path:
    """A config that comes with the package: "cnn" or "transformer"."""
    with as_file(files("spacy_seqmix.annotate") / "configs" / f"{name}.cfg") as path:
        return path


def oracle_of(config: Config) -> str | None:
    """The registered name of a config's oracle."""
    oracle = config.get("active", {}).get("oracle", {})
    return oracle.get("@misc") if isinstance(oracle, dict) else None
