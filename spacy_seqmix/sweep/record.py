"""Records in a sweep's folder: sweep.json, and the status file of each run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from configparser import Error as ConfigError
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
)
from pydantic import model_validator as validator
from spacy.util import dict_to_dot
from thinc.api import Config

from ..active.journal import Record, is_whole
from ..active.run_folder import RunFolder
from ..config import problems_of
from ..errors import Errors, SeqMixError
from ..files import replacing

SWEEP_FILE = "sweep.json"
RecordT = TypeVar("RecordT", bound=BaseModel)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Check that values by dotted name are those of a config. RAISES (ValueError): if not."""
    try:
        fill_in(values)
    except (ConfigError, AttributeError, TypeError) as err:
        raise ValueError(f"these are not the values of a config ({err})") from err
    return values


class ArmRecord(Record):
    """An arm that a sweep's folder has.

    folder (str): the name of its folder.
    seeds (tuple[int, ...]): the seeds that it was to be run with, over all calls.
    control (bool): whether the sweep added it for comparison.
    steps_of (str | None): the arm whose optimiser steps it takes.
    mixes (bool): whether it mixes in any round.
    values (dict[str, Any]): every value of its config by dotted name, with variables.
    """

    name: str
    folder: Annotated[str, Field(pattern=r"^[^./\\\x00][^/\\\x00]*$")]  # a name, not a path
    seeds: tuple[NonNegativeInt, ...]
    control: bool = False
    steps_of: str | None = None
    mixes: bool
    values: Annotated[dict[str, Any], AfterValidator(_checked)]

    @validator(mode="before")
    @classmethod
    def _from_older(cls, data: Any) -> Any:
        """Older files have ``steps_of`` among the values."""
        values = data.get("values") if isinstance(data, dict) else None
        if isinstance(values, dict) and "steps_of" in values:
            others = {name: value for name, value in values.items() if name != "steps_of"}
            return {"steps_of": values["steps_of"], **data, "values": others}
        return data

    def differing(self, other: ArmRecord) -> list[str]:
        """Names of values that differ. A value written as a variable is no other value."""
        names: list[str] = []
        if self.values != other.values:  # rarely: filling in takes time
            ours, theirs = fill_in(self.values), fill_in(other.values)
            names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        return names + ["steps_of"] * (self.steps_of != other.steps_of)


class SweepRecord(Record):
    """The content of sweep.json: the arms of all calls."""

    arms: tuple[ArmRecord, ...]

    @validator(mode="before")
    @classmethod
    def _from_older(cls, data: Any) -> Any:
        """Older files have seeds for all arms together."""
        if not isinstance(data, dict) or "seeds" not in data or "arms" not in data:
            return data
        return {"arms": [{"seeds": data["seeds"], **dict(arm)} for arm in data["arms"]]}

    def with_arms(self, arms: Sequence[ArmRecord]) -> SweepRecord:
        """Add arms; the seeds of an arm that is there already are united with the new ones."""
        known = {arm.name: arm for arm in self.arms}
        for arm in arms:
            before = known[arm.name].seeds if arm.name in known else ()
            seeds = tuple(sorted({*before, *arm.seeds}))
            known[arm.name] = arm.model_copy(update={"seeds": seeds})
        return SweepRecord(arms=tuple(known.values()))


class RunStatus(Record):
    """The content of a run's status file: how the run ended.

    seconds (float): the time that it took; the last part, if it was resumed.
    error (str | None): the end of what it printed, if it failed.
    """

    status: Literal["done", "failed"]
    seconds: NonNegativeFloat = 0.0
    error: str | None = None


def read_sweep_record(folder: Path) -> SweepRecord | None:
    """Read a folder's sweep.json; None where there is none. RAISES (SeqMixError): S522."""
    return _read(folder / SWEEP_FILE, SweepRecord)


def read_status(path: Path) -> RunStatus | None:
    """Read the status file of a run; None where there is none. RAISES (SeqMixError): S522."""
    return _read(path, RunStatus)


def is_done(folder: Path, n_rounds: int) -> bool:
    """Whether a run has ended well: its status file and its journal both say so.

    folder (Path): the run folder, which has its status file beside it.
    n_rounds (int): the rounds after the seed round that it was to have.
    RAISES (SeqMixError): S510 and S522 for damaged files.
    """
    status = read_status(folder.with_name(f"{folder.name}.json"))
    done = status is not None and status.status == "done"
    return done and is_whole(RunFolder(folder).read(), n_rounds)


def write_record(path: Path, record: Record) -> None:
    """Write a record as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record.model_dump(), indent=2) + "\n", "utf8")


def fill_in(values: dict[str, Any]) -> dict[str, Any]:
    """Replace the variables among values by dotted name."""
    config = Config()
    # Not spaCy's dot_to_dict, which changes names to lower case.
    for name, value in values.items():
        *sections, key = name.split(".")
        reduce(lambda place, section: place.setdefault(section, {}), sections, config)[key] = value
    return dict_to_dot(config.interpolate())


def _read(path: Path, kind: type[RecordT]) -> RecordT | None:
    # pydantic's own reader: srsly's gives 0.6 back as another number.
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as err:
        raise SeqMixError(Errors.E522.format(path=path, reason=problems_of(err))) from err
    except (OSError, TypeError, ValueError) as err:
        raise SeqMixError(Errors.E522.format(path=path, reason=err)) from err
