"""The folder of a sweep: the files of each run, and what earlier calls put there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy.util import dict_to_dot
from thinc.api import Config

from ..active.journal import is_whole
from ..active.run_folder import DOLLAR, RunFolder
from ..errors import Errors, SeqMixError, plural
from .plan import Arm, Sweep, folder_name
from .record import (
    SWEEP_FILE,
    ArmRecord,
    RunStatus,
    SweepRecord,
    is_done,
    read_status,
    read_sweep_record,
    write_record,
)
from .values import with_values


@dataclass(frozen=True)
class OneRun:
    """An arm with a seed, and its files in the folder of the sweep."""

    arm: Arm
    seed: int
    out: Path

    @property
    def folder(self) -> Path:
        """The run folder, as ``spacy seqmix active`` makes it."""
        return self.out / self.arm.folder / f"seed-{self.seed}"

    @property
    def config_path(self) -> Path:
        """The config that ``spacy seqmix active`` is given."""
        return self.folder.with_name(f"{self.folder.name}.cfg")

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def status_path(self) -> Path:
        """The file that says how it ended."""
        return self.folder.with_name(f"{self.folder.name}.json")

    @property
    def status(self) -> RunStatus | None:
        """How it ended; None where no file says so, or a damaged one: then it is run again, which
        is short if its journal is whole."""
        try:
            return read_status(self.status_path)
        except SeqMixError:
            return None

    @property
    def is_whole(self) -> bool:
        """Whether its journal has all rounds, or says that the pool ran out."""
        try:
            return is_whole(RunFolder(self.folder).read(), self.arm.rounds - 1)
        except SeqMixError:  # a damaged journal
            return False

    @property
    def is_done(self) -> bool:
        """Whether it has ended well; not if one of its files is damaged: then it is run again."""
        try:
            return is_done(self.folder, self.arm.rounds - 1)
        except SeqMixError:
            return False

    @property
    def seconds(self) -> float:
        """The time that it took, or its last part if it was resumed."""
        return 0.0 if (status := self.status) is None else status.seconds

    @property
    def error(self) -> str:
        """The last line of its error, if it failed."""
        status = self.status
        return (status.error or "").split("\n")[-1] if status else ""

    @property
    def finished_rounds(self) -> int:
        """The number of lines of its journal."""
        journal = RunFolder(self.folder).journal
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    def config(self) -> Config:
        """Its config, with the steps of another arm if it takes those.

        RAISES (SeqMixError): S510 for a damaged journal of that arm, S590 for an unfinished one.
        """
        config = self.arm.with_seed(self.seed)
        if self.arm.steps_of is None:
            return config
        other = self.out / folder_name(self.arm.steps_of) / self.folder.name
        records = RunFolder(other).read()
        if not is_whole(records, self.arm.rounds - 1):
            raise SeqMixError(
                Errors.E590.format(
                    arm=self.arm.steps_of,
                    seed=self.seed,
                    found=plural(len(records), "round"),
                    rounds=self.arm.rounds,
                )
            )
        steps = [record.steps for record in records]
        # Where the pool ran out it ended early, as this run will.
        steps += steps[-1:] * (self.arm.rounds - len(steps))
        return with_values(config, {"active.max_steps": steps})

    def end(self, seconds: float, error: str | None = None) -> bool:
        """Record how it ended. RETURNS (bool): whether it ended well."""
        record = RunStatus(
            status="failed" if error else "done", seconds=round(seconds, 1), error=error
        )
        write_record(self.status_path, record)
        return not error


def runs_of(sweep: Sweep, out: Path) -> list[OneRun]:
    """All runs, seed by seed, so that finished runs can be compared early."""
    return [OneRun(arm, seed, out) for seed in sweep.settings.seeds for arm in sweep.arms]


def known_arms(out: Path) -> SweepRecord:
    """The arms that have runs in a folder. RAISES (SeqMixError): S522 for a damaged sweep.json."""
    record = read_sweep_record(out) or SweepRecord(arms=())
    return SweepRecord(arms=tuple(arm for arm in record.arms if (out / arm.folder).exists()))


def check_folder(sweep: Sweep, out: Path) -> None:
    """Check that the runs in a folder are those of the sweep.

    RAISES (SeqMixError): S604 for an arm whose folder is that of another arm, S606 for one with
        other settings, S607 for a folder of something else, S522 for a damaged sweep.json.
    """
    if out.exists() and not out.is_dir():
        raise SeqMixError(Errors.E607.format(path=out, reason="it is a file"))
    if "$" in str(out):
        raise SeqMixError(Errors.E607.format(path=out, reason=DOLLAR))
    if out.exists() and not (out / SWEEP_FILE).exists() and any(map(_is_other, out.iterdir())):
        raise SeqMixError(Errors.E607.format(path=out, reason="it holds something else"))
    before = {arm.folder.lower(): arm for arm in known_arms(out).arms}
    for arm in arm_records(sweep):
        owner = before.get(arm.folder.lower(), arm)
        if owner.name != arm.name:
            raise SeqMixError(Errors.E604.format(one=owner.name, other=arm.name))
        if fields := arm.differing(owner):
            raise SeqMixError(Errors.E606.format(path=out, arm=arm.name, fields=", ".join(fields)))


def _is_other(path: Path) -> bool:
    """Whether this is no file of a sweep that has just begun: a lock, or a file half written."""
    return path.suffix != ".tmp"


def write_arms(sweep: Sweep, out: Path) -> None:
    """Write which arms and seeds a folder has, including those of earlier calls."""
    record = known_arms(out).with_arms(arm_records(sweep))
    write_record(out / SWEEP_FILE, record)


def arm_records(sweep: Sweep) -> Sequence[ArmRecord]:
    """The arms of a sweep as its folder records them."""
    return [
        ArmRecord(
            name=arm.name,
            folder=arm.folder,
            seeds=tuple(sweep.settings.seeds),
            control=arm.control,
            steps_of=arm.steps_of,
            mixes=arm.mixes,
            values=dict_to_dot(arm.config),
        )
        for arm in sweep.arms
    ]
