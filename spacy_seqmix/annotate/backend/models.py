"""The pipeline that is served, and the next one, which is loaded beside it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import TypeAlias

import spacy
from spacy.language import Language
from spacy.util import is_package

from ...active.run_folder import RunFolder
from ...errors import Errors, SeqMixError, Warnings, describe
from ...query.suggestions import predict
from ..page.folder import PageFolder
from .log import Log

__all__ = ["NO_MODEL", "Models", "Served", "Source"]

# The version of suggestions before there is a pipeline.
NO_MODEL = "no-model"
# What tells a pipeline from the one that was there before: its folder, and when it was written.
Stamp: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class Served:
    """A pipeline with its version.

    lock (Lock): whoever predicts has it, a batch at a time: layers keep what they computed last.
    """

    nlp: Language
    version: str
    lock: Lock = field(default_factory=Lock)


class Source:
    """Where pipelines come from: a run, whose last one changes, or one folder or package."""

    def __init__(self, name: str) -> None:
        """RAISES (SeqMixError): S791 for what is neither."""
        path = Path(name)
        self.run = RunFolder(path) if _is_run(path) else None
        self.pipeline: Path | str = path if (path / "meta.json").exists() else name
        if self.run is None and self.pipeline == name and not is_package(name):
            raise SeqMixError(Errors.E791.format(name=name))
        self.name = name

    def find(self) -> Stamp | None:
        """The pipeline that there is now; None where the run has none yet."""
        if self.run is None:  # it is loaded once: its folder need not be whole at any later time
            return self.name, 0
        folder = os.path.realpath(self.run.last_model)
        with suppress(OSError):
            return folder, os.stat(os.path.join(folder, "meta.json")).st_mtime_ns
        return None

    def load(self, stamp: Stamp) -> Served:
        """Load a pipeline, and let it predict once: the first time takes longer."""
        nlp = spacy.load(self.pipeline if self.run is None else Path(stamp[0]))
        list(predict(nlp, None, [nlp.make_doc("A text.")], words=True))
        return Served(nlp, self._version(nlp, Path(stamp[0])))

    def _version(self, nlp: Language, folder: Path) -> str:
        if self.run is None:
            return "{lang}_{name}-{version}".format(**nlp.meta)
        if re.fullmatch(r"round-\d+", folder.name):
            return folder.name
        # A copy, where links can't be had.
        records = self.run.read()
        return f"round-{records[-1].round:02d}" if records else folder.name


def _is_run(path: Path) -> bool:
    run = RunFolder(path)
    return run.inputs.exists() or run.journal.exists() or PageFolder(path).exists


class Models:
    """The pipeline that answers. Another one takes its place at once, when it has been loaded."""

    def __init__(self, source: Source, log: Log) -> None:
        """Nothing is loaded yet."""
        self.source, self.log = source, log
        self.current: Served | None = None
        self._looked = Event()
        self._seen: Stamp | None = None

    @property
    def version(self) -> str:
        """That of the pipeline that answers."""
        return NO_MODEL if self.current is None else self.current.version

    def has_looked(self, seconds: float) -> bool:
        """Whether it is known if there is a pipeline; while a first one is loaded, it is waited for
        so long."""
        return self._looked.wait(seconds)

    def look(self) -> None:
        """Load the pipeline that there is, if it is another one than was tried last; logs W792 for
        one that fails, and the old one stays."""
        try:
            self._look()
        finally:
            self._looked.set()

    def _look(self) -> None:
        found = self.source.find()
        if found is None or found == self._seen:
            return
        try:
            loaded = self.source.load(found)
        except Exception as err:
            # A round that ended meanwhile may have removed it: the next look finds the next one.
            if self.source.find() == found:
                self._seen = found
                reason = str(err) if isinstance(err, SeqMixError) else describe(err)
                self.log(Warnings.W792.format(path=found[0], version=self.version, reason=reason))
            return
        self.current, self._seen = loaded, found
