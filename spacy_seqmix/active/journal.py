"""The run folder: what was asked for, and one line for each finished round."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import srsly
from thinc.api import Config

from ..atomic import replacing
from ..errors import Errors

Record = dict[str, Any]


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

    def model(self, number: int) -> Path:
        """The pipeline that a round trained."""
        return self.path / "models" / f"round-{number:02d}"

    def work(self, name: str) -> Path:
        """A file that only the round in progress needs."""
        return self.path / "work" / name

    def open(self, config: Config, digests: dict[str, str]) -> list[Record]:
        """Begin a run, or go on with the same one.

        config (Config): everything that was asked for, overrides applied.
        digests (dict): SHA-256 of each input file, by the field that names it.
        RETURNS (list): the records of the rounds that are finished.
        RAISES (ValueError): S406 when the folder belongs to another config or other data, with
            the fields that differ; S407 when it holds something else or a damaged journal.
        """
        asked = {"config": flatten(config), "sha256": digests}
        if self.inputs.exists():
            known = srsly.read_json(self.inputs)
            changed = [
                f"{section}.{name}" if section != "config" else name
                for section in ("config", "sha256")
                for name in sorted({*known[section], *asked[section]})
                if known[section].get(name) != asked[section].get(name)
            ]
            if changed:
                raise ValueError(Errors.E406.format(path=self.path, fields=", ".join(changed)))
        elif self.path.exists() and any(self.path.iterdir()):
            raise ValueError(Errors.E407.format(path=self.path, reason="it is not a run folder"))
        else:
            with replacing(self.config) as temporary:
                config.to_disk(temporary)
            with replacing(self.inputs) as temporary:
                srsly.write_json(temporary, asked)
        return self.read()

    def read(self) -> list[Record]:
        """The records so far. RAISES (ValueError): S407 when a line is damaged."""
        if not self.journal.exists():
            return []
        try:
            records = list(srsly.read_jsonl(self.journal))
        except ValueError as err:
            reason = f"journal.jsonl is damaged ({err})"
            raise ValueError(Errors.E407.format(path=self.path, reason=reason)) from err
        if [r["round"] for r in records] != list(range(len(records))):
            raise ValueError(Errors.E407.format(path=self.path, reason="rounds are missing"))
        return records

    def append(self, records: list[Record], record: Record) -> None:
        """Add a finished round: from here on it will not be repeated."""
        with replacing(self.journal) as temporary:
            srsly.write_jsonl(temporary, [*records, record])
        records.append(record)

    def tidy(self, number: int, keep_models: str) -> None:
        """Remove what no later round needs, once round ``number`` stands in the journal."""
        shutil.rmtree(self.path / "work", ignore_errors=True)
        if keep_models == "last":
            for old in range(number):
                shutil.rmtree(self.model(old), ignore_errors=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder under a temporary name and rename it once the block has ended well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    for left_over in path.parent.glob(f".{path.name}.*.tmp"):  # of a killed run
        shutil.rmtree(left_over)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Config values by dotted name, to tell which field differs."""
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    out: dict[str, Any] = {}
    for key, value in config.items():
        out |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return out
