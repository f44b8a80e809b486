"""What a run of the page consists of: its settings, its labels and its config."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from thinc.api import Config

from ...active.answers import AnswerFile
from ...active.pool_files import files_of
from ...active.run_folder import disk_errors, locked
from ...annotation.docbins import open_docbin
from ...config import config_errors
from ...errors import Errors, SeqMixError
from ...files import file_digest, replacing
from ..stored import read_stored
from .labels import update_labels
from .rows import PageAnswer, now_utc
from .start import NewRun, check_texts, config_of

__all__ = ["PageFolder", "PageSettings", "begin", "go_on"]


class PageSettings(BaseModel):
    """``page/settings.json``.

    texts (str | tuple[str, ...]): the files, patterns and folders of texts; a string is one.
    identity (str): names the run in the browser's storage, and its cookie.
    token (str): the secret of the link. It stays, so that a tab outlives the server.
    blind (float): the share of texts that are shown without suggestions.
    options (dict): those that say what is trained, as they were given.
    port (int | None): where the page was served first: a bookmark has it, and what the browser
        keeps belongs to it.
    digest (str | None): the SHA-256 of the texts, which must not change: of the file, where one
        file was given, else of the names and digests of all files.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    texts: str | tuple[str, ...]
    identity: str
    token: str
    blind: float = 0.0
    options: dict[str, Any] = {}
    port: int | None = None
    digest: str | None = None

    @property
    def title(self) -> str:
        """What the page is headed with: the names of the texts."""
        names = [path.name for path in self.paths]
        return ", ".join(names[:3]) + ", ..." * (len(names) > 3)

    @property
    def paths(self) -> list[Path]:
        """The files, patterns and folders of texts."""
        return [Path(self.texts)] if isinstance(self.texts, str) else list(map(Path, self.texts))


class PageFolder:
    """The folder ``page`` of a run: the server's own."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = Path(run_dir)
        self.path = self.run_dir / "page"
        self.settings_path = self.path / "settings.json"
        self.config_path = self.path / "config.cfg"
        self.labels_path = self.path / "labels.json"
        self.answers_path = self.path / "answers.jsonl"

    @property
    def exists(self) -> bool:
        """Whether a run was begun."""
        return self.settings_path.exists()

    def read(self) -> PageSettings:
        """The settings. RAISES (SeqMixError): S600 where they can't be read."""
        return read_stored(PageSettings, self.settings_path)

    def facts(self) -> dict[str, Any]:
        """What the page shows of the config: the language; the share of the texts that is set
        aside, none where a file has the dev docs, and how many there must be before a score; and
        the file of texts, the pattern or the folder, where one was given."""
        with config_errors(self.config_path):
            config = Config().from_disk(self.config_path, interpolate=False)
        active = config["active"]
        texts = self.read().paths if self.exists else []
        return {
            "lang": config["nlp"]["lang"],
            "dev_min": active.get("dev_min", 30),
            "dev_share": None if active.get("dev") else active.get("dev_share", 0.2),
            "texts": str(texts[0]) if len(texts) == 1 else None,
        }

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
    RAISES (SeqMixError): S403 for dev docs that can't be read, S407, S412, S682, S685, and
        those of ``check_texts`` and ``config_of``. Where it raises, nothing was written.
    """
    # A kill while a run begins leaves the folder "page" without settings.
    names = {path.name for path in folder.run_dir.glob("*") if path.suffix != ".tmp"}
    if not new.texts:
        raise SeqMixError(Errors.E685.format(path=folder.run_dir))
    if names - {"page"}:
        reason = "it is not empty, and holds no run of 'annotate'"
        raise SeqMixError(Errors.E407.format(path=folder.run_dir, reason=reason))
    if not new.labels:
        raise SeqMixError(Errors.E682.format(path=folder.run_dir))
    check_texts(new.texts, folder.run_dir)
    if new.dev is not None:
        open_docbin(new.dev)
    config = config_of(new, overrides)
    settings = PageSettings(
        texts=_names(new),
        identity=secrets.token_hex(4),
        token=secrets.token_urlsafe(24),
        blind=blind,
        options=_options(new, overrides),
        digest=texts_digest([path.resolve() for path in new.texts], folder.run_dir),
    )
    with locked(folder.path):
        if folder.exists:  # another process was faster
            return folder.read()
        folder.labels_path.unlink(missing_ok=True)
        update_labels(folder.labels_path, new.labels, now_utc())
        with replacing(folder.config_path) as temporary:
            config.to_disk(temporary)
        folder.write(settings)  # the last: from here on the run exists
    return settings


def go_on(
    folder: PageFolder,
    new: NewRun,
    overrides: Mapping[str, Any],
    *,
    blind: float | None = None,
) -> PageSettings:
    """Go on with a run; new labels are added. Whoever calls it has the lock of the folder.

    RAISES (SeqMixError): S681 for labels that are left out, S684 for another file of texts, S689
        for one that has changed, S691 for options with other values than the run began with.
    """
    settings = folder.read()
    known, given = settings.options, _options(new, overrides)
    if other := [name for name, value in given.items() if known.get(name) != value]:
        raise SeqMixError(Errors.E691.format(path=folder.run_dir, options=", ".join(other)))
    shown = _listed(settings.paths)
    if new.texts and _names(new) != settings.texts:
        text = Errors.E684.format(path=folder.run_dir, known=shown, given=_listed(new.texts))
        raise SeqMixError(text)
    with disk_errors():
        if settings.digest not in (None, texts_digest(settings.paths, folder.run_dir)):
            raise SeqMixError(Errors.E689.format(path=shown, run=folder.run_dir))
    answers = AnswerFile(folder.answers_path, PageAnswer).read().values()
    used = {span.label for one in answers for span in one.spans}
    update_labels(folder.labels_path, new.labels, now_utc(), used)
    if blind is not None and blind != settings.blind:
        settings = settings.model_copy(update={"blind": blind})
        folder.write(settings)
    return settings


def texts_digest(paths: Sequence[Path], run_dir: Path) -> str:
    """SHA-256 of texts: of the file, where one file was given, else of the names and digests of all
    files.

    paths (Sequence[Path]): files, patterns and folders.
    run_dir (Path): the folder of the run, whose own files are no texts.
    RAISES (SeqMixError): S403 where they name no files.
    RAISES (OSError): where a file can't be read.
    """
    files = files_of(paths, run_dir)
    if files == list(paths) and len(files) == 1:
        return file_digest(files[0])
    lines = [f"{file_digest(path)}  {path}\n" for path in files]
    return sha256("".join(lines).encode("utf8", "surrogateescape")).hexdigest()


def _names(new: NewRun) -> str | tuple[str, ...]:
    return new.pool if isinstance(new.pool, str) else tuple(new.pool)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths[:3])) + ", ..." * (len(paths) > 3)


def _options(new: NewRun, overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {**new.given(), **{f"--{name}": value for name, value in overrides.items()}}
