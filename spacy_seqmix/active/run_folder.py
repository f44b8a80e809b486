"""The run folder: the files of a run, and what it was started with."""

import json
import os
import platform
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, SoftFileLock, Timeout
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import dict_to_dot
from thinc.api import Config

from .. import __version__
from ..annotation.docbins import read_docs
from ..errors import Errors, SeqMixError, SeqMixFileError, Warnings
from ..files import link_folder, parse_json, replacing
from .journal import RoundRecord, end_of, read_journal, version_of
from .pool_files import PoolFile, generations_in

MISSING = object()
DAMAGED = (ValueError, TypeError, KeyError, AttributeError)
# What people's answers need. It outlives a run that failed in its first round, so that they are not
# lost, and the config can be corrected.
OF_PEOPLE = ("asked.jsonl", "answers.jsonl", "status.json", "page", "label-studio")
# Settings of oracles that change where or how answers are read, not which texts are asked: a new
# label comes up in mid-run, a server moves, a person leaves.
READING = (
    *("labels", "relations", "annotators", "n_annotators", "confirmed", "cut", "overlap"),
    *("url", "project", "token_env", "poll"),
)
OF_READING = frozenset(f"active.oracle.{name}" for name in READING)
# Settings that a run may go on without: of the config that another one extends, every value counts,
# but not its name. So the run's own config.cfg, which has all values, can take its place.
NOT_COMPARED = OF_READING | {"active.extends"}
# Why a folder can't be used: the config of each round names the files in it.
DOLLAR = "its name has a '$', which begins a variable in configs"


