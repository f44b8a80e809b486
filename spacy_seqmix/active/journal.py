"""The run folder: what was asked for, and one line for each finished round."""

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from thinc.api import Config

from .. import __version__
from ..atomic import replacing
from ..errors import Errors, SeqMixError, SeqMixFileError, Warnings

Record = dict[str, Any]
MISSING = object()
# Of `spacy seqmix active` where another process runs in the folder (S412).
LOCKED_EXIT_CODE = 12


class RunFolder:
    """Paths of a run, and its journal. Whatever is written appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal.jsonl"
        self.config = path / "config.cfg"
        self.inputs = path / "inputs.json"

    def mixed(self, number: int) -> Path:
        """The docs that a round added by mixing."""
        return self.path / "mixed" / f"round-{number:02d}.spacy"

    def rejected(self, number: int) -> Path:
        """The first that the discriminator threw out, for people to look at."""
        return self.path / "mixed" / f"round-{number:02d}-rejected.spacy"

    def parents(self, number: int) -> Path:
        """What these were made of, where a model had labelled it."""
        return self.path / "mixed" / f"round-{number:02d}-parents.spacy"

    def model(self, number: int, member: int = 1) -> Path:
        """The pipeline that a round trained; of a committee, the first member."""
        suffix = f"-member-{member}" if member > 1 else ""
        return self.path / "models" / f"round-{number:02d}{suffix}"

    def trained(self, number: int, member: int = 1) -> Path:
        """The same, where it must be there. RAISES (SeqMixError): S407."""
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
    def work(self) -> Path:
        """Files that only the round in progress needs."""
        return self.path / "work"

    def open(self, config: Config, digests: dict[str, str]) -> list[Record]:
        """Begin a run, or go on with the same one.

        config (Config): everything that was asked for, overrides applied.
        digests (dict): SHA-256 of each input file, by the field that names it.
        RETURNS (list): the records of the rounds that are finished.
        RAISES (SeqMixError): S406 when the folder belongs to another config or other data, with
            the fields that differ; S407 when it holds something else or is damaged.

        Warns with W403 when another version of this package began the run.
        """
        asked = {"version": __version__, "config": flatten(config), "sha256": digests}
        if self.path.exists() and not self.path.is_dir():
            raise self._unusable("it is a file")
        if self.inputs.exists():
            changed = self._changed(asked)
            if changed:
                raise SeqMixError(Errors.E406.format(path=self.path, fields=", ".join(changed)))
            begun = version_of(self.inputs)
            if begun not in (None, __version__):
                text = Warnings.W403.format(path=self.path, begun=begun, here=__version__)
                warnings.warn(text, stacklevel=3)
        elif any(not name.endswith(".tmp") for name in self._names()):
            raise self._unusable("it is not a run folder")
        records = self.read()
        # A kill may come between any two of these lines.
        if not self.inputs.exists():
            with replacing(self.inputs) as temporary:
                temporary.write_text(json.dumps(asked, indent=2), encoding="utf8")
        if not self.config.exists():
            with replacing(self.config) as temporary:
                config.to_disk(temporary)
        return records

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from running in the folder. RAISES (SeqMixError): S412."""
        path = self.path / "lock.tmp"
        lock = FileLock(path)
        try:
            with disk_errors():
                lock.acquire(timeout=0)
        except Timeout:
            raise SeqMixError(Errors.E412.format(path=self.path)) from None
        try:
            # Of a killed run. Before the lock they may be those of one that lives.
            for left_over in (*self.path.glob(".*.tmp"), *self.path.glob("mixed/.*.tmp")):
                left_over.unlink(missing_ok=True)
            yield
        finally:
            path.unlink(missing_ok=True)
            lock.release()

    def _names(self) -> list[str]:
        return [path.name for path in self.path.iterdir()] if self.path.exists() else []

    def _changed(self, asked: dict[str, Any]) -> list[str]:
        """The fields that differ from those that the run began with."""
        try:
            # Not srsly's reader: it gives 0.6 back as another number.
            known = json.loads(self.inputs.read_text(encoding="utf8"))
            differing = [
                (section, name)
                for section in ("config", "sha256")
                for name in sorted({*known[section], *asked[section]})
                if known[section].get(name, MISSING) != asked[section].get(name, MISSING)
            ]
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            raise self._unusable(f"inputs.json is damaged ({err})") from err
        return [name if section == "config" else f"{section}.{name}" for section, name in differing]

    def _unusable(self, reason: str) -> SeqMixError:
        return SeqMixError(Errors.E407.format(path=self.path, reason=reason))

    def read(self) -> list[Record]:
        """The records so far. RAISES (SeqMixError): S407 when a line is damaged."""
        if not self.journal.exists():
            return []
        try:
            lines = self.journal.read_text(encoding="utf8").splitlines()
            records = [json.loads(line) for line in lines]
            numbers = [record["round"] for record in records]
        except (ValueError, TypeError, KeyError) as err:
            raise self._unusable(f"journal.jsonl is damaged ({err})") from err
        if numbers != list(range(len(records))):
            raise self._unusable("rounds are missing in journal.jsonl")
        return records

    def append(self, records: list[Record], record: Record) -> None:
        """Add a finished round: from here on it will not be repeated."""
        with replacing(self.journal) as temporary:
            lines = [json.dumps(r) for r in (*records, record)]
            temporary.write_text("\n".join([*lines, ""]), encoding="utf8")
        records.append(record)

    def tidy(self, number: int, keep_models: str) -> None:
        """Remove what no later round needs, once round ``number`` stands in the journal."""
        shutil.rmtree(self.work, ignore_errors=True)
        if keep_models == "last":
            for old in range(number):
                self.remove_models(old)

    def discard(self, number: int) -> None:
        """Remove what a round left that failed; if it was the first, the folder is empty again."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.remove_models(number)
        for path in (self.mixed(number), self.rejected(number), self.parents(number)):
            path.unlink(missing_ok=True)
        if number == 0:
            self.config.unlink(missing_ok=True)
            self.inputs.unlink(missing_ok=True)
            for folder in (self.mixed(0).parent, self.model(0).parent):
                shutil.rmtree(folder, ignore_errors=True)


def version_of(inputs: Path) -> str | None:
    """The version of this package that began a run; None where its inputs.json does not say."""
    try:
        found = json.loads(inputs.read_text(encoding="utf8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


@contextmanager
def disk_errors() -> Iterator[None]:
    """Give the operating system's errors a code. RAISES (SeqMixFileError): S411."""
    try:
        yield
    except OSError as err:
        if err.errno is None:  # a message of ours, or of spaCy
            raise
        raise SeqMixFileError(Errors.E411.format(reason=err)) from err


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Config values by dotted name, to tell which field differs."""
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    out: dict[str, Any] = {}
    for key, value in config.items():
        out |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return out