class RunFolder:
    """The paths of a run, and its journal. Each file appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal.jsonl"
        self.config = path / "config.cfg"
        self.inputs = path / "inputs.json"
        self.asked = path / "asked.jsonl"
        self.answers = path / "answers.jsonl"
        self.status = path / "status.json"

    def mixed(self, number: int) -> Path:
        """The docs that a round added by mixing."""
        return self.path / "mixed" / f"round-{number:02d}.spacy"

    def rejected(self, number: int) -> Path:
        """The first candidates that the discriminator rejected, for people to look at."""
        return self.path / "mixed" / f"round-{number:02d}-rejected.spacy"

    def parents(self, number: int) -> Path:
        """The docs that these were made of, where a model labelled them."""
        return self.path / "mixed" / f"round-{number:02d}-parents.spacy"

    def model(self, number: int, member: int = 1) -> Path:
        """The pipeline that a round trained, or another member of its committee."""
        suffix = f"-member-{member}" if member > 1 else ""
        return self.path / "models" / f"round-{number:02d}{suffix}"

    def trained(self, number: int, member: int = 1) -> Path:
        """The same pipeline. RAISES (SeqMixError): S407 where it is missing."""
        path = self.model(number, member)
        if not path.exists():
            raise self._unusable(f"models/{path.name} is missing")
        return path

    def remove_models(self, number: int) -> None:
        """Remove the pipeline of a round, and the other members of its committee."""
        path = self.model(number)
        for folder in (path, *path.parent.glob(f"{path.name}-member-*")):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def last_model(self) -> Path:
        """The pipeline of the last round, under a name that stays the same, as spaCy has it."""
        return self.path / "model-last"

    def scores(self, number: int) -> Path:
        """What a round's policy scored, for policies that look back."""
        return self.path / "scores" / f"round-{number:02d}.npz"

    @property
    def work(self) -> Path:
        """Files that only the round in progress needs."""
        return self.path / "work"

    def pool_files(self) -> list[list[PoolFile]]:
        """The files of the pool that the run has seen, by generations; see ``pool_files``.

        RAISES (SeqMixError): S407 where inputs.json is damaged.
        """
        try:
            return generations_in(self.inputs)
        except DAMAGED as err:
            raise self._unusable(f"inputs.json is damaged ({err})") from err

    def open(
        self, config: Config, digests: dict[str, str], pool: Sequence[Sequence[PoolFile]] = ()
    ) -> list[RoundRecord]:
        """Begin a run, or go on with the same one; only for the process that has the lock.

        config (Config): the whole config, overrides applied.
        digests (dict): SHA-256 of each other input file, by the field that names it.
        pool (Sequence): the files of the pool, by generations: those of before, and new ones.
        RETURNS (list): the records of the rounds that are finished.
        RAISES (SeqMixError): S406 when the folder belongs to another config or other data, with
            the fields that differ; S407 when it holds other files or is damaged; S510 when its
            journal is.

        Warns with W403 when another version of this package began the run.
        """
        started = {
            "version": __version__,
            "config": dict_to_dot(config),
            "sha256": digests,
            "pool": [list(map(list, generation)) for generation in pool],
        }
        if self.inputs.exists():
            changed = self._changed(started)
            if changed:
                raise SeqMixError(Errors.E406.format(path=self.path, fields=", ".join(changed)))
            begun = version_of(self.inputs)
            if begun not in (None, __version__):
                text = Warnings.W403.format(path=self.path, begun=begun, here=__version__)
                warnings.warn(text, stacklevel=2)
        elif any(not n.endswith(".tmp") for n in self._names()) and not self._has_answers():
            raise self._unusable("it is not a run folder")
        records = self.read()
        # A kill may come between any two of these lines.
        if not self.inputs.exists() or len(pool) > len(self.pool_files()):
            with replacing(self.inputs) as temporary:
                temporary.write_text(json.dumps(started, indent=2), encoding="utf8")
        if not self.config.exists():
            with replacing(self.config) as temporary:
                config.to_disk(temporary)
        return records

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from running in the folder. RAISES (SeqMixError): S407, S412."""
        if self.path.exists() and not self.path.is_dir():
            raise self._unusable("it is a file")
        if "$" in str(self.path):
            raise self._unusable(DOLLAR)
        with locked(self.path):
            yield

    def _has_answers(self) -> bool:
        return any(name in self._names() for name in OF_PEOPLE)

    def _names(self) -> list[str]:
        return [path.name for path in self.path.iterdir()] if self.path.exists() else []

    def _changed(self, started: dict[str, Any]) -> list[str]:
        """The fields that differ from those that the run began with."""
        try:
            known = parse_json(self.inputs.read_bytes())
            differing = [
                (section, name)
                for section in ("config", "sha256")
                for name in sorted({*known[section], *started[section]})
                if name not in NOT_COMPARED
                and (section, name) != ("sha256", "pool")
                and known[section].get(name, MISSING) != started[section].get(name, MISSING)
            ]
        except DAMAGED as err:
            raise self._unusable(f"inputs.json is damaged ({err})") from err
        return [name if section == "config" else f"{section}.{name}" for section, name in differing]

    def _unusable(self, reason: str) -> SeqMixError:
        return SeqMixError(Errors.E407.format(path=self.path, reason=reason))

    def read(self) -> list[RoundRecord]:
        """The finished rounds. RAISES (SeqMixError): S510 when the journal is damaged."""
        return read_journal(self.journal) if self.journal.exists() else []

    def append(self, records: list[RoundRecord], record: RoundRecord) -> None:
        """Add a finished round: from here on it will not be repeated."""
        self.write([*records, record])
        records.append(record)

    def write(self, records: Sequence[RoundRecord]) -> None:
        """Write the whole journal."""
        with replacing(self.journal) as temporary:
            lines = [one.line() for one in records]
            temporary.write_text("\n".join([*lines, ""]), encoding="utf8")

    def mark_end(
        self, records: list[RoundRecord], n_rounds: int | None, unlabelled: Sequence[int]
    ) -> None:
        """Let the journal of an older version say why it ends. Arguments as of ``end_of``."""
        if records and records[-1].end is None:
            end = end_of(len(records) - 1, n_rounds, unlabelled)
            records[-1] = records[-1].model_copy(update={"end": end})
            self.write(records)

    def read_mixed(self, record: RoundRecord, nlp: Language) -> list[Doc]:
        """Read the docs that a round added by mixing."""
        if not record.n_mixed_new:
            return []
        return read_docs(self.mixed(record.round), nlp, need_entities=False)

    def tidy(self, number: int, keep_models: str) -> None:
        """Once round ``number`` stands in the journal: its pipeline is the last one, and what no
        later round needs is removed. Doing it again changes nothing.

        RAISES (SeqMixFileError): S411.
        """
        if self.model(number).exists():
            with disk_errors():
                link_folder(self.last_model, self.model(number))
        shutil.rmtree(self.work, ignore_errors=True)
        if keep_models == "last":
            for old in range(number):
                self.remove_models(old)

    def discard(self, number: int) -> None:
        """Remove the files of a round that failed; after the first, the folder is empty again."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.remove_models(number)
        of_round = (self.mixed, self.rejected, self.parents, self.scores)
        for path in (of(number) for of in of_round):
            path.unlink(missing_ok=True)
        if number == 0:
            self.config.unlink(missing_ok=True)
            self.inputs.unlink(missing_ok=True)
            for folder in (self.mixed(0).parent, self.model(0).parent):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder: Path, note: str = "") -> Iterator[None]:
    """Keep other processes out of a folder, which is made if need be.

    The system releases the lock when the process ends, however it ends: a file that is left has no
    effect. The file says which process has the lock, and has the note.

    RAISES (SeqMixError): S411, S412.
    """
    path = folder / "lock.tmp"
    lock = FileLock(path)
    holder = _holder(path)  # some versions of filelock empty the file when they try to lock it
    try:
        with disk_errors():
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
    except Timeout:
        raise SeqMixError(Errors.E412.format(path=folder, holder=holder)) from None
    try:
        # A file system without locks: the file itself is the lock, and says who has it.
        if not isinstance(lock, SoftFileLock):
            with disk_errors():
                path.write_text(f"process {os.getpid()} on {platform.node()}{note}", "utf8")
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    """The process that a lock's file names."""
    try:
        return path.read_text("utf8") or "another process"
    except (OSError, UnicodeDecodeError):  # no such file, or a system that locks reading too
        return "another process"


@contextmanager
def disk_errors() -> Iterator[None]:
    """Give the operating system's errors a code. RAISES (SeqMixFileError): S411."""
    try:
        yield
    except OSError as err:
        if err.errno is None:  # a message of ours, or of spaCy
            raise
        raise SeqMixFileError(Errors.E411.format(reason=err)) from err
